"""A run: a training in a folder, its record, and what it is measured by.

A folder holds ``run.json``, from which the networks are built again; ``state.npz``, their weights;
the same networks for others as Keras files; the history, pictures, metrics; and, until the training
is finished, checkpoints.
"""

import argparse
import contextlib
import json
import math
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import numpy as np
from tqdm import tqdm

from gantut import data, evaluation, judge, metrics, networks, recipes
from gantut._files import atomic_write, environment, remove_leftovers, write_json
from gantut._keras import keras
from gantut._state import DamagedError, OtherTrainingError
from gantut.callbacks import Checkpoints, HistoryWriter, SampleGrid
from gantut.diagnosis import Diagnosis
from gantut.gan import GAN
from gantut.recipes.batches import fingerprint
from gantut.sampling import sample
from gantut.vae import VAE

PICTURES = 12  # on the way through a training
NEAREST = 1_000  # samples whose nearest training image is looked up where there is no judge
NAMES = ("mnist", "fashion_mnist")  # the data that is had by name
CHECKPOINTS = "checkpoints"  # the folder from which --resume goes on; a finished run has none
REPLACED = ".replaced"  # where a run lies while that which replaces it has not yet taken a step
# What a run consists of, beside the pictures in ``grids``.
FILES = (
    "run.json", "generator.keras", "discriminator.keras", "encoder.keras", "state.npz",
    "history.csv", "metrics.json", "diagnosis.txt",
)  # fmt: skip
LEFT_OUT = (
    "metrics on the judge's features (Frechet and kernel distance, precision, recall, density, "
    "coverage, classifier score, classes) are left out: the judge reads MNIST's digits only"
)


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


# --- Data --------------------------------------------------------------------------------------


class Images(NamedTuple):
    """Training images, what goes with them, and MNIST or Fashion-MNIST as a whole."""

    name: str
    x: Any
    y: Any
    whole: data.ImageData | None
    summary: str

    def identity(self) -> dict[str, Any]:
        """What tells these training images from others, wherever they lie."""
        return {
            "images": len(self.x),
            "image_shape": list(self.x.shape[1:]),
            "fingerprint": fingerprint(self.x, None),
        }


def load_data(name: str, size: int | None) -> Images:
    """The images that ``--data`` and ``--size`` name."""
    with user_input():
        if name in NAMES:
            if size is not None:
                raise ValueError(f"--size is for your own images; those of {name} are 28 x 28")
            whole = data.load_mnist() if name == "mnist" else data.load_fashion_mnist()
            found = data.OwnImages(whole.x_train, {})
            return Images(name, whole.x_train, whole.y_train, whole, found.summary())
        if not Path(name).exists():
            raise ValueError(
                "--data: wanted mnist, fashion_mnist, an npz file or a folder of images, got "
                f"{name!r}, and there is no such file"
            )
        found = data.read_images(name, size)
        return Images(str(Path(name).resolve()), found.images, None, None, found.summary())


def load_data_again(record: Mapping[str, Any], options: argparse.Namespace) -> Images:
    """The images to measure a run with: those of ``--data``, or those it was trained on."""
    name = options.data or record.get("data", "mnist")
    images = load_data(name, None if name in NAMES else record.get("size"))
    others = any(record.get(key, value) != value for key, value in images.identity().items())
    if others and options.data is None:
        raise UsageError(
            f"{name!r} holds other images than {str(options.folder)!r} was trained on: now "
            f"{images.summary}, then {record.get('images')} of shape {record.get('image_shape')}; "
            f"to measure with them all the same: --data {name}"
        )
    return images


# --- The folder --------------------------------------------------------------------------------


