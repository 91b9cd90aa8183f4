"""Images of normal densities, whose parameters can be found in the image again."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gantut import _check
from gantut.data.arrays import Float32, check_images

_SIDE = 28
_RENDER_BATCH = 1024


class GaussianParameters(NamedTuple):
    """The parameters of n normal densities in the plane of an image, in pixels.

    Attributes:
        mean: float64 of shape (n, 2): column x and row y; (0, 0) is the centre of the upper left
            pixel, (27, 27) that of the lower right one.
        std: float64 of shape (n, 2): the standard deviations along the long and the short axis.
        angle: float64 of shape (n,): from the x axis to the long axis, in radians in [0, pi),
            towards growing y, that is clockwise on the screen. Of a round density it is arbitrary.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    angle: NDArray[np.float64]


class GaussianImages(NamedTuple):
    """Images of normal densities and the parameters that made them.

    Attributes:
        images: float32 of shape (n, 28, 28, 1) in [-1, 1].
        parameters: The truth behind each image.
    """

    images: Float32
    parameters: GaussianParameters


def render_gaussians(parameters: GaussianParameters) -> Float32:
    """Draws n normal densities as images, float32 of shape (n, 28, 28, 1) in [-1, 1].

    The value is 2 exp(-d' S^-1 d / 2) - 1 at d = pixel - mean, where S is the covariance with the
    given standard deviations and angle: 1 at the peak, which may lie between pixels, and -1 far
    away.
    """
    mean, std, angle = (np.asarray(p, np.float64) for p in parameters)
    n = len(angle) if angle.ndim == 1 else -1
    if mean.shape != (n, 2) or std.shape != (n, 2):
        raise ValueError(
            "parameters must have the shapes mean (n, 2), std (n, 2) and angle (n,), got "
            f"{mean.shape}, {std.shape} and {angle.shape}"
        )
    if not all(np.isfinite(values).all() for values in (mean, std, angle)):
        raise ValueError("parameters must be finite, got NaN or infinity")
    if n and std.min() <= 0:
        raise ValueError(f"parameters.std must be > 0, got {std.min()}")
    axis = np.arange(_SIDE)
    images = np.empty((n, _SIDE, _SIDE, 1), np.float32)
    for start in range(0, n, _RENDER_BATCH):
        part = slice(start, start + _RENDER_BATCH)
        dx = axis[None, None, :] - mean[part, 0, None, None]
        dy = axis[None, :, None] - mean[part, 1, None, None]
        cos, sin = np.cos(angle[part, None, None]), np.sin(angle[part, None, None])
        along = (cos * dx + sin * dy) / std[part, 0, None, None]
        across = (cos * dy - sin * dx) / std[part, 1, None, None]
        images[part, ..., 0] = 2 * np.exp(-(along**2 + across**2) / 2) - 1
    return images


def gaussian_images(n: int, *, seed: int = 0) -> GaussianImages:
    """Images of 28 x 28 pixels, each a normal density with parameters drawn at random.

    The truth behind a generated image can be estimated (:func:`estimate_gaussian_parameters`) and
    drawn again (:func:`render_gaussians`), so that the error of a generator can be computed.

    Both coordinates of the mean are uniform in [10, 17] pixels (the middle of the image is 13.5),
    which leaves four of the largest standard deviations up to the frame; the standard deviations
    are two uniform draws from [1, 2.5] pixels, the larger one along the long axis; the angle is
    uniform in [0, pi).
    """
    n = _check.integer(n, "n", 1)
    random = _check.rng(seed)
    mean = random.uniform(10.0, 17.0, (n, 2))
    std = -np.sort(-random.uniform(1.0, 2.5, (n, 2)), axis=1)
    parameters = GaussianParameters(mean, std, random.uniform(0, np.pi, n))
    return GaussianImages(render_gaussians(parameters), parameters)


def estimate_gaussian_parameters(images: ArrayLike) -> GaussianParameters:
    """Estimates mean, standard deviations and angle of each image from its moments.

    The weights are (image + 1) / 2: the mean is their centre of mass, the axes and standard
    deviations come from the eigenvalues of their covariance. A grey veil over the background
    counts as well, and widens the estimate: that is an error of the image. An image, float32
    (28, 28, 1) in [-1, 1], that is -1 everywhere has the parameters NaN.
    """
    checked = check_images(images, channels=1, size=_SIDE)
    weight = (checked[..., 0].astype(np.float64) + 1) / 2
    axis = np.arange(_SIDE, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):  # An empty image has no moments.
        weight /= weight.sum(axis=(1, 2), keepdims=True)
    columns, rows = weight.sum(axis=1), weight.sum(axis=2)
    x, y = columns @ axis, rows @ axis
    xx = columns @ axis**2 - x**2
    yy = rows @ axis**2 - y**2
    xy = np.einsum("nij,i,j->n", weight, axis, axis) - x * y
    half_sum, half_gap = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    variances = np.stack([half_sum + half_gap, half_sum - half_gap], axis=1)
    angle = np.arctan2(2 * xy, xx - yy) / 2 % np.pi
    return GaussianParameters(np.stack([x, y], axis=1), np.sqrt(np.maximum(variances, 0.0)), angle)
