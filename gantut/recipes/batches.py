"""The order of the data: endless datasets of batches, which a seed fixes."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut import _check
from gantut._keras import tf


def batches(
    x: npt.ArrayLike,
    y: npt.ArrayLike | None = None,
    *,
    batch_size: int,
    seed: int = 0,
    stack: int = 1,
    skip: int = 0,
) -> tf.data.Dataset:
    """An endless dataset of full batches ``x`` or ``(x, labels)``, each image once a pass.

    Args:
        x: Samples (n, ...), n >= 1. They are not copied, so leave them as they are while the
            dataset is in use.
        y: Labels (n,), or None; not copied either.
        batch_size: Samples in a batch, which can hold the end of a pass and the next beginning.
        seed: Fixes the order, which is random and another in each pass.
        stack: Images (n, height, width, channels) that make one of ``stack`` times the channels.
            Above 1 each is drawn at random with replacement, and there are no passes.
        skip: Batches to leave out at the beginning, which costs next to nothing.
    """
    batch_size, stack = _check.sizes(batch_size=batch_size, stack=stack)
    skip, seed = _check.integer(skip, "skip", 0), _check.seed(seed)
    if stack > 1 and y is not None:
        raise ValueError(f"stacked images have {stack} labels each; wanted y=None")
    data = [np.asarray(part) for part in (x, y) if part is not None]

    @tf.autograph.experimental.do_not_convert
    def gather(rows: tf.Tensor) -> Any:
        # NumPy picks the rows, and the array stays the only one. TensorFlow would hold the data
        # three times: its copy, which it makes from a copy, and another that tf.data makes.
        picked = tf.numpy_function(
            lambda rows: [part.take(rows, axis=0) for part in data],
            [rows],
            [part.dtype for part in data],
            stateful=False,
        )
        shaped = [
            tf.ensure_shape(part, (*rows.shape, *whole.shape[1:]))
            for part, whole in zip(picked, data, strict=True)
        ]
        return _as_batch(shaped, stack)

    rows = _rows_of_batches(len(data[0]), batch_size, seed, stack, skip)
    return _untuned(rows.map(gather, num_parallel_calls=1))


def batches_from_step(
    x: npt.NDArray[Any], y: npt.NDArray[Any] | None, *, on_device: bool, **order: int
) -> tuple[Callable[[int], tf.data.Dataset], Callable[[tf.Tensor], Any] | None]:
    """What a training takes its batches from: a function from a step to those from there on.

    With ``on_device`` the data is put where the networks are, and the second function picks a
    batch there, from the numbers of its rows that the dataset then yields; else it is None.
    ``order`` is the rest of what `batches` takes.
    """
    if not on_device:
        return lambda step: batches(x, y, **order, skip=step), None
    held = [tf.constant(part) for part in (x, y) if part is not None]
    return (
        lambda step: _untuned(_rows_of_batches(len(x), **order, skip=step)),
        lambda rows: _as_batch([tf.gather(part, rows) for part in held], order["stack"]),
    )


def take(dataset: tf.data.Dataset, steps: int) -> tf.data.Dataset:
    """The first batches of an endless dataset, as one that tells its length.

    Keras warns of data that ends without having told its length.
    """
    return dataset.take(steps).apply(tf.data.experimental.assert_cardinality(steps))


def _rows_of_batches(
    count: int, batch_size: int, seed: int, stack: int, skip: int
) -> tf.data.Dataset:
    """The row numbers of each batch, (batch_size,); for stacked images (batch_size, stack)."""

    @tf.autograph.experimental.do_not_convert
    def shuffled(number: tf.Tensor) -> tf.Tensor:
        # A function of seed and pass alone. Dataset.shuffle would draw from a state that all
        # iterators share, and which one draws first can depend on threads.
        key = tf.stack([tf.constant(seed, tf.int64), number])
        rows = tf.random.experimental.stateless_shuffle(tf.range(count), key)
        return rows[tf.where(number == passes, left_out, 0) :]

    @tf.autograph.experimental.do_not_convert
    def drawn(number: tf.Tensor) -> tf.Tensor:
        key = tf.stack([tf.constant(seed, tf.int64), number])
        return tf.random.stateless_uniform((batch_size, stack), key, 0, count, tf.int32)

    if stack > 1:
        return tf.data.Dataset.counter(skip).map(drawn, num_parallel_calls=1)
    passes, left_out = divmod(skip * batch_size, count)
    made = tf.data.Dataset.counter(passes).map(shuffled)
    return made.rebatch(batch_size, drop_remainder=True)


def _as_batch(parts: Sequence[tf.Tensor], stack: int) -> Any:
    """Images or (images, labels) as a dataset yields them; stacked, one of more channels."""
    if stack > 1:
        (images,) = parts
        batch_size, _, height, width, channels = images.shape
        images = tf.transpose(images, [0, 2, 3, 1, 4])
        return tf.reshape(images, (batch_size, height, width, stack * channels))
    return parts[0] if len(parts) == 1 else tuple(parts)


def _untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The dataset, some batches ahead of who takes them."""
    # Nothing here is left to TensorFlow to tune, and the end of a dataset that it tunes waits at
    # times for its tuner (2.21), which looks after 10 ms, 20, 40 and so on: up to half a training.
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(2).with_options(options)


def fingerprint(x: npt.ArrayLike, y: npt.ArrayLike | None) -> str:
    """A short hash of the data, by which another one is noticed."""
    total = hashlib.blake2b(digest_size=8)
    for array in (x, y):
        if array is not None:
            array = np.ascontiguousarray(array)
            total.update(f"{array.dtype.str}{array.shape}".encode())
            total.update(array.data)
    return total.hexdigest()
