"""Conditional generation: ask a generator for a class, and measure whether you get it.

    from gantut import load_mnist, recipes
    from gantut.applications import conditional

    data = load_mnist()
    gan = recipes.train("conditional_fast", data.x_train, data.y_train).gan
    images, labels = conditional.sample(gan.ema_generator, 100)
    conditional.accuracy(images, labels)

For a trained generator there are a grid with a class in each row, the truncation trick and its
curve, paths between latent vectors and between classes, and the classification accuracy score. The
rival that needs no labels in training is `pick_by_class`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import sklearn.metrics
from scipy import special

from gantut import _check, judge, metrics, recipes
from gantut._keras import keras, tf
from gantut.data import Float32, Float64, Int64, check_alike, check_images, check_labels
from gantut.networks import classes_of, soft_labels
from gantut.sampling import in_batches, render

Model: TypeAlias = keras.Model
Classifier = Callable[[Float32], npt.NDArray[np.floating]]

BATCH_SIZE = 128
"""Images in a step of the classifier."""


# --- Asking ------------------------------------------------------------------------------------


def truncated_latents(
    n: int, latent_dim: int, *, threshold: float | None = None, seed: int = 0
) -> Float32:
    """Draws latent vectors whose coordinates keep within a threshold (Brock et al. 2019, 3.1).

    Each coordinate is standard normal on condition that it lies in [-threshold, threshold], which
    is the same as drawing again whatever lies beyond.

    Args:
        n: How many.
        latent_dim: Their length.
        threshold: Above 0; None (or infinity) draws from N(0, I).
        seed: Fixes the vectors, which a smaller threshold pulls towards 0.
    """
    n, latent_dim = _check.sizes(n=n, latent_dim=latent_dim)
    limit = np.inf if threshold is None else float(threshold)
    if not limit > 0.0:
        raise ValueError(f"threshold must be above 0, or None for no limit, got {threshold!r}")
    below = special.ndtr(-limit)
    uniform = _check.rng(seed).random((n, latent_dim))
    # A uniform number can be 0, of which the normal quantile is not finite.
    uniform = np.maximum(uniform, np.finfo(np.float64).tiny)
    return np.asarray(special.ndtri(below + uniform * (1.0 - 2.0 * below)), dtype=np.float32)


def sample(
    generator: Model, per_class: int, *, threshold: float | None = None, seed: int = 0
) -> tuple[Float32, Int64]:
    """Images (num_classes * per_class, ...) and their classes, int64, all of class 0 first.

    Args:
        generator: A conditional generator with a layer "one_hot", as `gantut.networks` makes them.
        per_class: How many of each class.
        threshold: As in `truncated_latents`.
        seed: Fixes the latent vectors.
    """
    classes, latent_dim = classes_of(generator), generator.inputs[0].shape[-1]
    labels = np.repeat(np.arange(classes), _check.integer(per_class, "per_class", 1))
    z = truncated_latents(len(labels), latent_dim, threshold=threshold, seed=seed)
    return render(generator, z, labels), labels


def class_grid(
    generator: Model, columns: int = 10, *, threshold: float | None = None, seed: int = 0
) -> Float32:
    """Images (num_classes * columns, ...), one latent vector a column and one class a row.

    The other arguments are those of `sample`.
    """
    classes, columns = classes_of(generator), _check.integer(columns, "columns", 1)
    z = truncated_latents(columns, generator.inputs[0].shape[-1], threshold=threshold, seed=seed)
    return render(generator, np.tile(z, (classes, 1)), np.repeat(np.arange(classes), columns))


# --- Measures ----------------------------------------------------------------------------------


def accuracy(
    images: npt.ArrayLike, labels: npt.ArrayLike, classify: Classifier = judge.probabilities
) -> float:
    """Share of images in which a classifier reads the class that was asked for.

    Args:
        images: float32 images (n, height, width, channels) in [-1, 1].
        labels: Classes asked for, integers (n,).
        classify: From images to scores (n, num_classes), the largest for the class that is read.
    """
    asked, scores = _asked_and_scores(images, labels, classify)
    return float(np.mean(asked == scores.argmax(axis=1)))


def confusion_matrix(
    images: npt.ArrayLike, labels: npt.ArrayLike, classify: Classifier = judge.probabilities
) -> Float64:
    """The classes that a classifier reads, for each class that was asked for.

    Arguments as in `accuracy`.

    Returns:
        Shares (num_classes, num_classes), a row for each class asked for and a column for each
        that is read. A row sums to 1, or is 0 where its class was not asked for.
    """
    asked, scores = _asked_and_scores(images, labels, classify)
    read, classes = scores.argmax(axis=1), range(scores.shape[1])
    return sklearn.metrics.confusion_matrix(asked, read, labels=classes, normalize="true")


def _asked_and_scores(
    images: npt.ArrayLike, labels: npt.ArrayLike, classify: Classifier
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.floating]]:
    x = check_images(images)
    scores = np.asarray(classify(x))
    return check_labels(labels, len(x), scores.shape[1]), scores


class TruncationPoint(NamedTuple):
    """What one threshold of the truncation trick gives."""

    threshold: float  # infinity for none
    precision: float  # share of samples inside the real support
    recall: float  # share of real images inside the samples' support
    accuracy: float  # share in which the judge reads the class that was asked for


def truncation_curve(
    generator: Model,
    real: npt.ArrayLike,
    thresholds: Sequence[float],
    *,
    per_class: int = 200,
    seed: int = 0,
) -> list[TruncationPoint]:
    """Precision against recall under the truncation trick (Kynkaanniemi et al. 2019).

    With 5 nearest neighbours, as in `gantut.evaluate`.

    Args:
        generator: A conditional generator of MNIST's digits.
        real: Features of real digits (m, 64), as from `gantut.judge.features`; take as many as
            there are samples, since recall depends on both numbers.
        thresholds: As in `truncated_latents`; infinity for none.
        per_class: Samples of each class at each threshold.
        seed: As in `truncated_latents`.
    """
    points = []
    for threshold in thresholds:
        images, labels = sample(generator, per_class, threshold=threshold, seed=seed)
        features, probabilities = judge.outputs(images)
        precision, recall = metrics.precision_recall(real, features)
        right = float(np.mean(probabilities.argmax(axis=1) == labels))
        points.append(TruncationPoint(float(threshold), precision, recall, right))
    return points


# --- Between latent vectors, between classes ----------------------------------------------------


def slerp(start: npt.ArrayLike, end: npt.ArrayLike, shares: npt.ArrayLike) -> Float64:
    """The path (steps, ..., latent_dim) between latent vectors along a great circle (White 2016).

    The direction turns evenly, and the length goes evenly from one length to the other; a straight
    line passes through vectors that are shorter than any draw from N(0, I) is likely to be.

    Args:
        start: Vectors (..., latent_dim).
        end: Vectors of the same shape.
        shares: How far to go, (steps,), from 0 (start) to 1 (end).
    """
    a, b = np.asarray(start, np.float64), np.asarray(end, np.float64)
    t = np.asarray(shares, np.float64).reshape(-1, *(1,) * a.ndim)
    lengths = [np.linalg.norm(v, axis=-1, keepdims=True) for v in (a, b)]
    a, b = a / lengths[0], b / lengths[1]
    angle = np.arccos(np.clip((a * b).sum(axis=-1, keepdims=True), -1.0, 1.0))
    if (angle > np.pi - 1e-6).any():
        raise ValueError("start and end point opposite ways: there is no shortest way between them")
    # sin(t angle) / sin(angle) tends to t where the angle tends to 0.
    safe = np.where(angle < 1e-6, 1.0, angle)
    first, second = (
        np.where(angle < 1e-6, s, np.sin(s * safe) / np.sin(safe)) for s in (1.0 - t, t)
    )
    return ((1.0 - t) * lengths[0] + t * lengths[1]) * (first * a + second * b)


def between_latents(
    generator: Model,
    start: npt.ArrayLike,
    end: npt.ArrayLike,
    labels: npt.ArrayLike,
    steps: int = 9,
) -> Float32:
    """Images (n, steps, ...) on the path from some latent vectors to others, at fixed classes.

    Args:
        generator: As in `sample`.
        start: Latent vectors (n, latent_dim).
        end: Latent vectors of the same shape.
        labels: Classes, integers (n,).
        steps: Images on the path, both ends included; at least 2.
    """
    steps = _check.integer(steps, "steps", 2)
    way = slerp(start, end, np.linspace(0.0, 1.0, steps)).swapaxes(0, 1)
    y = check_labels(labels, len(way), classes_of(generator))
    images = render(generator, way.reshape(-1, way.shape[-1]), np.repeat(y, steps))
    return images.reshape(len(y), steps, *images.shape[1:])


def between_classes(
    generator: Model,
    z: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    steps: int = 9,
) -> Float32:
    """Images (n, steps, ...) on the path from one class to another, at fixed latent vectors.

    The generator is given shares of two classes, ``first`` and ``second``, integers (n,) each. The
    other arguments are as in `between_latents`.
    """
    steps = _check.integer(steps, "steps", 2)
    classes = classes_of(generator)
    vectors = np.asarray(z, np.float32)
    n = len(vectors)
    a, b = (np.eye(classes)[check_labels(y, n, classes)][:, None] for y in (first, second))
    t = np.linspace(0.0, 1.0, steps)[:, None]
    shares = ((1.0 - t) * a + t * b).reshape(-1, classes)
    images = render(soft_labels(generator), vectors.repeat(steps, axis=0), shares)
    return images.reshape(n, steps, *images.shape[1:])


def crossfade(start: npt.ArrayLike, end: npt.ArrayLike, steps: int = 9) -> Float32:
    """The rival without a generator: one image fades out while another fades in, (n, steps, ...).

    Both are (n, height, width, channels) in [-1, 1], and ``steps`` are those of `between_latents`.
    """
    steps = _check.integer(steps, "steps", 2)
    a, b = check_alike(start, end, ("start", "end"), as_many=True)
    t = np.linspace(0.0, 1.0, steps, dtype=np.float32).reshape(-1, 1, 1, 1)
    return (1.0 - t) * a[:, None] + t * b[:, None]


# --- The rival without labels, and the classification accuracy score ----------------------------


class Picked(NamedTuple):
    """Images that a classifier picked from an unconditional generator's."""

    images: Float32  # (num_classes * per_class, ...), all of class 0 first
    labels: Int64  # the classes that the classifier read
    drawn: int  # samples that were drawn until each class was full


