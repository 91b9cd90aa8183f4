"""Doors for data: what images, samples and labels must be, said in one place."""

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gantut import _check

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


def pair_of_sizes(size: Any, name: str = "size") -> tuple[int, int]:
    """``size``, an int or a pair (height, width), as a pair."""
    if isinstance(size, tuple | list):
        if len(size) != 2:
            raise ValueError(f"{name} must be an integer or (height, width), got {size!r}")
        return _check.integer(size[0], f"{name}[0]", 1), _check.integer(size[1], f"{name}[1]", 1)
    side = _check.integer(size, name, 1)
    return side, side


def check_images(
    x: ArrayLike,
    *,
    name: str = "images",
    channels: int | None = None,
    size: int | tuple[int, int] | None = None,
) -> Float32:
    """Checks that ``x`` is a batch of images as this package wants them, and returns it.

    Args:
        x: The images: float32 of shape (number, height, width, channels) with values in [-1, 1].
        name: What to call them in the error message.
        channels: The number of channels they must have; any number if None.
        size: The height and width that they must have, as an int or a pair; any if None.
    """
    wanted = "float32 of shape (number, height, width, channels) in [-1, 1]"
    try:
        array = np.asarray(x)
    except ValueError:
        raise ValueError(f"{name}: wanted {wanted}, got images of different shapes") from None
    if array.dtype != np.float32:
        hint = ""
        if array.dtype == np.uint8:
            hint = "; for bytes 0..255: x.astype('float32') / 127.5 - 1"
        elif array.dtype.kind == "f":
            hint = "; convert with x.astype('float32')"
        raise ValueError(f"{name}: wanted {wanted}, got dtype {array.dtype}{hint}")
    if array.ndim != 4:
        hint = "; add the axis of the channels with x[..., None]" if array.ndim == 3 else ""
        raise ValueError(f"{name}: wanted {wanted}, got shape {array.shape}{hint}")
    if array.size == 0:
        raise ValueError(f"{name}: wanted at least one image, got the empty shape {array.shape}")
    if channels is not None and array.shape[3] != channels:
        raise ValueError(
            f"{name}: wanted {channels} channel(s) on the last axis, got shape {array.shape}"
        )
    if size is not None and array.shape[1:3] != pair_of_sizes(size):
        height, width = pair_of_sizes(size)
        raise ValueError(f"{name}: wanted {height} x {width} pixels, got shape {array.shape}")
    low, high = float(array.min()), float(array.max())
    if math.isnan(low):
        bad = np.isnan(array).any(axis=(1, 2, 3))
        raise ValueError(
            f"{name}: got NaN in {bad.sum()} image(s), first in image {np.argmax(bad)}"
        )
    if low < -1 or high > 1:
        hint = "; for 0..255: x / 127.5 - 1" if low >= 0 and 2 < high <= 255 else ""
        raise ValueError(f"{name}: wanted values in [-1, 1], got [{low:g}, {high:g}]{hint}")
    return array


def check_alike(
    first: ArrayLike, second: ArrayLike, names: tuple[str, str], *, as_many: bool = False
) -> tuple[Float32, Float32]:
    """Checks two batches, as `check_images` does, of one height, width and number of channels.

    ``as_many`` asks for as many of the second as of the first; ``names`` are for the message.
    """
    a, b = (check_images(x, name=name) for x, name in zip((first, second), names, strict=True))
    first_axis = 0 if as_many else 1
    if a.shape[first_axis:] != b.shape[first_axis:]:
        raise ValueError(f"{names[0]} and {names[1]} differ in shape: {a.shape} and {b.shape}")
    return a, b


def is_from_0_to_1(x: NDArray[Any]) -> bool:
    """Whether next to none of the numbers of [-1, 1] is negative, a stray one aside."""
    return bool(np.mean(x < 0) < 1e-3)


def to_float(pixels: NDArray[np.uint8]) -> Float32:
    """Bytes 0..255 to float32 in [-1, 1]: pixels / 127.5 - 1."""
    images = pixels.astype(np.float32)
    images /= 127.5
    images -= 1
    return images


def check_labels(labels: ArrayLike, n: int, num_classes: int | None) -> NDArray[np.int32]:
    """Checks integer labels, and returns them as int32 of shape (n,).

    Args:
        labels: One integer for all samples, or integers of shape (n,).
        n: The number of samples.
        num_classes: Labels must lie in 0..num_classes - 1; None checks the lower end only.
    """
    array = np.asarray(labels)
    if array.ndim == 0:
        array = np.repeat(array, n)
    if array.shape != (n,) or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            f"labels must be integers of shape ({n},), got {array.dtype} of shape {array.shape}"
        )
    if n and (array.min() < 0 or (num_classes is not None and array.max() >= num_classes)):
        wanted = ">= 0" if num_classes is None else f"in 0..{num_classes - 1}"
        raise ValueError(f"labels must be {wanted}, got {array.min()}..{array.max()}")
    return array.astype(np.int32)


def check_samples(x: ArrayLike, shape: tuple[int, ...], *, maker: str) -> Float32:
    """Checks samples that a model is to be trained or measured on.

    Args:
        x: Samples (n, ...); images, which have three axes each, are float32 in [-1, 1].
        shape: The shape of one sample.
        maker: The network that makes samples of that shape, for the message.
    """
    array = np.asarray(x)
    if array.shape[1:] != shape or not array.ndim:
        channels_first = len(shape) == 3 and array.shape[1:] == (shape[2], *shape[:2])
        raise ValueError(
            f"samples must have the shape that the {maker} makes, "
            f"(n, {', '.join(map(str, shape))}), got {array.shape}"
            + "; move the channels last, in NumPy x.transpose(0, 2, 3, 1)"
            * channels_first
        )
    if len(shape) == 3:
        images = check_images(array, name="x")
        if is_from_0_to_1(images):
            warnings.warn(
                "x looks like images from 0 to 1; wanted are images from -1 to 1: 2 * x - 1",
                stacklevel=3,
            )
        return images
    if not len(array):
        raise ValueError("x is empty")
    if array.dtype != np.float32:
        raise ValueError(f"x must be float32, got {array.dtype}")
    return _check.numbers(array, "x")


def number_of_classes(labels: NDArray[np.integer], batch_size: int = 0) -> int:
    """The number of classes of labels 0, 1, ...: one more than the largest.

    A class of which there is no example is warned of: its column would be trained on nothing and
    drawn like the others. So is one with fewer examples than its share of a batch.
    """
    present, counts = np.unique(labels, return_counts=True)
    number = int(present[-1]) + 1
    if len(present) < number:
        warnings.warn(
            f"{number - len(present):,} of the classes 0 to {number - 1} have no example: the "
            f"labels are {_some(present)}",
            stacklevel=3,
        )
    if len(rare := present[counts * number < batch_size]):
        warnings.warn(
            f"{len(rare):,} of {number} classes have fewer examples than their share of a batch "
            f"({batch_size} / {number}) and will hardly be learned: {_some(rare)}",
            stacklevel=3,
        )
    return number


def _some(numbers: NDArray[np.integer]) -> str:
    return ", ".join(map(str, numbers[:10])) + ", ..." * (len(numbers) > 10)
