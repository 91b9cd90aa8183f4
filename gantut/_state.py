"""A training in a folder: its networks, and its state in one file, whole or not at all."""

import contextlib
import json
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gantut._files import Npz, atomic_write, describe


def numbered(groups: Mapping[str, Iterable[Any]]) -> dict[str, Any]:
    """Variables by the name of their group and their number in it: "generator/002"."""
    return {f"{key}/{i:03d}": v for key, group in groups.items() for i, v in enumerate(group)}


def save_training(
    directory: str | os.PathLike[str],
    networks: Mapping[str, Any],
    state: Mapping[str, Any],
    *,
    overwrite: bool,
    kind: str,
) -> None:
    """Writes networks as Keras files, and variables to ``state.npz``.

    Args:
        directory: A folder, made if it does not exist. Each file appears whole or not at all.
        networks: Keras models by the name of their file, without the ending.
        state: The variables by name.
        overwrite: Replace what is there.
        kind: What is saved, for the message.

    Raises:
        FileExistsError: the folder has a state already and ``overwrite`` is False.
        OSError: the folder cannot be written to.
    """
    folder = Path(directory)
    if not overwrite and (folder / "state.npz").exists():
        raise FileExistsError(f"{folder} holds a saved {kind} already; pass overwrite=True")
    for name, model in networks.items():
        with atomic_write(folder / f"{name}.keras") as temporary:
            try:
                model.save(temporary)
            except RuntimeError as error:  # what HDF5 says where the disk is full
                raise OSError(f"cannot write {name}.keras in {str(folder)!r}: {error}") from error
    write_state(folder / "state.npz", state)


def write_state(
    path: Path, state: Mapping[str, Any], meta: Mapping[str, Any] | None = None
) -> None:
    """Writes variables to an npz file, whole or not at all.

    Args:
        path: The file.
        state: The variables by name.
        meta: What JSON can hold, to be kept beside them.

    Raises:
        OSError: the file cannot be written.
    """
    arrays: Any = {name: np.asarray(value) for name, value in state.items()}
    if meta is not None:
        arrays[_META] = np.frombuffer(json.dumps(meta, default=float).encode(), np.uint8)
    with atomic_write(path) as temporary:
        np.savez(temporary, **arrays)


_META = "meta"


def read_meta(path: Path) -> dict[str, Any]:
    """What `write_state` kept beside the variables.

    Raises:
        ValueError: the file is damaged, or holds nothing of the kind.
    """
    with _naming(path), path.open("rb") as file, Npz(file) as archive:
        meta = json.loads(archive[_META].tobytes())
        if not isinstance(meta, dict):
            raise ValueError(f"wanted a record, got {type(meta).__name__}")
        return meta


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Says of any error in a file which file it is."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def read_state(path: Path, state: Mapping[str, Any], *, kind: str) -> None:
    """Assigns to variables what :func:`save_training` wrote, or nothing if it does not fit.

    Args:
        path: The file ``state.npz``.
        state: The variables by name.
        kind: What the variables belong to, for the messages: "GAN".

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or has other names or shapes.
    """
    with _naming(path), path.open("rb") as file, Npz(file) as archive:
        saved = {name: archive[name] for name in archive.files if name != _META}
        # Each array is read, and so checked, before any is used; the record too.
        if _META in archive.files:
            archive[_META]
    for name in sorted(state.keys() ^ saved.keys()):
        raise ValueError(
            f"{path} belongs to other networks or optimizers: {name!r} is only in "
            f"{'the file' if name in saved else f'this {kind}'}"
        )
    for name, variable in state.items():
        if tuple(variable.shape) != saved[name].shape:
            raise ValueError(
                f"{path} belongs to other networks: {name!r} has shape {saved[name].shape} "
                f"there and {tuple(variable.shape)} here"
            )
    for name, variable in state.items():
        wanted = str(getattr(variable.dtype, "name", variable.dtype))
        if saved[name].dtype.name != wanted:
            raise ValueError(
                f"{path} belongs to other networks: {name!r} has dtype {saved[name].dtype} there "
                f"and {wanted} here"
            )
    for name, variable in state.items():
        variable.assign(saved[name])


# --- Networks from elsewhere -------------------------------------------------------------------

# A .keras file names the Python modules that its parts come from, and Keras imports them. Versions
# before 3.9 import and call whatever is named, so here only these may be named, in any version.
_TRUSTED = re.compile(
    r"builtins|keras|keras\.(layers|initializers|regularizers|constraints|activations|ops|models"
    r"|dtype_policies)|keras\.src\.(models|ops|layers|dtype_policies)(\.\w+)*|gantut(\.\w+)*"
)
# Parts of Keras that run code, or load another file, from within the configuration.
_RUNS_CODE = {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}


def load_model(path: Path) -> Any:
    """Opens a network that may come from elsewhere, without running any code that is in it.

    Args:
        path: A ``.keras`` file.

    Returns:
        The Keras model, not compiled.

    Raises:
        ValueError: the file is damaged, or holds more than layers of Keras and of this package.
    """
    from gantut._keras import keras

    try:
        with zipfile.ZipFile(path) as archive:
            _check_config(json.loads(archive.read("config.json")))
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        raise ValueError(
            f"{str(path)!r} cannot be read as a Keras model: {describe(error)}"
        ) from error


def _check_config(config: Any) -> None:
    """Refuses a configuration that names anything but layers and what belongs to them."""
    if isinstance(config, list):
        for part in config:
            _check_config(part)
    if not isinstance(config, dict):
        return
    kind, module = config.get("class_name"), config.get("module")
    if isinstance(kind, str) and kind.rpartition(">")[2] in _RUNS_CODE:
        raise ValueError(f"it holds a {kind}, which can run code; such files are not opened")
    if (
        "module" in config
        and module is not None
        and not (isinstance(module, str) and _TRUSTED.fullmatch(module))
    ):
        raise ValueError(f"it asks for the module {module!r}; only Keras' layers are opened")
    if kind == "function" and module not in (None, "builtins"):
        raise ValueError(f"it asks for a function of {module!r}; such files are not opened")
    for part in config.values():
        _check_config(part)
