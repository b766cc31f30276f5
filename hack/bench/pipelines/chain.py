"""A chain of trivial steps: what a step costs beside its work."""

import sys

from proa import pipeline, step


@step
def tick(value: int) -> int:
    """Do next to nothing."""
    return value + 1


@pipeline
def chain(length: int, salt: int):
    """One step after the other."""
    value = tick(salt)
    for _ in range(length - 1):
        value = tick(value)


if __name__ == "__main__":
    chain(length=int(sys.argv[1]), salt=int(sys.argv[2]))
