"""The images of a run: those that were named, and its samples beside them."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gantut import data, evaluation, judge, networks
from gantut._files import write_json
from gantut._keras import keras
from gantut.data import Float32
from gantut.recipes.batches import fingerprint
from gantut.runs.folder import UsageError, user_input
from gantut.sampling import sample

NAMES = ("mnist", "fashion_mnist")  # the data that is had by name


class Images(NamedTuple):
    """Training images, what goes with them, and MNIST or Fashion-MNIST as a whole.

    ``name`` is the data's own or the path of a file or folder, ``size`` what was asked of that,
    ``classes`` the names of the labels ``y`` if they have some.
    """

    name: str
    size: int | tuple[int, int] | None
    x: Float32
    y: Any
    whole: data.ImageData | None
    summary: str
    classes: tuple[str, ...] = ()

    def identity(self) -> dict[str, Any]:
        """What tells these training images from others, wherever they lie."""
        return {
            "images": len(self.x),
            "image_shape": list(self.x.shape[1:]),
            "fingerprint": fingerprint(self.x, None),
        }


def load_data(name: str, size: int | tuple[int, int] | None = None) -> Images:
    """The images that ``--data`` and ``--size`` name."""
    with user_input():
        if name in NAMES:
            if size is not None:
                raise ValueError(f"--size is for your own images; those of {name} are 28 x 28")
            whole = data.load_mnist() if name == "mnist" else data.load_fashion_mnist()
            found = data.OwnImages(whole.x_train)
            return Images(name, size, whole.x_train, whole.y_train, whole, found.summary())
        if not Path(name).exists():
            raise ValueError(
                "--data: wanted mnist, fashion_mnist, a folder of images, an npz or an npy file, "
                f"got {name!r}, and there is no such file"
            )
        found = data.read_images(name, size)
        path = str(Path(name).resolve())
        x, y, classes, _ = found
        return Images(path, size, x, y, None, found.summary(), classes)


def load_data_again(record: Mapping[str, Any], folder: Path, other: str | None = None) -> Images:
    """The images to measure the run of a folder with: others, or those it was trained on."""
    name = other or record.get("data", "mnist")
    images = load_data(name, None if name in NAMES else record.get("size"))
    changed = any(record.get(key, value) != value for key, value in images.identity().items())
    if changed and other is None:
        raise UsageError(
            f"{name!r} holds other images than {str(folder)!r} was trained on: now "
            f"{images.summary}, then {record.get('images')} of shape {record.get('image_shape')}; "
            f"to measure with them all the same: --data {name}"
        )
    return images


def measure(generator: keras.Model, images: Images, n: int, seed: int, folder: Path) -> None:
    """Measures ``n`` samples of a generator, prints what comes out and writes ``metrics.json``.

    Samples of stacked digits are counted by their triples; of other stacked images each is judged
    alone.
    """
    made, real = tuple(generator.outputs[0].shape[1:]), images.x.shape[1:]
    if made[:2] != real[:2] or made[2] % real[2]:
        raise UsageError(f"the generator makes images of shape {made}, the data's are {real}")
    digits = images.name == "mnist"
    known = images.whole if digits else data.OwnImages(images.x, images.y)
    if not digits:
        n = min(n, len(images.x))
        if n < evaluation.LEAST:
            print(f"not measured: wanted {evaluation.LEAST} images and samples or more, got {n}")
            return
    labels = None
    if made == real and networks.is_conditional(generator):
        classes = networks.count_classes(generator) or networks.NUM_CLASSES
        labels = np.random.default_rng(seed).integers(classes, size=n)
    with user_input():  # of weights from elsewhere
        drawn = data.check_images(sample(generator, n, labels, seed=seed), name="samples")
    found: dict[str, Any]
    if digits and made != real:
        modes = evaluation.stacked_modes(drawn)
        print(f"{modes.modes} of 1,000 triples of digits; divergence from uniform shares "
              f"{modes.kl:.4f} nats (evenly spread samples: {999 / (2 * n):.4f})")  # fmt: skip
        found = {"modes": modes.modes, "kl": modes.kl}
    else:
        if made != real:
            apart = np.moveaxis(drawn.reshape(n, *real[:2], -1, real[2]), 3, 1)
            drawn = np.ascontiguousarray(apart).reshape(-1, *real)
        with user_input():  # of how many samples
            report = evaluation.evaluate(drawn, data=known, seed=seed)
        print(report)
        found = report.to_dict()
        if labels is not None and (digits or report.class_shares):
            agree = judge.accuracy if digits else partial(evaluation.label_agreement, data=known)
            found["label_agreement"] = agree(drawn, labels)
            print(f"read as the class that was asked for: {found['label_agreement']:.1%}")
    write_json(folder / "metrics.json", {"data": images.name, "samples": n, "seed": seed} | found)
