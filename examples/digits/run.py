"""Train a classifier of handwritten digits, and compare the data it was trained on with the data it is tested on."""

from typing import Annotated, Tuple

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

from proa import DockerSettings, pipeline, step


@step
def importer() -> Tuple[
    Annotated[np.ndarray, "X_train"],
    Annotated[np.ndarray, "X_test"],
    Annotated[np.ndarray, "y_train"],
    Annotated[np.ndarray, "y_test"],
]:
    """Load the digits: half of them to train with, the other half to test with."""
    digits = load_digits()
    images = digits.images.reshape(len(digits.images), -1)
    X_train, X_test, y_train, y_test = train_test_split(images, digits.target, test_size=0.5, shuffle=False)
    return X_train, X_test, y_train, y_test


@step
def trainer(X_train: np.ndarray, y_train: np.ndarray, gamma: float = 0.001) -> ClassifierMixin:
    """Train a support-vector classifier."""
    model = SVC(gamma=gamma)
    model.fit(X_train, y_train)
    return model


@step
def evaluator(X_test: np.ndarray, y_test: np.ndarray, model: ClassifierMixin) -> Annotated[float, "accuracy"]:
    """Measure how many of the test images the model recognises."""
    accuracy = model.score(X_test, y_test)
    print(f"Test accuracy: {accuracy}")
    return accuracy


@step
def skew_comparison(
    X_train: np.ndarray, X_test: np.ndarray
) -> Tuple[Annotated[pd.DataFrame, "train"], Annotated[pd.DataFrame, "test"]]:
    """Turn both halves into data frames, one column for each pixel, to compare their distributions."""
    columns = [str(pixel) for pixel in range(X_train.shape[1])]
    return pd.DataFrame(X_train, columns=columns), pd.DataFrame(X_test, columns=columns)


@pipeline(settings={"docker": DockerSettings(requirements="requirements.txt")})
def digits_pipeline():
    """Trainer and skew comparison need only the importer, so they run side by side."""
    X_train, X_test, y_train, y_test = importer()
    model = trainer(X_train, y_train)
    evaluator(X_test, y_test, model)
    skew_comparison(X_train, X_test)


if __name__ == "__main__":
    run = digits_pipeline()

    frames = run.steps["skew_comparison"].outputs
    train, test = frames["train"].load(), frames["test"].load()
    shift = (test.mean() - train.mean()).abs().sort_values(ascending=False)

    print(f"\ntrain {train.shape[0]} x {train.shape[1]}, test {test.shape[0]} x {test.shape[1]}")
    print(f"mean difference per column: {shift.mean():.3f}, largest in these:")
    print(shift.head(5).round(3).to_string())
    print(f"accuracy {run.steps['evaluator'].output.load():.4f}")
