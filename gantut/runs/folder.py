"""The folder of a run: its files, its lock, what is replaced, and what the user is told of it."""

import contextlib
import json
import math
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import filelock
from tqdm import tqdm

from gantut import networks, recipes
from gantut._files import remove_leftovers
from gantut._keras import keras
from gantut.callbacks import Checkpoints

CHECKPOINTS = "checkpoints"  # the folder from which --resume goes on; a finished run has none
REPLACED = ".replaced"  # where a run lies while that which replaces it has not yet taken a step
# What a run consists of, beside the pictures in ``grids``.
FILES = (
    "run.json", "generator.keras", "discriminator.keras", "encoder.keras", "state.npz",
    "history.csv", "metrics.json", "diagnosis.txt",
)  # fmt: skip


class UsageError(Exception):
    """What was typed, or a file that was named, is not what it should be; said in a line."""


@contextlib.contextmanager
def user_input() -> Iterator[None]:
    """Around what takes what the user gave: what it refuses is no fault of ours."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error


def tell(message: str) -> None:
    """Prints to standard error, beside a progress bar if there is one."""
    tqdm.write(message, file=sys.stderr)


@contextlib.contextmanager
def locked(folder: Path, overwrite: bool, resume: bool) -> Iterator[None]:
    """Makes the folder of a training, if none is in it but as the user says, and keeps others out.

    It is written to before anything that takes long; the system frees it when we are killed.
    """
    found = [name for name in (*FILES, "grids", CHECKPOINTS, REPLACED) if (folder / name).exists()]
    if found and not overwrite and not resume:
        raise UsageError(
            f"--out: {str(folder)!r} holds a run already ({', '.join(found)}); "
            "pass --overwrite to replace it or --resume to go on with it, or name another folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"--out: cannot write in {str(folder)!r}: {error.strerror}") from error
    lock = filelock.FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise UsageError(f"--out: another `gantut train` is at work in {str(folder)!r}") from None
    except (OSError, NotImplementedError) as error:
        tell(f"gantut train: {str(folder)!r} cannot be locked ({error}); going on without")
    try:
        bring_back(folder)  # of a training that was killed before its first step
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def replacing(folder: Path, keep: bool) -> Iterator[Path]:
    """Sets the run in the folder aside, unless ``keep``; it comes back where the new one fails.

    Yields where it lies meanwhile, until it is removed for good.
    """
    for place in (folder, folder / "grids", folder / CHECKPOINTS):
        remove_leftovers(place)
    if not keep:
        pictures, steps = (folder / "grids").glob("step-*.png"), Checkpoints(folder / CHECKPOINTS)
        for path in (*(folder / name for name in FILES), *pictures, *steps.files()):
            if path.exists():
                target = folder / REPLACED / path.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
    try:
        yield folder / REPLACED
    except BaseException:
        bring_back(folder)
        raise


def bring_back(folder: Path) -> None:
    """Puts in its place what was set aside; what is not there any more was not moved."""
    aside = folder / REPLACED
    for path in [path for path in aside.rglob("*") if path.is_file()]:
        target = folder / path.relative_to(aside)
        target.parent.mkdir(exist_ok=True)
        os.replace(path, target)
    shutil.rmtree(aside, ignore_errors=True)


def read_record(folder: Path, names: Iterable[str]) -> dict[str, Any] | None:
    """What ``run.json`` says, which has these names; None if there is none."""
    path = folder / "run.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict):
            record = {}
        if missing := [name for name in names if name not in record]:
            raise ValueError(f"it lacks {', '.join(missing)}")
    except FileNotFoundError:
        return None
    except ValueError as error:
        text = f"{str(path)!r} is damaged, or of an older gantut: {error}"
        raise UsageError(text) from error
    return record


def open_run(folder: Path) -> tuple[dict[str, Any], keras.Model]:
    """The record and the generator of a run, which is built by its recipe, with its weights.

    Nothing in the folder is executed, so it may come from elsewhere.
    """
    record = read_record(folder, ["recipe", "image_shape", "num_classes"])
    state = folder / "state.npz"
    if record is None or not state.is_file():
        raise UsageError(
            f"{str(folder)!r} holds no run: wanted the files run.json and state.npz there, as "
            "`gantut train` writes them; --trust-keras-file opens a generator.keras without them"
        )
    with user_input():
        recipe = recipes.get(record["recipe"])
        shape, classes = tuple(record["image_shape"]), record["num_classes"] or 0
        # Each pixel and each class costs a network weights: a record asks for no more than it has.
        if 64 * (math.prod(shape) + classes) > state.stat().st_size:
            raise ValueError(f"{str(state)!r} is too small for images of shape {shape}")
        gan = recipe.build(shape, classes or networks.NUM_CLASSES)
        gan.restore(folder)
    return record, gan.ema_generator
