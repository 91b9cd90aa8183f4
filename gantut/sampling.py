"""Samples from a plain Keras generator, in batches and from a seed."""

import functools
import weakref
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from gantut import _check
from gantut._keras import full_precision, keras, tf
from gantut.data import Float32, check_labels
from gantut.networks import count_classes, is_conditional

Model: TypeAlias = keras.Model
Tensor: TypeAlias = tf.Tensor


def draw_normal(real: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draws n samples (n, ...) from a normal distribution.

    It has the mean and the covariance of the real samples (m, ...), m >= 2, and their dtype.
    """
    mean = real.mean(axis=0)
    # Weights of N(0, 1) on the deviations give the sample covariance.
    weights = rng.standard_normal((n, len(real)), dtype=real.dtype) / (len(real) - 1) ** 0.5
    return np.asarray(mean + np.tensordot(weights, real - mean, axes=1))


def in_batches(
    function: Callable[[Any], Any], array: np.ndarray, batch_size: int = 500
) -> np.ndarray:
    """What a function makes of many rows (n, ...), n >= 1, ``batch_size`` of them at a time.

    It maps rows to as many rows of an array or tensor, as a network does.
    """
    batch_size = _check.integer(batch_size, "batch_size", 1)
    starts = range(0, len(array), batch_size)
    return np.concatenate([np.asarray(function(array[i : i + batch_size])) for i in starts])


def check_inputs(
    z: ArrayLike, labels: ArrayLike | None, latent_dim: int, conditional: bool
) -> Float32:
    """Checks latent vectors (n, latent_dim), n >= 1, and that labels come where they are taken.

    Returns the latent vectors as float32.
    """
    array = np.asarray(z, dtype=np.float32)
    if array.shape[1:] != (latent_dim,) or not len(array) or not np.isfinite(array).all():
        raise ValueError(
            f"z must be finite latent vectors of shape (n, {latent_dim}), got shape {array.shape}"
        )
    if conditional != (labels is not None):
        wanted = "labels" if conditional else "no labels"
        raise ValueError(f"this generator takes {wanted} beside latent vectors")
    return array


def sample(
    generator: Model,
    n: int,
    labels: ArrayLike | None = None,
    *,
    seed: int | None = None,
    batch_size: int = 500,
) -> Float32:
    """Generates samples.

    Args:
        generator: A Keras model from latent vectors (or [latents, labels]) to samples.
        n: How many.
        labels: For a conditional generator: one label for all, or integers of shape (n,). None
            draws them uniformly.
        seed: Fixes the latent vectors, drawn from N(0, I), and drawn labels.
        batch_size: Samples made at a time; bounds the memory.

    Returns:
        float32 of shape (n, ...), images in [-1, 1].
    """
    n = _check.integer(n, "n", 1)
    rng = np.random.default_rng() if seed is None else _check.rng(seed)
    z = rng.standard_normal((n, generator.inputs[0].shape[-1]), dtype=np.float32)
    if is_conditional(generator):
        num_classes = count_classes(generator)
        if labels is None:
            if num_classes is None:
                raise ValueError("this generator's classes are unknown; pass labels")
            labels = rng.integers(num_classes, size=n)
        labels = check_labels(labels, n, num_classes)
    return render(generator, z, labels, batch_size=batch_size, compiled=True)


def render(
    generator: Model,
    z: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    batch_size: int = 500,
    compiled: bool = False,
) -> Float32:
    """What a generator makes of given latent vectors.

    Args:
        generator: As in `sample`.
        z: Latent vectors, real numbers (n, latent_dim), n >= 1.
        labels: For a conditional generator one row each, of whatever its second input takes:
            integers (n,), or shares of classes (n, num_classes) for `networks.soft_labels`.
        batch_size: As in `sample`.
        compiled: Makes a graph of the generator at its first call, for many samples or many calls;
            for the few images of a figure that takes longer than making them.

    Returns:
        float32 of shape (n, ...), images in [-1, 1].
    """
    batch_size = _check.integer(batch_size, "batch_size", 1)
    z = check_inputs(z, labels, generator.inputs[0].shape[-1], is_conditional(generator))
    inputs = [(z, generator.inputs[0].dtype)]
    if labels is not None:
        labels = np.asarray(labels)
        inputs.append((labels, generator.inputs[1].dtype))
        if labels.shape[:1] != z.shape[:1]:
            raise ValueError(f"wanted one label a latent vector, {len(z)}, got {labels.shape}")
    forward = _graph(generator) if compiled else functools.partial(generator, training=False)
    parts = []
    for start in range(0, len(z), batch_size):
        part = [tf.cast(rows[start : start + batch_size], dtype) for rows, dtype in inputs]
        parts.append(full_precision(forward(part if len(part) > 1 else part[0])).numpy())
    return np.concatenate(parts)


_graphs: weakref.WeakKeyDictionary[Model, Callable] = weakref.WeakKeyDictionary()


def _graph(generator: Model) -> Callable:
    """The generator as a graph that is traced once, however often and many are sampled."""
    if generator not in _graphs:
        model: Any = weakref.ref(generator)  # Else the table would keep each generator for ever.
        rows = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in generator.inputs]

        @tf.function(input_signature=[rows if len(rows) > 1 else rows[0]], autograph=False)
        def forward(inputs: Any) -> Tensor:
            return model()(inputs, training=False)

        _graphs[generator] = forward
    return _graphs[generator]
