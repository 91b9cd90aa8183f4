"""Trained generators that ship with the package, and the command that packs them.

A generator is kept as half-precision weights (``weights/NAME.npz``) beside a record
(``weights/NAME.json``) of the recipe that rebuilds its network, the commands that trained and
packed it, the seed, the versions and what `gantut.evaluate` says of the packed weights. Made by::

    gantut train RECIPE --out DIR
    python -m gantut.pretrained NAME --run DIR
"""

import argparse
import hashlib
import io
import json
import random
import re
import shlex
import sys
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np

from gantut import networks, recipes
from gantut._files import Npz, atomic_write, environment, write_json
from gantut._keras import keras
from gantut._state import load_model
from gantut.sampling import count_classes, is_conditional

MAXIMUM_BYTES = 2_000_000
"""What all generators that ship may weigh together."""

_KIND = "generator"


def _folder() -> Traversable:
    return resources.files("gantut") / "weights"


def _records(folder: Traversable) -> dict[str, dict[str, Any]]:
    """The records of the generators in a folder, by name."""
    if not folder.is_dir():
        return {}
    records = {}
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".json") and not entry.name.startswith("."):
            record = json.loads(entry.read_text(encoding="utf-8"))
            if record.get("kind") == _KIND:
                records[entry.name.removesuffix(".json")] = record
    return records


def available() -> tuple[str, ...]:
    """The names of the trained generators that ship with the package."""
    return tuple(_records(_folder()))


def record(name: str = "fast") -> dict[str, Any]:
    """How a trained generator was made, and how good it is.

    Args:
        name: One of `available`.

    Returns:
        The record beside the weights, with ``recipe``, ``training`` (command, seed, steps,
        seconds, environment), ``command``, ``metrics`` (where the data was MNIST), ``bytes``,
        ``sha256`` and more.

    Raises:
        ValueError: there is no generator of that name; the message lists those that there are.
    """
    records = _records(_folder())
    if name not in records:
        known = ", ".join(records) or "none"
        raise ValueError(f"unknown trained generator {name!r}; available are: {known}")
    return records[name]


def load(name: str = "fast") -> keras.Model:
    """Loads a trained generator that ships with the package.

    Args:
        name: One of `available`.

    Returns:
        A plain Keras model from latent vectors (batch, latent_dim), or [latents, labels], to
        images in [-1, 1]; `gantut.sampling.sample` draws from it. The state of your random
        generators stays as it is.

    Raises:
        ValueError: there is no generator of that name (the message lists those that there are),
            or its weights do not fit the network that the recipe builds.
    """
    return _build(record(name), (_folder() / f"{name}.npz").read_bytes())


def _build(record: dict[str, Any], content: bytes) -> keras.Model:
    with Npz(io.BytesIO(content)) as archive:
        weights = [archive[key].astype(np.float32) for key in sorted(archive.files)]
    # Initialisers without a seed take one from Python's generator.
    state = random.getstate()
    try:
        generator = recipes.get(record["recipe"]).generator(
            tuple(record["image_shape"]), record["num_classes"] or networks.NUM_CLASSES
        )
    finally:
        random.setstate(state)
    shapes = [tuple(weight.shape) for weight in generator.weights]
    if shapes != [weight.shape for weight in weights]:
        raise ValueError(
            f"the weights do not fit the generator of recipe {record['recipe']!r}: "
            f"it wants {shapes}, the file has {[weight.shape for weight in weights]}"
        )
    generator.set_weights(weights)
    return generator


def pack(
    name: str, run: str | Path, folder: str | Path, *, samples: int = 10_000
) -> dict[str, Any]:
    """Writes ``NAME.npz`` and ``NAME.json`` from a finished run.

    Args:
        name: What `load` will call it: letters, digits and underscores.
        run: The folder of a run, as ``gantut train`` wrote it.
        folder: Where the two files go.
        samples: How many samples `gantut.evaluate` draws of the packed generator, if the run was
            trained on MNIST.

    Returns:
        The record.

    Raises:
        ValueError: the name is not valid, the run's recipe does not fit its weights, a weight is
            too large for half precision, or the generators of the folder would weigh more than
            `MAXIMUM_BYTES` together. Nothing is written then.
        OSError: the run cannot be read, or the folder cannot be written to.
    """
    run, folder = Path(run), Path(folder)
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or name == "judge":
        raise ValueError(f"wanted a name of letters, digits and underscores, got {name!r}")
    trained = json.loads((run / "run.json").read_text(encoding="utf-8"))
    generator = load_model(run / "generator.keras")
    arrays: Any = {}
    for i, weight in enumerate(generator.weights):
        value = weight.numpy()
        if not np.abs(value).max() < np.finfo(np.float16).max:
            raise ValueError(f"{weight.path} does not fit half precision: {np.abs(value).max()}")
        arrays[f"{i:03d}.{weight.name}"] = value.astype(np.float16)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    content = buffer.getvalue()
    result: dict[str, Any] = {
        "kind": _KIND,
        "recipe": trained["recipe"],
        "image_shape": list(generator.outputs[0].shape[1:]),
        "num_classes": count_classes(generator) if is_conditional(generator) else None,
        "parameters": generator.count_params(),
        "command": shlex.join(["python", "-m", "gantut.pretrained", name, "--run", str(run)]),
        "training": {
            key: trained[key]
            for key in ("command", "data", "seed", "steps", "seconds", "environment")
        },
        "environment": environment(),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    others = sum(r["bytes"] for key, r in _records(folder).items() if key != name)
    if others + len(content) > MAXIMUM_BYTES:
        raise ValueError(
            f"{name!r} weighs {len(content):,} bytes and the generators in {folder} weigh "
            f"{others:,} already; together they may weigh {MAXIMUM_BYTES:,}"
        )
    packed = _build(result, content)
    if trained["data"] == "mnist":
        from gantut.evaluation import evaluate

        result["metrics"] = evaluate(packed, n=samples).to_dict()
    with atomic_write(folder / f"{name}.npz") as temporary:
        temporary.write_bytes(content)
    write_json(folder / f"{name}.json", result)
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """Packs the generator of a run into the package.

    Args:
        arguments: Command line; `sys.argv` if None.

    Returns:
        0, or 2 if something does not fit.
    """
    parser = argparse.ArgumentParser(
        prog="python -m gantut.pretrained", description="Pack the generator of a run."
    )
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--run", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--out", type=Path, default=Path(str(_folder())), help="default: %(default)s"
    )
    options = parser.parse_args(arguments)
    try:
        result = pack(options.name, options.run, options.out)
    except (OSError, ValueError, KeyError) as error:
        print(f"python -m gantut.pretrained: error: {error}", file=sys.stderr)
        return 2
    print(f"{options.name}: {result['parameters']:,} parameters in {result['bytes']:,} bytes")
    if "metrics" in result:
        print(f"Frechet distance {result['metrics']['frechet_ratio']:.2f} times the floor")
    return 0


if __name__ == "__main__":
    sys.exit(main())
