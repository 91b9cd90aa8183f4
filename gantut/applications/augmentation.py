"""More data from few labels: shifts and rotations, a GAN's samples, and rivals without a GAN.

The whole of it::

    from gantut import load_mnist
    from gantut.applications import augmentation

    data = load_mnist()
    few = augmentation.few_labels(data.x_train, data.y_train, 10)
    teacher = augmentation.fit(few.images, few.labels, augment=True)
    guessed = augmentation.guess_labels(teacher.classify, few.unlabelled)
    made = augmentation.gan_samples(*few.with_guessed(guessed))
    student = augmentation.fit(few.images, few.labels, extra=made.extra, augment=True)

The classifier is that of the classification accuracy score (`gantut.applications.conditional`), and
its training has one length, whatever it learns from. With further images half of each batch is
theirs. They can come from a conditional GAN (`gan_samples`); what tells its merit apart from that
of the unlabelled images is to take these images themselves, with guessed labels (`self_training`)
or with labels that spread from neighbour to neighbour (`spread_labels`).
"""

import time
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse, special

from gantut import _check, recipes
from gantut._keras import keras, tf
from gantut.applications import conditional
from gantut.applications.anomaly import principal_components
from gantut.applications.conditional import Classifier
from gantut.data import check_images, check_labels
from gantut.gan import GAN

Float32 = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

STEPS = 300
"""Batches that a classifier learns from."""

GAN_STEPS = 1_200
"""Batches that a GAN learns from."""

BATCH_SIZE = 128
"""Images in a batch; with further images half of them are labelled ones."""

SHIFT = 2 / 28
"""Shifts go up to this share of the height and of the width, two of 28 pixels."""

ROTATION = 0.03
"""Rotations go up to this share of a turn to both sides, 11 degrees."""


# --- Few labels --------------------------------------------------------------------------------


class Guessed(NamedTuple):
    """Labels that somebody guessed for some of the unlabelled images."""

    rows: Integers  # (k,), which images, in ascending order
    labels: Integers  # (k,), their labels


@dataclass(frozen=True)
class FewLabels:
    """A training set of which only a few images keep their labels.

    Attributes:
        images: The labelled images, float32 (classes * per_class, height, width, channels), all
            of class 0 first.
        labels: Their classes, int64.
        unlabelled: All other images (n, height, width, channels), in their order.
        hidden: The classes (n,) of these. No method may look at them; they are there to count how
            many guesses are right.
        order: Where the labelled images, and after them the others, stood in the whole set.
    """

    images: Float32
    labels: Integers
    unlabelled: Float32
    hidden: Integers
    order: Integers

    def right(self, guessed: Guessed) -> float:
        """Share of guessed labels that are the hidden ones; nan if there are none."""
        same = self.hidden[guessed.rows] == guessed.labels
        return float(same.mean()) if len(same) else float("nan")

    def with_guessed(self, guessed: Guessed) -> tuple[Float32, Integers]:
        """The labelled images, and after them those whose labels were guessed."""
        return (
            np.concatenate([self.images, self.unlabelled[guessed.rows]]),
            np.concatenate([self.labels, guessed.labels]),
        )


def few_labels(
    images: npt.ArrayLike, labels: npt.ArrayLike, per_class: int, *, seed: int = 0
) -> FewLabels:
    """Hides all labels but a few of each class, drawn at random.

    For one seed the images that keep their labels at a smaller ``per_class`` keep them at a larger
    one too.

    Args:
        images: float32 (n, height, width, channels) in [-1, 1].
        labels: Their classes, integers (n,) from 0; each class up to the largest label occurs.
        per_class: How many images of each class keep their labels.
        seed: Fixes which.

    Returns:
        A `FewLabels`.

    Raises:
        TypeError: ``per_class`` is not an integer.
        ValueError: images or labels are not valid, a class has fewer images, or none would be left
            without a label.
    """
    x = check_images(images)
    y = check_labels(labels, len(x), None).astype(np.int64)
    per_class = _check.integer(per_class, "per_class", 1)
    counts = np.bincount(y)
    if counts.min() < per_class:
        scarce = int(counts.argmin())
        raise ValueError(
            f"per_class is {per_class}, but class {scarce} has {counts[scarce]} images"
        )
    if per_class * len(counts) == len(y):
        raise ValueError("all images would keep their labels")
    rng = _check.rng(seed)
    order = rng.permutation(len(y))
    kept = np.concatenate([order[y[order] == k][:per_class] for k in range(len(counts))])
    rest = np.setdiff1d(np.arange(len(y)), kept)
    return FewLabels(x[kept], y[kept], x[rest], y[rest], np.concatenate([kept, rest]))


# --- The classifier ----------------------------------------------------------------------------


class Fit(NamedTuple):
    """A trained classifier."""

    classify: Classifier  # from images to logits (n, num_classes)
    cpu_seconds: float  # processor time of its training


