"""Image restoration: four kinds of damage, what one would do against each, and how to measure it.

    from gantut.applications import image_to_image, restoration

    run = image_to_image.train(restoration.damaged_mixture(x), x)
    restored = run.gan.translate(restoration.DAMAGES["noise"](x_test))

``DAMAGES`` holds the four: noise, blur, a hole, and a loss of resolution. One network learns to
mend all of them (`damaged_mixture`). Beside it, `rivals` gives for each damage the filter of a
practitioner, who knows which damage it is, and a linear regression.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from gantut import _check, judge, metrics
from gantut.data import check_images

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Restorer = Callable[[Float32], Float32]

BLUR = 2.0
"""Standard deviation of the blur in ``DAMAGES``, in pixels."""

GREY = 0.0
"""Value of the pixels in a hole."""


# --- Damage ------------------------------------------------------------------------------------


def add_noise(images: npt.ArrayLike, seed: int = 0, *, deviation: float = 1.0) -> Float32:
    """Adds independent normal noise to every pixel, and clips as a sensor does.

    Args:
        images: float32 images (n, height, width, channels) in [-1, 1].
        seed: Fixes the noise.
        deviation: Of the noise; 1 is half the range from black to white.

    Returns:
        Images of the same shape in [-1, 1].

    Raises:
        ValueError: the images are not valid, or the deviation is not positive.
    """
    array = check_images(images)
    scale = np.float32(_check.number(deviation, "deviation", above=0))
    noise = _check.rng(seed).standard_normal(array.shape, dtype=np.float32)
    return np.clip(array + scale * noise, -1.0, 1.0)


def blur(
    images: npt.ArrayLike, seed: int = 0, *, sigma: float = BLUR, deviation: float = 0.1
) -> Float32:
    """Blurs with a normal kernel, black beyond the frame, and adds a little noise.

    Without noise the blur could be undone, but for rounding.

    Args:
        images: float32 images (n, height, width, channels) in [-1, 1].
        seed: Fixes the noise.
        sigma: Standard deviation of the kernel in pixels.
        deviation: Of the noise.

    Returns:
        Images of the same shape in [-1, 1].

    Raises:
        ValueError: the images are not valid, or a number is not positive.
    """
    array = check_images(images)
    sigma = _check.number(sigma, "sigma", above=0)
    soft = ndimage.gaussian_filter(array, (0, sigma, sigma, 0), mode="constant", cval=-1.0)
    return add_noise(soft, seed, deviation=deviation)


def cut_hole(images: npt.ArrayLike, seed: int = 0, *, size: int = 14, margin: int = 3) -> Float32:
    """Covers a square of each image, somewhere, with grey.

    Args:
        images: float32 images (n, height, width, channels) in [-1, 1].
        seed: Fixes the places.
        size: Side of the square in pixels.
        margin: Pixels at each edge that it leaves free.

    Returns:
        Images of the same shape, ``GREY`` in the hole.

    Raises:
        ValueError: the images are not valid, or too small for such a hole.
    """
    array = check_images(images)
    n, height, width, _ = array.shape
    room = (
        min(height, width)
        - _check.integer(size, "size", 1)
        - 2 * _check.integer(margin, "margin", 0)
    )
    if room < 0:
        raise ValueError(
            f"a hole of {size} pixels with a margin of {margin} does not fit {height} x {width}"
        )
    rng = _check.rng(seed)
    covered = []
    for side in (height, width):
        first = rng.integers(margin, side - size - margin + 1, n)[:, None]
        covered.append((np.arange(side) >= first) & (np.arange(side) < first + size))
    hole = covered[0][:, :, None] & covered[1][:, None, :]
    return np.where(hole[..., None], np.float32(GREY), array)


def shrink(images: npt.ArrayLike, seed: int = 0, *, factor: int = 4) -> Float32:
    """Lowers the resolution: blocks of pixels become their mean.

    Args:
        images: float32 images (n, height, width, channels) in [-1, 1].
        seed: Ignored; here so that all damages are called alike.
        factor: Side of a block in pixels, by which height and width can be divided.

    Returns:
        Images of the same shape, each block of one value.

    Raises:
        ValueError: the images are not valid, or the sides no multiples of ``factor``.
    """
    array = check_images(images)
    n, height, width, channels = array.shape
    if height % _check.integer(factor, "factor", 1) or width % factor:
        raise ValueError(f"{height} x {width} pixels cannot be divided by {factor}")
    blocks = array.reshape(n, height // factor, factor, width // factor, factor, channels)
    return blocks.mean(axis=(2, 4)).repeat(factor, axis=1).repeat(factor, axis=2)


DAMAGES: dict[str, Callable[..., Float32]] = {
    "noise": add_noise,
    "blur": blur,
    "hole": cut_hole,
    "7 x 7": shrink,
}
"""The damages by name, each called with (images, seed)."""


def damaged_mixture(images: npt.ArrayLike, seed: int = 0) -> Float32:
    """Damages images in turn: the first by the first of ``DAMAGES``, the second by the second.

    Args:
        images: float32 images (n, height, width, channels) in [-1, 1], n >= 4.
        seed: Fixes the damage.

    Returns:
        Images of the same shape.

    Raises:
        ValueError: the images are not valid or too few.
    """
    array = check_images(images)
    if len(array) < len(DAMAGES):
        raise ValueError(f"wanted {len(DAMAGES)} images at least, got {len(array)}")
    sources = np.empty_like(array)
    for i, damage in enumerate(DAMAGES.values()):
        sources[i :: len(DAMAGES)] = damage(array[i :: len(DAMAGES)], _seed(seed, i))
    return sources


def _seed(seed: int, i: int) -> int:
    """The i-th of a seed's seeds."""
    return int(np.random.SeedSequence([_check.integer(seed, "seed", 0), i]).generate_state(1)[0])


