"""Makes the weights that ship with the package, each beside a record of how.

    python tools/make_weights.py judge second --out gantut/weights --epochs 15
    gantut train RECIPE --out DIR
    python tools/make_weights.py generator NAME --run DIR

The first trains a judge (`gantut.judge`): "first" by Adam at a rate of 2e-3, with random shifts (up
to 2 pixels) and rotations (up to 11 degrees); "second" by SGD with momentum at a rate of 0.1, with
random shears and zooms (up to 15 %). The rate falls to 0 on a cosine. The schedule is fixed in
advance and the last epoch is kept, so the test set, on which generators are later judged, selects
nothing. The other packs the generator of a run in half precision (`gantut.pretrained`).
"""

import argparse
import hashlib
import io
import re
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut import judge, load_mnist, pretrained
from gantut._files import atomic_write, environment, write_json
from gantut._keras import keras, tf
from gantut.evaluation import evaluate
from gantut.networks import count_classes, is_conditional
from gantut.runs import open_run

MINIMUM_ACCURACY = 0.992
"""Test accuracy below which no judge is written."""

UNSEEN = {"first": 0, "second": 20_000}
"""How many training images, the first in `gantut.judge.order`, are kept from a judge."""

MAXIMUM_BYTES = 2_000_000
"""What all generators that ship may weigh together."""


