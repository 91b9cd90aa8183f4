"""Your own images, from a folder, an npz or an npy file, with labels where there are some."""

import contextlib
import math
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gantut._files import Npz, describe
from gantut.data.arrays import (
    Float32,
    Int64,
    check_labels,
    is_from_0_to_1,
    pair_of_sizes,
    to_float,
)

if TYPE_CHECKING:
    import PIL.Image

SUFFIXES = (
    ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm",
    ".tif", ".tiff", ".webp",
)  # fmt: skip
"""Endings of the files that are read, in small letters or capitals."""

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's mode "L"
_NAMED = 10  # files in one message
_PHOTOMETRIC = 262  # the TIFF tag: 0 means that 0 is white
# Usual names in an npz file: of the images, the first that is there, and of the labels beside them.
_PAIRS = {
    "images": "labels",
    "x_train": "y_train",
    "train_images": "train_labels",
    "x": "y",
    "X": "y",
    "arr_0": "arr_1",
}
_LABELS = ("labels", "y", "y_train", "train_labels")
WANTED_LABELS = (
    "wanted two subfolders or more, one a class, with all the images inside, or an npz file with "
    "'labels' or 'y' beside the images"
)


class OwnImages(NamedTuple):
    """Your images, their labels, and what else was where they lie.

    Attributes:
        images: float32 of shape (number, height, width, channels) in [-1, 1].
        labels: int64 of shape (number,), from 0; None where there are none.
        classes: The name of each label, where the classes have names.
        passed_over: How many files were not read, by the ending of their names; hidden ones are
            not counted.
    """

    images: Float32
    labels: Int64 | None = None
    classes: tuple[str, ...] = ()
    passed_over: Mapping[str, int] = MappingProxyType({})

    def summary(self) -> str:
        """A line such as "100 images of 28 x 28, grey; 12 other files passed over (.heic)".

        With labels it counts each class, the first ten of them.
        """
        number, height, width, channels = self.images.shape
        colour = "grey" if channels == 1 else "in colour"
        size = f"{number:,} image{'s' * (number != 1)} of {height} x {width}, {colour}"
        if self.labels is not None:
            counts = np.bincount(self.labels, minlength=len(self.classes))
            names = [f"{k} {name}" for k, name in enumerate(self.classes)] or range(len(counts))
            parts = [f"{name}: {count:,}" for name, count in zip(names, counts, strict=True)]
            shown = ", ".join(parts[:_NAMED]) + ", ..." * (len(parts) > _NAMED)
            size += f", in {len(parts):,} classes ({shown})"
        return size + _told(self.passed_over)


def _told(passed_over: Mapping[str, int]) -> str:
    number = sum(passed_over.values())
    if not number:
        return ""
    endings = ", ".join(ending or "no ending" for ending in sorted(passed_over)[:_NAMED])
    return f"; {number:,} other file{'s' * (number != 1)} passed over ({endings})"


def load_images(
    path: str | os.PathLike[str],
    size: int | tuple[int, int] | None = None,
    color: bool | None = None,
    *,
    labels: bool = False,
) -> Any:
    """Loads your own images from a folder, an npz or an npy file.

    Args:
        path: A folder, an npz or an npy file. A folder is read with its subfolders, in the order of
            the names: bmp, gif (the first frame), jpeg, pbm, pgm, png, ppm, tiff and webp. Links
            are followed; hidden and other files are skipped. An npz file holds one array of shape
            (number, height, width) or (number, height, width, 1 or 3), named "images", "x_train",
            "train_images", "x", "X" or "arr_0"; any other name will do if it is the only array
            besides the labels. An npy file holds that array. Its values are uint8 from 0 to 255 or
            float from -1 to 1.
        size: Height and width to bring the images to, as an int or a pair (height, width), with
            Lanczos' filter, which smooths when it shrinks. An image of other proportions is
            stretched: crop it beforehand if that matters. None keeps the size, which must then be
            the same for all.
        color: True gives three channels, False one (luma 0.299 R + 0.587 G + 0.114 B). None gives
            one if all images are stored as grey ones, and otherwise three.
        labels: Whether to return the classes too. If a folder has two subfolders or more and no
            image outside them, each subfolder is a class, also an empty one; the sorted names are
            0, 1, ... as in Keras. In an npz file the labels are "labels", "y_train",
            "train_labels", "y" or (beside "arr_0") "arr_1": integers from 0, or words, whose sorted
            order counts.

    Returns:
        float32 of shape (number, height, width, channels) in [-1, 1]; with ``labels`` also int64 of
        shape (number,). Transparent parts lie over white, photographs are turned as their EXIF
        note says.

    Raises:
        FileNotFoundError: there is no such folder or file.
        ValueError: there are no images or no labels, some cannot be read (they are named), sizes
            differ and ``size`` is None, or the values do not use the range. Nothing is unpickled.
    """
    found = read_images(path, size, color)
    if not labels:
        return found.images
    if found.labels is None:
        raise ValueError(f"{path} has no labels: {WANTED_LABELS}")
    return found.images, found.labels


