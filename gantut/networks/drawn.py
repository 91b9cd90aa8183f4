"""A generator that is trained with labels and takes none: it draws one itself.

It has one latent coordinate more. The line of its values is cut into intervals, one a label; the
label whose interval holds the coordinate is the one that is drawn.
"""

import numpy as np
import numpy.typing as npt

from gantut import _check
from gantut._keras import keras, tf
from gantut.networks.parts import Model, Tensor, latent_input

layers, ops = keras.layers, keras.ops
_FAR = 1e6  # beyond all normal numbers
_BOUNDS = "label_bounds"


def latent_and_drawn_label(latent_dim: int, num_classes: int) -> tuple[Tensor, Tensor]:
    """The input, (batch, latent_dim + 1), and its vectors with the drawn label, one-hot, behind.

    At first all labels have equal shares (see `set_label_shares`).
    """
    z = latent_input(_check.integer(latent_dim, "latent_dim", 1) + 1)
    num_classes = _check.integer(num_classes, "num_classes", 1)
    # A frozen batch normalisation, as in parts.centre: its means are the intervals' lower ends,
    # its deviations so small that behind an end the value is 1 at once.
    ends = layers.BatchNormalization(
        center=False, scale=False, epsilon=0.0, trainable=False, dtype="float32", name=_BOUNDS
    )
    above = layers.ReLU(max_value=1.0)(ends(ops.repeat(z[:, -1:], num_classes, axis=1)))
    one_hot = above - ops.pad(above[:, 1:], ((0, 0), (0, 1)))
    ends.moving_mean.assign(_lower_ends(np.ones(num_classes)))
    ends.moving_variance.assign(np.full(num_classes, 1e-12, np.float32))
    return z, layers.Concatenate(name="latent_and_label")([z[:, :-1], one_hot])


def set_label_shares(generator: Model, shares: npt.ArrayLike) -> None:
    """Sets how often a generator that draws its label draws each.

    Args:
        generator: One made with ``draws_label=True``.
        shares: Numbers >= 0 (num_classes,), to which the probabilities are proportional.
    """
    generator.get_layer(_BOUNDS).moving_mean.assign(_lower_ends(np.asarray(shares, float)))


def _lower_ends(shares: np.ndarray) -> np.ndarray:
    below = np.concatenate([[0.0], np.cumsum(shares)[:-1] / np.sum(shares)])
    return np.clip(tf.math.ndtri(below).numpy(), -_FAR, _FAR).astype(np.float32)


def _share_below(x: tf.Tensor) -> tf.Tensor:
    return 0.5 * tf.math.erfc(-x / np.sqrt(2.0))


def place_labels(generator: Model, z: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Latent vectors (batch, latent_dim), of N(0, I), changed to some that draw given labels.

    Args:
        generator: One made with ``draws_label=True``.
        z: What only the last coordinate is changed of: to a normal number of the label's interval.
        labels: Integers (batch,).
    """
    low = _share_below(generator.get_layer(_BOUNDS).moving_mean)
    width = tf.concat([low[1:], [1.0]], axis=0) - low
    place = tf.gather(low, labels) + _share_below(z[:, -1]) * tf.gather(width, labels)
    last = tf.math.ndtri(tf.clip_by_value(place, 1e-7, 1.0 - 1e-7))
    return tf.concat([z[:, :-1], last[:, None]], axis=1)
