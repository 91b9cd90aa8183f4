"""Measurements behind the chapter on anomaly detection.

All images of one digit of MNIST are the anomaly: 80 % of the others train, and the rest is judged
together with a quarter of the test set of Zenati et al. 2018 (drawn at random, normal and anomalous
images alike, so that their ratio is the protocol's). A seed fixes the split and the training.

Two experiments, with digits 1, 4, 5, 7 and 9 left out and three seeds each:

- ``digits``: the GAN's detector, plain ones, and an autoencoder.
- ``untrained``: the neighbours' score of the GAN's networks before any training.
"""

import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from lib.recording import Rows, main

from gantut import load_mnist
from gantut.applications import anomaly

TEST_SHARE = 0.25
DIGITS, SEEDS = (1, 4, 5, 7, 9), (0, 1, 2)


Scores = Iterator[tuple[str, Any, float]]


def trained(split: anomaly.Split, seed: int) -> Scores:
    """Yields names of methods, their scores of the test images, and CPU seconds."""
    train, test = split.train, split.test
    begin = time.process_time()

    def spent() -> float:
        nonlocal begin
        before, begin = begin, time.process_time()
        return begin - before

    yield "PCA residual", anomaly.pca_residuals(train, test, 8), spent()
    yield "nearest pixels", anomaly.neighbour_scores(train, test), spent()
    spent()
    a, b = anomaly.principal_components(train, test, 40)
    yield "nearest components by angle", anomaly.neighbour_scores(a, b, angle=True), spent()
    spent()
    detector = anomaly.train_autoencoder(train, seed=seed)
    yield "autoencoder residual", detector.residuals(test), spent()
    yield "autoencoder nearest", detector.neighbour_scores(train, test), spent()
    spent()
    detector = anomaly.train(train, seed=seed)
    training = spent()
    yield "f-AnoGAN, pixels alone", detector.residuals(test, kappa=0.0), training
    yield "f-AnoGAN", detector.residuals(test), training
    spent()
    of_train, of_test = detector.features(train), detector.features(test)
    logs = [
        np.log(anomaly.neighbour_scores(a, b, angle=True))
        for a, b in zip(of_train, of_test, strict=True)
    ]
    total = training + spent()
    yield "GAN nearest, E alone", logs[0], total
    yield "GAN nearest, D alone", logs[1], total
    yield "GAN nearest", np.mean(logs, axis=0), total


def untrained(split: anomaly.Split, seed: int) -> Scores:
    """Yields the neighbours' score in the GAN's networks as they are before training."""
    begin = time.process_time()
    detector = anomaly.untrained(split.train, seed=seed)
    scores = detector.neighbour_scores(split.train, split.test)
    yield "untrained nearest", scores, time.process_time() - begin


@functools.cache
def mnist() -> tuple[Any, Any]:
    """All 70,000 images and their labels."""
    data = load_mnist()
    return np.concatenate([data.x_train, data.x_test]), np.concatenate([data.y_train, data.y_test])


def measured(scores: Callable[[anomaly.Split, int], Scores], seed: int, digit: int) -> Rows:
    """Yields the areas of all methods, with one digit left out."""
    split = anomaly.leave_one_out(*mnist(), digit, seed=seed, test_share=TEST_SHARE)
    for method, values, cpu_seconds in scores(split, seed):
        yield {
            "method": method,
            **anomaly.measure(values, split.anomalous)._asdict(),
            "prevalence": float(split.anomalous.mean()),
            "cpu_seconds": cpu_seconds,
        }


if __name__ == "__main__":
    main(
        __doc__,
        {
            "digits": functools.partial(measured, trained),
            "untrained": functools.partial(measured, untrained),
        },
        # Seeds first: a run that is stopped has whole columns.
        {"seed": SEEDS, "digit": DIGITS},
        test_share=TEST_SHARE,
    )
