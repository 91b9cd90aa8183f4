"""Files that appear whole or not at all, and a record of what a run ran on."""

import contextlib
import errno
import glob
import gzip
import json
import math
import os
import platform
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

# The disk or the quota is full, or the file would be larger than it may be.
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


def _cannot_write(target: Path, error: OSError) -> OSError:
    """The error with the file's name in it; callers tell a full disk by its type and number."""
    return type(error)(
        error.errno, f"cannot write {target.name!r} in {str(target.parent)!r}: {error.strerror}"
    )


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path beside ``path``, moved onto it when the block succeeds.

    A reader therefore never sees half a file, and a failed write leaves the old file as it was. A
    process that is killed while it writes leaves the temporary file: `remove_leftovers` finds it.

    Args:
        path: The file to write. Its folder is made if it does not exist.

    Yields:
        A path in the same folder and with the same suffix as ``path``.

    Raises:
        OSError: the folder cannot be made or written to, or the disk is full.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.stem}-", suffix="".join(target.suffixes)
        )
    except OSError as error:
        raise _cannot_write(target, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        try:
            yield temporary
            # Else the machine could go down with the new name written and the content not.
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
        except OSError as error:
            if error.errno in _FULL:
                raise _cannot_write(target, error) from error
            raise
        # mkstemp makes files that only their owner can read; give them the usual mode.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Removes what writers of ``path`` left that were killed; to be called where none is at work.

    Args:
        path: A file that `atomic_write` writes.
    """
    target = Path(path)
    suffix = "".join(target.suffixes)
    for left in target.parent.glob(f".{glob.escape(target.stem)}-????????{glob.escape(suffix)}"):
        left.unlink(missing_ok=True)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes ``value`` as indented JSON, whole or not at all."""
    text = json.dumps(value, indent=2, sort_keys=True) + "\n"
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def environment() -> dict[str, Any]:
    """Versions, device and machine of this process, for the record beside a result.

    Returns:
        A dict that JSON can hold: ``versions`` (package to version), ``python``, ``machine``
        (processor architecture and number of cores) and ``device`` ("CPU" or the GPU's name).
    """
    from gantut._keras import tf

    versions = {name: metadata.version(name) for name in ("tensorflow", "keras", "numpy")}
    versions["gantut"] = __import__("gantut").__version__
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
    that a damaged or malicious file costs a ValueError and not the machine's memory.

    Attributes:
        files: The names of the arrays.
    """

    def __init__(self, file: IO[bytes]) -> None:
        if not zipfile.is_zipfile(file):
            raise ValueError("not an npz archive, or only a part of one")
        file.seek(0, os.SEEK_END)
        self._length = file.tell()
        with as_value_error():
            self._archive = zipfile.ZipFile(file)
        members = self._archive.infolist()
        self._members = {member.filename.removesuffix(".npy"): member for member in members}
        if len(self._members) != len(members):
            raise ValueError("two arrays of the archive have the same name")
        self.files = list(self._members)

    def __enter__(self) -> "Npz":
        return self

    def __exit__(self, *exception: object) -> None:
        self._archive.close()

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._members:
            raise ValueError(f"no array {name!r} in the archive; there are {self.files}")
        with as_value_error():
            return self._read(self._members[name])

    def _read(self, member: zipfile.ZipInfo) -> NDArray[Any]:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{member.filename!r} is compressed in a way that NumPy does not use")
        packed = min(member.compress_size, self._length)
        ratio = 1 if member.compress_type == zipfile.ZIP_STORED else DEFLATED
        if member.file_size > packed * ratio:
            raise ValueError(f"{member.filename!r} claims more bytes than its part can hold")
        with self._archive.open(member) as stream:
            version = np.lib.format.read_magic(stream)
            if version not in _NPY_HEADERS:
                raise ValueError(f"npy format {version} is not read")
            shape, fortran, dtype = _NPY_HEADERS[version](stream)
            if dtype.hasobject:
                raise ValueError("Object arrays cannot be loaded when allow_pickle=False")
            size, left = math.prod(shape) * dtype.itemsize, member.file_size - stream.tell()
            if min(shape, default=0) < 0 or size != left:
                raise ValueError(f"shape {shape} of {dtype} is {size} bytes, the member has {left}")
            content = np.empty(size, np.uint8)
            for start in range(0, size, _BLOCK):
                block = stream.read(min(_BLOCK, size - start))
                if len(block) != min(_BLOCK, size - start):
                    raise ValueError(f"{member.filename!r} ends early")
                content[start : start + len(block)] = np.frombuffer(block, np.uint8)
            # The checksum is looked at where the end is read.
            if stream.read(1):
                raise ValueError(f"{member.filename!r} is longer than it claims")
        array = content.view(dtype) if size else np.empty(0, dtype)
        return array.reshape(shape, order="F" if fortran else "C")


_BLOCK = 2**20
DEFLATED = 1032
"""Bytes that one of a deflated file can become at most."""
_NPY_HEADERS: dict[tuple[int, int], Callable[[Any], Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@contextlib.contextmanager
def as_value_error() -> Iterator[None]:
    """Whatever zipfile, zlib and NumPy find wrong in an archive is a ValueError."""
    try:
        yield
    except gzip.BadGzipFile as error:
        raise ValueError(describe(error)) from error
    except (OSError, ValueError):
        raise
    except Exception as error:
        raise ValueError(describe(error)) from error