# --- Rivals ------------------------------------------------------------------------------------


def median(images: Float32, size: int) -> Float32:
    """Median of the ``size`` x ``size`` pixels around each (scipy's filter)."""
    return np.asarray(ndimage.median_filter(images, (1, size, size, 1)))


def wiener(images: Float32, size: int) -> Float32:
    """Local Wiener filter over windows of ``size`` x ``size`` pixels (Lim 1990; scipy's)."""
    from scipy import signal

    with np.errstate(divide="ignore", invalid="ignore"):  # Windows of one value have no variance.
        filtered = np.stack([signal.wiener(x[..., 0] + 1.0, size) - 1.0 for x in images])
    return np.nan_to_num(filtered, nan=-1.0).astype(np.float32)[..., None]


def wiener_deconvolution(images: Float32, balance: float, sigma: float = BLUR) -> Float32:
    """Undoes a known blur in frequencies, held back by ``balance`` (scikit-image's)."""
    from skimage import restoration

    kernel = _kernel(sigma)
    return np.stack(
        [
            restoration.wiener(x[..., 0].astype(np.float64) + 1, kernel, balance, clip=False) - 1
            for x in images
        ]
    ).astype(np.float32)[..., None]


def richardson_lucy(images: Float32, iterations: int, sigma: float = BLUR) -> Float32:
    """Undoes a known blur step by step, ink staying positive (Richardson 1972, Lucy 1974).

    The algorithm of scikit-image's function of this name, for all images at once.
    """
    y = (images.astype(np.float64) + 1) / 2
    width = (0, sigma, sigma, 0)
    x = np.full_like(y, 0.5)
    for _ in range(iterations):
        seen = ndimage.gaussian_filter(x, width, mode="constant") + 1e-12
        x *= ndimage.gaussian_filter(y / seen, width, mode="constant")
    return (2 * np.clip(x, 0, 1) - 1).astype(np.float32)


def biharmonic(images: Float32) -> Float32:
    """Fills the hole as smoothly as its edge allows (Damelin and Hoang 2018; scikit-image's)."""
    from skimage import restoration

    filled = [
        restoration.inpaint_biharmonic(x[..., 0].astype(np.float64), x[..., 0] == GREY)
        for x in images
    ]
    return np.stack(filled).astype(np.float32)[..., None]


def bicubic(images: Float32, factor: int = 4) -> Float32:
    """Cubic splines through the middles of the blocks (scipy's zoom)."""
    return np.stack(
        [
            ndimage.zoom(x[::factor, ::factor, 0], factor, order=3, mode="nearest", grid_mode=True)
            for x in images
        ]
    )[..., None]


def _kernel(sigma: float) -> Float64:
    radius = int(4 * sigma + 0.5)
    point = np.zeros((2 * radius + 1, 2 * radius + 1))
    point[radius, radius] = 1.0
    return np.asarray(ndimage.gaussian_filter(point, sigma))


FILTERS: dict[str, dict[str, tuple[Callable[..., Float32], tuple[Any, ...]]]] = {
    "noise": {"median": (median, (3, 5, 7)), "Wiener": (wiener, (3, 5, 7))},
    "blur": {
        "Wiener": (wiener_deconvolution, (0.0003, 0.001, 0.003, 0.01)),
        "Richardson-Lucy": (richardson_lucy, (10, 20, 40, 80)),
    },
    "hole": {"biharmonic": (lambda images, _: biharmonic(images), (None,))},
    "7 x 7": {"bicubic": (bicubic, (4,))},
}
"""For each damage the filters against it by name, with the settings to choose from."""


@dataclass(frozen=True)
class Levelled:
    """A filter with its best setting, its answer stretched to the right black and white.

    Attributes:
        apply: The filter, from (images, setting).
        setting: What was chosen.
        gain: Factor on the filter's answer.
        offset: What is added then.
    """

    apply: Callable[..., Float32]
    setting: Any
    gain: float
    offset: float

    def __call__(self, images: Float32) -> Float32:
        """Restores images."""
        level = self.gain * self.apply(images, self.setting) + self.offset
        return np.clip(level, -1, 1).astype(np.float32)


