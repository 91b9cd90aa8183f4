"""The command ``gantut``: list recipes, train, sample, evaluate, and write a script to change.

Exit status: 0; 1 if a training diverged; 2 for bad input, a full disk or too little memory, with
one line on standard error; 70 for a fault of gantut, with its traceback; 130 after Ctrl-C and 143
after SIGTERM, once what there is has been saved.
"""

import argparse
import contextlib
import io
import json
import math
import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

from gantut import __version__

# NumPy and TensorFlow are imported where a command needs them: --help and --version answer at once.

_EVALUATED = 10_000  # samples that ``gantut evaluate`` draws
_WORKERS_CHECKPOINT = 500  # steps from checkpoint to checkpoint of several workers, by default


class _Parser(argparse.ArgumentParser):
    """Tells a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _reader(
    read: Callable[[str], Any], wanted: str, fits: Callable[[Any], bool] = lambda value: True
) -> Callable[[str], Any]:
    """What argparse takes for the type of an option."""

    def checked(text: str) -> Any:
        with contextlib.suppress(ValueError):
            value = read(text)
            if fits(value):
                return value
        raise argparse.ArgumentTypeError(f"wanted {wanted}, got {text!r}")

    return checked


_POSITIVE = _reader(int, "an integer >= 1", lambda value: value >= 1)
_NATURAL = _reader(int, "an integer >= 0", lambda value: value >= 0)
_SECONDS = _reader(float, "a number of seconds > 0", lambda value: 0 < value < math.inf)
_LABELS = _reader(
    lambda text: [int(part) for part in text.split(",")], "a class or classes like 3 or 0,1,2"
)
_FILE = _reader(
    Path,
    "a name ending in .png or .npz, or a folder's",
    lambda path: path.suffix.lower() in (".png", ".npz", ""),
)
_SIZE = _reader(
    lambda text: [int(side) for side in (text.split("x") if "x" in text else (text, text))],
    "pixels like 28 or 24x32",
    lambda size: len(size) == 2 and min(size) >= 1,
)
_NUMBER: dict[str, Any] = {"type": _POSITIVE, "metavar": "N"}
_SEED: dict[str, Any] = {"type": _NATURAL, "metavar": "K", "default": 0, "help": "default: 0"}
_DRAWN: dict[str, Any] = {"default": _EVALUATED, "metavar": "N"}
_SWITCH: dict[str, Any] = {"action": "store_true"}


def _make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gantut", description="Train generative adversarial networks on small images."
    )
    parser.add_argument("--version", action="version", version=f"gantut {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command_name")

    commands.add_parser("recipes", help="list what can be trained").set_defaults(run=_list_recipes)

    new = commands.add_parser("new", help="write a script that trains a GAN of your own images")
    new.add_argument(
        "file", type=Path, metavar="FILE", help="a script that is not there yet, as my_gan.py"
    )
    new.add_argument(
        "--data",
        default="images",
        metavar="DATA",
        help="a folder, an npz or an npy file (default: the folder images); the script brings all "
        "images to 32x32 and uses no labels",
    )
    new.set_defaults(run=_new)

    train = commands.add_parser("train", help="train a GAN by a recipe")
    train.add_argument("recipe", metavar="RECIPE", help="a name that `gantut recipes` lists")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the run")
    length = train.add_mutually_exclusive_group()
    length.add_argument(
        "--seconds", type=_SECONDS, metavar="S", help="seconds of training, without pictures"
    )
    length.add_argument("--epochs", **_NUMBER, help="passes over the data")
    length.add_argument("--steps", **_NUMBER, help="training steps")
    train.add_argument("--seed", **_SEED)
    train.add_argument(
        "--data",
        default="mnist",
        metavar="DATA",
        help="mnist (default), fashion_mnist, a folder of images (subfolders are classes), or an "
        "npz or npy file",
    )
    train.add_argument(
        "--size", type=_SIZE, metavar="N", help="bring your own images to N x N pixels, or to HxW"
    )
    again = train.add_mutually_exclusive_group()
    again.add_argument("--overwrite", **_SWITCH, help="replace the run that DIR holds")
    again.add_argument(
        "--resume", **_SWITCH, help="go on with the run that DIR holds; begin it if there is none"
    )
    train.add_argument(
        "--checkpoint-every", **_NUMBER, help="steps between checkpoints (default: one a minute)"
    )
    several = train.add_mutually_exclusive_group()
    several.add_argument(
        "--devices", **_NUMBER, help="share each batch among N devices of this machine (default: 1)"
    )
    several.add_argument(
        "--workers",
        **_SWITCH,
        help="be one of the processes that TF_CONFIG names; those behind the first write to "
        "DIR/worker-1 and so on",
    )
    train.add_argument(
        "--diagnose", **_SWITCH, help="say in words what goes wrong, also in DIR/diagnosis.txt"
    )
    train.add_argument(
        "--samples", **_DRAWN, type=_NATURAL, help=f"samples to judge, or 0 (default: {_EVALUATED})"
    )
    train.set_defaults(run=_train)

    trained = _Parser(add_help=False)
    trained.add_argument("folder", type=Path, metavar="DIR", help="the folder of a run")
    trained.add_argument("--seed", **_SEED)
    trained.add_argument(
        "--trust-keras-file",
        **_SWITCH,
        help="open DIR/generator.keras as this file describes its network, for want of a recipe: "
        "only plain layers are taken, but how much memory they need to run is the file's to say",
    )

    sample = commands.add_parser("sample", parents=[trained], help="draw from a trained generator")
    sample.add_argument("-n", **_NUMBER, default=64, help="default: 64")
    sample.add_argument(
        "--out",
        type=_FILE,
        required=True,
        metavar="FILE",
        help="x.png, x.npz, or a folder for one PNG file each",
    )
    sample.add_argument(
        "--labels", type=_LABELS, metavar="L", help="of a conditional generator: 3, or 0,1 in turn"
    )
    sample.set_defaults(run=_sample)

    evaluate = commands.add_parser("evaluate", parents=[trained], help="measure such a generator")
    evaluate.add_argument(
        "-n", **_DRAWN, type=_POSITIVE, help=f"samples to draw (default: {_EVALUATED})"
    )
    evaluate.add_argument(
        "--data", metavar="DATA", help="images to compare with (default: those it was trained on)"
    )
    evaluate.set_defaults(run=_evaluate)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line (``arguments``, or `sys.argv`) and returns the exit status."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # which may lack letters of a folder's name
            stream.reconfigure(errors="backslashreplace")
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        options = _make_parser().parse_args(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    name = f"gantut {options.command_name}"
    for key, value in vars(options).items():
        if value == []:  # what argparse makes of --steps=--
            print(f"{name}: error: --{key.replace('_', '-')}: wanted a value, got '--'",
                  file=sys.stderr)  # fmt: skip
            return 2
    options.command = shlex.join(["gantut", *arguments])
    status, message = _run(options)
    if message:
        print(f"{name}: {message}", file=sys.stderr, flush=True)
    return status


def _run(options: argparse.Namespace) -> tuple[int, str]:
    """Runs a command; returns the exit status, and what remains to be told."""
    # TensorFlow's C++ prints while it loads, whatever its log level.
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        from gantut import recipes, runs
        from gantut._keras import tf
        from gantut.data import DataUnavailableError

        recipes.has_gpu()
    except ImportError as error:
        return 2, f"error: {' '.join(str(error).split())}"
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
    try:
        with warnings.catch_warnings():
            # A warning is a line too, beside a progress bar if there is one.
            warnings.showwarning = lambda message, *_, **__: runs.tell(f"gantut: {message}")
            return int(options.run(options)), ""
    except KeyboardInterrupt:
        return 130, "interrupted"
    except Exception as error:
        line = " ".join(str(error).split())
        if isinstance(error, DataUnavailableError):
            return 2, f"error: {error}"  # the only message of many lines: the sources tried
        if isinstance(error, runs.UsageError | OSError):
            return 2, f"error: {line}"
        if isinstance(error, MemoryError | tf.errors.ResourceExhaustedError):
            return 2, f"error: too little memory: {line:.200}"
        traceback.print_exc()
        return 70, "this is a fault of gantut"


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


def _new(options: argparse.Namespace) -> int:
    script = resources.files("gantut").joinpath("script/my_gan.py").read_text(encoding="utf-8")
    script = script.replace('"images"', json.dumps(options.data, ensure_ascii=False), 1)
    if options.file.exists():
        raise FileExistsError(f"{options.file} exists already; give another name")
    options.file.write_text(script.replace("my_gan", options.file.stem), encoding="utf-8")
    print(f"{options.file}: run it with python {options.file}; it reads {options.data}")
    return 0


def _train(options: argparse.Namespace) -> int:
    from gantut import distribution, recipes, runs

    folder, samples, checkpoint_every = options.out, options.samples, options.checkpoint_every
    strategy = None
    with runs.user_input():
        recipe = recipes.get(options.recipe)
        if (options.workers or options.devices) and options.seconds is not None:
            raise ValueError(
                "--seconds: replicas have their own clocks; wanted --steps or --epochs"
            )
        if options.workers:
            if index := distribution.worker_index():
                folder = folder / f"worker-{index}"
                samples = 0  # the first one evaluates
            # By the clock, each would write at another step, and none had what all have.
            checkpoint_every = checkpoint_every or _WORKERS_CHECKPOINT
        if options.workers or options.devices:
            strategy = distribution.make_strategy(options.devices, workers=options.workers)
    lengths = {name: getattr(options, name) for name in ("steps", "epochs", "seconds")}
    with runs.locked(folder, options.overwrite, options.resume):
        images = runs.load_data(options.data, options.size)
        training = runs.Training(
            folder,
            recipe,
            images,
            seed=options.seed,
            length={name: length for name, length in lengths.items() if length is not None},
            checkpoint_every=checkpoint_every,
            resume=options.resume,
        )
        if training.is_finished():
            if (folder / "metrics.json").exists():
                return 0
        elif status := training.run(strategy, options.diagnose, options.command):
            return status
        if samples:
            runs.measure(runs.open_run(folder)[1], images, samples, options.seed, folder)
    return 0


def _open(options: argparse.Namespace) -> tuple[dict[str, Any], Any]:
    """The record of a run and its generator."""
    from gantut import runs
    from gantut._state import load_model

    if not options.trust_keras_file:
        return runs.open_run(options.folder)
    with runs.user_input():
        generator = load_model(options.folder / "generator.keras")
        if len(generator.inputs[0].shape) != 2 or len(generator.outputs[0].shape) != 4:
            raise ValueError("generator.keras makes no images from latent vectors")
    return {}, generator


def _sample(options: argparse.Namespace) -> int:
    import numpy as np

    from gantut import runs
    from gantut._files import atomic_write
    from gantut.plotting import save_grid, save_images
    from gantut.sampling import sample

    generator = _open(options)[1]
    classes = options.labels
    labels = None if classes is None else np.resize(np.asarray(classes), options.n)
    with runs.user_input():
        images = sample(generator, options.n, labels, seed=options.seed)
    if options.out.suffix.lower() == ".png":
        columns = len(classes) if classes and 1 < len(classes) < options.n else None
        with runs.user_input():  # weights from elsewhere can make anything
            save_grid(images, options.out, columns=columns, scale=2)
    elif not options.out.suffix:
        with runs.user_input():
            save_images(images, options.out)
    else:
        arrays: Any = {"images": images}
        if labels is not None:
            arrays["labels"] = labels.astype(np.int32)
        with atomic_write(options.out) as temporary:
            np.savez_compressed(temporary, **arrays)
    print(f"{options.out}: {len(images)} samples of shape {images.shape[1:]}")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from gantut import runs

    record, generator = _open(options)
    images = runs.load_data_again(record, options.folder, options.data)
    runs.measure(generator, images, options.n, options.seed, options.folder)
    return 0
