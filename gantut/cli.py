"""The command ``gantut``: list recipes, train, sample, evaluate.

Exit status: 0; 1 if a training diverged; 2 for bad input or a full disk, with one line on standard
error; 130 after Ctrl-C and 143 after SIGTERM, once what there is has been saved.
"""

import argparse
import contextlib
import errno
import json
import math
import os
import shlex
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from gantut import __version__

if TYPE_CHECKING:
    from gantut.data import ImageData

# TensorFlow is imported where a command needs it, so that --help and --version answer at once.

PICTURES = 12
"""Pictures on the way through a training."""

EVALUATED = 10_000
"""Samples that ``gantut evaluate`` draws."""

WORKERS_CHECKPOINT = 500
"""Steps from checkpoint to checkpoint of several workers, where they are not given."""

NEAREST = 1_000
"""Samples whose nearest training image is looked up where there is no judge."""

RUN_FILES = (
    "run.json",
    "generator.keras",
    "discriminator.keras",
    "encoder.keras",
    "state.npz",
    "history.csv",
    "metrics.json",
    "diagnosis.txt",
)
"""What a run consists of, beside the pictures in ``grids``."""

CHECKPOINTS = "checkpoints"
"""The folder, in that of a run, from which ``--resume`` goes on; a finished run has none."""

LEFT_OUT = (
    "metrics on the judge's features (Frechet and kernel distance, precision, recall, density, "
    "coverage, classifier score, classes) are left out: the judge reads MNIST's digits only"
)


class _Parser(argparse.ArgumentParser):
    """Tells a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _positive_integer(text: str) -> int:
    return _integer_from(text, 1)


def _natural(text: str) -> int:
    return _integer_from(text, 0)


def _integer_from(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"wanted an integer >= {least}, got {text!r}")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"wanted a number of seconds > 0, got {text!r}")
    return value


def _labels(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"wanted a class or classes like 3 or 0,1,2, got {text!r}"
        ) from None


def _picture_or_arrays(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in (".png", ".npz"):
        raise argparse.ArgumentTypeError(f"wanted a name ending in .png or .npz, got {text!r}")
    return path


def _make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gantut", description="Train generative adversarial networks on small images."
    )
    parser.add_argument("--version", action="version", version=f"gantut {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command_name")

    recipes = commands.add_parser("recipes", help="list what can be trained")
    recipes.set_defaults(run=_list_recipes)

    train = commands.add_parser("train", help="train a GAN by a recipe")
    train.add_argument("recipe", metavar="RECIPE", help="a name that `gantut recipes` lists")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the run")
    length = train.add_mutually_exclusive_group()
    length.add_argument(
        "--seconds",
        type=_seconds,
        metavar="S",
        help="seconds of training, of which pictures and evaluation are no part",
    )
    length.add_argument(
        "--epochs", type=_positive_integer, metavar="N", help="passes over the data"
    )
    length.add_argument("--steps", type=_positive_integer, metavar="N", help="training steps")
    train.add_argument("--seed", type=_natural, default=0, metavar="K", help="default: 0")
    train.add_argument(
        "--data",
        default="mnist",
        metavar="DATA",
        help="mnist (default), fashion_mnist, an npz file or a folder of images",
    )
    train.add_argument(
        "--size",
        type=_positive_integer,
        metavar="N",
        help="bring your own images to N x N pixels",
    )
    again = train.add_mutually_exclusive_group()
    again.add_argument("--overwrite", action="store_true", help="replace the run that DIR holds")
    again.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run that DIR holds, however it ended; begin it if there is none",
    )
    train.add_argument(
        "--checkpoint-every",
        type=_positive_integer,
        metavar="N",
        help="steps from checkpoint to checkpoint (default: one a minute)",
    )
    several = train.add_mutually_exclusive_group()
    several.add_argument(
        "--devices",
        type=_positive_integer,
        metavar="N",
        help="share each batch among N devices of this machine (default: one device)",
    )
    several.add_argument(
        "--workers",
        action="store_true",
        help="be one of the processes that TF_CONFIG names; those behind the first write to "
        "DIR/worker-1 and so on",
    )
    train.add_argument(
        "--diagnose",
        action="store_true",
        help="say in words what goes wrong, as it comes and in DIR/diagnosis.txt",
    )
    train.add_argument(
        "--samples",
        type=_natural,
        default=EVALUATED,
        metavar="N",
        help=f"samples to evaluate at the end; 0 evaluates nothing (default: {EVALUATED})",
    )
    train.set_defaults(run=_train)

    sample = commands.add_parser("sample", help="draw samples from a trained generator")
    sample.add_argument("folder", type=Path, metavar="DIR", help="the folder of a run")
    sample.add_argument("-n", type=_positive_integer, default=64, metavar="N", help="default: 64")
    sample.add_argument(
        "--out", type=_picture_or_arrays, required=True, metavar="FILE", help="x.png or x.npz"
    )
    sample.add_argument(
        "--labels",
        type=_labels,
        metavar="L",
        help="for a conditional generator: one class, or some in turn (0,1,2)",
    )
    sample.add_argument("--seed", type=_natural, default=0, metavar="K", help="default: 0")
    sample.set_defaults(run=_sample)

    evaluate = commands.add_parser("evaluate", help="measure a trained generator")
    evaluate.add_argument("folder", type=Path, metavar="DIR", help="the folder of a run")
    evaluate.add_argument(
        "-n",
        type=_positive_integer,
        default=EVALUATED,
        metavar="N",
        help=f"samples to draw (default: {EVALUATED})",
    )
    evaluate.add_argument("--seed", type=_natural, default=0, metavar="K", help="default: 0")
    evaluate.set_defaults(run=_evaluate)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: What follows ``gantut``; `sys.argv` if None.

    Returns:
        The exit status.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if not all(isinstance(argument, str) for argument in arguments):
        raise TypeError(f"arguments must be texts, got {arguments!r}")
    try:
        options = _make_parser().parse_args(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    for name, value in vars(options).items():
        if value == []:  # what argparse makes of --steps=--
            option = name.replace("_", "-")
            _tell(f"gantut {options.command_name}: error: --{option}: wanted a value, got '--'")
            return 2
    options.command = shlex.join(["gantut", *arguments])
    try:
        with _quiet():
            from gantut import recipes

            recipes.has_gpu()
        return int(options.run(options))
    except KeyboardInterrupt:
        _tell(f"gantut {options.command_name}: interrupted")
        return 130
    except (ImportError, OSError, TypeError, ValueError) as error:
        _tell(f"gantut {options.command_name}: error: {_message(error)}")
        return 2


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences what TensorFlow's C++ prints while it loads, whatever its log level."""
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def _message(error: BaseException) -> str:
    from gantut.data import DataUnavailableError

    # The list of sources tried is the one message that is not a line.
    return str(error) if isinstance(error, DataUnavailableError) else " ".join(str(error).split())


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _tell_beside_bar(message: str) -> None:
    """Tells while a progress bar is shown, which is drawn again below."""
    from tqdm import tqdm

    tqdm.write(message, file=sys.stderr)


