"""More data from few labels: shifts and rotations, a GAN's samples, and rivals without a GAN.

::

    from gantut import load_mnist
    from gantut.applications import augmentation

    data = load_mnist()
    few = augmentation.few_labels(data.x_train, data.y_train, 10)
    teacher = augmentation.train(few.images, few.labels, augment=True)
    guessed = augmentation.guess_labels(teacher.classify, few.unlabelled)
    made = augmentation.gan_samples(*few.with_guessed(guessed))
    student = augmentation.train(few.images, few.labels, extra=made.extra, augment=True)

The classifier is that of the classification accuracy score (`gantut.applications.conditional`), and
its training has one length, whatever it learns from. Further images can come from a conditional GAN
(`gan_samples`); what tells its merit apart from that of the unlabelled images is to take these
themselves, with guessed labels (`self_training`) or with labels that spread from neighbour to
neighbour (`spread_labels`).

All images are float32 (n, height, width, channels) in [-1, 1].
"""

import functools
import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse, special
from sklearn.neighbors import NearestNeighbors

from gantut import _check, networks, recipes
from gantut._keras import Tensor, keras, tf
from gantut.applications import conditional
from gantut.applications.conditional import Classifier, TrainedClassifier
from gantut.applications.rivals import principal_components
from gantut.data import Float32, Int64, check_alike, check_images, check_labels
from gantut.sampling import in_batches

STEPS = 300  # batches that a classifier learns from
GAN_STEPS = 1_200  # batches that a GAN learns from
SHIFT = 2 / 28  # the largest shift, in shares of the height and of the width: two of 28 pixels
ROTATION = 0.03  # the largest rotation to both sides, in turns: 11 degrees


# --- Few labels --------------------------------------------------------------------------------


class Guessed(NamedTuple):
    """Labels that somebody guessed for some of the unlabelled images."""

    rows: Int64  # (k,), which images, in ascending order
    labels: Int64  # (k,), their labels


@dataclass(frozen=True)
class FewLabels:
    """A training set of which only a few images keep their labels."""

    images: Float32  # the labelled images (classes * per_class, ...), all of class 0 first
    labels: Int64  # their classes
    unlabelled: Float32  # all other images (n, ...), in their order
    hidden: Int64  # the classes (n,) of these, to count right guesses; no method may look
    order: Int64  # where the labelled images, and after them the others, stood in the whole

    def right(self, guessed: Guessed) -> float:
        """Share of guessed labels that are the hidden ones; nan if there are none."""
        same = self.hidden[guessed.rows] == guessed.labels
        return float(same.mean()) if len(same) else float("nan")

    def with_guessed(self, guessed: Guessed) -> tuple[Float32, Int64]:
        """The labelled images, and after them those whose labels were guessed."""
        images = np.concatenate([self.images, self.unlabelled[guessed.rows]])
        return images, np.concatenate([self.labels, guessed.labels])


def few_labels(
    images: npt.ArrayLike, labels: npt.ArrayLike, per_class: int, *, seed: int = 0
) -> FewLabels:
    """Hides all labels but a few of each class, drawn at random.

    Args:
        images: The images.
        labels: Their classes, integers (n,) from 0; each class up to the largest label occurs.
        per_class: How many images of each class keep their labels; some must be left.
        seed: Fixes which; those of a smaller ``per_class`` are among those of a larger one.
    """
    x = check_images(images)
    y = check_labels(labels, len(x), None).astype(np.int64)
    counts = np.bincount(y)
    if counts.min() < per_class:
        k = int(counts.argmin())
        raise ValueError(f"per_class is {per_class}, but class {k} has {counts[k]} images")
    order = _check.rng(seed).permutation(len(y))
    kept = np.concatenate([order[y[order] == k][:per_class] for k in range(len(counts))])
    rest = np.setdiff1d(np.arange(len(y)), kept)
    return FewLabels(x[kept], y[kept], x[rest], y[rest], np.concatenate([kept, rest]))


# --- The classifier ----------------------------------------------------------------------------


