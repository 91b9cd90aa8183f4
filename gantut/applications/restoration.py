"""Image restoration: four kinds of damage, the usual remedies, and how to measure them.

    from gantut.applications import image_to_image, restoration

    run = image_to_image.train(restoration.damaged_mixture(x), x)
    restored = run.gan.translate(restoration.DAMAGES["noise"](x_test))

One network learns to mend all of ``DAMAGES`` (`damaged_mixture`). Beside it, `rivals` gives for
each damage the filters of a practitioner, who knows which damage it is, and a linear regression;
`neighbours` hands out training images.

All images are float32 (n, height, width, channels) in [-1, 1], and what is made of them has their
shape. A seed fixes what is random in a damage.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage, signal

from gantut import _check, judge, metrics
from gantut.applications.rivals import Floats, Restorer, linear_regression
from gantut.data import Float32, check_images

BLUR = 2.0  # standard deviation of the blur in ``DAMAGES``, in pixels
GREY = 0.0  # value of the pixels in a hole


# --- Damage ------------------------------------------------------------------------------------


def add_noise(images: npt.ArrayLike, seed: int = 0, *, deviation: float = 1.0) -> Float32:
    """Adds independent normal noise to every pixel, and clips as a sensor does.

    A ``deviation`` of 1 is half the range from black to white.
    """
    array = check_images(images)
    noise = _check.rng(seed).standard_normal(array.shape, dtype=np.float32)
    return np.clip(array + np.float32(deviation) * noise, -1.0, 1.0)


def blur(
    images: npt.ArrayLike, seed: int = 0, *, sigma: float = BLUR, deviation: float = 0.1
) -> Float32:
    """Blurs with a normal kernel, black beyond the frame, and adds a little noise.

    The kernel has the standard deviation ``sigma`` in pixels, the noise that of `add_noise`.
    """
    width = (0, sigma, sigma, 0)
    soft = ndimage.gaussian_filter(check_images(images), width, mode="constant", cval=-1.0)
    return add_noise(soft, seed, deviation=deviation)


def cut_hole(images: npt.ArrayLike, seed: int = 0) -> Float32:
    """Covers a square of 14 x 14 pixels in each image with ``GREY``.

    It lies anywhere that is at least 3 pixels from each edge.
    """
    array = check_images(images)
    rng, covered = _check.rng(seed), []
    for side in array.shape[1:3]:
        first = rng.integers(3, side - 14 - 3 + 1, len(array))[:, None]
        covered.append((np.arange(side) >= first) & (np.arange(side) < first + 14))
    hole = covered[0][:, :, None] & covered[1][:, None, :]
    return np.where(hole[..., None], np.float32(GREY), array)


def shrink(images: npt.ArrayLike, seed: int = 0) -> Float32:
    """Lowers the resolution: blocks of 4 x 4 pixels become their mean.

    The seed is ignored; it is here so that all damages are called alike.
    """
    array = check_images(images)
    n, height, width, channels = array.shape
    blocks = array.reshape(n, height // 4, 4, width // 4, 4, channels)
    return blocks.mean(axis=(2, 4)).repeat(4, axis=1).repeat(4, axis=2)


DAMAGES: dict[str, Callable[..., Float32]] = {
    "noise": add_noise,
    "blur": blur,
    "hole": cut_hole,
    "7 x 7": shrink,
}
"""The damages by name, each called with (images, seed)."""


def damaged_mixture(images: npt.ArrayLike, seed: int = 0) -> Float32:
    """Damages four or more images in turn, the first by the first of ``DAMAGES``, and so on."""
    array = check_images(images)
    sources = np.empty_like(array)
    for i, damage in enumerate(DAMAGES.values()):
        sources[i :: len(DAMAGES)] = damage(array[i :: len(DAMAGES)], _seed(seed, i))
    return sources


def _seed(seed: int, i: int) -> int:
    """The i-th of a seed's seeds."""
    return int(np.random.SeedSequence([seed, i]).generate_state(1)[0])


# --- Rivals ------------------------------------------------------------------------------------


def median(images: Float32, size: int) -> Float32:
    """Median of the ``size`` x ``size`` pixels around each (scipy's filter)."""
    return np.asarray(ndimage.median_filter(images, (1, size, size, 1)))


def wiener(images: Float32, size: int) -> Float32:
    """Local Wiener filter over windows of ``size`` x ``size`` pixels (Lim 1990; scipy's)."""
    with np.errstate(divide="ignore", invalid="ignore"):  # Windows of one value have no variance.
        filtered = _one_by_one(lambda x: signal.wiener(x + 1.0, size) - 1.0, images)
    return np.nan_to_num(filtered, nan=-1.0)


def wiener_deconvolution(images: Float32, balance: float) -> Float32:
    """Undoes the blur of ``DAMAGES`` in frequencies, held back by ``balance`` (scikit-image's)."""
    from skimage import restoration

    point = np.zeros((17, 17))
    point[8, 8] = 1.0
    kernel = ndimage.gaussian_filter(point, BLUR)
    return _one_by_one(
        lambda x: restoration.wiener(x.astype(np.float64) + 1, kernel, balance, clip=False) - 1,
        images,
    )


def richardson_lucy(images: Float32, iterations: int, sigma: float = BLUR) -> Float32:
    """Undoes a known blur step by step, ink staying positive (Richardson 1972, Lucy 1974)."""
    y = (images.astype(np.float64) + 1) / 2
    smooth = partial(ndimage.gaussian_filter, sigma=(0, sigma, sigma, 0), mode="constant")
    x = np.full_like(y, 0.5)
    for _ in range(iterations):
        x *= smooth(y / (smooth(x) + 1e-12))
    return (2 * np.clip(x, 0, 1) - 1).astype(np.float32)


