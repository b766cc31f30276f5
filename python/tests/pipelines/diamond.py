"""Two branches that meet, a step used twice, and steps in order without data."""

from typing import Annotated, Dict, List, Optional, Tuple

from proa import pipeline, step

SCALE = 10


@step
def load(count: int = 3) -> Tuple[Annotated[List[int], "low"], Annotated[List[int], "high"]]:
    return list(range(count)), [SCALE * item for item in range(count)]


@step
def total(numbers: List[int], weight: float = 1.0) -> float:
    return weight * sum(numbers)


@step
def join(low: float, high: float, labels: Optional[Dict[str, str]] = None) -> Tuple[float, str]:
    return low + high, ", ".join(labels or {})


@step
def clean_up() -> None:
    pass


@pipeline
def diamond(weight: float = 2.0, labels: Optional[Dict[str, str]] = None):
    low, high = load()
    first = total(low, weight=weight)
    second = total(high)
    joined, _ = join(first, second, labels=labels)
    clean_up(after=[joined])
    clean_up.after("join")(id="clean again")


if __name__ == "__main__":
    diamond(weight=0.5, labels={"größe": "x", "b": "1"})
