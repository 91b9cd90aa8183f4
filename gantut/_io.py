"""Files that appear whole or not at all, and a record of what a run ran on."""

import contextlib
import errno
import glob
import json
import os
import platform
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

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
