"""Exports the generator and the training digits of the latent explorer for the browser.

    python tools/export_generator.py

``make book`` runs it. It writes _build/static/play/explorer-data.js, which needs no server, from
the weights that ship as ``conditional_fast`` and from MNIST:

- the weights in half precision, as they ship, so that the page computes with the same numbers as
  ``gantut.load("conditional_fast")``;
- the directions of latent space in which the picture changes most;
- the first training digits in 16 greys, and how far samples and test digits lie from them.
"""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from project import BUILD, write_text

from gantut import load, load_mnist, metrics, networks, pretrained, sampling

NAME = "conditional_fast"
PATH = BUILD / "static/play/explorer-data.js"
DIRECTIONS = 8
DIGITS = 4_000
GREYS = 16
MEASURED = 1_000  # samples, and test digits, whose nearest training digit is looked up


def encode(content: bytes) -> str:
    """Bytes as text that a script can hold."""
    return base64.b64encode(content).decode("ascii")


def to_greys(images: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Images in [-1, 1] as greys from 0 to 15, one row an image."""
    greys = np.rint((images.reshape(len(images), -1) + 1) / 2 * (GREYS - 1))
    return np.asarray(greys.astype(np.uint8))


def pack_digits(greys: npt.NDArray[np.uint8]) -> bytes:
    """Greys, two pixels a byte (the first in the upper half), compressed by zlib."""
    pairs = greys.reshape(-1, 2)
    return zlib.compress((pairs[:, 0] << 4 | pairs[:, 1]).tobytes(), 9)


def find_directions(
    generator: Any, samples: int = 300, step: float = 0.05
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The directions of latent space in which the picture changes most, on average.

    With J the matrix of derivatives of all pixels by the latent vector, a small step s changes the
    picture by J s, whose squared length is s' J'J s. The directions are the eigenvectors of J'J,
    averaged over latent vectors and classes; J comes from central differences.

    Args:
        generator: A conditional generator.
        samples: Latent vectors to average over, drawn with seed 0; the classes take turns.
        step: Length of a step to either side.

    Returns:
        The directions (latent_dim, latent_dim), one a row and of length 1, the strongest first,
        and the share of the change that is each one's, (latent_dim,).

    Raises:
        ValueError: the generator takes no labels.
    """
    classes = networks.count_classes(generator)
    if classes is None:
        raise ValueError(f"{generator.name!r} is no conditional generator of ours")
    size = generator.inputs[0].shape[-1]
    z = np.random.default_rng(0).standard_normal((samples, size))
    labels = np.arange(samples) % classes

    def pixels(latents: npt.NDArray[np.float64]) -> Any:
        return sampling.render(generator, latents, labels).reshape(samples, -1).astype(np.float64)

    moves = step * np.eye(size)
    change = [(pixels(z + move) - pixels(z - move)) / (2 * step) for move in moves]
    product = np.einsum("inp,jnp->ij", change, change) / samples
    values, vectors = np.linalg.eigh(product)
    directions = vectors.T[::-1]
    # An eigenvector's sign means nothing: its largest number shall be positive.
    largest = np.take_along_axis(directions, np.abs(directions).argmax(1)[:, None], axis=1)
    return directions * np.sign(largest), values[::-1] / values.sum()


def distances(generator: Any, greys: npt.NDArray[np.uint8]) -> dict[str, float]:
    """How far the nearest shipped training digit is, and the nearest of all; medians in pixels.

    Args:
        generator: A conditional generator.
        greys: What ships, (n, 784).

    Returns:
        Four medians, by what is looked at and where the nearest one is looked for.
    """
    data = load_mnist()
    shipped = (greys / ((GREYS - 1) / 2) - 1).reshape(-1, *data.x_train.shape[1:])
    looked_at = {
        "samples": sampling.sample(generator, MEASURED, seed=1),
        "test": data.x_test[:MEASURED],
    }
    return {
        f"{name}_{where}": round(
            float(np.median(metrics.nearest_training_images(images, pool).distances)), 1
        )
        for name, images in looked_at.items()
        for where, pool in (("shipped", shipped), ("all", data.x_train))
    }


def collect() -> dict[str, Any]:
    """What the explorer loads."""
    generator = load(NAME)
    data = load_mnist()
    weights = [weight.numpy().astype(np.float16) for weight in generator.weights]
    directions, shares = find_directions(generator)
    greys = to_greys(data.x_train[:DIGITS])
    norm = next(layer for layer in generator.layers if layer.name == "batch_norm_1")
    leaky = next(layer for layer in generator.layers if layer.name == "leaky_relu_1")
    training = pretrained.record(NAME)["training"]
    return {
        "name": NAME,
        "training": {key: training[key] for key in ("command", "seed", "steps")},
        "latent": generator.inputs[0].shape[-1],
        "classes": networks.count_classes(generator),
        "side": data.x_train.shape[1],
        "epsilon": norm.epsilon,
        "slope": leaky.negative_slope,
        "shapes": [list(weight.shape) for weight in weights],
        "paths": [weight.path for weight in generator.weights],
        "weights": encode(b"".join(weight.astype("<f2").tobytes() for weight in weights)),
        "directions": [
            [round(float(value), 6) for value in row] for row in directions[:DIRECTIONS]
        ],
        "shares": [round(float(share), 4) for share in shares[:DIRECTIONS]],
        "labels": "".join(str(label) for label in data.y_train[:DIGITS]),
        "digits": encode(pack_digits(greys)),
        "medians": distances(generator, greys),
    }


def export(path: Path = PATH) -> dict[str, Any]:
    """Writes the script, whole or not at all.

    Args:
        path: The file; its folder is made if need be.

    Returns:
        What is in it.
    """
    made = collect()
    text = json.dumps(made, separators=(",", ":"))
    write_text(path, f"self.gantutPlay.explorerData = {text};\n")
    return made


if __name__ == "__main__":
    found = export()
    print(f"{PATH}: {PATH.stat().st_size:,} bytes; medians {found['medians']}")
