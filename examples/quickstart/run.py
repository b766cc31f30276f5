"""Two steps that need nothing but Python: numbers, and their mean. Run it twice to see both taken from the cache."""

from typing import Annotated

from proa import pipeline, step


@step
def load(count: int = 4) -> list:
    """Return the numbers from one up."""
    return list(range(1, count + 1))


@step
def mean(numbers: list) -> Annotated[float, "mean"]:
    """Return the mean of numbers."""
    return sum(numbers) / len(numbers)


@pipeline
def quickstart():
    """Connect the two."""
    mean(load())


if __name__ == "__main__":
    run = quickstart()
    print(f"mean {run.steps['mean'].output.load()}")