def train(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    extra: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    augment: bool = False,
    steps: int = STEPS,
    seed: int = 0,
) -> TrainedClassifier:
    """Trains the small classifier of `conditional.train_classifier` on few labelled images.

    A step takes 128 images, however many there are: few images come again and again.

    Args:
        images: Labelled images.
        labels: Their classes, integers (n,) from 0.
        extra: Further images of the same shape and their labels, which may be wrong: half of each
            batch is theirs. None for none.
        augment: Whether all images are shifted and rotated at random, anew in each step, by up to
            ``SHIFT`` and ``ROTATION`` each way; what comes in at the edge is -1.
        steps: Batches that it learns from.
        seed: Fixes the result, as in `gantut.recipes`.
    """
    x = check_images(images)
    y = check_labels(labels, len(x), None)
    classes = int(y.max()) + 1
    before = _shifts(seed) if augment else ()
    if extra is None:
        batches = recipes.batches(x, y, batch_size=conditional.BATCH_SIZE, seed=seed)
    else:
        _, more_x = check_alike(x, extra[0], ("images", "extra images"))
        more_y = check_labels(extra[1], len(more_x), classes)
        halves = (
            recipes.batches(*kind, batch_size=conditional.BATCH_SIZE // 2, seed=seed)
            for kind in ((x, y), (more_x, more_y))
        )
        batches = tf.data.Dataset.zip(*halves).map(
            lambda a, b: tuple(tf.concat(pair, 0) for pair in zip(a, b, strict=True)),
            num_parallel_calls=1,
        )
    return conditional.train_classifier(
        batches, x.shape[1:], classes, before=before, steps=steps, seed=seed
    )


def shift(images: npt.ArrayLike, *, seed: int = 0) -> Float32:
    """Shifts and rotates images at random, as `train` does in each step."""
    x = check_images(images)
    return np.asarray(keras.Sequential(_shifts(seed))(x, training=True))


def _shifts(seed: int) -> list[keras.layers.Layer]:
    seed = _check.seed(seed)
    blank = {"fill_mode": "constant", "fill_value": -1.0, "data_format": "channels_last"}
    return [
        keras.layers.RandomTranslation(SHIFT, SHIFT, seed=seed, **blank),
        keras.layers.RandomRotation(ROTATION, seed=seed + 1, **blank),
    ]


# --- With the unlabelled images -----------------------------------------------------------------


def guess_labels(
    classify: Classifier, images: npt.ArrayLike, *, confidence: float = 0.9
) -> Guessed:
    """Labels images by a classifier, where it is confident (pseudo-labels, Lee 2013).

    ``classify`` is a function from images to logits, one row each. ``confidence`` is the least
    probability, in [0, 1], that the softmax gives the class of an image that is kept.
    """
    logits = np.asarray(classify(check_images(images)), np.float64)
    probabilities = special.softmax(logits, axis=1)
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
) -> list[TrainedClassifier]:
    """A rival without a GAN: a classifier learns from images that another classifier labelled.

    Args:
        few: The images.
        teacher: The first classifier, from images to logits; each round's is the next one's.
        rounds: How many classifiers are trained.
        confidence: As in `guess_labels`.
        augment: As in `train`, and so are the others.
        steps: Batches that each classifier learns from.
        seed: Fixes the result.

    Returns:
        One classifier a round. Its ``cpu_seconds`` are those of all rounds up to it, the guessing
        included.
    """
    trained: list[TrainedClassifier] = []
    begin = time.process_time()
    for _ in range(rounds):
        guessed = guess_labels(teacher, few.unlabelled, confidence=confidence)
        extra = few.unlabelled[guessed.rows], guessed.labels
        one = train(few.images, few.labels, extra=extra, augment=augment, steps=steps, seed=seed)
        trained.append(one._replace(cpu_seconds=time.process_time() - begin))
        teacher = one.classify
    return trained


def neighbour_graph(
    images: npt.ArrayLike, *, neighbours: int = 7, components: int = 40
) -> sparse.spmatrix:
    """Joins images or rows (n, ...) to those nearest to them, in a symmetric sparse matrix (n, n).

    It is 1 where each of two images is among the nearest ``neighbours`` of the other, and 1/2 where
    one is. Distances are taken in ``components`` principal components.
    """
    x = np.asarray(images, np.float32)
    coordinates, _ = principal_components(x, x[:1], components)
    search = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(coordinates)
    graph = search.kneighbors_graph()
    return (graph + graph.T) / 2


