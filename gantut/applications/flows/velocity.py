"""Networks from a point and a time to a velocity."""

import math
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

import numpy as np

from gantut import _check
from gantut._keras import Tensor, keras
from gantut.networks.parts import checked_shape

Network: TypeAlias = keras.Model

layers = keras.layers


def first_names(network: Network) -> Network:
    """Names the layers as if they were the first of the process.

    Keras numbers layers without a name over the whole process. The order of TensorFlow's sums, and
    with it the last digits of a training, depends on the names.
    """

    def number(layer: keras.Layer) -> int:
        tail = layer.name.rpartition("_")[2]
        return int(tail) if tail.isdigit() else 0

    named: Counter[str] = Counter()
    for layer in sorted(network.layers, key=number):
        kind = layer.name.removesuffix(f"_{number(layer)}")
        layer.name = f"{kind}_{named[kind]}" if named[kind] else kind
        named[kind] += 1
    return network


def _time_features(times: int = 1, count: int = 16) -> tuple[Tensor, Tensor]:
    """An input of the times, and their sines and cosines through a dense layer."""
    time = keras.Input((times,), name="time")
    fastest = 100.0 if times == 1 else 10.0
    each = time if times == 1 else keras.ops.repeat(time, count, axis=1)
    angles = each * np.tile(np.geomspace(1.0, fastest, count, dtype=np.float32), times)
    waves = keras.ops.concatenate([keras.ops.sin(angles), keras.ops.cos(angles)], axis=-1)
    return time, layers.Dense(64, activation="silu")(waves)


def _normal(x: Tensor) -> Tensor:
    """Each sample with mean 0 and variance 1 over all axes."""
    axes = list(range(1, len(x.shape)))
    return layers.LayerNormalization(axis=axes, center=False, scale=False)(x)


def _modulated(x: Tensor, condition: Tensor) -> Tensor:
    """The normalised sample, each channel scaled and shifted as the condition says."""
    width = x.shape[-1]
    both = layers.Dense(2 * width, kernel_initializer="zeros")(condition)
    both = layers.Reshape((*(1 for _ in x.shape[1:-1]), 2 * width))(both)
    return _normal(x) * (1.0 + both[..., :width]) + both[..., width:]


def mlp_velocity(
    shape: Sequence[int], *, width: int = 256, blocks: int = 3, times: int = 1
) -> Network:
    """A residual perceptron from [x, time] to velocities of the shape of x.

    Args:
        shape: Of one sample.
        width: Units of each layer.
        blocks: Residual blocks of two layers.
        times: Numbers in the time: 1, or 2 for a `MeanFlow`.
    """
    width, blocks, times = _check.sizes(width=width, blocks=blocks, times=times)
    x = keras.Input(tuple(shape), name="x")
    time, condition = _time_features(times)
    h = layers.Dense(width)(layers.Flatten()(x))
    for _ in range(blocks):
        inner = layers.Dense(width, activation="silu")(_modulated(h, condition))
        h = h + layers.Dense(width)(inner)
    out = layers.Dense(math.prod(shape), kernel_initializer="zeros")(layers.LayerNormalization()(h))
    velocity = layers.Reshape(tuple(shape))(out)
    return first_names(keras.Model([x, time], velocity, name="mlp_velocity"))


def unet_velocity(
    shape: Sequence[int],
    *,
    widths: tuple[int, int] = (16, 48),
    hidden: int = 256,
    times: int = 1,
) -> Network:
    """A small U-Net from [images, time] to velocities.

    It halves the image twice, and its middle has a dense layer that sees the whole image.

    Args:
        shape: (height, width, channels) of an image, both sides multiples of 4.
        widths: Channels at half and at a quarter of the size.
        hidden: Units of the dense layer.
        times: Numbers in the time: 1, or 2 for a `MeanFlow`.
    """
    high, wide, channels = checked_shape(shape, multiple_of=4)
    first, second = _check.sizes(first=widths[0], second=widths[1])
    hidden, times = _check.sizes(hidden=hidden, times=times)
    conv = partial(layers.Conv2D, padding="same")
    grow = partial(layers.Conv2DTranspose, kernel_size=4, strides=2, padding="same")
    silu = keras.ops.silu
    x = keras.Input((high, wide, channels), name="x")
    time, condition = _time_features(times)
    outer = silu(_modulated(conv(first, 4, strides=2)(x), condition))
    outer = outer + silu(conv(first, 3)(outer))
    h = conv(second, 4, strides=2)(outer)
    for block in range(2):
        inner = silu(conv(second, 3)(silu(_modulated(h, condition))))
        h = h + conv(second, 3)(inner)
        if block == 0:
            size = h.shape[1:]
            row = layers.Dense(hidden, activation="silu")(layers.Flatten()(_normal(h)))
            h = h + layers.Reshape(size)(layers.Dense(math.prod(size))(row))
    h = silu(grow(first)(silu(h))) + outer
    h = h + silu(conv(first, 3)(h))
    velocity = grow(channels, kernel_initializer="zeros")(h)
    return first_names(keras.Model([x, time], velocity, name="unet_velocity"))