# --- Data --------------------------------------------------------------------------------------


class _Data(NamedTuple):
    """Training images, what goes with them, and MNIST or Fashion-MNIST as a whole."""

    name: str
    x: Any
    y: Any
    whole: "ImageData | None"


def _load_data(name: str, size: int | None) -> _Data:
    from gantut import data

    if name in ("mnist", "fashion_mnist"):
        if size is not None:
            raise ValueError(f"--size is for your own images; those of {name} are 28 x 28")
        whole = data.load_mnist() if name == "mnist" else data.load_fashion_mnist()
        return _Data(name, whole.x_train, whole.y_train, whole)
    if not Path(name).exists():
        raise FileNotFoundError(
            f"--data: wanted mnist, fashion_mnist, an npz file or a folder of images, got {name!r},"
            " and there is no such file"
        )
    return _Data(str(Path(name).resolve()), data.load_images(name, size), None, None)


# --- Commands ----------------------------------------------------------------------------------


def _list_recipes(options: argparse.Namespace) -> int:
    from gantut import recipes

    gpu = recipes.has_gpu()
    width = max(map(len, recipes.RECIPES))
    for recipe in recipes.RECIPES.values():
        steps = recipe.gpu_steps if gpu else recipe.steps
        print(f"{recipe.name:<{width}}  {steps:>6,} steps of {recipe.batch_size:>3}  "
              f"{recipe.summary}")  # fmt: skip
    return 0


def _train(options: argparse.Namespace) -> int:
    from gantut import recipes

    recipe = recipes.get(options.recipe)
    strategy = None
    if options.workers or options.devices is not None:
        strategy = _make_strategy(options)
    _check_folder(options.out, options.overwrite, options.resume)
    with _only_one(options.out):
        return _train_alone(recipe, options, strategy)


