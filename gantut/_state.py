"""A training in a folder: its networks, and its state in one file, whole or not at all."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gantut._fetch import open_npz
from gantut._io import atomic_write


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
            model.save(temporary)
    arrays: Any = {name: np.asarray(value) for name, value in state.items()}
    with atomic_write(folder / "state.npz") as temporary:
        np.savez(temporary, **arrays)


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