def spread_labels(
    graph: sparse.spmatrix, labels: npt.ArrayLike, *, alpha: float = 0.99, steps: int = 100
) -> Int64:
    """A rival without a network: labels (n - m,) spread to neighbours (Zhou et al. 2004).

    With W the graph, D the diagonal matrix of its row sums and S = D^(-1/2) W D^(-1/2), the scores
    F of all classes are replaced by alpha S F + (1 - alpha) Y again and again, where Y has the
    one-hot rows of the labelled nodes and rows of 0 for the others. The largest score is the label,
    0 where nothing reaches a node.

    Args:
        graph: A symmetric sparse matrix (n, n) of weights >= 0, as from `neighbour_graph`; the
            first m nodes are the labelled ones.
        labels: Classes of these, integers (m,) from 0.
        alpha: How much a node takes from its neighbours, in (0, 1).
        steps: How often.
    """
    y = np.asarray(labels)
    degree = np.asarray(graph.sum(axis=1)).ravel()
    root = sparse.diags(1.0 / np.sqrt(np.maximum(degree, np.finfo(np.float64).tiny)))
    similar = (root @ graph @ root).tocsr()
    start = np.zeros((graph.shape[0], y.max() + 1))
    start[np.arange(len(y)), y] = 1.0
    scores = start
    for _ in range(steps):
        scores = alpha * (similar @ scores) + (1.0 - alpha) * start
    return scores[len(y) :].argmax(axis=1)


@recipes.cpu_timed
def semi_supervised(few: FewLabels, *, steps: int = GAN_STEPS, seed: int = 0) -> TrainedClassifier:
    """A classifier that is a GAN's discriminator as well (Salimans et al. 2016, section 5).

    With l the logits of the classes, ``logsumexp(l)`` is the logit for "real": labelled images pay
    their cross-entropy, the unlabelled ones and the generator's the discriminator's loss. The
    generator matches the means of the last hidden layer (feature matching, section 3.1). All images
    are shifted as in `train`. A step takes 64 of each of the three kinds.
    """
    recipes.make_deterministic(seed)
    shape = few.images.shape[1:]
    model = conditional.small_classifier(shape, int(few.labels.max()) + 1)
    both = keras.Model(model.inputs, [model.outputs[0], model.get_layer("dense").output])
    generator = networks.mlp_generator(64, shape, widths=(256, 512), batch_norm=True)
    shifted = keras.Sequential(_shifts(seed))
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps)
    d_optimizer, g_optimizer = (keras.optimizers.Adam(rate, beta_1=0.5) for _ in range(2))
    batches = tf.data.Dataset.zip(
        recipes.batches(few.images, few.labels, batch_size=64, seed=seed),
        recipes.batches(few.unlabelled, batch_size=64, seed=seed),
    )
    draws = keras.random.SeedGenerator(seed)

    @tf.function
    def step(real: Tensor, labels: Tensor, unlabelled: Tensor) -> None:
        z = keras.random.normal((64, 64), seed=draws)
        with tf.GradientTape(persistent=True) as tape:
            fake = generator(z, training=True)
            images = shifted(tf.concat([real, unlabelled, fake], 0), training=True)
            logits, features = both(images, training=True)
            told, seen, made = tf.split(logits, 3)
            d_loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels, told)
                + tf.nn.softplus(-tf.reduce_logsumexp(seen, 1))
                + tf.nn.softplus(tf.reduce_logsumexp(made, 1))
            )
            _, of_seen, of_made = (tf.reduce_mean(f, 0) for f in tf.split(features, 3))
            g_loss = tf.reduce_sum((of_seen - of_made) ** 2)
        d_slopes = tape.gradient(d_loss, model.trainable_variables)
        d_optimizer.apply(d_slopes, model.trainable_variables)
        g_slopes = tape.gradient(g_loss, generator.trainable_variables)
        g_optimizer.apply(g_slopes, generator.trainable_variables)

    for (real, labels), unlabelled in recipes.take(batches, steps):
        step(real, labels, unlabelled)
    logits = functools.partial(model, training=False)
    return TrainedClassifier(functools.partial(in_batches, logits), cpu_seconds=0.0)


class Samples(NamedTuple):
    """Images that a conditional GAN made, in equal numbers of each class."""

    images: Float32  # (classes * per_class, height, width, channels), all of class 0 first
    labels: Int64  # the classes that were asked for
    cpu_seconds: float  # processor time of the training and of the drawing

    @property
    def extra(self) -> tuple[Float32, Int64]:
        """Both, for `train`."""
        return self.images, self.labels


@recipes.cpu_timed
def gan_samples(
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    per_class: int = 1_000,
    steps: int = GAN_STEPS,
    seed: int = 0,
) -> Samples:
    """Trains the recipe ``conditional_fast``, and asks it for ``per_class`` images of each class.

    It learns from 64 images or more, such as `FewLabels.with_guessed` gives, and their labels,
    right or guessed, integers (n,) from 0. A step takes 64 of them.
    """
    run = recipes.train("conditional_fast", images, labels, steps=steps, seed=seed)
    made, asked = conditional.sample(run.gan.ema_generator, per_class, seed=seed)
    return Samples(made, asked, cpu_seconds=0.0)
