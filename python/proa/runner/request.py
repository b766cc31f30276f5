"""The request and result files: the contract with the launcher."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

API_VERSION = "proa/v1"


class RequestInput(NamedTuple):
    """One input, already on disk."""

    path: Path
    type: str
    materializer: str


class RequestOutput(NamedTuple):
    """One output to save into an empty folder."""

    name: str
    type: str
    materializer: str
    path: Path


class Request(NamedTuple):
    """What the launcher asks for."""

    run: str
    run_name: str
    pipeline: str
    step: str
    attempt: int
    source: str
    parameters: Dict[str, Any]
    inputs: Dict[str, RequestInput]
    outputs: List[RequestOutput]
    result: Path
    temp: Path
    secrets: Dict[str, Dict[str, str]]


def read_request(path: str) -> Request:
    """Return the request in a file."""
    document = json.loads(Path(path).read_bytes())
    if document.get("apiVersion") != API_VERSION:
        raise SystemExit(
            f"proa.runner: the request has version {document.get('apiVersion')!r}, this package knows {API_VERSION!r}; "
            "use the proa package that belongs to the proa program"
        )
    return Request(
        run=document["run"],
        run_name=document["runName"],
        pipeline=document["pipeline"],
        step=document["step"],
        attempt=document["attempt"],
        source=document["source"],
        parameters=document.get("parameters") or {},
        inputs={name: _input(item) for name, item in (document.get("inputs") or {}).items()},
        outputs=[_output(item) for item in document.get("outputs") or ()],
        result=Path(document["result"]),
        temp=Path(document["temp"]),
        secrets=document.get("secrets") or {},
    )


def _input(document: Dict[str, Any]) -> RequestInput:
    return RequestInput(Path(document["path"]), document["type"], document["materializer"])


def _output(document: Dict[str, Any]) -> RequestOutput:
    return RequestOutput(
        document["name"], document.get("type") or "", document.get("materializer") or "", Path(document["path"])
    )


def write_result(
    path: Path, outputs: Dict[str, Dict[str, str]], failure: Optional[Dict[str, Any]], times: Dict[str, float]
) -> None:
    """Write the result, so that it is there whole or not at all."""
    document: Dict[str, Any] = {"apiVersion": API_VERSION, "times": times}
    if failure is not None:
        document["failure"] = failure
    elif outputs:
        document["outputs"] = outputs
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
    partial.replace(path)
