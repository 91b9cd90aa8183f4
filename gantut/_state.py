"""The state of a training in one file: variables by name, whole or not at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gantut._fetch import open_npz
from gantut._io import atomic_write


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Writes variables to an npz file.

    Args:
        path: The file.
        state: The variables by name.

    Raises:
        OSError: the file cannot be written.
    """
    arrays: Any = {name: np.asarray(value) for name, value in state.items()}
    with atomic_write(path) as temporary:
        np.savez(temporary, **arrays)


def read_state(path: Path, state: Mapping[str, Any], *, kind: str) -> None:
    """Assigns to variables what :func:`write_state` wrote, or nothing if it does not fit.

    Args:
        path: The file.
        state: The variables by name.
        kind: What the variables belong to, for the messages: "GAN".

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or has other names or shapes.
    """
    try:
        with path.open("rb") as file, open_npz(file) as archive:
            saved = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is damaged: {error}") from error
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
        variable.assign(saved[name])
