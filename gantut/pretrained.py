"""Trained generators that ship with the package.

A generator is kept as half-precision weights (``weights/NAME.npz``) beside a record
(``weights/NAME.json``) of the recipe that rebuilds its network, the commands that trained and
packed it, the seed, the versions and what `gantut.evaluate` says of the packed weights. Made by::

    gantut train RECIPE --out DIR
    python tools/make_weights.py generator NAME --run DIR
"""

import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np

from gantut import _check, recipes
from gantut._files import Npz
from gantut._keras import keras

FOLDER = Path(__file__).with_name("weights")  # of the package


def records(folder: Path) -> dict[str, dict[str, Any]]:
    """The records of the generators in a folder, by name."""
    paths = sorted(folder.glob("[!.]*.json"))
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    return {name: record for name, record in found.items() if record.get("kind") == "generator"}


def available() -> tuple[str, ...]:
    """The names of the trained generators that ship with the package."""
    return tuple(records(FOLDER))


def record(name: str = "fast") -> dict[str, Any]:
    """How one of the `available` generators was made, and how good it is.

    The record beside its weights has ``recipe``, ``training`` (command, seed, steps, seconds,
    environment), ``command``, ``metrics`` (where the data was MNIST), ``bytes``, ``sha256`` and
    more.
    """
    return _check.one_of(name, "name", records(FOLDER))


def load(name: str = "fast") -> keras.Model:
    """Loads one of the `available` generators.

    It is a plain Keras model from latent vectors (batch, latent_dim), or [latents, labels], to
    images in [-1, 1]; `gantut.sampling.sample` draws from it. The state of your random generators
    stays as it is.
    """
    return build(record(name), (FOLDER / f"{name}.npz").read_bytes())


def build(record: dict[str, Any], content: bytes) -> keras.Model:
    """The network of a record's recipe, with the weights of an npz archive.

    Args:
        record: What it needs is ``recipe``, ``image_shape`` and ``num_classes``.
        content: The archive: one array a weight, in the order of the names.
    """
    given = {"image_shape": tuple(record["image_shape"])}
    if record["num_classes"]:
        given["num_classes"] = record["num_classes"]
    # Initialisers without a seed take one from Python's generator.
    state = random.getstate()
    try:
        generator = recipes.get(record["recipe"]).generator(**given)
    finally:
        random.setstate(state)
    with Npz(io.BytesIO(content)) as archive:
        weights = [archive[name].astype(np.float32) for name in sorted(archive.files)]
    generator.set_weights(weights)
    return generator
