"""Takes readings of a GAN while it trains, always on the same data and latent vectors."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from gantut import _check
from gantut._keras import keras, put_back, tf
from gantut.data import Mixture, check_labels
from gantut.gan import GAN
from gantut.losses import AdversarialLoss

Array: TypeAlias = npt.NDArray[Any]
Classifier = Callable[[Array], npt.ArrayLike]

READINGS = (
    "step",
    "d_real",
    "d_fake",
    "told_apart",
    "advantage",
    "d_loss",
    "g_loss",
    "d_gradient",
    "g_gradient",
    "variety",
    "classes",
    "mode_gap",
)
"""The columns of a diagnosis' history."""

# The mean probability of the judge's choice on the data, below which its classes are not used. It
# is 0.99 on MNIST, and 0.92 on Fashion-MNIST, whose images are no digits.
_SURE = 0.97


class Probe:
    """Takes readings of a GAN, and leaves it as it was.

    Args:
        gan: The `gantut.GAN`.
        x: Data, float32 of shape (n, ...), n >= 2.
        y: Integer labels (n,) for a conditional GAN.
        classes: What tells the classes of samples: a function from samples (n, ...) to integers
            (n,), or a `gantut.data.Mixture`, whose nearest centre counts. None takes the judge
            for images of shape (28, 28, 1) if it is sure of the data (0.97 on average) and
            sees more than one class in it, and nothing otherwise.
        batch_size: Rows that D and the gradients are read on. It must be a multiple of whatever
            the networks take together; 120 is one of 2, 3, 4, 5, 6 and 8.
        samples: Samples, and data points, that variety and classes are read on.
        seed: Chooses the data and the latent vectors.

    Attributes:
        real: The data points that it reads on.
        latents: The latent vectors.
        data_classes: The effective number of classes of the data; NaN where none are known.
        data_shares: The classes' shares in the data, by class.
        shares: The classes' shares in the latest samples, by class.
    """

    def __init__(
        self,
        gan: GAN,
        x: npt.ArrayLike,
        y: npt.ArrayLike | None = None,
        *,
        classes: Classifier | Mixture | None = None,
        batch_size: int = 120,
        samples: int = 240,
        seed: int = 0,
    ) -> None:
        self._gan = gan
        x, wanted = np.asarray(x), tuple(gan.generator.outputs[0].shape[1:])
        if x.shape[1:] != wanted or len(x) < 2:
            raise ValueError(
                "Diagnosis needs data of the shape that the generator makes, "
                f"(n, {', '.join(map(str, wanted))}) with n >= 2, got {x.shape}"
            )
        labels = np.zeros(len(x), int)  # without labels all is of one class
        if gan.conditional:
            if y is None:
                raise ValueError("Diagnosis of a conditional GAN needs labels y beside the data x")
            labels = check_labels(y, len(x), gan.num_classes)
        batch_size, samples = _check.sizes(batch_size=batch_size, samples=samples)
        rng = _check.rng(seed)
        # Small data serves more than once, so that a batch has its size.
        rows = rng.permutation(len(x))[np.arange(max(samples, batch_size)) % len(x)]
        real = np.asarray(x[rows], np.float32)
        if not np.isfinite(real).all():
            raise ValueError("Diagnosis got data with values that are not finite (NaN or infinity)")
        self._labels = labels[rows]
        self.real = tf.constant(real)
        self._y = tf.constant(self._labels) if gan.conditional else None
        self.latents = tf.constant(
            rng.standard_normal((len(rows), gan.latent_dim), dtype=np.float32)
        )
        self._batch_size = batch_size
        self._pairs = _pairs(self._labels)
        self._spread = _mean_distance(real, self._pairs)
        if not self._spread > 0.0:
            raise ValueError("Diagnosis needs data that varies, but all rows of x are equal")
        self._blind, self._best = _ends_of(gan.adversarial_loss)
        self._classify = _classifier(real, classes)
        self.data_shares = self._read_shares(real)
        self.data_classes = effective_number(self.data_shares)
        self.shares: dict[int, float] = {}

    def read(self) -> dict[str, float]:
        """Takes a reading: the values by the names in ``READINGS``."""
        gan, n = self._gan, self._batch_size
        y = None if self._y is None else self._y[:n]
        loss = gan.adversarial_loss
        with put_back([*gan.generator.variables, *gan.discriminator.variables]):
            with tf.GradientTape(persistent=True) as tape:
                fake = self._generate(gan.generator, n, training=True)
                fake_logits = gan.discriminate(fake, y)
                real_logits = gan.discriminate(self.real[:n], y)
                d_loss = loss.discriminator(real_logits, fake_logits)
                g_loss = loss.generator(fake_logits, real_logits if loss.relativistic else None)
            d_gradient = _norm(tape.gradient(d_loss, gan.discriminator.trainable_variables))
            g_gradient = _norm(tape.gradient(g_loss, gan.generator.trainable_variables))
            del tape
        inferred = self._generate(gan.generator, n, training=False)
        samples = self._generate(gan.ema_generator, len(self.latents), training=False).numpy()
        self.shares = self._read_shares(samples)
        on_real, on_fake = (t.numpy().ravel().astype(float) for t in (real_logits, fake_logits))
        gap = (inferred - fake).numpy().reshape(n, -1)
        return {
            "step": int(gan.step_counter.numpy()),
            "d_real": float(tf.reduce_mean(tf.sigmoid(real_logits))),
            "d_fake": float(tf.reduce_mean(tf.sigmoid(fake_logits))),
            "told_apart": _share_of_pairs(on_real, on_fake, self._labels[:n]),
            "advantage": (
                (self._blind - float(d_loss)) / (self._blind - self._best)
                if math.isfinite(self._best)
                else math.nan
            ),
            "d_loss": float(d_loss),
            "g_loss": float(g_loss),
            "d_gradient": d_gradient,
            "g_gradient": g_gradient,
            "variety": _mean_distance(samples, self._pairs) / self._spread,
            "classes": effective_number(self.shares),
            "mode_gap": float(np.linalg.norm(gap, axis=1).mean()) / self._spread,
        }

    def _generate(self, generator: keras.Model, n: int, training: bool) -> tf.Tensor:
        labels = None if self._y is None else self._y[:n]
        inputs = self._gan.generator_inputs(self.latents[:n], labels)
        return generator(inputs, training=training)

    def _read_shares(self, samples: Array) -> dict[int, float]:
        if self._classify is None or not np.isfinite(samples).all():
            return {}
        found, counts = np.unique(np.asarray(self._classify(samples)), return_counts=True)
        return {int(k): c / len(samples) for k, c in zip(found, counts, strict=True)}


