"""Many trivial steps at once: what a step costs when the cluster is the limit."""

import sys

from proa import pipeline, step


@step
def tick(value: int) -> int:
    """Do next to nothing."""
    return value + 1


@pipeline
def fanout(width: int, salt: int):
    """All steps at once."""
    for i in range(width):
        tick(salt + i)


if __name__ == "__main__":
    fanout(width=int(sys.argv[1]), salt=int(sys.argv[2]))
