"""Measurements behind the chapter on images on demand.

Three seeds of each recipe for conditional digits, all trained on MNIST's 60,000 images:

- ``train``: judge's accuracy on the class that was asked for, Frechet distance as a multiple of its
  floor, precision and recall, at marks along the training. ``cpu_seconds`` are the training's
  alone, compilation included. ``label at the input`` is ``conditional_fast`` with the label beside
  the pixels instead of a projection. ``longer`` is ``conditional_fast`` with the average and the
  steps of ``clustered_fast`` in benchmarks/results/quality.json.
- ``score``: classification accuracy scores. 20,000 images of each source, 2,000 of each class,
  train a classifier that is tested on the 10,000 real test images; the classifier that learnt from
  all real training images also reads the images of each source.
- ``curve``: precision, recall and accuracy of ``conditional_fast`` under the truncation trick.
- ``between``: images half-way between two latent vectors or two classes, beside crossfades of two
  real images.

``rivals`` are real images, and samples of the pretrained ``fast`` that the judge picked; ``equal``
those that it picked from ``fast`` where training and picking take as long as ``conditional_fast``.
"""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from lib.marks import Marks
from lib.recording import main, timed

from gantut import judge, load_mnist, metrics, networks, pretrained, recipes
from gantut._keras import keras
from gantut.applications import conditional
from gantut.evaluation import frechet_floor, quick_frechet
from gantut.sampling import sample

PER_CLASS = 2_000  # images of each class for the classification accuracy score
BALLS = 2_000  # images on each side for precision and recall
THRESHOLDS = (np.inf, 2.0, 1.5, 1.0, 0.7, 0.5, 0.3, 0.1)
MARKS = {
    "conditional_fast": [1_504, 3_008, 6_000],
    "mini_biggan": [400, 800],
    "label at the input": [1_504],
    "longer": [24_576],
}
TRUNCATED = 1.0
CONFIDENCE = 0.95
EQUAL_STEPS = 6_704  # of fast; with the picking, the seconds of conditional_fast by quality.json


def real_features(data: Any, seed: int) -> Any:
    """Features of as many real test images as there are samples for precision and recall."""
    rows = np.random.default_rng(seed).permutation(len(data.x_test))[:BALLS]
    return judge.features(data.x_test[rows])


def measured(images: Any, labels: Any, data: Any, seed: int) -> dict[str, float]:
    """The measures of some images of all classes, at least ``BALLS``."""
    features, probabilities = judge.outputs(images)
    chosen = np.random.default_rng(seed).permutation(len(images))[:BALLS]
    precision, recall = metrics.precision_recall(real_features(data, seed), features[chosen])
    return {
        "accuracy": float(np.mean(probabilities.argmax(axis=1) == labels)),
        "frechet_ratio": quick_frechet(images) / frechet_floor(len(images)),
        "precision": precision,
        "recall": recall,
    }


def recipe(name: str) -> Any:
    """A recipe of the package by its name, or ``conditional_fast`` with something changed."""
    if name in recipes.RECIPES:
        return recipes.get(name)
    base = recipes.get("conditional_fast")
    if name == "longer":
        return dataclasses.replace(base, name=name, ema=recipes.get("clustered_fast").ema)

    def discriminator(image_shape: Any, num_classes: int, mean_image: Any) -> Any:
        image, label = keras.Input(image_shape, name="image"), keras.Input((), dtype="int32")
        one_hot = keras.layers.CategoryEncoding(num_classes, output_mode="one_hot")(label)
        x = networks.parts.pixels_in_a_row(image, mean_image)
        x = keras.layers.Concatenate()([x, one_hot])
        for units in (256, 128):
            x = keras.layers.LeakyReLU(0.2)(keras.layers.Dense(units)(x))
        return keras.Model([image, label], keras.layers.Dense(1)(x))

    return dataclasses.replace(base, name=name, discriminator=discriminator)


def train(name: str, data: Any, seed: int) -> tuple[Any, list[dict[str, Any]]]:
    """Trains a recipe, measures it at its marks, and returns it with the rows."""

    def measure(gan: Any) -> dict[str, float]:
        images, labels = conditional.sample(gan.ema_generator, 500, seed=seed)
        return measured(images, labels, data, seed)

    marks = Marks(MARKS[name], measure)
    steps = MARKS[name][-1]
    run = recipes.train(
        recipe(name), data.x_train, data.y_train, steps=steps, seed=seed, callbacks=[marks]
    )
    return run.gan.ema_generator, [
        {"experiment": "train", "source": name, "steps": row.pop("step"), **row}
        for row in marks.rows
    ]


def score_row(source: str, images: Any, labels: Any, data: Any, seed: int) -> dict[str, Any]:
    """The classification accuracy score of some images, and what a second reader reads."""
    score = conditional.classification_accuracy_score(
        images, labels, data.x_test, data.y_test, seed=seed
    )
    return {
        "experiment": "score",
        "source": source,
        "score": score.accuracy,
        "by_class": score.by_class.tolist(),
        "read_by_judge": conditional.accuracy(images, labels),
        "read_by_second": conditional.accuracy(images, labels, second_reader(seed).classify),
        "cpu_seconds": score.cpu_seconds,
    }