def _norm(gradients: Sequence[tf.Tensor | None]) -> float:
    found = [tf.cast(tf.convert_to_tensor(g), tf.float64) for g in gradients if g is not None]
    return math.sqrt(sum(float(tf.reduce_sum(tf.square(g))) for g in found))


def _share_of_pairs(real: Array, fake: Array, labels: Array) -> float:
    won = (real[:, None] > fake) + 0.5 * (real[:, None] == fake)
    # A relativistic D that is given labels compares within a class, and only there. (A packed D
    # has fewer answers than there are labels.)
    if len(real) == len(labels):
        won = won[labels[:, None] == labels]
    return float(won.mean())


def _pairs(labels: Array) -> Array:
    """Rows to compare, shape (2, m): each with the next four of its class."""
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    found = [
        np.stack([rows, np.roll(rows, -step)])
        for rows in groups
        for step in range(1, min(5, len(rows)))
    ]
    return np.concatenate(found, axis=1) if found else np.zeros((2, 0), np.int64)


def _mean_distance(x: Array, pairs: Array) -> float:
    flat = x.reshape(len(x), -1)
    if not pairs.size:
        return 0.0
    return float(np.linalg.norm(flat[pairs[0]] - flat[pairs[1]], axis=1).mean())


def _classifier(real: Array, classes: Classifier | Mixture | None) -> Classifier | None:
    if isinstance(classes, Mixture):
        centres = classes.centres
        return lambda x: np.linalg.norm(x[:, None] - centres, axis=-1).argmin(axis=1)
    if classes is not None:
        if not callable(classes):
            raise TypeError(
                "classes must be a function from samples to integers, or a Mixture, "
                f"got {type(classes).__name__}"
            )
        return classes
    if real.shape[1:] != (28, 28, 1) or np.abs(real).max() > 1.0:
        return None
    from gantut import judge

    chances = judge.probabilities(real)
    if chances.max(axis=1).mean() < _SURE or len(np.unique(chances.argmax(axis=1))) == 1:
        return None
    return lambda x: judge.probabilities(np.clip(x, -1.0, 1.0)).argmax(axis=1)


def effective_number(shares: Mapping[int, float]) -> float:
    """The number of equally frequent classes that have the same entropy as these shares.

    It is exp(entropy), from 1 to the number of classes with a share; NaN without classes.
    """
    if not shares:
        return math.nan
    return math.exp(-sum(share * math.log(share) for share in shares.values() if share > 0.0))


def blind_and_best(loss: AdversarialLoss) -> tuple[float, float]:
    """The ends of the scale on which D's loss is read.

    Those are D's smallest loss when it gives the same logit to all data and samples, and when it
    gives one logit to the data and another to the samples. The second is found on a grid of step
    1/2 up to 20 in size, and is minus infinity where the loss falls on beyond it.
    """

    def value(real: float, fake: float) -> float:
        logits = (tf.constant([[x]], tf.float32) for x in (real, fake))
        return float(loss.discriminator(*logits))

    blind = min(value(c, c) for c in np.arange(-4.0, 4.25, 0.25))
    grid = np.arange(-20.0, 20.5, 0.5)
    real, fake = 20.0, -20.0
    # One coordinate after the other: a discriminator's losses are convex in both logits.
    real = min(grid, key=lambda a: value(a, fake))
    fake = min(grid, key=lambda b: value(real, b))
    real = min(grid, key=lambda a: value(a, fake))
    best = value(real, fake)
    endless = value(2.0 * real, 2.0 * fake) < best - 0.5
    return blind, -math.inf if endless else best


_ends_of = functools.lru_cache(maxsize=8)(blind_and_best)  # some 300 evaluations of the loss