def biharmonic(images: Float32, grey: float) -> Float32:
    """Fills a ``grey`` hole smoothly from its edge (Damelin and Hoang 2018; scikit-image's)."""
    from skimage import restoration

    return _one_by_one(
        lambda x: restoration.inpaint_biharmonic(x.astype(np.float64), x == grey), images
    )


def bicubic(images: Float32, factor: int) -> Float32:
    """Cubic splines through the middles of the blocks (scipy's zoom)."""
    return _one_by_one(
        lambda x: ndimage.zoom(x, factor, order=3, mode="nearest", grid_mode=True),
        images[:, ::factor, ::factor],
    )


def _one_by_one(restore: Callable[[Float32], Floats], images: Float32) -> Float32:
    """A function of (height, width) on the first channel of each image."""
    return np.stack([restore(x[..., 0]) for x in images]).astype(np.float32)[..., None]


FILTERS: dict[str, dict[str, tuple[Callable[..., Float32], tuple[Any, ...]]]] = {
    "noise": {"median": (median, (3, 5, 7)), "Wiener": (wiener, (3, 5, 7))},
    "blur": {
        "Wiener": (wiener_deconvolution, (0.0003, 0.001, 0.003, 0.01)),
        "Richardson-Lucy": (richardson_lucy, (10, 20, 40, 80)),
    },
    "hole": {"biharmonic": (biharmonic, (GREY,))},
    "7 x 7": {"bicubic": (bicubic, (4,))},
}
"""For each damage the filters against it by name, with the settings to choose from."""


def levelled(
    apply: Callable[..., Float32], settings: tuple[Any, ...], sources: Float32, targets: Float32
) -> Restorer:
    """A filter with the setting, the gain and the offset that are best on training pairs.

    ``apply`` is a function of (images, setting), ``sources`` are damaged images, and ``targets``
    the images before.
    """

    def level(setting: Any) -> Restorer:
        made = apply(sources, setting).astype(np.float64).ravel()
        gain, offset = np.polyfit(made, targets.ravel(), 1).tolist()
        return lambda x: np.clip(gain * apply(x, setting) + offset, -1, 1).astype(np.float32)

    return min(map(level, settings), key=lambda one: np.mean((one(sources) - targets) ** 2))


def rivals(damage: str, images: npt.ArrayLike, seed: int = 0) -> dict[str, Restorer]:
    """The usual remedies against one damage: ``FILTERS`` and a "linear regression".

    Args:
        damage: A key of ``DAMAGES``.
        images: Undamaged training images of one channel. The first 100 choose the filters'
            settings; all of them are regressed on.
        seed: Fixes the damage of the training images.
    """
    targets = check_images(images, channels=1)
    sources = _check.one_of(damage, "damage", DAMAGES)(targets, _seed(seed, len(DAMAGES)))
    found: dict[str, Restorer] = {
        name: levelled(apply, settings, sources[:100], targets[:100])
        for name, (apply, settings) in FILTERS[damage].items()
    }
    return found | {"linear regression": linear_regression(sources, targets)}


def neighbours(damage: str, images: npt.ArrayLike) -> Callable[[Float32, int], Float32]:
    """Training images in the place of restored ones: a function of damaged images and k.

    It returns for each damaged image the mean of the k training images that are nearest to it,
    once they have the same damage without the noise; of a hole only the pixels around it count.

    ``damage`` is a key of ``DAMAGES``, and ``images`` are undamaged training images.
    """
    known = check_images(images)
    _check.one_of(damage, "damage", DAMAGES)
    alike: dict[str, Restorer] = {"blur": partial(blur, deviation=1e-6), "7 x 7": shrink}
    keys = (alike[damage](known) if damage in alike else known).reshape(len(known), -1)
    squares = keys**2

    def recall(sources: Float32, k: int = 1) -> Float32:
        rows = sources.reshape(len(sources), -1)
        seen = (rows != GREY if damage == "hole" else np.ones_like(rows)).astype(np.float32)
        distances = seen @ squares.T - 2 * (seen * rows) @ keys.T  # but for one number an image
        nearest = np.argpartition(distances, k - 1, axis=1)[:, :k]
        return np.asarray(np.mean([known[i] for i in nearest.T], axis=0, dtype=np.float32))

    return recall


# --- Measures ----------------------------------------------------------------------------------


class Measures(NamedTuple):
    """Distortion and perception of restored digits, as `measure` found them."""

    psnr: float  # to the targets, the mean in decibels
    ssim: float  # structural similarity to the targets, the mean
    accuracy: float  # share of images in which the judge reads the right digit
    frechet: float  # distance to real images as a crowd, on the judge's features
    sharpness: float  # in units of the targets' sharpness


def measure(
    restored: npt.ArrayLike,
    targets: npt.ArrayLike,
    labels: npt.ArrayLike,
    reference: npt.ArrayLike,
) -> Measures:
    """Measures restored digits, float32 (n, 28, 28, 1) in [-1, 1].

    Args:
        restored: The images.
        targets: The same, undamaged.
        labels: Their digits (n,).
        reference: Features (m, 64) of other real digits, by `gantut.judge.features`.
    """
    features, probabilities = judge.outputs(np.asarray(restored))
    return Measures(
        psnr=float(metrics.psnr(restored, targets).mean()),
        ssim=float(metrics.ssim(restored, targets).mean()),
        accuracy=float(np.mean(probabilities.argmax(axis=1) == np.asarray(labels))),
        frechet=metrics.frechet_distance(features, reference),
        sharpness=metrics.sharpness(restored) / metrics.sharpness(targets),
    )