@functools.cache
def second_reader(seed: int) -> conditional.ClassifierScore:
    """The classifier that learnt from all real training images."""
    data = load_mnist()
    return conditional.classification_accuracy_score(
        data.x_train, data.y_train, data.x_test, data.y_test, seed=seed
    )


def curve_rows(generator: Any, data: Any, seed: int) -> Iterator[dict[str, Any]]:
    """The truncation trick."""
    for point in conditional.truncation_curve(
        generator, real_features(data, seed), THRESHOLDS, per_class=BALLS // 10, seed=seed
    ):
        row = {"experiment": "curve", "source": "conditional_fast", **point._asdict()}
        yield row if np.isfinite(point.threshold) else {**row, "threshold": None}


def between_rows(generator: Any, data: Any, seed: int) -> Iterator[dict[str, Any]]:
    """Half-way images of the generator, and of crossfades."""
    rng = np.random.default_rng(seed)
    n = BALLS
    labels = np.arange(n) % 10
    others = (labels + rng.integers(1, 10, n)) % 10
    z = conditional.truncated_latents(2 * n, generator.inputs[0].shape[-1], seed=seed)

    def real(classes: Any) -> Any:
        rows = [rng.choice(np.flatnonzero(data.y_train == k)) for k in classes]
        return data.x_train[np.array(rows)]

    halves = {
        "latents": conditional.between_latents(generator, z[:n], z[n:], labels, steps=3),
        "crossfade in a class": conditional.crossfade(real(labels), real(labels), steps=3),
        "classes": conditional.between_classes(generator, z[:n], labels, others, steps=3),
        "crossfade of classes": conditional.crossfade(real(labels), real(others), steps=3),
    }
    for name, way in halves.items():
        for place, images in (("end", way[:, 0]), ("half-way", way[:, 1])):
            features, probabilities = judge.outputs(images)
            precision, _ = metrics.precision_recall(real_features(data, seed), features)
            read = probabilities.argmax(axis=1)
            yield {
                "experiment": "between",
                "source": name,
                "place": place,
                "precision": precision,
                "confident": float(np.mean(probabilities.max(axis=1) > 0.95)),
                "first": float(np.mean(read == labels)),
                "second": float(np.mean(read == others)),
            }


def rival_rows(data: Any, seed: int) -> Iterator[dict[str, Any]]:
    """Real images, and samples of an unconditional generator that the judge picked."""
    reader = second_reader(seed)
    yield {
        "experiment": "score",
        "source": "all real images",
        "score": reader.accuracy,
        "by_class": reader.by_class.tolist(),
        "cpu_seconds": reader.cpu_seconds,
    }
    rng = np.random.default_rng(seed)
    rows = np.concatenate(
        [rng.choice(np.flatnonzero(data.y_train == k), PER_CLASS, False) for k in range(10)]
    )
    images, labels = data.x_train[rows], data.y_train[rows]
    found = measured(images[::4], labels[::4], data, seed)
    yield {"experiment": "train", "source": "real images", **found}
    yield score_row("real images", images, labels, data, seed)
    for source, confidence in (("picked", 0.0), ("picked, confident", CONFIDENCE)):
        yield from picked_rows(source, pretrained.load("fast"), confidence, 0.0, data, seed)


def picked_rows(
    source: str, generator: Any, confidence: float, spent: float, data: Any, seed: int
) -> Iterator[dict[str, Any]]:
    """Samples that the judge picked from a generator on which so many seconds were spent."""
    (images, labels, drawn), picking = timed(
        conditional.pick_by_class,
        lambda n, seed: sample(generator, n, seed=seed),
        PER_CLASS,
        confidence=confidence,
        seed=seed,
    )
    yield {
        "experiment": "train",
        "source": source,
        "drawn": drawn,
        "cpu_seconds": spent + picking,
        **measured(images[::4], labels[::4], data, seed),
    }
    yield score_row(source, images, labels, data, seed)


def rows_of(source: str, seed: int) -> Iterator[dict[str, Any]]:
    """All rows of one source from one seed."""
    data = load_mnist()
    if source == "rivals":
        yield from rival_rows(data, seed)
        return
    if source == "equal":
        run = recipes.train("fast", data.x_train, steps=EQUAL_STEPS, seed=seed)
        spent = run.cpu_seconds, data, seed
        yield from picked_rows("picked, equal seconds", run.gan.ema_generator, CONFIDENCE, *spent)
        return
    generator, rows = train(source, data, seed)
    yield from rows
    if source == "label at the input":
        return
    images, labels = conditional.sample(generator, PER_CLASS, seed=seed)
    yield score_row(source, images, labels, data, seed)
    if source == "conditional_fast":
        images, labels = conditional.sample(generator, PER_CLASS, threshold=TRUNCATED, seed=seed)
        yield score_row(f"{source}, threshold {TRUNCATED:g}", images, labels, data, seed)
        yield from curve_rows(generator, data, seed)
        yield from between_rows(generator, data, seed)


if __name__ == "__main__":
    main(
        __doc__,
        {source: functools.partial(rows_of, source) for source in (*MARKS, "rivals", "equal")},
        {"seed": (0, 1, 2)},
        group="from",
        per_class=PER_CLASS,
        balls=BALLS,
    )
