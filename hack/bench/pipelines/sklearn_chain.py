"""A chain of steps that import scikit-learn: what an import costs beside a step's work."""

import sys

import sklearn.svm

from proa import DockerSettings, pipeline, step


@step
def fit(value: int) -> int:
    """Fit a tiny model."""
    sklearn.svm.SVC().fit([[0.0], [1.0]], [0, 1])
    return value + 1


@pipeline(settings={"docker": DockerSettings(requirements=["scikit-learn"])})
def sklearn_chain(length: int, salt: int):
    """One step after the other."""
    value = fit(salt)
    for _ in range(length - 1):
        value = fit(value)


if __name__ == "__main__":
    sklearn_chain(length=int(sys.argv[1]), salt=int(sys.argv[2]))