def read_images(
    path: str | os.PathLike[str],
    size: int | tuple[int, int] | None = None,
    color: bool | None = None,
) -> OwnImages:
    """Loads your own images as `load_images` does, with all that is known about them.

    Args:
        path: As in `load_images`.
        size: As there.
        color: As there.

    Returns:
        The images, the labels if there are some, the names of the classes, and how many files were
        skipped.
    """
    if color is not None and not isinstance(color, bool):
        raise TypeError(f"color must be True, False or None, got {color!r}")
    target = None if size is None else pair_of_sizes(size)
    location = Path(path)
    if not location.exists():
        raise FileNotFoundError(f"no such folder, npz or npy file: {str(location)!r}")
    if location.is_dir():
        return _from_folder(location, target, color)
    if location.suffix.lower() not in (".npz", ".npy"):
        raise ValueError(
            f"path must name a folder, an npz or an npy file, got the file {str(location)!r}"
        )
    images, labels = _arrays_of(location)
    return OwnImages(
        _as_images(location, images, target, color), *_as_labels(location, labels, len(images))
    )


def resize(image: Float32, size: tuple[int, int]) -> Float32:
    """Brings an image, float32 (height, width, channels) in [-1, 1], to another height and width.

    Lanczos' filter does it, widened for shrinking.
    """
    from PIL import Image

    if image.shape[:2] == size:
        return image
    channels = [Image.fromarray(np.ascontiguousarray(image[..., c])) for c in range(image.shape[2])]
    resized = [channel.resize(size[::-1], Image.Resampling.LANCZOS) for channel in channels]
    # The filter overshoots at edges.
    return np.clip(np.stack([np.asarray(channel) for channel in resized], axis=-1), -1, 1)


def _recolour(image: Float32, color: bool) -> Float32:
    """``image`` with the last axis 3 (``color``) or 1; as it is where it is so already."""
    if color and image.shape[-1] == 1:
        return np.repeat(image, 3, axis=-1)
    if not color and image.shape[-1] == 3:
        return np.clip(image @ _LUMA, -1, 1)[..., None]
    return image


def _refuse_dark(where: Path, brightest: dict[int, int]) -> None:
    """Refuses integers of which the largest is far below white, as 12 bits in 16 or 0 and 1 are.

    ``brightest`` holds the largest value of all images, by the value that would be white.
    """
    for white, value in brightest.items():
        if 4 * value < white:
            raise ValueError(
                f"{where}: wanted values from 0 to {white}, got none above {value}, which is black "
                + (f"or nearly; multiply them by {white // value}" if value else "throughout")
            )


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name == "__MACOSX"


def _look_through(folder: Path) -> tuple[list[Path], Counter[str]]:
    """The files to read, in the order of their names, and the endings of the others."""
    files: list[Path] = []
    passed_over: Counter[str] = Counter()

    def walk(place: Path, above: frozenset[Path]) -> None:
        real = place.resolve()
        if real in above:  # a link to a folder that it lies in
            return
        for entry in place.iterdir():
            ending = entry.suffix.lower()
            if _is_hidden(entry):
                continue
            if entry.is_dir():
                walk(entry, above | {real})
            elif ending in SUFFIXES and (entry.is_file() or entry.is_symlink()):
                files.append(entry)
            else:
                passed_over[ending] += 1

    walk(folder, frozenset())
    return sorted(files, key=lambda file: file.relative_to(folder).as_posix()), passed_over