def train_judge(
    images: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    *,
    name: str = "first",
    seed: int = 0,
    epochs: int = 10,
    batch_size: int = 128,
    verbose: int = 2,
) -> keras.Model:
    """Trains a judge from scratch.

    Args:
        images: float32 training images (N, 28, 28, 1) in [-1, 1].
        labels: Integer labels (N,).
        name: Which one, of `gantut.judge.JUDGES`.
        seed: Seed of Python, NumPy and TensorFlow.
        epochs: Passes over the images.
        batch_size: Images per step.
        verbose: Passed to Keras' `fit`.

    Returns:
        The trained classifier.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    model = judge.build_judge(name)
    blank = {"fill_mode": "constant", "fill_value": -1.0, "data_format": "channels_last"}
    layers, falling = keras.layers, keras.optimizers.schedules.CosineDecay
    steps = epochs * -(-len(images) // batch_size)
    optimizer: Any
    if name == "first":
        shift = layers.RandomTranslation(2 / 28, 2 / 28, **blank)
        changes = [shift, layers.RandomRotation(0.03, **blank)]
        optimizer = keras.optimizers.Adam(falling(2e-3, steps))
    else:
        slant = layers.RandomShear(0.15, **blank)
        changes = [slant, layers.RandomZoom(0.15, 0.15, **blank)]
        optimizer = keras.optimizers.SGD(falling(0.1, steps), momentum=0.9, nesterov=True)
    augmented = keras.Sequential([keras.Input(judge.IMAGE_SHAPE), *changes, model])
    augmented.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=16,
        jit_compile=False,
    )
    augmented.fit(images, labels, batch_size=batch_size, epochs=epochs, verbose=verbose)
    return model


def make_judge(options: argparse.Namespace) -> int:
    """Trains a judge and writes its weights and its record, if it is accurate."""
    data, name = load_mnist(), judge.JUDGES[options.name]
    # Sorted, so that the first judge's images keep their order.
    rows = np.sort(judge.order(len(data.x_train))[UNSEEN[options.name] :])
    start = time.perf_counter()
    model = train_judge(
        data.x_train[rows],
        data.y_train[rows],
        name=options.name,
        seed=options.seed,
        epochs=options.epochs,
    )
    seconds = time.perf_counter() - start
    logits = model.predict(data.x_test, batch_size=500, verbose=0)
    test_accuracy = float(np.mean(logits.argmax(axis=1) == data.y_test))
    print(f"test accuracy {test_accuracy:.4f} after {seconds:.0f} s")
    if test_accuracy < MINIMUM_ACCURACY:
        print(f"below {MINIMUM_ACCURACY}: nothing written", file=sys.stderr)
        return 1
    path = options.out / f"{name}.npz"
    arrays: Any = {key: np.asarray(weight) for key, weight in judge.named_weights(model).items()}
    with atomic_write(path) as temporary:
        np.savez(temporary, **arrays)
    record = {
        "command": f"python tools/make_weights.py judge {options.name} --out {options.out} "
        f"--seed {options.seed} --epochs {options.epochs}",
        "seed": options.seed,
        "epochs": options.epochs,
        "images": len(rows),
        "parameters": model.count_params(),
        "test_accuracy": test_accuracy,
        "seconds": round(seconds, 1),
        **_size_and_hash(path.read_bytes()),
        "environment": environment(),
    }
    write_json(path.with_suffix(".json"), record)
    return 0


def pack(
    name: str, run: str | Path, folder: str | Path, *, samples: int = 10_000
) -> dict[str, Any]:
    """Writes ``NAME.npz`` and ``NAME.json`` from a finished run.

    Args:
        name: What `gantut.load` will call it: letters, digits and underscores.
        run: The folder of a run, as ``gantut train`` wrote it.
        folder: Where the two files go.
        samples: How many samples `gantut.evaluate` draws of the packed generator, if the run was
            trained on MNIST.

    Returns:
        The record.

    Raises:
        gantut.runs.UsageError: the run cannot be opened.
        ValueError: the name is not valid, a weight is too large for half precision, or the
            generators of the folder would weigh more than `MAXIMUM_BYTES` together. Nothing is
            written then.
    """
    run, folder = Path(run), Path(folder)
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or name in judge.JUDGES.values():
        raise ValueError(f"wanted a name of letters, digits and underscores, got {name!r}")
    trained, generator = open_run(run)
    content = _halved(generator)
    record: dict[str, Any] = {
        "kind": "generator",
        "recipe": trained["recipe"],
        "image_shape": list(generator.outputs[0].shape[1:]),
        "num_classes": count_classes(generator) if is_conditional(generator) else None,
        "parameters": generator.count_params(),
        "command": shlex.join(
            ["python", "tools/make_weights.py", "generator", name, "--run", str(run)]
        ),
        "training": {
            key: trained[key]
            for key in ("command", "data", "seed", "steps", "seconds", "environment")
        },
        "environment": environment(),
        **_size_and_hash(content),
    }
    others = sum(r["bytes"] for key, r in pretrained.records(folder).items() if key != name)
    if others + len(content) > MAXIMUM_BYTES:
        raise ValueError(
            f"{name!r} weighs {len(content):,} bytes and the generators in {folder} weigh "
            f"{others:,} already; together they may weigh {MAXIMUM_BYTES:,}"
        )
    packed = pretrained.build(record, content)
    if trained["data"] == "mnist":
        record["metrics"] = evaluate(packed, n=samples).to_dict()
    with atomic_write(folder / f"{name}.npz") as temporary:
        temporary.write_bytes(content)
    write_json(folder / f"{name}.json", record)
    return record


def _halved(generator: keras.Model) -> bytes:
    """The weights in half precision, an npz archive."""
    arrays: Any = {}
    for i, weight in enumerate(generator.weights):
        value = weight.numpy()
        if not np.abs(value).max() < np.finfo(np.float16).max:
            raise ValueError(f"{weight.path} does not fit half precision: {np.abs(value).max()}")
        arrays[f"{i:03d}.{weight.name}"] = value.astype(np.float16)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _size_and_hash(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def make_generator(options: argparse.Namespace) -> int:
    """Packs the generator of a run into the package."""
    record = pack(options.name, options.run, options.out)
    print(f"{options.name}: {record['parameters']:,} parameters in {record['bytes']:,} bytes")
    if "metrics" in record:
        print(f"Frechet distance {record['metrics']['frechet_ratio']:.2f} times the floor")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns 0, or 1 if the judge is not accurate enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    new_judge = commands.add_parser("judge", help="train a judge")
    new_judge.add_argument("name", nargs="?", default="first", choices=judge.JUDGES)
    new_judge.add_argument("--seed", type=int, default=0)
    new_judge.add_argument("--epochs", type=int, default=10)
    new_judge.set_defaults(make=make_judge)
    generator = commands.add_parser("generator", help="pack the generator of a run")
    generator.add_argument("name", metavar="NAME")
    generator.add_argument("--run", type=Path, required=True, metavar="DIR")
    generator.set_defaults(make=make_generator)
    for command in (new_judge, generator):
        command.add_argument("--out", type=Path, default=pretrained.FOLDER, metavar="DIR")
    options = parser.parse_args(arguments)
    return int(options.make(options))


if __name__ == "__main__":
    sys.exit(main())
