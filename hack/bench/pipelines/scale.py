"""Layers of trivial steps, each of which needs one of the layer before: what many steps cost the coordinator."""

import sys

from proa import pipeline, step


@step
def tick(value: int) -> int:
    """Do next to nothing."""
    return value + 1


@pipeline
def scale(width: int, depth: int, salt: int):
    """All columns at once, layer by layer."""
    values = [salt + i for i in range(width)]
    for _ in range(depth):
        values = [tick(value) for value in values]


if __name__ == "__main__":
    scale(width=int(sys.argv[1]), depth=int(sys.argv[2]), salt=int(sys.argv[3]))
