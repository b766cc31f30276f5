"""The standard streams of a step."""

from __future__ import annotations

import sys


def buffer_lines() -> None:
    """Have each line of output written at once, so that it is seen while the step runs."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)
