"""Making the specification of a recorded run anew, from the code as it is now.

``python -m proa.respec OLD NEW`` reads a specification, imports its script without running it, and writes what the same
pipeline's specification is today, with the same parameters.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Dict, List

from proa import pipelines
from proa.errors import ProaError, nearest
from proa.runner.modules import Modules
from proa.source import Source


def respec(old: Dict[str, Any]) -> Dict[str, Any]:
    """Return the specification of the same pipeline from the code as it is now."""
    root = Path(old["source"]["root"])
    main = root / old["source"]["main"]
    sys.modules["__main__"].__file__ = str(main)
    name = Source(root, main).name_of(main)
    if name is None:
        raise ProaError(f"{main} is not in {root}")
    Modules(root).load(name)
    pipelines.intercept(None)
    pipeline = _find(name, old["name"])
    document = pipeline.spec(**old.get("parameters", {}))
    for option, key in (("settings", "settings"), ("enable_cache", "cache")):
        if pipeline.options.get(option) is None and key in old:  # given where the pipeline was called
            document[key] = old[key]
    return document


def _find(main: str, wanted: str) -> pipelines.Pipeline:
    """Return the pipeline of that name; the script's own go first."""
    known: Dict[str, pipelines.Pipeline] = {}
    for module in [*reversed(list(sys.modules)), main]:
        for thing in list(vars(sys.modules[module]).values()) if sys.modules.get(module) is not None else ():
            if isinstance(thing, pipelines.Pipeline):
                known[thing.name] = thing
    own = [thing for thing in vars(sys.modules[main]).values() if isinstance(thing, pipelines.Pipeline)]
    if wanted not in known and len(own) == 1:
        return own[0].with_options(name=wanted)
    if wanted not in known:
        raise ProaError(
            f"the script has no pipeline {wanted!r} at the top of a module any more; {nearest(wanted, list(known))}"
        )
    return known[wanted]


def main(arguments: List[str]) -> int:
    """Run the command; it is for proa."""
    old, new = arguments
    try:
        document = respec(json.loads(Path(old).read_bytes()))
    except ProaError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    Path(new).write_bytes(text.encode("utf-8", "surrogatepass") + b"\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