def _is_grey(file: Path) -> bool:
    """Whether an image is stored in shades of grey; yes where it cannot be opened."""
    from PIL import Image

    # What cannot be opened is told when it is to be read.
    with contextlib.suppress(Exception), Image.open(file) as image:
        return _is_grey_mode(image.mode)
    return True


def _is_grey_mode(mode: str) -> bool:
    return mode in ("1", "L", "LA", "La", "I", "F") or mode.startswith("I;16")


def _decode(image: "PIL.Image.Image", size: tuple[int, int] | None) -> tuple[Float32, int, int]:
    """An opened image as float32 (height, width, 1 or 3), its white, and its largest value."""
    from PIL import Image, ImageOps

    deep = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")
    if image.mode in ("I", "F") and not deep:
        raise ValueError(f"pixels of 32 bits (mode {image.mode}); wanted 8 or 16 bits a channel")
    ImageOps.exif_transpose(image, in_place=True)
    clear = image.info.get("transparency")
    if deep:
        values = np.asarray(image).astype(np.uint16)
        brightest = int(values.max())
        if clear is not None:
            values[values == clear] = 65535
        if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0:
            values = 65535 - values
        pixels = (values.astype(np.float32) / 32767.5 - 1)[..., None]
        return (pixels if size is None else resize(pixels, size)), 65535, brightest
    mode = "L" if _is_grey_mode(image.mode) else "RGB"
    if clear is not None or {"A", "a"} & set(image.getbands()):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode != mode:
        image = image.convert(mode)
    brightest = int(np.max(image.getextrema()))
    if size is not None and image.size != size[::-1]:
        # As bytes: a photograph in float32 would take four times the memory.
        image = image.resize(size[::-1], Image.Resampling.LANCZOS)
    pixels = to_float(np.asarray(image))
    return (pixels[..., None] if mode == "L" else pixels), 255, brightest


def _from_folder(folder: Path, size: tuple[int, int] | None, color: bool | None) -> OwnImages:
    from PIL import Image

    files, passed_over = _look_through(folder)
    if not files:
        raise ValueError(
            f"no images in the folder {str(folder)!r}: wanted files that end in "
            f"{' '.join(SUFFIXES)}{_told(passed_over)}"
        )
    if color is None:
        color = not all(map(_is_grey, files))
    # The room for all of them first, so that too little memory is known at once.
    channels = 3 if color else 1
    images = None if size is None else np.empty((len(files), *size, channels), np.float32)
    broken: dict[Path, str] = {}
    sizes: dict[tuple[int, ...], Path] = {}
    brightest: Counter[int] = Counter()
    for i, file in enumerate(files):
        try:
            with Image.open(file) as opened:
                pixels, white, value = _decode(opened, size)
        except MemoryError:
            raise
        except Exception as error:
            broken[file] = describe(error)
            continue
        if images is None:
            images = np.empty((len(files), *pixels.shape[:2], channels), np.float32)
        sizes.setdefault(pixels.shape[:2], file)
        brightest[white] = max(value, brightest[white])
        if pixels.shape[:2] == images.shape[1:3]:
            images[i] = _recolour(pixels, color)
    if broken:
        named = [f"\n  {file}: {why}" for file, why in list(broken.items())[:_NAMED]]
        more = "\n  and more" * (len(broken) > _NAMED)
        raise ValueError(
            f"{len(broken):,} of {len(files):,} files cannot be read as images:"
            f"{''.join(named)}{more}"
        )
    assert images is not None
    if len(sizes) > 1:
        named = [f"{file} is {height} x {width}" for (height, width), file in sizes.items()]
        raise ValueError(
            f"images of {len(sizes):,} sizes (height x width): {', '.join(named[:2])}; give size= "
            "to bring all to one"
        )
    _refuse_dark(folder, brightest)
    return OwnImages(images, *_classes_of(folder, files), dict(passed_over))


def _classes_of(folder: Path, files: list[Path]) -> tuple[Int64 | None, tuple[str, ...]]:
    """The labels by the subfolders that the files lie in, and these; as Keras, empty ones too."""
    names = sorted(x.name for x in folder.iterdir() if x.is_dir() and not _is_hidden(x))
    if len(names) < 2 or any(file.parent == folder for file in files):
        return None, ()
    labels = [names.index(file.relative_to(folder).parts[0]) for file in files]
    return np.array(labels, np.int64), tuple(names)


