"""Parts that steady a training: each from one paper, each to be combined with any pair of networks.

Most of them change only what D sees, so they are Keras layers, and functions that put such a layer
into a discriminator. Unrolled steps of D belong to the training step: `gantut.GAN` has them as
``unroll_steps``. `stabilise` adds any of them to a recipe.

The layers are registered with Keras as ``gantut>Pack`` and so on: a model that holds one is saved
like any other, and opens where this module has been imported.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from gantut._backend import keras, tf

Builder = Callable[..., Any]
Model = Any
Tensor = Any

_register = keras.saving.register_keras_serializable(package="gantut")


def _positive_integer(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    return int(value)


def _checked_rows(x: Tensor, divisor: Any, layer: str) -> Tensor:
    """The batch itself, if its rows are a multiple; where they are not known, the graph looks."""
    rows = x.shape[0]
    if rows is not None:
        if rows % divisor:
            raise ValueError(f"{layer} got {rows} rows, wanted a multiple of {divisor}")
        return x
    message = f"{layer} got a number of rows that is not a multiple of its number"
    with tf.control_dependencies([tf.debugging.assert_equal(tf.shape(x)[0] % divisor, 0, message)]):
        return tf.identity(x)


# --- Packing -----------------------------------------------------------------------------------


@_register
class Pack(keras.layers.Layer):
    """Joins m neighbouring rows of a batch to one with m times the channels.

    (B, ..., C) becomes (B / m, ..., m * C): row i holds the old rows i * m to i * m + m - 1, the
    first of them in its first C channels. A discriminator behind it judges m samples at a time,
    and so sees whether they differ from each other as those of the data do (PacGAN, Lin et al.
    2018, section 3). Points (B, d) become rows of m points, (B / m, m * d).

    Args:
        m: How many rows become one; 1 changes nothing.

    Raises:
        ValueError: ``m`` is not a positive integer, or (when called) the number of rows is no
            multiple of it. In a compiled graph, where that number is known only when it runs, it
            is an ``InvalidArgumentError`` of TensorFlow.
    """

    def __init__(self, m: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.m = _positive_integer("m", m)

    def call(self, x: Tensor) -> Tensor:
        """Packs a batch."""
        x = _checked_rows(x, self.m, f"Pack({self.m})")
        *middle, channels = x.shape[1:]
        x = tf.reshape(x, [-1, self.m, *middle, channels])
        axes = list(range(len(x.shape)))
        x = tf.transpose(x, [0, *axes[2:-1], 1, axes[-1]])
        return tf.reshape(x, [-1, *middle, self.m * channels])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the packed batch."""
        rows, *middle, channels = input_shape
        return (None if rows is None else rows // self.m, *middle, self.m * channels)

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again."""
        return {**super().get_config(), "m": self.m}


def packed(builder: Builder, m: int) -> Builder:
    """Makes a builder of discriminators into one whose networks judge m samples together.

    The new networks still take samples (B, ...), but return B / m logits: neighbouring rows are
    judged as one (:class:`Pack`). Only the width of the first layer grows (Lin et al. 2018,
    section 3.1). They fit `gantut.GAN` as they are, as long as every batch, also the last of an
    epoch, is a multiple of m.

    A conditional network sees the labels of all m samples: where it read one label as one of
    ``num_classes`` columns, it reads m of them as m * num_classes columns, those of the pack's
    first sample first.

    Gradient penalties are taken with respect to single samples, of the logit of the pack that
    they are in. "r1" and "r2" are therefore 1 / m of what they would be for the whole pack,
    ``E[||grad D(x_1..x_m)||^2] / (2 m)``: give m times the weight to penalise the pack as
    strongly. "wgan_gp" asks each sample's gradient for the norm 1, the pack's for sqrt(m), and
    mixes each sample with an alpha of its own.

    Args:
        builder: From (image_shape, num_classes, ...) to a discriminator, as in
            `gantut.recipes.Recipe`; shapes of points, (d,), are welcome where the builder takes
            them. It is called with the shape of a pack, (..., m * channels), and, if it is given
            a ``mean_image``, with the m-fold of that.
        m: Samples that are judged together.

    Returns:
        A builder of the same arguments. For ``m`` = 1 it is ``builder`` itself.

    Raises:
        ValueError: ``m`` is not a positive integer, or (when called) the builder does not make a
            network of the shape asked for, or a conditional one without the layer "one_hot" that
            those of `gantut.networks` have.
    """
    if _positive_integer("m", m) == 1:
        return builder

    def build(image_shape: Any, num_classes: int = 0, **data: Any) -> Model:
        shape = tuple(image_shape)
        wanted = (*shape[:-1], m * shape[-1])
        if data.get("mean_image") is not None:
            mean = np.asarray(data["mean_image"])
            data["mean_image"] = np.concatenate([mean] * m, axis=-1)
        inner = builder(wanted, num_classes * m, **data)
        taken = tuple(inner.inputs[0].shape[1:])
        if taken != wanted:
            raise ValueError(
                f"the builder was asked for a discriminator of {wanted}, {m} samples of {shape}, "
                f"but made one of {taken}"
            )
        sample = keras.Input(shape, name="sample")
        if len(inner.inputs) == 1:
            x = Pack(m, name="pack")(sample)
            return keras.Model(sample, inner(x), name=f"packed_{inner.name}")
        if "one_hot" not in [layer.name for layer in inner.layers]:
            raise ValueError(
                f"cannot pack the labels of {inner.name!r}: it has no layer named 'one_hot' that "
                f"turns them into columns"
            )
        # The network from its one-hot columns on takes m labels where it had one.
        columns = inner.get_layer("one_hot").output
        inner = keras.Model([inner.inputs[0], columns], inner.outputs[0], name=inner.name)
        label = keras.Input((), dtype="int32", name="label")
        one_hot = keras.layers.CategoryEncoding(num_classes, output_mode="one_hot", name="one_hot")
        pair = [Pack(m, name="pack")(sample), Pack(m, name="pack_labels")(one_hot(label))]
        return keras.Model([sample, label], inner(pair), name=f"packed_{inner.name}")

    return build


# --- What D sees: noise ------------------------------------------------------------------------


@_register
class InstanceNoise(keras.layers.Layer):
    """Adds Gaussian noise to what D sees, data and samples alike; in training only.

    Where data and samples lie on thin sets that do not touch, D can be perfect and its gradient
    useless. Noise makes the two densities overlap (Sonderby et al. 2017, section 3.3; Arjovsky
    and Bottou 2017, section 3). The gradient penalties of `gantut.GAN` are then taken at noisy
    points.

    Args:
        stddev: The noise's standard deviation, in the units of the samples (images have the
            range 2).
        seed: Fixes the noise; drawn from Keras' global seed if None.

    Attributes:
        stddev: A weight that no gradient changes, so that it can be lowered while training
            (`AnnealNoise`) and is saved with the model.

    Raises:
        ValueError: ``stddev`` is negative or not finite.
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(stddev, int | float | np.number) or not 0.0 <= stddev < np.inf:
            raise ValueError(f"stddev must be a finite number >= 0, got {stddev!r}")
        self.initial_stddev = float(stddev)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.stddev = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self.initial_stddev),
            trainable=False,
            name="stddev",
        )

    def build(self, input_shape: Any) -> None:
        """Has nothing to make: the only weight exists already."""
        self.built = True

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        """Adds noise if ``training``."""
        if not training:
            return x
        noise = keras.random.normal(tf.shape(x), dtype=x.dtype, seed=self.seed_generator)
        return x + tf.cast(self.stddev, x.dtype) * noise

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The same shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again, with the noise that it began with."""
        return {**super().get_config(), "stddev": self.initial_stddev, "seed": self.seed}


def at_input(discriminator: Model, *layers: Any) -> Model:
    """Puts layers in front of a discriminator.

    Args:
        discriminator: A discriminator; of a conditional one the labels are left as they are.
        *layers: Layers that keep the shape of their input, applied first to last:
            `InstanceNoise`, `DiffAugment` or some of Keras.

    Returns:
        A model that shares all its weights with ``discriminator``.

    Raises:
        ValueError: the layers change the shape.
    """
    inputs = [
        keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name)
        for tensor, name in zip(discriminator.inputs, ("sample", "label"), strict=False)
    ]
    x = inputs[0]
    for layer in layers:
        x = layer(x)
    if tuple(x.shape[1:]) != tuple(inputs[0].shape[1:]):
        raise ValueError(
            f"layers at the input must keep its shape {tuple(inputs[0].shape[1:])}, "
            f"got {tuple(x.shape[1:])}"
        )
    if len(inputs) == 1:
        return keras.Model(inputs[0], discriminator(x), name=discriminator.name)
    return keras.Model(inputs, discriminator([x, inputs[1]]), name=discriminator.name)


# --- Minibatch standard deviation --------------------------------------------------------------


@_register
class MinibatchStdDev(keras.layers.Layer):
    """Adds one channel that says how much the rows of a batch differ from each other.

    In each group of neighbouring rows: the standard deviation over the group of each feature at
    each place, then the mean of those over features and places, one number, which each row of the
    group gets as a constant last channel (Karras et al. 2018, section 3). A generator that
    repeats itself makes that number small, and D can see it. It works in training and afterwards.

    It makes D's logit on one row depend on the other rows of its group, as batch normalisation
    would. Gradient penalties then sum, for each row, the derivatives of its group's logits.

    Args:
        group_size: Rows in a group. A batch of fewer rows is one group.

    Raises:
        ValueError: ``group_size`` is not an integer >= 2, or (when called) a larger number of
            rows is no multiple of it. In a compiled graph, where that number is known only when
            it runs, it is an ``InvalidArgumentError`` of TensorFlow.
    """

    def __init__(self, group_size: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if _positive_integer("group_size", group_size) < 2:
            raise ValueError(
                f"group_size must be at least 2, got {group_size}: one row alone has no deviation"
            )
        self.group_size = int(group_size)

    def call(self, x: Tensor) -> Tensor:
        """Adds the channel."""
        middle = x.shape[1:]
        known = x.shape[0] is not None
        rows = x.shape[0] if known else tf.shape(x)[0]
        size = min(rows, self.group_size) if known else tf.minimum(rows, self.group_size)
        x = _checked_rows(x, size, f"MinibatchStdDev({self.group_size})")
        groups = tf.reshape(x, tf.stack([rows // size, size, *middle]))
        # 1e-8 keeps the root's derivative finite where the rows of a group are equal.
        deviations = tf.sqrt(tf.math.reduce_variance(groups, axis=1) + 1e-8)
        means = tf.reduce_mean(deviations, axis=range(1, len(x.shape)))
        means = tf.reshape(tf.repeat(means, size), tf.stack([rows, *[1] * len(middle)]))
        channel = tf.broadcast_to(means, tf.concat([tf.shape(x)[:-1], [1]], axis=0))
        return tf.concat([x, channel], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """One more channel."""
        return (*input_shape[:-1], input_shape[-1] + 1)

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again."""
        return {**super().get_config(), "group_size": self.group_size}