def _make_strategy(options: argparse.Namespace) -> Any:
    """The strategy that the options ask for; puts a worker's own folder in the place of --out."""
    from gantut import distribution

    if options.seconds is not None:
        raise ValueError(
            "--seconds: each replica has a clock of its own; wanted --steps or --epochs"
        )
    if options.workers:
        index = distribution.worker_index()
        if index:
            options.out = options.out / f"worker-{index}"
            options.samples = 0  # the first one evaluates
        # By the clock, each would write at another step, and none had what all have.
        options.checkpoint_every = options.checkpoint_every or WORKERS_CHECKPOINT
    return distribution.make_strategy(options.devices, workers=options.workers)


def _train_alone(recipe: Any, options: argparse.Namespace, strategy: Any) -> int:
    from gantut import recipes
    from gantut._files import atomic_write, environment, write_json
    from gantut.callbacks import Checkpoints, HistoryWriter, SampleGrid
    from gantut.diagnosis import Diagnosis
    from gantut.gan import GAN

    folder: Path = options.out
    data = _load_data(options.data, options.size)
    if recipe.conditional and data.y is None:
        raise ValueError(
            f"recipe {recipe.name!r} is conditional and needs labels, which {options.data!r} does "
            "not have; wanted --data mnist or fashion_mnist, or another recipe"
        )
    if len(data.x) < recipe.batch_size:
        raise ValueError(
            f"recipe {recipe.name!r} trains on batches of {recipe.batch_size} images, "
            f"but {options.data!r} has only {len(data.x)}"
        )
    checkpoints = Checkpoints(folder / CHECKPOINTS, every=options.checkpoint_every)
    if options.resume and (steps := _finished(folder, checkpoints)) is not None:
        print(f"{folder}: the run is finished, at {steps:,} steps")
        if options.samples and not (folder / "metrics.json").exists():
            metrics = _measure(_load_generator(folder), data, options.samples, options.seed)
            write_json(folder / "metrics.json", metrics)
        return 0
    num_classes = 0 if data.y is None else int(data.y.max()) + 1
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        gan = recipe.build(data.x.shape[1:], num_classes, options.seed, data.x.mean(axis=0))
    total = recipes.count_steps(recipe, len(data.x), steps=options.steps, epochs=options.epochs)
    if options.seconds is None:
        when: dict[str, Any] = {"every": max(1, total // PICTURES)}
    else:
        when = {"times": [options.seconds * i / PICTURES for i in range(1, PICTURES)]}
    diagnosis = None
    if options.diagnose:
        if not isinstance(gan, GAN):
            raise ValueError(f"--diagnose reads GANs, and {recipe.name!r} trains none")
        shown = data.x
        if recipe.stack > 1:
            few = recipes.batches(shown, batch_size=1000, seed=options.seed, stack=recipe.stack)
            shown = next(iter(few)).numpy()
        diagnosis = Diagnosis(shown, data.y, seed=options.seed, tell=_tell_beside_bar)
    _clear(folder, keep=options.resume)
    if not options.resume:
        checkpoints.clear()
    began = time.perf_counter()
    with _stop_on_interrupt() as stop:
        try:
            run = recipes.train(
                recipe,
                data.x,
                data.y,
                gan=gan,
                steps=None if options.seconds is not None else total,
                seconds=options.seconds,
                seed=options.seed,
                progress=True,
                callbacks=[
                    HistoryWriter(folder / "history.csv"),
                    SampleGrid(folder / "grids", seed=options.seed, **when),
                    stop.callback(),
                    *([diagnosis] if diagnosis is not None else []),
                ],
                checkpoints=checkpoints,
                resume=options.resume,
            )
            gan.save(folder)
        except OSError as error:
            if checkpoints.last is not None and str(checkpoints.last) not in str(error):
                _tell(f"gantut train: the last good checkpoint is {str(checkpoints.last)!r}, and "
                      "--resume goes on there")  # fmt: skip
            raise
        record = {
            "recipe": recipe.name,
            "settings": _settings(recipe),
            "command": options.command,
            "seed": options.seed,
            "data": data.name,
            "size": options.size,
            "image_shape": list(data.x.shape[1:]),
            "images": len(data.x),
            "num_classes": gan.num_classes,
            "steps": run.steps,
            "seconds": round(run.seconds, 2),
            "wall_seconds": round(time.perf_counter() - began, 2),
            "replicas": gan.distribute_strategy.num_replicas_in_sync,
            "interrupted": stop.requested,
            "diverged_at": run.diverged_at,
            "origin": run.origin,
            "environment": environment(),
        }
        write_json(folder / "run.json", record)
        if diagnosis is not None:
            with atomic_write(folder / "diagnosis.txt") as temporary:
                temporary.write_text(diagnosis.report() + "\n", encoding="utf-8")
    print(f"{folder}: {run.steps:,} steps in {run.seconds:.1f} s of training")
    if stop.requested:
        _tell(
            f"gantut train: interrupted after {run.steps} steps; what there is lies in {folder}, "
            "and --resume goes on"
        )
        return 128 + stop.signal
    if run.diverged_at is not None:
        origin = "" if run.origin is None else f" (it began at {run.origin})"
        _tell(
            f"gantut train: a loss was not finite at step {run.diverged_at}{origin}; "
            f"the last good weights lie in {folder}"
        )
        return 1
    checkpoints.clear()
    if options.samples:
        metrics = _measure(gan.ema_generator, data, options.samples, options.seed)
        write_json(folder / "metrics.json", metrics)
    return 0


def _finished(folder: Path, checkpoints: Any) -> int | None:
    """The steps of the run in the folder if there is nothing left to do; else None."""
    if checkpoints.files():
        return None
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        whole = not record["interrupted"] and record["diverged_at"] is None
        return int(record["steps"]) if whole else None
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"--resume: {str(folder / 'run.json')!r} is damaged: {error}") from error


def _sample(options: argparse.Namespace) -> int:
    from gantut._files import atomic_write
    from gantut.plotting import save_grid
    from gantut.sampling import sample

    generator = _load_generator(options.folder)
    labels = None
    if options.labels is not None:
        labels = np.resize(np.asarray(options.labels), options.n)
    images = sample(generator, options.n, labels, seed=options.seed)
    if options.out.suffix.lower() == ".png":
        several = options.labels is not None and 1 < len(options.labels) < options.n
        save_grid(images, options.out, columns=len(options.labels) if several else None, scale=2)
    else:
        arrays: Any = {"images": images} | ({} if labels is None else {"labels": labels})
        with atomic_write(options.out) as temporary:
            np.savez_compressed(temporary, **arrays)
    print(f"{options.out}: {len(images)} samples of shape {images.shape[1:]}")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from gantut._files import write_json

    generator = _load_generator(options.folder)
    name, size = "mnist", None
    with contextlib.suppress(FileNotFoundError):
        record = json.loads((options.folder / "run.json").read_text(encoding="utf-8"))
        name, size = record.get("data", name), record.get("size", size)
    metrics = _measure(generator, _load_data(name, size), options.n, options.seed)
    write_json(options.folder / "metrics.json", metrics)
    return 0


# --- What the commands are made of -------------------------------------------------------------


def _check_folder(folder: Path, overwrite: bool, resume: bool) -> None:
    """Makes the folder and writes into it, before anything that takes long."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"--out: wanted a folder, got the file {str(folder)!r}")
    found = [name for name in (*RUN_FILES, "grids", CHECKPOINTS) if (folder / name).exists()]
    if found and not overwrite and not resume:
        raise FileExistsError(
            f"--out: {str(folder)!r} holds a run already ({', '.join(found)}); "
            "pass --overwrite to replace it or --resume to go on with it, or name another folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise type(error)(
            error.errno, f"--out: cannot write in {str(folder)!r}: {error.strerror}"
        ) from error


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Lets no second training write into the folder; the system frees it when we are killed."""
    import filelock

    lock = filelock.FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise BlockingIOError(
            errno.EWOULDBLOCK, f"--out: another `gantut train` is at work in {str(folder)!r}"
        ) from None
    except (OSError, NotImplementedError) as error:
        _tell(f"gantut train: {str(folder)!r} cannot be locked ({error}); going on without")
    try:
        yield
    finally:
        lock.release()


def _clear(folder: Path, keep: bool) -> None:
    """Removes what a run left in the folder, and nothing else; if ``keep`` only what is half."""
    from gantut._files import remove_leftovers

    for place in (folder, folder / "grids", folder / CHECKPOINTS):
        remove_leftovers(place)
    if keep:
        return
    for path in (*(folder / name for name in RUN_FILES), *(folder / "grids").glob("step-*.png")):
        path.unlink(missing_ok=True)


def _settings(recipe: Any) -> dict[str, Any]:
    """The values of a recipe that JSON can hold."""
    kinds = (str, int, float, bool, dict, type(None))
    return {key: value for key, value in vars(recipe).items() if isinstance(value, kinds)}


def _load_generator(folder: Path) -> Any:
    from gantut._state import load_model

    path = folder / "generator.keras"
    if not path.is_file():
        raise FileNotFoundError(
            f"{str(folder)!r} holds no run: wanted the file generator.keras there, "
            "as `gantut train` writes it"
        )
    return load_model(path)


def _measure(generator: Any, data: _Data, n: int, seed: int) -> dict[str, Any]:
    """Measures a generator and prints what comes out."""
    from gantut import metrics
    from gantut.networks import count_classes, is_conditional
    from gantut.sampling import sample

    head = {"data": data.name, "samples": n, "seed": seed}
    stacked = generator.outputs[0].shape[-1] != data.x.shape[-1]
    if data.name == "mnist" and stacked:
        from gantut.evaluation import stacked_modes

        found = stacked_modes(sample(generator, n, seed=seed))
        print(f"{found.modes} of 1,000 triples of digits; divergence from uniform shares "
              f"{found.kl:.4f} nats (evenly spread samples: {999 / (2 * n):.4f})")  # fmt: skip
        return head | {"modes": found.modes, "kl": found.kl}
    if data.name == "mnist":
        from gantut import judge
        from gantut.evaluation import evaluate

        labels = None
        if is_conditional(generator):
            classes = count_classes(generator) or 10
            labels = np.random.default_rng(seed).integers(classes, size=n)
        images = sample(generator, n, labels, seed=seed)
        evaluation = evaluate(images, data=data.whole, seed=seed)
        print(evaluation)
        result = evaluation.to_dict()
        if labels is not None:
            result["label_agreement"] = judge.accuracy(images, labels)
            print(f"read as the class that was asked for: {result['label_agreement']:.1%}")
        return head | result
    few = min(n, NEAREST)
    rng = np.random.default_rng(seed)
    images = sample(generator, few, seed=seed)
    if stacked:  # Each of the images that make one has neighbours of its own.
        height, width, channels = data.x.shape[1:]
        apart = images.reshape(few, height, width, -1, channels)
        images = np.ascontiguousarray(np.moveaxis(apart, 3, 1)).reshape(-1, *data.x.shape[1:])
    own = metrics.nearest_training_images(images, data.x).distances[:, 0]
    if data.whole is not None:
        held_out, neighbour = data.whole.x_test, 1
    else:
        # Without held-out images: training images and their nearest other one.
        held_out, neighbour = data.x, 2
    chosen = np.sort(rng.permutation(len(held_out))[:NEAREST])
    real = metrics.nearest_training_images(held_out[chosen], data.x, k=neighbour).distances[:, -1]
    memory = metrics.memorisation(own, real)
    print(
        f"median distance to the nearest training image: {memory.median:.2f} "
        f"(real images: {memory.reference_median:.2f}); "
        f"suspiciously near: {memory.share_close:.1%} (real images: {memory.quantile:.1%})"
    )
    print(LEFT_OUT)
    return {**head, "samples": few, "memorisation": memory._asdict(), "left_out": LEFT_OUT}


class _Stop:
    """A wish to stop, which a callback grants between two executions."""

    def __init__(self) -> None:
        self.requested = False
        self.signal = 0

    def callback(self) -> Any:
        from gantut._keras import keras

        stop = self

        class StopOnRequest(keras.callbacks.Callback):
            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                if stop.requested:
                    self.model.stop_training = True

        return StopOnRequest()


@contextlib.contextmanager
def _stop_on_interrupt() -> Iterator[_Stop]:
    """Makes Ctrl-C and SIGTERM a wish to stop; the second one ends the process as usual."""
    stop = _Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous = {
        signal.SIGINT: signal.getsignal(signal.SIGINT) or signal.default_int_handler,
        signal.SIGTERM: signal.getsignal(signal.SIGTERM) or signal.SIG_DFL,
    }

    def put_back() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def on_interrupt(number: int, frame: Any) -> None:
        stop.requested, stop.signal = True, number
        put_back()
        again = "Ctrl-C again to drop it" if number == signal.SIGINT else "a second ends it at once"
        _tell(f"\ngantut train: stopping, and saving what there is ({again})")

    for number in previous:
        signal.signal(number, on_interrupt)
    try:
        yield stop
    finally:
        put_back()
