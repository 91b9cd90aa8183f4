"""Your own images, from a folder or an npz file."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gantut._files import Npz, describe
from gantut.data.arrays import Float32, check_images, pair_of_sizes, to_float

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
    pixels = to_float(np.asarray(image.convert("L" if grey else "RGB")))
    return pixels[..., None] if grey else pixels


def resize(image: Float32, size: tuple[int, int]) -> Float32:
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
            image = resize(image, size)
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
        return to_float(array)
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
    target = None if size is None else pair_of_sizes(size)
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
        images = list(loaded) if target is None else [resize(image, target) for image in loaded]
    else:
        raise ValueError(f"path must name a folder or an npz file, got the file {str(location)!r}")
    if color is None:
        color = any(image.shape[-1] == 3 for image in images)
    batch = np.stack([_recolour(image, color) for image in images])
    return check_images(batch, name=str(location))
