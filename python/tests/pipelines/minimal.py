"""One step without inputs, outputs or parameters, in a script without a main guard."""

from proa import pipeline, step


@step
def hello() -> None:
    print("hello")


@pipeline
def minimal():
    hello()


minimal()
