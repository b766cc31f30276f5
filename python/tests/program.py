"""A small stand-in for the proa program: runs specs one step after the other with the real runner, no cache, no stack.

It speaks the program's command line as the package uses it, and keeps runs and artifacts in the folder $PROGRAM_HOME.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

HOME = Path(os.environ["PROGRAM_HOME"])


def main(arguments: List[str]) -> int:
    if arguments[0] == "run":
        given = dict(zip(arguments[1::2], arguments[2::2]))
        return run(json.loads(Path(given["--spec"]).read_bytes()), Path(given["--result"]))
    if arguments[:2] == ["runs", "show"]:
        path = HOME / f"{arguments[2]}.json"
        if not path.exists():
            print(f"Error: no run {arguments[2]!r}", file=sys.stderr)
            return 4
        print(path.read_text())
        return 0
    if arguments[:2] == ["artifact", "get"]:
        shutil.copytree(HOME / arguments[2].replace(":", "-"), arguments[4], dirs_exist_ok=True)
        return 0
    return 2


def run(spec: Dict[str, Any], result: Path) -> int:
    record: Dict[str, Any] = {
        "id": "r1",
        "name": "first",
        "pipeline": spec["name"],
        "stack": "default",
        "status": "running",
        "created": "2026-11-24T08:00:00Z",
        "steps": [],
    }
    for step in spec["steps"]:
        record["steps"].append(attempt(spec, step, record["steps"]))
        if record["steps"][-1]["status"] == "failed":
            break
    failed = any(step["status"] == "failed" for step in record["steps"])
    record["status"] = "failed" if failed else "succeeded"
    HOME.mkdir(exist_ok=True)
    (HOME / "first.json").write_text(json.dumps(record))
    result.write_text(json.dumps({"run": record}))
    return 1 if failed else 0


def attempt(spec: Dict[str, Any], step: Dict[str, Any], done: List[Dict[str, Any]]) -> Dict[str, Any]:
    work = HOME / "work" / step["name"]
    request = make(work, step, {item["name"]: item for item in done})
    (work / "request.json").write_text(json.dumps(request))
    ended = subprocess.run(
        [spec["source"]["interpreter"], "-m", "proa.runner"],
        cwd=spec["source"]["root"],
        env={**os.environ, "PYTHONPATH": os.environ["PROA_SDK"], "PROA_REQUEST": str(work / "request.json")},
        check=False,
    )
    answer = json.loads((work / "result.json").read_bytes())
    outputs = (
        {item["name"]: keep(Path(item["path"]), answer["outputs"][item["name"]]) for item in request["outputs"]}
        if (ended.returncode == 0)
        else {}
    )
    status = "succeeded" if ended.returncode == 0 else "failed"
    return {"name": step["name"], "status": status, "attempt": 1, "outputs": outputs, "failure": answer.get("failure")}


def make(work: Path, step: Dict[str, Any], done: Dict[str, Any]) -> Dict[str, Any]:
    (work / "temp").mkdir(parents=True)
    inputs = {}
    for name, given in step.get("inputs", {}).items():
        output = done[given["step"]]["outputs"][given["output"]]
        path = str(HOME / output["digest"].replace(":", "-"))
        inputs[name] = {"path": path, "type": output["type"], "materializer": output["materializer"]}
    outputs = [{**output, "path": str(work / output["name"])} for output in step.get("outputs", [])]
    return {
        "apiVersion": "proa/v1",
        "run": "r1",
        "runName": "first",
        "pipeline": "p",
        "step": step["name"],
        "attempt": 1,
        "source": step["run"]["python"]["source"],
        "parameters": step.get("parameters"),
        "inputs": inputs,
        "outputs": outputs,
        "result": str(work / "result.json"),
        "temp": str(work / "temp"),
    }


def keep(folder: Path, described: Dict[str, str]) -> Dict[str, Any]:
    content = hashlib.sha256(described["type"].encode())
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in files:
        content.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    digest = f"sha256:{content.hexdigest()}"
    shutil.copytree(folder, HOME / digest.replace(":", "-"), dirs_exist_ok=True)
    return {**described, "digest": digest, "size": sum(path.stat().st_size for path in files)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