def pick_by_class(
    draw: Callable[[int, int], Float32],
    per_class: int,
    *,
    classify: Classifier = judge.probabilities,
    confidence: float = 0.0,
    seed: int = 0,
) -> Picked:
    """Gets classes out of a generator that takes none: draw, classify, keep what is wanted.

    It draws 2,000 images at a time, and gives up after 200,000.

    Args:
        draw: From (n, seed) to n images in [-1, 1].
        per_class: How many of each class.
        classify: From images to probabilities of the classes, one row each. It reads what it picked
            rightly by construction; ask another.
        confidence: An image is kept if its class has this probability at least, in [0, 1].
        seed: Fixes the seeds of the draws.
    """
    per_class, seed = _check.integer(per_class, "per_class", 1), _check.seed(seed)
    confidence = _check.number(confidence, "confidence", least=0, most=1)
    kept: list[Float32] = []
    for turn in range(100):
        # The seeds of two calls with small seeds of their own must not meet.
        x = check_images(draw(2_000, (1_000_003 * seed + turn) % 2**32))
        scores = np.asarray(classify(x))
        read, sure = scores.argmax(axis=1), scores.max(axis=1) >= confidence
        kept = kept or [x[:0]] * scores.shape[1]
        kept = [
            np.concatenate([images, x[sure & (read == k)]])[:per_class]
            for k, images in enumerate(kept)
        ]
        if all(len(images) == per_class for images in kept):
            labels = np.repeat(np.arange(len(kept)), per_class)
            return Picked(np.concatenate(kept), labels, 2_000 * (turn + 1))
    short = [k for k, images in enumerate(kept) if len(images) < per_class]
    raise ValueError(f"after 200,000 draws there are too few images of the classes {short}")


