"""Parts that steady a training: each from one paper, each to be combined with any pair of networks.

Most of them change only what D sees, so they are Keras layers, and functions that put such a layer
into a discriminator. Unrolled steps of D belong to the training step: `gantut.GAN` has them as
``unroll_steps``. `gantut.recipes.stabilise` adds any of them to a recipe. ::

    from gantut import recipes

    recipe = recipes.stabilise("dcgan", packing=2, spectral_norm=True, instance_noise=0.2)
    run = recipes.train(recipe, images)

The layers are registered with Keras as ``gantut>Pack`` and so on: a model that holds one is saved
like any other, and opens where this module has been imported.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from gantut import _check
from gantut._keras import Shape, Tensor, keras, layers_of, tf
from gantut.optimizers import FusedAdam

Builder = Callable[..., keras.Model]
Model: TypeAlias = keras.Model
Layer: TypeAlias = keras.Layer

_register = keras.saving.register_keras_serializable(package="gantut")


def _checked_rows(x: Tensor, divisor: int | Tensor, layer: str) -> Tensor:
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
    """

    def __init__(self, m: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.m = _check.integer(m, "m", 1)

    def call(self, x: Tensor) -> Tensor:
        """Packs a batch."""
        x = _checked_rows(x, self.m, f"Pack({self.m})")
        *middle, channels = x.shape[1:]
        x = tf.reshape(x, [-1, self.m, *middle, channels])
        axes = list(range(len(x.shape)))
        x = tf.transpose(x, [0, *axes[2:-1], 1, axes[-1]])
        return tf.reshape(x, [-1, *middle, self.m * channels])

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again."""
        return {**super().get_config(), "m": self.m}


def packed(builder: Builder, m: int) -> Builder:
    """Makes a builder of discriminators into one whose networks judge m samples together.

    The new networks still take samples (B, ...), but return B / m logits: neighbouring rows are
    judged as one (:class:`Pack`). Only the width of the first layer grows (Lin et al. 2018,
    section 3.1). Every batch of `gantut.GAN`, also the last of an epoch, must be a multiple of m.

    A conditional network sees the labels of all m samples: where it read ``num_classes`` columns,
    it reads m * num_classes, those of the pack's first sample first.

    Gradient penalties are taken with respect to single samples, of the logit of the pack that
    they are in. "r1" and "r2" are therefore 1 / m of what they would be for the whole pack,
    ``E[||grad D(x_1..x_m)||^2] / (2 m)``: give m times the weight to penalise the pack as
    strongly. "wgan_gp" asks each sample's gradient for the norm 1, the pack's for sqrt(m), and
    mixes each sample with an alpha of its own.

    Args:
        builder: From ``image_shape=`` and so on to a discriminator, as in
            `gantut.recipes.Recipe`; shapes of points, (d,), are welcome where the builder takes
            them. It is called with the shape of a pack, (..., m * channels), and, if it is given
            a ``mean_image``, with the m-fold of that.
        m: Samples that are judged together. For 1 the builder stays as it is.
    """
    if _check.integer(m, "m", 1) == 1:
        return builder

    def build(image_shape: tuple[int, ...], **data: Any) -> Model:
        shape, num_classes = tuple(image_shape), data.get("num_classes")
        wanted = (*shape[:-1], m * shape[-1])
        if data.get("mean_image") is not None:
            data["mean_image"] = np.concatenate([data["mean_image"]] * m, axis=-1)
        if num_classes is not None:
            data["num_classes"] = num_classes * m
        inner = builder(image_shape=wanted, **data)
        taken = tuple(inner.inputs[0].shape[1:])
        if taken != wanted:
            raise ValueError(
                f"the builder was asked for a discriminator of {wanted}, {m} samples of {shape}, "
                f"but made one of {taken}"
            )
        sample = keras.Input(shape, name="sample")
        pack, name = Pack(m, name="pack")(sample), f"packed_{inner.name}"
        if len(inner.inputs) == 1:
            return keras.Model(sample, inner(pack), name=name)
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
        pair = [pack, Pack(m, name="pack_labels")(one_hot(label))]
        return keras.Model([sample, label], inner(pair), name=name)

    return build


# --- What D sees: noise ------------------------------------------------------------------------


@_register
class InstanceNoise(keras.layers.Layer):
    """Adds Gaussian noise to what D sees, data and samples alike; in training only.

    Where data and samples lie on thin sets that do not touch, D can be perfect and its gradient
    useless. Noise makes the two densities overlap (Sonderby et al. 2017; Arjovsky and Bottou
    2017, section 3). The gradient penalties of `gantut.GAN` are then taken at noisy points.

    Args:
        stddev: The noise's deviation, in the units of the samples (images have the range 2).
        seed: Fixes the noise; drawn from Keras' global seed if None.

    Attributes:
        stddev: A weight that no gradient changes, so that it can be lowered while training
            (`gantut.callbacks.AnnealNoise`) and is saved with the model.
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial_stddev = _check.number(stddev, "stddev", least=0)
        self.seed = None if seed is None else _check.seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.stddev = self.add_weight(
            initializer=keras.initializers.Constant(self.initial_stddev),
            trainable=False,
            name="stddev",
        )

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        """Adds noise if ``training``."""
        if not training:
            return x
        noise = keras.random.normal(tf.shape(x), dtype=x.dtype, seed=self.seed_generator)
        return x + tf.cast(self.stddev, x.dtype) * noise

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again, with the noise that it began with."""
        return {**super().get_config(), "stddev": self.initial_stddev, "seed": self.seed}


@_register
class DiffAugment(keras.layers.Layer):
    """Changes images at random before D sees them, data and samples alike; in training only.

    D then cannot learn a small training set by heart, and because each change has a derivative,
    G's gradient goes through it (Zhao et al. 2020). Each image is changed by numbers of its own:

    - "color": brightness plus U(-1/2, 1/2), saturation (the distance from the pixel's mean over
      the channels; there is none in a grey image) times U(0, 2), and contrast (the distance from
      the image's mean) times U(1/2, 3/2). Values may leave [-1, 1].
    - "translation": a shift by whole pixels, up to 1/8 of the side each way.
    - "cutout": a square of half the side, its centre anywhere, is wiped out.

    What comes in from outside a shifted image, and what a cutout leaves, is 0, the middle grey.

    Args:
        policy: Names of changes, separated by commas, in the order in which they are made.
        seed: Fixes the random numbers; drawn from Keras' global seed if None.
    """

    def __init__(
        self, policy: str = "color,translation,cutout", seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        names = policy.split(",") if isinstance(policy, str) else []
        self.changes = [name.strip() for name in names]
        known = ("color", "translation", "cutout")
        if not names or {*self.changes} - {*known} or len({*self.changes}) < len(names):
            raise ValueError(
                f"policy must be some of {', '.join(known)}, each once, separated by commas, "
                f"got {policy!r}"
            )
        self.policy = policy
        self.seed = None if seed is None else _check.seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)

    def build(self, input_shape: Shape) -> None:
        """Checks that the samples are images."""
        if len(input_shape) != 4:
            raise ValueError(
                f"DiffAugment changes images (batch, height, width, channels), got samples of "
                f"shape {tuple(input_shape)}"
            )
        self.built = True

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        """Changes each image if ``training``."""
        if training:
            for change in self.changes:
                x = getattr(self, f"_{change}")(x)
        return x

    def _uniform(self, x: Tensor, low: float, high: float) -> Tensor:
        shape = tf.stack([tf.shape(x)[0], 1, 1, 1])
        return keras.random.uniform(shape, low, high, dtype=x.dtype, seed=self.seed_generator)

    def _integers(self, x: Tensor, low: int, high: int) -> Tensor:
        """One integer an image, from low to high, both included."""
        return keras.random.randint((tf.shape(x)[0],), low, high + 1, seed=self.seed_generator)

    def _color(self, x: Tensor) -> Tensor:
        x += self._uniform(x, -0.5, 0.5)
        mean = tf.reduce_mean(x, axis=3, keepdims=True)
        x = mean + (x - mean) * self._uniform(x, 0.0, 2.0)
        mean = tf.reduce_mean(x, axis=(1, 2, 3), keepdims=True)
        return mean + (x - mean) * self._uniform(x, 0.5, 1.5)

    def _translation(self, x: Tensor) -> Tensor:
        for axis, move in ((1, "bij,bjwc->biwc"), (2, "bij,bhjc->bhic")):
            side = x.shape[axis]
            limit = int(side / 8 + 0.5)
            shift = self._integers(x, -limit, limit)
            # Row i of an image becomes row i - shift of the old one, or 0 where there is none: a
            # product with a matrix of zeros and ones, which any order of derivative goes through.
            rows = tf.range(side)[None, :] - tf.cast(shift, tf.int32)[:, None]
            x = tf.einsum(move, tf.one_hot(rows, side, dtype=x.dtype), x)
        return x

    def _cutout(self, x: Tensor) -> Tensor:
        inside = tf.ones((1, 1, 1, 1), x.dtype)
        for axis in (1, 2):
            side = x.shape[axis]
            length = int(side / 2 + 0.5)
            # Squares of an odd length have a pixel, others a corner of pixels as their centre.
            first = self._integers(x, 0, side - length % 2) - length // 2
            pixels = tf.range(side)[None, :] - tf.cast(first, tf.int32)[:, None]
            within = tf.cast((pixels >= 0) & (pixels < length), x.dtype)
            inside *= within[:, :, None, None] if axis == 1 else within[:, None, :, None]
        return x - inside * x

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again."""
        return {**super().get_config(), "policy": self.policy, "seed": self.seed}


def at_input(discriminator: Model, *layers: Layer) -> Model:
    """Puts layers in front of a discriminator, all of whose weights the new model shares.

    Args:
        discriminator: A discriminator; of a conditional one the labels are left as they are.
        *layers: Layers that keep the shape of their input, applied first to last:
            `InstanceNoise`, `DiffAugment` or some of Keras.
    """
    inputs = [
        keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name)
        for tensor, name in zip(discriminator.inputs, ("sample", "label"), strict=False)
    ]
    x = inputs[0]
    for layer in layers:
        x = layer(x)
    if x.shape != inputs[0].shape:
        raise ValueError(
            f"layers at the input must keep its shape {inputs[0].shape[1:]}, got {x.shape[1:]}"
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
    Gradient penalties then sum, for each row, the derivatives of its group's logits.

    Args:
        group_size: Rows in a group. A batch of fewer rows is one group.
    """

    def __init__(self, group_size: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.group_size = _check.integer(group_size, "group_size", 2)  # one row has no deviation

    def call(self, x: Tensor) -> Tensor:
        """Adds the channel."""
        middle = x.shape[1:]
        known = x.shape[0] is not None
        rows = x.shape[0] if known else tf.shape(x)[0]
        size = min(rows, self.group_size) if known else tf.minimum(rows, self.group_size)
        x = _checked_rows(x, size, f"MinibatchStdDev({self.group_size})")
        groups = tf.reshape(x, tf.stack([rows // size, size, *middle]))
        # 1e-8 keeps the root's derivative finite where the rows of a group are equal.
        deviations = tf.sqrt(tf.math.reduce_variance(groups, axis=1, keepdims=True) + 1e-8)
        means = tf.reduce_mean(deviations, axis=range(1, len(groups.shape)), keepdims=True)
        channel = tf.broadcast_to(means, tf.stack([rows // size, size, *middle[:-1], 1]))
        channel = tf.reshape(channel, tf.stack([rows, *middle[:-1], 1]))
        return tf.concat([x, channel], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again."""
        return {**super().get_config(), "group_size": self.group_size}


def with_minibatch_stddev(discriminator: Model, group_size: int = 4) -> Model:
    """Lets the last layer with a kernel see how much the rows of its group differ.

    Args:
        discriminator: A functional model, which stays as it is.
        group_size: Rows in a group, as in `MinibatchStdDev`.

    Returns:
        A model with copies of the weights, and 0 for those of the new channel, so that it begins
        as the same function.
    """
    candidates = [layer for layer in layers_of(discriminator) if _has_kernel(layer)]
    if not candidates:
        raise ValueError(f"{discriminator.name!r} has no dense or convolutional layer")
    target = candidates[-1]
    widened: list[Layer] = []

    def clone(old: Layer) -> Layer:
        new = _unbuilt(old)
        if old is target:
            widened.append(new)
        return new

    def call(new: Layer, x: Tensor, **kwargs: Any) -> Tensor:
        if new in widened:
            x = MinibatchStdDev(group_size, name=f"minibatch_stddev_{new.name}")(x)
        return new(x, **kwargs)

    return _cloned(discriminator, clone, call)


def spectrally_normalised(discriminator: Model) -> Model:
    """Keeps the largest singular value of each layer's matrix at 1 (Miyato et al. 2018).

    Each dense and convolutional layer that can be trained is wrapped in Keras'
    ``SpectralNormalization``. The matrix is the kernel with one column a unit or filter, for a
    convolution of shape (height * width * channels in, channels out), which bounds the
    convolution as a map of images only up to a factor (as in section 2.1 of the paper). Each call
    in training divides the kernel by an estimate of the value from one step of a power iteration,
    which goes on from call to call: after some tens of calls the estimate is good. Outside
    training the kernel is used as it is.

    Keras divides the weights themselves before D's step, so the step's gradient does not go
    through the division; the gradient through unrolled steps does.

    Args:
        discriminator: A functional model, which stays as it is: the new one has copies of the
            weights, normalised when it is first called in training.
    """
    wrapped = keras.layers.SpectralNormalization

    def learns(layer: Layer) -> bool:
        return _has_kernel(layer) and layer.trainable

    def clone(old: Layer) -> Layer:
        new = _unbuilt(old)
        return wrapped(new, name=old.name) if learns(old) and type(old) is not wrapped else new

    if not any(map(learns, layers_of(discriminator))):
        raise ValueError(
            f"{discriminator.name!r} has no trainable dense or convolutional layer to normalise"
        )
    return _cloned(discriminator, clone)


def _has_kernel(layer: Layer) -> bool:
    kinds = keras.layers
    if isinstance(layer, kinds.SpectralNormalization):
        layer = layer.layer
    return isinstance(layer, (kinds.Dense, kinds.Conv1D, kinds.Conv2D, kinds.Conv3D))


def _unbuilt(layer: Layer) -> Layer:
    if isinstance(layer, keras.layers.SpectralNormalization):
        # Its own configuration would build the layer inside for the old number of channels.
        return type(layer)(_unbuilt(layer.layer), layer.power_iterations, name=layer.name)
    return type(layer).from_config(layer.get_config())


def _cloned(
    model: Model, clone: Callable[[Layer], Layer], call: Callable[..., Tensor] | None = None
) -> Model:
    """A copy made of cloned layers, also those of models inside, with the same weights."""
    pairs: list[tuple[Layer, Layer]] = []

    def remember(old: Layer) -> Layer:
        if isinstance(old, keras.Model):  # Keras 3.12's own recursion ends after one level
            return keras.models.clone_model(old, clone_function=remember, call_function=call)
        new = clone(old)
        pairs.append((old, new))
        return new

    copy = remember(model)
    for old, new in pairs:
        is_new = isinstance(new, keras.layers.SpectralNormalization) and type(old) is not type(new)
        target = new.layer if is_new else new
        target.set_weights(
            [_padded(w, v.shape) for w, v in zip(old.get_weights(), target.weights, strict=True)]
        )
    return copy


def _padded(weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A kernel with zeros for the channels that a wider layer has after the old ones."""
    wide = np.zeros(tuple(shape), weight.dtype)
    wide[tuple(slice(n) for n in weight.shape)] = weight
    return wide


# --- Two time scales ---------------------------------------------------------------------------


def two_time_scales(
    g_learning_rate: float = 1e-4, d_learning_rate: float = 4e-4
) -> tuple[FusedAdam, FusedAdam]:
    """Two Adams of different speed, for ``gan.compile(*two_time_scales())``.

    If D learns on a faster scale than G, its weights stay near the best answer to the present G,
    and the pair converges to a point where neither can get better by small steps (Heusel et al.
    2017, theorem 1). The defaults, and decays of the moments of 0 and 0.9, are those of Zhang et
    al. 2019 (SAGAN), section 5. D's optimizer comes first, as ``compile`` takes them.

    Args:
        g_learning_rate: Adam's learning rate for G.
        d_learning_rate: The same for D.
    """
    d_rate = _check.number(d_learning_rate, "d_learning_rate", above=0)
    g_rate = _check.number(g_learning_rate, "g_learning_rate", above=0)
    return FusedAdam(d_rate, 0.0, 0.9), FusedAdam(g_rate, 0.0, 0.9)