def _arrays_of(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """The images of an npz or npy file, and the labels beside them, by their names."""
    wanted = f"an npz file with one array of images, named {', '.join(_PAIRS)} or the only one"
    try:
        if path.suffix.lower() == ".npy":
            wanted = "an npy file"
            # As a map first, which a header that claims too much cannot make.
            return np.array(np.lib.format.open_memmap(path, mode="r")), None
        with path.open("rb") as file, Npz(file) as archive:
            known = [name for name in _PAIRS if name in archive.files]
            others = [name for name in archive.files if name not in _LABELS]
            if not known and len(others) != 1:
                raise ValueError(f"the arrays {archive.files}")
            name = (known or others)[0]
            beside = [y for y in (_PAIRS.get(name), *_LABELS) if y in archive.files]
            return archive[name], archive[beside[0]] if beside else None
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(f"{path}: wanted {wanted}, got {describe(error)}") from error


def _as_labels(path: Path, y: NDArray[Any] | None, n: int) -> tuple[Int64 | None, tuple[str, ...]]:
    """Integers or words, (n,) or (n, 1), as labels, and the words."""
    if y is None:
        return None, ()
    classes: NDArray[Any] = np.array([])
    if y.shape == (n, 1):
        y = y[:, 0]
    if y.dtype.kind in "US":
        classes, y = np.unique(y, return_inverse=True)
    try:
        return check_labels(y, n, None).astype(np.int64), tuple(map(str, classes))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _to_bytes(array: NDArray[Any]) -> str:
    """A hint at how to make bytes of numbers, where it is plain which are meant."""
    low, high = array.min(), array.max()
    if low < 0 or not math.isfinite(high):
        return ""
    if high <= 255:
        return "; convert with x.astype('uint8')"
    white = 2 ** int(high).bit_length() - 1
    return f"; convert with (x * (255 / {white})).astype('uint8')"


def _as_images(
    path: Path, array: NDArray[Any], size: tuple[int, int] | None, color: bool | None
) -> Float32:
    got = str(array.shape)
    one_image = array.ndim == 3 and array.shape[2] in (1, 3)
    no_channels_last = array.ndim == 4 and array.shape[3] not in (1, 3)
    if one_image:
        got = f"one image {got}"
    elif no_channels_last and array.shape[1] in (1, 3):
        got += "; move the channels last: x.transpose(0, 2, 3, 1)"
    if one_image or no_channels_last or array.size == 0 or array.ndim not in (3, 4):
        raise ValueError(
            f"{path}: wanted the shape (number, height, width) or (number, height, width, 1 or 3), "
            f"got {got}"
        )
    if array.ndim == 3:
        array = array[..., None]
    if array.dtype == np.uint8:
        _refuse_dark(path, {255: int(array.max())})
        images = to_float(array)
    else:
        _check_floats(path, array)
        images = array.astype(np.float32, copy=False)
    if color is None:
        color = images.shape[3] == 3
    if size in (None, images.shape[1:3]) and images.shape[3] == (3 if color else 1):
        return images
    changed = np.empty((len(images), *(size or images.shape[1:3]), 3 if color else 1), np.float32)
    for i, image in enumerate(images):
        changed[i] = _recolour(resize(image, changed.shape[1:3]), color)
    return changed


def _check_floats(path: Path, array: NDArray[Any]) -> None:
    """Refuses what is not floats from -1 to 1 that use this range."""
    wanted = "uint8 from 0 to 255 or float from -1 to 1"
    if array.dtype.kind != "f":
        hint = _to_bytes(array) if array.dtype.kind in "iu" else ""
        raise ValueError(f"{path}: wanted {wanted}, got {array.dtype}{hint}")
    low, high = float(array.min()), float(array.max())
    if math.isnan(low):
        raise ValueError(f"{path}: wanted {wanted}, got NaN")
    got = f"{path}: wanted {wanted}, got {array.dtype} from {low:g} to {high:g}"
    if low < -1 or high > 1:
        raise ValueError(got + (_to_bytes(array) if high > 2 else ""))
    if is_from_0_to_1(array):
        raise ValueError(f"{got}, which looks like 0 to 1; convert with 2 * x - 1")
    if high - low <= 1.05:
        raise ValueError(f"{got}, which is half of the range; stretch it to -1 to 1")
