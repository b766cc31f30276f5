"""Print the newest run and its steps, one a line: name, status, attempts, kind and type of failure."""

import json
import subprocess
import sys


def proa(*arguments: str):
    """Return the JSON that a command prints."""
    return json.loads(subprocess.check_output(["proa", *arguments, "-o", "json"]))


name = sys.argv[1] if len(sys.argv) > 1 else proa("runs", "list")[0]["name"]
run = proa("runs", "show", name)
print("run", run["status"], run["name"])
for step in run["steps"]:
    failure = step.get("failure") or {}
    print(step["name"], step["status"], step.get("attempt") or 0, failure.get("kind", ""), failure.get("type", ""))