class ClassifierScore(NamedTuple):
    """What a classifier that learnt from one set of images does on another."""

    accuracy: float  # share of test images read right
    by_class: Float64  # (num_classes,), the same for each class; nan where it has no images
    classify: Classifier  # from images to logits (n, num_classes)
    cpu_seconds: float  # processor time of its training


class TrainedClassifier(NamedTuple):
    """A classifier after its training."""

    classify: Classifier  # from images to logits (n, num_classes)
    cpu_seconds: float  # processor time of its training


def small_classifier(image_shape: Sequence[int], num_classes: int) -> keras.Model:
    """Two convolutions and two dense layers, from images to logits.

    It is not the judge's network and knows nothing of it.
    """
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(tuple(image_shape), name="image"),
            layers.Conv2D(16, 4, strides=2, padding="same", activation="relu", name="conv_1"),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu", name="conv_2"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="dense"),
            layers.Dense(num_classes, name="logits"),
        ],
        name="classifier",
    )


@recipes.cpu_timed
def train_classifier(
    batches: tf.data.Dataset,
    image_shape: Sequence[int],
    num_classes: int,
    *,
    before: Sequence[keras.layers.Layer] = (),
    steps: int,
    seed: int = 0,
) -> TrainedClassifier:
    """Trains a `small_classifier` with Adam from 2e-3, along half a cosine to 0.

    Args:
        batches: An endless dataset of (images, labels), as from `gantut.recipes.batches`.
        image_shape: (height, width, channels).
        num_classes: Number of classes.
        before: Layers through which images go in training alone.
        steps: How many batches it learns from.
        seed: Fixes the weights, as in `gantut.recipes`.
    """
    recipes.make_deterministic(seed)
    model = small_classifier(image_shape, num_classes)
    learner = keras.Sequential([*before, model]) if before else model
    learner.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=min(16, steps),
        jit_compile=False,
    )
    learner.fit(recipes.take(batches, steps), shuffle=False, verbose=0)
    # Uncompiled, as `render`: each training has a model of its own.
    logits = functools.partial(model, training=False)
    return TrainedClassifier(functools.partial(in_batches, logits), cpu_seconds=0.0)


