"""Files that appear whole or not at all, and a record of what a run ran on."""

import contextlib
import errno
import gzip
import json
import math
import os
import platform
import secrets
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path beside ``path``, moved onto it when the block succeeds.

    A reader therefore never sees half a file, and a failed write leaves the old file as it was. A
    process that is killed while it writes leaves the temporary file: `remove_leftovers` finds it.
    The temporary path has the same suffix; the folder is made if it does not exist.
    """
    target = Path(path)
    ending = ".tmp" + "".join(target.suffixes)
    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(4)}{ending}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # The usual mode, whatever the process' mask is.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise _cannot_write(target, error) from error
    try:
        yield temporary
        # Else the machine could go down with the new name written and the content not.
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, target)
    except OSError as error:
        # The disk or the quota is full, or the file would be larger than it may be.
        if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise _cannot_write(target, error) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _cannot_write(target: Path, error: OSError) -> OSError:
    """The error with the file's name in it; callers tell a full disk by its type and number."""
    return type(error)(
        error.errno, f"cannot write {target.name!r} in {str(target.parent)!r}: {error.strerror}"
    )


def remove_leftovers(folder: Path) -> None:
    """Removes what killed writers left in a folder; to be called where none is at work."""
    for left in folder.glob(".*.tmp*"):
        left.unlink(missing_ok=True)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes ``value`` as indented JSON, whole or not at all."""
    text = json.dumps(value, indent=2, sort_keys=True) + "\n"
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def environment() -> dict[str, Any]:
    """Versions, machine and device of this process, as JSON for the record beside a result."""
    from gantut import __version__
    from gantut._keras import tf

    versions = {name: metadata.version(name) for name in ("tensorflow", "keras", "numpy")}
    versions["gantut"] = __version__
    gpus = tf.config.list_physical_devices("GPU")
    device = "CPU"
    if gpus:
        device = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    return {
        "versions": versions,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "device": device,
    }


def describe(error: BaseException) -> str:
    """An error in a line: its kind, and what it says."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


class Npz:
    """The arrays of an npz archive, read one at a time and never unpickled.

    It is stricter than ``numpy.load``: an array must be as long as its header and the archive's
    directory say, and no more is allocated than the compressed bytes that are there can hold, so
    that a damaged or malicious file costs a ValueError and not the machine's memory. ``files`` are
    the names of the arrays.
    """

    def __init__(self, file: IO[bytes]) -> None:
        if not zipfile.is_zipfile(file):
            raise ValueError("not an npz archive, or only a part of one")
        self._length = file.seek(0, os.SEEK_END)
        with as_value_error():
            self._archive = zipfile.ZipFile(file)
        members = self._archive.infolist()
        self._members = {member.filename.removesuffix(".npy"): member for member in members}
        self.files = list(self._members)

    def __enter__(self) -> "Npz":
        return self

    def __exit__(self, *exception: object) -> None:
        self._archive.close()

    def header(self, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and dtype of an array, of which nothing is read."""
        if name not in self._members:
            raise ValueError(f"no array {name!r} in the archive; there are {self.files}")
        member = self._members[name]
        ratios = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: DEFLATED}
        if member.compress_type not in ratios:
            raise ValueError(f"{member.filename!r} is compressed in a way that NumPy does not use")
        packed = min(member.compress_size, self._length)
        if member.file_size > packed * ratios[member.compress_type]:
            raise ValueError(f"{member.filename!r} claims more bytes than its part can hold")
        with as_value_error(), self._archive.open(member) as stream:
            version = np.lib.format.read_magic(stream)
            if version not in _HEADERS:
                raise ValueError(f"npy format {version} is not read")
            shape, _, dtype = _HEADERS[version](stream)
            left = member.file_size - stream.tell()
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise ValueError("Object arrays cannot be loaded when allow_pickle=False")
        if min(shape, default=0) < 0 or size != left:
            raise ValueError(f"shape {shape} of {dtype} is {size} bytes, the member has {left}")
        return shape, dtype

    def __getitem__(self, name: str) -> NDArray[Any]:
        self.header(name)
        member = self._members[name]
        with as_value_error(), self._archive.open(member) as stream:
            array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
            # The checksum is looked at where the end is read.
            if stream.read(1):
                raise ValueError(f"{member.filename!r} is longer than it claims")
        return array


DEFLATED = 1032  # bytes that one of a deflated file can become at most
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@contextlib.contextmanager
def as_value_error() -> Iterator[None]:
    """Whatever zipfile, zlib and NumPy find wrong in an archive is a ValueError."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError | ValueError) and not isinstance(error, gzip.BadGzipFile):
            raise
        raise ValueError(describe(error)) from error
