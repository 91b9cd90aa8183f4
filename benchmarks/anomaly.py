"""Measurements behind the chapter on anomaly detection.

All images of one digit of MNIST are the anomaly: 80 % of the others train, and the rest is judged
together with a quarter of the test set of Zenati et al. 2018 (drawn at random, normal and anomalous
images alike, so that their ratio is the protocol's). A seed fixes the split and the training.

Three experiments with digits 1, 4, 5, 7 and 9 left out and three seeds each, and one to choose by:

- ``digits``: the GAN's detector, plain ones, and an autoencoder.
- ``untrained``: the neighbours' score of the GAN's networks before any training.
- ``angles``: neighbours by angle without a network: of pixels less the mean image, and of
  histograms of gradients.
- ``choice``: the histograms' settings, with 2, 3 and 8 left out; ``CHOSEN`` has the best mean.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from lib.recording import Rows, main, timed

from gantut import load_mnist
from gantut.applications import anomaly, rivals

TEST_SHARE = 0.25
DIGITS, SEEDS = (1, 4, 5, 7, 9), (0, 1, 2)
OTHER_DIGITS = (2, 3, 8)
GRADIENTS = ((4, 8), (4, 16), (7, 8), (7, 16))  # sides of cells and numbers of directions
CHOSEN = (4, 16)

Scores = Iterator[tuple[str, Any, float]]


def by_angle(a: Any, b: Any) -> Any:
    """How far each of b is from the nearest of a."""
    return rivals.neighbour_scores(a, b, angle=True)


def trained(split: anomaly.Split, seed: int) -> Scores:
    """Yields names of methods, their scores of the test images, and CPU seconds."""
    train, test = split.train, split.test
    yield "PCA residual", *timed(rivals.pca_residuals, train, test, 8)
    yield "nearest pixels", *timed(rivals.neighbour_scores, train, test)
    yield (
        "nearest components by angle",
        *timed(lambda: by_angle(*rivals.principal_components(train, test, 40))),
    )
    detector, training = timed(anomaly.train_autoencoder, train, seed=seed)
    scores, spent = timed(detector.residuals, test)
    yield "autoencoder residual", scores, training + spent
    yield "autoencoder nearest", *timed(detector.neighbour_scores, train, test)
    detector, training = timed(anomaly.train, train, seed=seed)
    yield "f-AnoGAN, pixels alone", detector.residuals(test, kappa=0.0), training
    yield "f-AnoGAN", detector.residuals(test), training
    layers, looking = timed(lambda: zip(*map(detector.features, (train, test)), strict=True))
    logs, comparing = timed(lambda: [np.log(by_angle(a, b)) for a, b in layers])
    total = training + looking + comparing
    yield "GAN nearest, E alone", logs[0], total
    yield "GAN nearest, D alone", logs[1], total
    yield "GAN nearest", np.mean(logs, axis=0), total


def untrained(split: anomaly.Split, seed: int) -> Scores:
    """Yields the neighbours' score in the GAN's networks as they are before training."""
    detector, making = timed(anomaly.untrained, split.train, seed=seed)
    scores, spent = timed(detector.neighbour_scores, split.train, split.test)
    yield "untrained nearest", scores, making + spent


def angles(split: anomaly.Split, seed: int) -> Scores:
    """Yields scores by angles for which no network is needed."""
    mean = split.train.mean(axis=0)
    yield "nearest pixels by angle", *timed(by_angle, split.train - mean, split.test - mean)
    yield "nearest gradients by angle", *timed(gradients, split, *CHOSEN)


def choice(split: anomaly.Split, seed: int) -> Scores:
    """Yields scores by gradients with each setting."""
    for cell, directions in GRADIENTS:
        name = f"gradients in cells of {cell}, {directions} directions"
        yield name, *timed(gradients, split, cell, directions)


def gradients(split: anomaly.Split, cell: int, directions: int) -> Any:
    """How far each test image is from the nearest training image."""
    return rivals.gradient_scores(split.train, split.test, cell=cell, directions=directions)


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
    experiments = {"digits": trained, "untrained": untrained, "angles": angles, "choice": choice}
    main(
        __doc__,
        {name: functools.partial(measured, scores) for name, scores in experiments.items()},
        # Seeds first: a run that is stopped has whole columns.
        {
            "seed": dict.fromkeys(experiments, SEEDS) | {"choice": (0,)},
            "digit": dict.fromkeys(experiments, DIGITS) | {"choice": OTHER_DIGITS},
        },
        test_share=TEST_SHARE,
    )