def fit(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    extra: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    augment: bool = False,
    steps: int = STEPS,
    seed: int = 0,
) -> Fit:
    """Trains the small classifier of `conditional.build_classifier` on few labelled images.

    A step takes 128 images, however many there are: few images come again and again. With
    ``extra`` 64 of them are labelled ones and 64 are from ``extra``. Adam from 2e-3, along half a
    cosine to 0. Seeds Python, NumPy and Keras, and switches TensorFlow to deterministic operations
    for the rest of the process.

    Args:
        images: Labelled images, float32 (n, height, width, channels) in [-1, 1].
        labels: Their classes, integers (n,) from 0.
        extra: Further images of the same shape and their labels, which may be wrong; or None.
        augment: Whether all images are shifted and rotated at random, anew in each step, by up to
            ``SHIFT`` and ``ROTATION`` each way; what comes in at the edge is -1.
        steps: Batches that it learns from.
        seed: Fixes the weights, the order of the images, and shifts and rotations.

    Returns:
        A `Fit`.

    Raises:
        TypeError: ``steps`` is not an integer.
        ValueError: images or labels are not valid, or ``extra`` has other images or classes.
    """
    x = check_images(images)
    y = check_labels(labels, len(x), None)
    classes = int(y.max()) + 1
    steps = _check.integer(steps, "steps", 1)
    if extra is not None:
        more_x = check_images(extra[0], name="extra images")
        more_y = check_labels(extra[1], len(more_x), classes)
        if more_x.shape[1:] != x.shape[1:]:
            raise ValueError(f"extra images must be {x.shape[1:]} each, got {more_x.shape[1:]}")
    begin = time.process_time()
    recipes.make_deterministic(seed)
    model = conditional.build_classifier(x.shape[1:], classes)
    learner = keras.Sequential([*_shifts(seed), model]) if augment else model
    if extra is None:
        batches = recipes.batches(x, y, batch_size=BATCH_SIZE, seed=seed)
    else:
        half = BATCH_SIZE // 2
        batches = tf.data.Dataset.zip(
            recipes.batches(x, y, batch_size=half, seed=seed),
            recipes.batches(more_x, more_y, batch_size=half, seed=seed),
        ).map(
            lambda a, b: tuple(tf.concat(pair, 0) for pair in zip(a, b, strict=True)),
            num_parallel_calls=1,
        )
    conditional.fit_classifier(learner, batches, steps)
    return Fit(conditional.logits_of(model), time.process_time() - begin)


def shift(images: npt.ArrayLike, *, seed: int = 0) -> Float32:
    """Shifts and rotates images at random, as `fit` does in each step.

    Args:
        images: float32 (n, height, width, channels) in [-1, 1].
        seed: Fixes how far.

    Returns:
        Images of the same shape.

    Raises:
        ValueError: the images are not valid.
    """
    x = check_images(images)
    return np.asarray(keras.Sequential(_shifts(seed))(x, training=True))


def _shifts(seed: int) -> list[Any]:
    blank = {"fill_mode": "constant", "fill_value": -1.0, "data_format": "channels_last"}
    return [
        keras.layers.RandomTranslation(SHIFT, SHIFT, seed=seed, **blank),
        keras.layers.RandomRotation(ROTATION, seed=seed + 1, **blank),
    ]


# --- Labels for the unlabelled images -----------------------------------------------------------


def guess_labels(
    classify: Classifier, images: npt.ArrayLike, *, confidence: float = 0.9
) -> Guessed:
    """Labels images by a classifier, where it is confident (pseudo-labels, Lee 2013).

    Args:
        classify: From images to logits, one row each.
        images: float32 (n, height, width, channels) in [-1, 1].
        confidence: An image is kept if the softmax of its logits gives its class this probability
            at least, in [0, 1]; 0 keeps all.

    Returns:
        A `Guessed` of the rows that were kept, which can be none.

    Raises:
        ValueError: the images are not valid, or the confidence is out of range.
    """
    x = check_images(images)
    if not 0.0 <= confidence <= 1.0:
        raise ValueError(f"confidence must be a probability, got {confidence!r}")
    probabilities = special.softmax(np.asarray(classify(x), np.float64), axis=1)
    rows = np.flatnonzero(probabilities.max(axis=1) >= confidence)
    return Guessed(rows, probabilities[rows].argmax(axis=1))


def self_training(
    few: FewLabels,
    teacher: Classifier,
    *,
    rounds: int = 2,
    confidence: float = 0.9,
    augment: bool = False,
    steps: int = STEPS,
    seed: int = 0,
) -> list[Fit]:
    """What needs no GAN: a classifier learns from the unlabelled images that another one labelled.

    In each round a new classifier learns from the labelled images and from those unlabelled ones
    of whose labels the one before was confident; the next round's teacher is that classifier.

    Args:
        few: The images.
        teacher: The first classifier, from images to logits.
        rounds: How many classifiers are trained.
        confidence: As in `guess_labels`.
        augment: As in `fit`, and so are the others.
        steps: Batches that each classifier learns from.
        seed: Fixes the result.

    Returns:
        One `Fit` a round. Its ``cpu_seconds`` are those of all rounds up to it, the guessing
        included.

    Raises:
        TypeError: a number is not an integer.
        ValueError: an argument is out of range, or a teacher is confident of no image.
    """
    fits: list[Fit] = []
    rounds = _check.integer(rounds, "rounds", 1)
    begin = time.process_time()
    for _ in range(rounds):
        guessed = guess_labels(teacher, few.unlabelled, confidence=confidence)
        if not len(guessed.rows):
            raise ValueError(f"the teacher gives no image a confidence of {confidence}")
        teacher = fit(
            few.images,
            few.labels,
            extra=(few.unlabelled[guessed.rows], guessed.labels),
            augment=augment,
            steps=steps,
            seed=seed,
        ).classify
        fits.append(Fit(teacher, time.process_time() - begin))
    return fits


