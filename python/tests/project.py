"""A user's project in a temporary folder, and the ways to run it."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

HERE = Path(__file__).resolve().parent
SDK = HERE.parent
LIMIT = 120


class Attempt(NamedTuple):
    """What the runner did with a request."""

    code: int
    result: Optional[Dict[str, Any]]
    """The result, without the times in it."""
    stdout: str
    stderr: str
    outputs: Dict[str, Path]
    times: Dict[str, float]

    @property
    def failure(self) -> Dict[str, Any]:
        assert self.result is not None, self.stderr
        failure: Dict[str, Any] = self.result["failure"]
        return failure


class Project:
    """A folder with a user's files."""

    def __init__(self, root: Path, python: str) -> None:
        self.root = root
        self.python = python
        self._count = 0

    def write(self, **files: str) -> Project:
        """Write modules: each key is a file name without .py, with __ for a folder."""
        for name, text in files.items():
            path = self.root / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return self

    def environment(self, **more: str) -> Dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PROA_", "PYTHON"))}
        return {**kept, "PYTHONPATH": str(SDK), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", **more}

    def run(self, arguments: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Python in the project."""
        return subprocess.run(
            [self.python, *arguments],
            cwd=self.root,
            env=self.environment(**environment),
            capture_output=True,
            encoding="utf-8",
            timeout=LIMIT,
            check=False,
        )

    def spec(self, script: str = "run.py") -> Dict[str, Any]:
        """Return the spec that a script writes."""
        path = self.root / "spec.out"
        done = self.run([script], PROA_SPEC_ONLY=str(path))
        assert done.returncode == 0, done.stderr
        document: Dict[str, Any] = json.loads(path.read_bytes())
        path.unlink()
        return document

    def error(self, script: str = "run.py") -> str:
        """Return the last line of the error that a script ends with instead of writing a spec."""
        path = self.root / "spec.out"
        done = self.run([script], PROA_SPEC_ONLY=str(path))
        assert done.returncode == 1 and not path.exists(), done.stderr
        return done.stderr.strip().splitlines()[-1]

    def attempt(
        self,
        source: str,
        parameters: Optional[Dict[str, Any]] = None,
        inputs: Optional[Dict[str, Dict[str, str]]] = None,
        outputs: Sequence[Any] = (),
        secrets: Optional[Dict[str, Dict[str, str]]] = None,
        **environment: str,
    ) -> Attempt:
        """Run one step with the runner, as a launcher would."""
        self._count += 1
        work = self.root / f".work-{self._count}"
        request = make_request(work, source, parameters or {}, inputs or {}, outputs, secrets)
        done = self.run(["-m", "proa.runner"], PROA_REQUEST=str(work / "request.json"), **environment)
        result_file = work / "result.json"
        result = json.loads(result_file.read_bytes()) if result_file.exists() else None
        times = (result or {}).pop("times", {})
        folders = {item["name"]: Path(item["path"]) for item in request["outputs"]}
        return Attempt(done.returncode, result, done.stdout, done.stderr, folders, times)


def make_request(
    work: Path,
    source: str,
    parameters: Dict[str, Any],
    inputs: Dict[str, Dict[str, str]],
    outputs: Sequence[Any],
    secrets: Optional[Dict[str, Dict[str, str]]] = None,
) -> Dict[str, Any]:
    """Write a request file with the folders it names, and return the request."""
    declared: List[Dict[str, Any]] = [{"name": item} if isinstance(item, str) else dict(item) for item in outputs]
    for item in declared:
        item["path"] = str(work / "outputs" / item["name"])
        Path(item["path"]).mkdir(parents=True)
    (work / "temp").mkdir(parents=True)
    request: Dict[str, Any] = {
        "apiVersion": "proa/v1",
        "run": "r1",
        "runName": "first run",
        "pipeline": "p",
        "step": source.partition(":")[2],
        "attempt": 1,
        "source": source,
        "parameters": parameters,
        "inputs": inputs,
        "outputs": declared,
        "result": str(work / "result.json"),
        "temp": str(work / "temp"),
        "secrets": secrets or {},
    }
    (work / "request.json").write_text(json.dumps(request))
    return request


def as_input(attempt: Attempt, output: str) -> Dict[str, str]:
    """Return a saved output as the input of another step."""
    assert attempt.code == 0 and attempt.result is not None, attempt.stderr
    described = attempt.result["outputs"][output]
    return {
        "path": str(attempt.outputs[output]),
        "type": described["type"],
        "materializer": described["materializer"],
    }