def check_folder(folder: Path, overwrite: bool, resume: bool) -> None:
    """Makes the folder and writes into it, before anything that takes long."""
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


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Lets no second training write into the folder; the system frees it when we are killed."""
    lock = filelock.FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise UsageError(f"--out: another `gantut train` is at work in {str(folder)!r}") from None
    except (OSError, NotImplementedError) as error:
        tell(f"gantut train: {str(folder)!r} cannot be locked ({error}); going on without")
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _replacing(folder: Path, keep: bool) -> Iterator[None]:
    """Sets the run in the folder aside, unless ``keep``; it comes back where the new one fails.

    `_BetweenSteps` removes it for good.
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
        yield
    except BaseException:
        _bring_back(folder)
        raise


def _bring_back(folder: Path) -> None:
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


def open_run(folder: Path) -> tuple[dict[str, Any], GAN | VAE]:
    """The record and the networks of a run, which are built by its recipe, with its weights.

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
    return record, gan


# --- Training ----------------------------------------------------------------------------------


def train(recipe: recipes.Recipe, options: argparse.Namespace, strategy: Any) -> int:
    """Trains (on several devices by a ``strategy``) and measures; returns the exit status."""
    folder: Path = options.out
    check_folder(folder, options.overwrite, options.resume)
    with only_one(folder):
        images = load_data(options.data, options.size)
        wanted = _wanted(recipe, options, images)
        checkpoints = Checkpoints(folder / CHECKPOINTS, every=options.checkpoint_every)
        _bring_back(folder)  # of a training that was killed before its first step
        steps = _finished_steps(folder, wanted, checkpoints) if options.resume else None
        if steps is not None:
            print(f"{folder}: the run is finished, at {steps:,} steps")
            if (folder / "metrics.json").exists():
                return 0
            generator = open_run(folder)[1].ema_generator
        else:
            gan = _build(recipe, options, images, strategy)
            status = _train(recipe, options, images, gan, wanted, checkpoints)
            if status != 0:
                return status
            checkpoints.clear()
            generator = gan.ema_generator
        if options.samples:
            measure(generator, images, options.samples, options.seed, folder)
        return 0


def _wanted(recipe: recipes.Recipe, options: argparse.Namespace, images: Images) -> dict[str, Any]:
    """What fixes a training, as its record says it; another one does not go on with it."""
    if recipe.conditional and images.y is None:
        raise UsageError(
            f"recipe {recipe.name!r} needs labels: wanted --data mnist or fashion_mnist, or "
            f"another recipe, got {options.data!r}"
        )
    if len(images.x) < recipe.batch_size:
        raise UsageError(
            f"recipe {recipe.name!r} trains on batches of {recipe.batch_size} images, "
            f"but {options.data!r} has only {len(images.x)}"
        )
    steps = recipes.count_steps(recipe, len(images.x), steps=options.steps, epochs=options.epochs)
    wanted = {
        "recipe": recipe.name,
        "settings": recipe.record(),
        "seed": options.seed,
        "length": {"steps": steps} if options.seconds is None else {"seconds": options.seconds},
        **images.identity(),
    }
    return json.loads(json.dumps(wanted))  # as the file will hold it


def _finished_steps(folder: Path, wanted: dict[str, Any], checkpoints: Checkpoints) -> int | None:
    """The steps of the run in the folder if nothing is left to do; None if there is something."""
    record = read_record(folder, wanted)
    if record is None:
        return None
    pairs = {name: (record[name], value) for name, value in wanted.items() if name != "settings"}
    if record["recipe"] == wanted["recipe"]:
        there, here = record["settings"], wanted["settings"]
        pairs |= {f"setting {key}": (there.get(key), here.get(key)) for key in {**there, **here}}
    different = [f"{name} {a!r} there, {b!r} here" for name, (a, b) in pairs.items() if a != b]
    if different:
        raise UsageError(f"--resume: {folder} holds another training: {'; '.join(different)}")
    whole = record.get("interrupted") is False and record.get("diverged_at") is None
    return int(record["steps"]) if whole and not checkpoints.files() else None


def _build(
    recipe: recipes.Recipe, options: argparse.Namespace, images: Images, strategy: Any
) -> GAN | VAE:
    """The networks, if they can be trained as the options say."""
    with user_input(), contextlib.nullcontext() if strategy is None else strategy.scope():
        classes = 0 if images.y is None else int(images.y.max()) + 1
        gan = recipe.build(images.x.shape[1:], classes, options.seed, images.x.mean(axis=0))
    replicas = gan.distribute_strategy.num_replicas_in_sync
    if (options.diagnose or replicas > 1) and not isinstance(gan, GAN):
        what = "--diagnose reads" if options.diagnose else "several devices train"
        raise UsageError(f"{what} GANs, and {recipe.name!r} trains none")
    if recipe.batch_size % replicas:
        raise UsageError(
            f"recipe {recipe.name!r} trains on batches of {recipe.batch_size} images, which "
            f"{replicas} devices cannot share evenly"
        )
    return gan


def _train(
    recipe: recipes.Recipe,
    options: argparse.Namespace,
    images: Images,
    gan: GAN | VAE,
    wanted: Mapping[str, Any],
    checkpoints: Checkpoints,
) -> int:
    """Trains networks and writes everything down; returns the exit status."""
    folder: Path = options.out
    record = {
        **wanted,
        "command": options.command,
        "data": images.name,
        "size": options.size,
        "num_classes": gan.num_classes,
        "replicas": gan.distribute_strategy.num_replicas_in_sync,
        "environment": environment(),
    }
    print(f"{images.name}: {images.summary}", flush=True)
    diagnosis = _diagnosis(recipe, images, options.seed) if options.diagnose else None
    if options.seconds is None:
        moments: dict[str, Any] = {"every": max(1, wanted["length"]["steps"] // PICTURES)}
    else:
        moments = {"times": [options.seconds * i / PICTURES for i in range(1, PICTURES)]}
    began = time.perf_counter()
    between = _BetweenSteps(folder / REPLACED)
    pictures = SampleGrid(folder / "grids", seed=options.seed, **moments)
    callbacks = [HistoryWriter(folder / "history.csv"), pictures, between]
    if diagnosis is not None:
        callbacks.append(diagnosis)
    with _replacing(folder, keep=options.resume), between:
        if not (folder / "run.json").exists():  # where it goes on, it is another of the same
            write_json(folder / "run.json", record)
        try:
            run = recipes.train(
                recipe,
                images.x,
                images.y,
                gan=gan,
                **wanted["length"],
                seed=options.seed,
                progress=True,
                callbacks=callbacks,
                checkpoints=checkpoints,
                resume=options.resume,
            )
            gan.save(folder)
        except (DamagedError, OtherTrainingError) as error:
            raise UsageError(f"--resume: {error}") from error
        record |= {
            "steps": run.steps,
            "seconds": round(run.seconds, 2),
            "wall_seconds": round(time.perf_counter() - began, 2),
            "interrupted": between.signal is not None,
            "diverged_at": run.diverged_at,
            "origin": run.origin,
        }
        write_json(folder / "run.json", record)
        if diagnosis is not None:
            with atomic_write(folder / "diagnosis.txt") as temporary:
                temporary.write_text(diagnosis.report() + "\n", encoding="utf-8")
    print(f"{folder}: {run.steps:,} steps in {run.seconds:.1f} s of training")
    if between.signal is not None:
        tell(f"gantut train: interrupted after {run.steps} steps; what there is lies in {folder}, "
             "and --resume goes on")  # fmt: skip
        return 128 + between.signal
    if run.diverged_at is not None:
        origin = "" if run.origin is None else f" (it began at {run.origin})"
        tell(f"gantut train: a loss was not finite at step {run.diverged_at}{origin}; "
             f"the last good weights lie in {folder}")  # fmt: skip
        return 1
    return 0


def _diagnosis(recipe: recipes.Recipe, images: Images, seed: int) -> Diagnosis:
    shown = images.x
    if recipe.stack > 1:
        few = recipes.batches(shown, batch_size=1000, seed=seed, stack=recipe.stack)
        shown = next(iter(few)).numpy()
    return Diagnosis(shown, images.y, seed=seed, tell=tell)


class _BetweenSteps(keras.callbacks.Callback):
    """After each execution: the run that is replaced goes, and a wish to stop is granted.

    As a context it takes Ctrl-C and SIGTERM for such a wish; the second ends the process as usual.
    """

    def __init__(self, replaced: Path) -> None:
        super().__init__()
        self.replaced = replaced
        self.signal: int | None = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        shutil.rmtree(self.replaced, ignore_errors=True)
        if self.signal is not None:
            self.model.stop_training = True

    def __enter__(self) -> None:
        wishes = (signal.SIGINT, signal.SIGTERM)
        self._usual = {number: signal.signal(number, self._wish) for number in wishes}

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._usual.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def _wish(self, number: int, frame: Any) -> None:
        self.signal = number
        self.__exit__()
        again = "Ctrl-C again to drop it" if number == signal.SIGINT else "a second ends it at once"
        tell(f"\ngantut train: stopping, and saving what there is ({again})")


# --- Measuring ---------------------------------------------------------------------------------


def measure(generator: keras.Model, images: Images, n: int, seed: int, folder: Path) -> None:
    """Measures ``n`` samples of a generator, prints what comes out and writes ``metrics.json``.

    With MNIST the judge measures, or counts the triples of stacked digits; without it the distances
    to training images are all there is.
    """
    made, real = tuple(generator.outputs[0].shape[1:]), images.x.shape[1:]
    if made[:2] != real[:2] or made[2] % real[2]:
        raise UsageError(f"the generator makes images of shape {made}, the data's are {real}")
    digits = images.name == "mnist"
    labels = None
    if digits and made == real and networks.is_conditional(generator):
        classes = networks.count_classes(generator) or networks.NUM_CLASSES
        labels = np.random.default_rng(seed).integers(classes, size=n)
    with user_input():  # of weights from elsewhere
        drawn = sample(generator, n if digits else min(n, NEAREST), labels, seed=seed)
        drawn = data.check_images(drawn, name="samples")
    if not digits:
        found = _memorisation(drawn, images, seed)
    elif made != real:
        modes = evaluation.stacked_modes(drawn)
        print(f"{modes.modes} of 1,000 triples of digits; divergence from uniform shares "
              f"{modes.kl:.4f} nats (evenly spread samples: {999 / (2 * n):.4f})")  # fmt: skip
        found = {"modes": modes.modes, "kl": modes.kl}
    else:
        report = evaluation.evaluate(drawn, data=images.whole, seed=seed)
        print(report)
        found = report.to_dict()
        if labels is not None:
            found["label_agreement"] = judge.accuracy(drawn, labels)
            print(f"read as the class that was asked for: {found['label_agreement']:.1%}")
    write_json(folder / "metrics.json", {"data": images.name, "samples": n, "seed": seed} | found)


def _memorisation(drawn: Any, images: Images, seed: int) -> dict[str, Any]:
    n, (height, width, channels) = len(drawn), images.x.shape[1:]
    if drawn.shape[-1] != channels:  # Each of the images that make one has neighbours of its own.
        apart = drawn.reshape(n, height, width, -1, channels)
        drawn = np.ascontiguousarray(np.moveaxis(apart, 3, 1)).reshape(-1, height, width, channels)
    own = metrics.nearest_training_images(drawn, images.x).distances[:, 0]
    # Without held-out images: training images and their nearest other one.
    held_out, neighbour = (images.x, 2) if images.whole is None else (images.whole.x_test, 1)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(held_out))[:NEAREST])
    real = metrics.nearest_training_images(held_out[chosen], images.x, k=neighbour)
    found = metrics.memorisation(own, real.distances[:, -1])
    print(
        f"median distance to the nearest training image: {found.median:.2f} "
        f"(real images: {found.reference_median:.2f}); "
        f"suspiciously near: {found.share_close:.1%} (real images: {found.quantile:.1%})"
    )
    print(LEFT_OUT)
    return {"samples": n, "memorisation": found._asdict(), "left_out": LEFT_OUT}