def classification_accuracy_score(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    test_images: npt.ArrayLike,
    test_labels: npt.ArrayLike,
    *,
    steps: int = 600,
    seed: int = 0,
) -> ClassifierScore:
    """Trains a classifier on one set of images and tests it on another (Ravuri and Vinyals 2019).

    With generated images for training and real ones for the test it is their classification
    accuracy score, to be read against the same classifier trained on as many real images. It
    punishes images that are not of the class that was asked for, and kinds that are missing.

    Args:
        images: float32 training images (n, height, width, channels) in [-1, 1].
        labels: Their classes, integers (n,) from 0.
        test_images: Images of the same shape.
        test_labels: Their classes.
        steps: Batches of 128 images that it learns from.
        seed: Fixes the result, as in `gantut.recipes`.
    """
    x, test_x = check_alike(images, test_images, ("images", "test_images"))
    y = check_labels(labels, len(x), None)
    classes = int(y.max()) + 1
    test_y = check_labels(test_labels, len(test_x), classes)
    steps = _check.integer(steps, "steps", 1)
    batches = recipes.batches(x, y, batch_size=BATCH_SIZE, seed=seed)
    trained = train_classifier(batches, x.shape[1:], classes, steps=steps, seed=seed)
    read = trained.classify(test_x).argmax(axis=1)
    by_class = sklearn.metrics.recall_score(
        test_y, read, labels=np.arange(classes), average=None, zero_division=np.nan
    )
    return ClassifierScore(float(np.mean(read == test_y)), by_class, *trained)