def levelled(
    apply: Callable[..., Float32], settings: tuple[Any, ...], sources: Float32, targets: Float32
) -> Levelled:
    """Chooses a filter's setting, a gain and an offset by least squares on training pairs.

    Clipped noise makes black pixels brighter on average, and a filter that smooths takes contrast
    away. Two numbers mend both.

    Args:
        apply: The filter, from (images, setting).
        settings: To choose from.
        sources: Damaged images.
        targets: The images before.

    Returns:
        The filter that has the least squared error.
    """
    best: tuple[float, Levelled] | None = None
    for setting in settings:
        made = apply(sources, setting).astype(np.float64).ravel()
        gain, offset = np.polyfit(made, targets.ravel(), 1)
        found = Levelled(apply, setting, float(gain), float(offset))
        error = float(np.mean((found(sources) - targets) ** 2))
        if best is None or error < best[0]:
            best = error, found
    assert best is not None
    return best[1]


def linear_regression(sources: Float32, targets: Float32, *, ridge: float = 1.0) -> Restorer:
    """The best linear map from all pixels of a source to those of its target.

    Among all filters that are linear it has the least squared error (on the training pairs), be
    they Wiener's or cubic splines; the ridge keeps it from learning the pairs' noise.

    Args:
        sources: Damaged images (n, height, width, channels).
        targets: The images before.
        ridge: Weight of the squared coefficients; ``0.01 * n * ridge`` is scikit-learn's alpha.

    Returns:
        A function from sources to images in [-1, 1].

    Raises:
        ValueError: the images do not fit each other, or the ridge is not positive.
    """
    x, y = (check_images(images).reshape(len(images), -1) for images in (sources, targets))
    if x.shape != y.shape:
        raise ValueError(f"sources and targets differ in shape: {x.shape} and {y.shape}")
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    centred = x - mean_x
    square = centred.T @ centred
    square[np.diag_indices_from(square)] += 0.01 * len(x) * _check.number(ridge, "ridge", above=0)
    weights = np.linalg.solve(square, centred.T @ (y - mean_y))

    def restore(images: Float32) -> Float32:
        flat = (images.reshape(len(images), -1) - mean_x) @ weights + mean_y
        return np.clip(flat, -1, 1).astype(np.float32).reshape(images.shape)

    return restore


def rivals(damage: str, images: npt.ArrayLike, seed: int = 0) -> dict[str, Restorer]:
    """What a practitioner would do against one damage.

    Args:
        damage: A key of ``DAMAGES``.
        images: Undamaged training images, float32 (n, height, width, 1) in [-1, 1]. The first 100
            choose the filters' settings; all of them are regressed on.
        seed: Fixes the damage of the training images.

    Returns:
        By name the filters of ``FILTERS`` and "linear regression", each from damaged images to
        restored ones. They know which damage it is.

    Raises:
        ValueError: the damage is unknown, or the images are not valid.
    """
    if damage not in DAMAGES:
        raise ValueError(f"unknown damage {damage!r}; known are {', '.join(DAMAGES)}")
    targets = check_images(images, channels=1)
    sources = DAMAGES[damage](targets, _seed(seed, len(DAMAGES)))
    found: dict[str, Restorer] = {
        name: levelled(apply, settings, sources[:100], targets[:100])
        for name, (apply, settings) in FILTERS[damage].items()
    }
    return found | {"linear regression": linear_regression(sources, targets)}


# --- Measures ----------------------------------------------------------------------------------


def describe(
    restored: npt.ArrayLike,
    targets: npt.ArrayLike,
    labels: npt.ArrayLike,
    reference: npt.ArrayLike,
) -> dict[str, float]:
    """Distortion and perception of restored digits.

    Args:
        restored: float32 images (n, 28, 28, 1) in [-1, 1].
        targets: The undamaged images.
        labels: Their digits (n,).
        reference: Features (m, 64) of other real digits, by `gantut.judge.features`.

    Returns:
        ``psnr`` (mean, in decibels) and ``ssim`` (mean) say how near each image is to its target.
        ``frechet`` (distance on the judge's features) and ``sharpness`` (in units of the targets')
        say how much the images as a crowd are like real ones. ``accuracy`` is the judge's.

    Raises:
        ValueError: the images do not fit each other or the judge.
    """
    features, probabilities = judge.outputs(np.asarray(restored))
    return {
        "psnr": float(metrics.psnr(restored, targets).mean()),
        "ssim": float(metrics.ssim(restored, targets).mean()),
        "accuracy": float(np.mean(probabilities.argmax(axis=1) == np.asarray(labels))),
        "frechet": metrics.frechet_distance(features, reference),
        "sharpness": metrics.sharpness(restored) / metrics.sharpness(targets),
    }
