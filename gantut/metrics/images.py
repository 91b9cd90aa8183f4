"""Images as arrays of pixels: sharpness, likeness to a target, nearness to the training images."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gantut import _check
from gantut.data import Float64, check_alike, check_images

_IMAGES = 2000  # images at a time
_ROWS = 200  # samples whose differences to their candidates are held at a time


def sharpness(images: npt.ArrayLike) -> float:
    """Sharpness of images: the variance of their Laplacian, averaged over the images.

    The test of blurriness of Tolstikhin et al. (2018, Wasserstein autoencoders): images are made
    grey (here by the mean of their channels), and the Laplacian of an inner pixel is the sum of its
    four neighbours less four times itself. Edges give large values and soft transitions small
    ones. Noise gives the largest of all, so the number is neither good high nor good low: read it
    beside that of real images of the same size.

    Args:
        images: float32 images (N, height, width, channels) in [-1, 1], at least 3 x 3 pixels.

    Returns:
        The mean variance, in squared units of the pixels. It is 0 for flat images and for even
        slopes, and 20 times the pixels' variance where pixels are independent.
    """
    array = check_images(images)
    if min(array.shape[1:3]) < 3:
        raise ValueError(f"images: wanted at least 3 x 3 pixels, got shape {array.shape}")
    total = 0.0
    for start in range(0, len(array), _IMAGES):
        grey = array[start : start + _IMAGES].mean(axis=3, dtype=np.float64)
        laplacian = (
            grey[:, :-2, 1:-1]
            + grey[:, 2:, 1:-1]
            + grey[:, 1:-1, :-2]
            + grey[:, 1:-1, 2:]
            - 4 * grey[:, 1:-1, 1:-1]
        )
        total += float(laplacian.var(axis=(1, 2)).sum())
    return total / len(array)


def psnr(images: npt.ArrayLike, targets: npt.ArrayLike) -> Float64:
    """Peak signal-to-noise ratio of each image: ``10 log10(4 / mean squared error)``.

    4 is the square of the range of pixels in [-1, 1]. The results (N,) are in decibels, infinite
    for an image that is its target.

    Args:
        images: float32 images (N, height, width, channels) in [-1, 1].
        targets: What they should be, of the same shape.
    """
    a, b = check_alike(images, targets, ("images", "targets"), as_many=True)
    error = np.mean((a - b) ** 2, axis=(1, 2, 3), dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(4 / error))


def ssim(images: npt.ArrayLike, targets: npt.ArrayLike) -> Float64:
    """Structural similarity of each image (Wang et al. 2004, eq. 13), by scikit-image.

    Means, variances and the covariance are taken in windows of 7 x 7 pixels, for each channel,
    with the constants K1 = 0.01 and K2 = 0.03.

    Arguments as in `psnr`, at least 7 x 7 pixels. The results (N,) are at most 1, which only an
    image that is its target has.
    """
    from skimage.metrics import structural_similarity

    pairs = zip(*check_alike(images, targets, ("images", "targets"), as_many=True), strict=True)
    return np.array(
        [structural_similarity(x, y, data_range=2.0, channel_axis=-1) for x, y in pairs]
    )


class Neighbours(NamedTuple):
    """The k nearest training images of each sample, nearest first.

    Attributes:
        distances: float64 of shape (N, k), Euclidean distances over all pixels.
        indices: int64 of shape (N, k), rows of the training images.
    """

    distances: Float64
    indices: npt.NDArray[np.int64]


def nearest_training_images(samples: npt.ArrayLike, train: npt.ArrayLike, k: int = 1) -> Neighbours:
    """Finds the k training images nearest to each sample, by Euclidean distance of pixels.

    Candidates are found in float32 (k + 8 of them, block by block), their distances computed
    again from differences in float64: an exact copy is at distance 0.

    Args:
        samples: Images (N, H, W, C), or any array (N, ...), in the units of `train`.
        train: Training images (M, H, W, C) with M >= k.
        k: Neighbours per sample, at least 1.
    """
    samples, train = _check.numbers(samples, "samples"), _check.numbers(train, "train")
    if samples.ndim < 2 or samples.shape[1:] != train.shape[1:]:
        raise ValueError(
            "samples and train must be arrays (N, ...) and (M, ...) of images of one shape, "
            f"got {samples.shape} and {train.shape}"
        )
    if len(samples) == 0:
        raise ValueError("samples: wanted at least one, got none")
    k = _check.integer(k, "k", 1)
    if k > len(train):
        raise ValueError(f"k must be at most {len(train)}, the training images, got {k}")
    samples, train = (images.reshape(len(images), -1) for images in (samples, train))
    points = samples.astype(np.float32)
    keep = min(k + 8, len(train))
    candidates = []
    for start in range(0, len(train), _IMAGES):
        block = train[start : start + _IMAGES].astype(np.float32)
        # The term |sample|^2 is the same for all candidates of a sample and is left out.
        squares = np.einsum("ij,ij->i", block, block) - (2 * points) @ block.T
        chosen = np.argpartition(squares, min(keep, len(block)) - 1, axis=1)[:, :keep]
        candidates.append((np.take_along_axis(squares, chosen, axis=1), chosen + start))
    nearness, indices = (np.concatenate(part, axis=1) for part in zip(*candidates, strict=True))
    order = np.argsort(nearness, axis=1, kind="stable")[:, :keep]
    indices = np.take_along_axis(indices, order, axis=1)

    distances = np.empty(indices.shape)
    for rows in np.array_split(np.arange(len(samples)), -(-len(samples) // _ROWS)):
        difference = train[indices[rows]].astype(np.float64) - samples[rows, None]
        distances[rows] = np.sqrt(np.einsum("ijk,ijk->ij", difference, difference))
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return Neighbours(
        np.take_along_axis(distances, order, axis=1), np.take_along_axis(indices, order, axis=1)
    )


class Memorisation(NamedTuple):
    """How near samples lie to the training set, beside real images that were never trained on.

    Attributes:
        median: Median distance of a sample to its nearest training image.
        reference_median: The same median for held-out real images.
        threshold: Distance below which only `quantile` of the held-out images lie.
        share_close: Share of samples below the threshold; about `quantile` if the generator
            copies as little as chance does, 1 if it only copies.
        quantile: The quantile that sets the threshold.
    """

    median: float
    reference_median: float
    threshold: float
    share_close: float
    quantile: float


def memorisation(
    distances: npt.ArrayLike, reference_distances: npt.ArrayLike, quantile: float = 0.01
) -> Memorisation:
    """Compares samples' nearest training distances with those of held-out real images.

    A generator that copies its training images produces samples that lie nearer to them than new
    handwriting does. The comparison is one-sided: pixels that a shift by one moves far apart hide
    copies, so a small share is no proof of originality.

    Args:
        distances: Distance of each sample to its nearest training image (N,), as in
            ``nearest_training_images(samples, train).distances[:, 0]``.
        reference_distances: The same for held-out real images (M,).
        quantile: Share of the held-out images that sets the threshold for "close", in (0, 1).
    """
    quantile = _check.number(quantile, "quantile", above=0, below=1)
    checked = []
    for name, values in (("distances", distances), ("reference_distances", reference_distances)):
        array = _check.numbers(values, name).astype(np.float64)
        if array.ndim != 1 or array.size == 0 or array.min() < 0:
            raise ValueError(
                f"{name}: wanted N >= 1 numbers (N,), none negative, got shape {array.shape}"
            )
        checked.append(array)
    own, reference = checked
    threshold = float(np.quantile(reference, quantile))
    return Memorisation(
        median=float(np.median(own)),
        reference_median=float(np.median(reference)),
        threshold=threshold,
        share_close=float(np.mean(own < threshold)),
        quantile=quantile,
    )