def neighbour_graph(images: npt.ArrayLike, *, neighbours: int = 7, components: int = 40) -> Any:
    """Joins each image to those nearest to it. Needs scikit-learn.

    Args:
        images: float32 (n, height, width, channels) in [-1, 1].
        neighbours: How many, fewer than there are images.
        components: Principal components that distances are taken in.

    Returns:
        A symmetric sparse matrix (n, n) with 1 between two images of which each is a near
        neighbour of the other, and 1/2 where that holds one way only.

    Raises:
        ImportError: scikit-learn is not installed.
        TypeError: a number is not an integer.
        ValueError: the images are not valid, or a number is out of range.
    """
    from sklearn.neighbors import NearestNeighbors

    x = check_images(images)
    neighbours = _check.integer(neighbours, "neighbours", 1)
    if neighbours >= len(x):
        raise ValueError(f"{len(x)} images have at most {len(x) - 1} neighbours each")
    coordinates, _ = principal_components(x, x[:1], components)
    search = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(coordinates)
    graph = search.kneighbors_graph()
    return (graph + graph.T) / 2


def spread_labels(
    graph: Any, labels: npt.ArrayLike, *, alpha: float = 0.99, steps: int = 100
) -> Integers:
    """What needs no network: labels spread from neighbour to neighbour (Zhou et al. 2004).

    With W the graph, D the diagonal matrix of its row sums and S = D^(-1/2) W D^(-1/2), the scores
    F of all classes are replaced by alpha S F + (1 - alpha) Y again and again, where Y has the
    one-hot rows of the labelled nodes and rows of 0 for the others. The largest score is the label.

    Args:
        graph: A symmetric sparse matrix (n, n) of weights >= 0, as from `neighbour_graph`; the
            first nodes are the labelled ones.
        labels: Classes of these, integers (m,) from 0, m < n.
        alpha: How much a node takes from its neighbours, in (0, 1).
        steps: How often.

    Returns:
        Labels (n - m,) of the other nodes. One that nothing reaches gets 0.

    Raises:
        TypeError: ``steps`` is not an integer.
        ValueError: the graph is not square, has no node without a label, or ``alpha`` is out of
            range.
    """
    n = graph.shape[0]
    y = check_labels(labels, len(np.asarray(labels)), None)
    if graph.shape != (n, n) or not 0 < len(y) < n:
        raise ValueError(f"{len(y)} labels do not fit a graph of shape {graph.shape}")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie in (0, 1), got {alpha!r}")
    degree = np.asarray(graph.sum(axis=1)).ravel()
    root = sparse.diags(1.0 / np.sqrt(np.maximum(degree, np.finfo(np.float64).tiny)))
    similar = (root @ graph @ root).tocsr()
    start = np.zeros((n, int(y.max()) + 1))
    start[np.arange(len(y)), y] = 1.0
    scores = start
    for _ in range(_check.integer(steps, "steps", 1)):
        scores = alpha * (similar @ scores) + (1.0 - alpha) * start
    return scores[len(y) :].argmax(axis=1)


# --- The GAN -----------------------------------------------------------------------------------


class Made(NamedTuple):
    """Images that a conditional GAN made, in equal numbers of each class."""

    images: Float32  # (classes * per_class, height, width, channels), all of class 0 first
    labels: Integers  # the classes that were asked for
    cpu_seconds: float  # processor time of the training and of the drawing

    @property
    def extra(self) -> tuple[Float32, Integers]:
        """The images and their labels, for `fit`."""
        return self.images, self.labels


def gan_samples(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    per_class: int = 1_000,
    steps: int = GAN_STEPS,
    seed: int = 0,
) -> Made:
    """Trains the recipe ``conditional_fast`` on images and labels, and asks it for each class.

    Args:
        images: float32 (n, height, width, channels) in [-1, 1], n >= 64: the labelled ones alone,
            or with others whose labels were guessed, as `FewLabels.with_guessed` gives them.
        labels: Their classes, right or guessed, integers (n,) from 0.
        per_class: How many images it makes of each class.
        steps: Steps of the GAN, on batches of 64.
        seed: Fixes the result, as in `gantut.recipes`.

    Returns:
        A `Made`.

    Raises:
        TypeError: a number is not an integer.
        ValueError: images or labels are not valid, or there are fewer than a batch.
    """
    begin = time.process_time()
    gan = recipes.train("conditional_fast", images, labels, steps=steps, seed=seed).gan
    assert isinstance(gan, GAN)
    made, asked = conditional.sample(gan.ema_generator, per_class, seed=seed)
    return Made(made, asked, time.process_time() - begin)
