"""Hashes short trainings, so that a change of structure can be shown to change no bit.

Each training runs some 24 steps on noise; what is printed are hashes of all its variables, of its
samples and of its history. The bits belong to a machine and its versions, so no golden file is
kept: record them before a change and compare after it, on the same machine. ::

    python tools/hash_trainings.py --write before.json
    python tools/hash_trainings.py --against before.json
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

STEPS = 24
SEED = 3


def noise(*shape: int, seed: int = SEED) -> Any:
    """Uniform float32 in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1.0, 1.0, shape).astype(np.float32)


def digest(arrays: Iterable[Any]) -> str:
    """A hash of arrays, their dtypes and shapes, in their order."""
    total = hashlib.blake2b(digest_size=12)
    for array in arrays:
        array = np.ascontiguousarray(array)
        total.update(f"{array.dtype.str}{array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def of_run(run: Any) -> dict[str, str]:
    """The hashes of a finished training of a GAN or a VAE."""
    history = {k: v for k, v in run.history.items() if k != "seconds"}
    made = {} if not hasattr(run.gan, "sample") else {"samples": digest([draw(run.gan)])}
    return {
        "variables": digest(v.numpy() for v in run.gan.state().values()),
        "history": digest(np.asarray(history[k], np.float64) for k in sorted(history)),
        **made,
    }


def draw(gan: Any) -> Any:
    """Some samples of a generator, or nothing where it takes more than a latent vector."""
    try:
        return gan.sample(8, seed=1)
    except Exception:  # one that redraws images, or writes
        return np.zeros(0)


def of_networks(*networks: Any) -> dict[str, str]:
    """The hash of all variables of networks that were trained outside a recipe."""
    return {"variables": digest(v.numpy() for net in networks for v in net.variables)}


def trainings() -> dict[str, Callable[[], dict[str, str]]]:
    """The trainings by name."""
    from gantut import data, recipes, toys
    from gantut.applications import (
        anomaly,
        augmentation,
        conditional,
        faces,
        image_to_image,
        motion,
        sound,
        summaries,
        tabular,
        text,
        translation,
    )

    x, targets = noise(300, 28, 28, 1), noise(300, 28, 28, 1, seed=1)
    y = np.arange(300) % 10
    found: dict[str, Callable[[], dict[str, str]]] = {}

    def add(
        name: str, of: Callable[[Any], dict[str, str]], train: Any, *args: Any, **options: Any
    ) -> None:
        found[name] = lambda: of(train(*args, **{"seed": SEED, "steps": STEPS, **options}))

    for name in recipes.RECIPES:
        few = {"steps": 2} if name == "tutorial_dcgan" else {}
        add(f"recipe {name}", of_run, recipes.train, name, x, y, history_every=5, **few)
    fast: Any = recipes.get("fast")
    changes: dict[str, dict[str, Any]] = {
        "d_steps": {"d_steps": 3},
        "unrolled": {"unroll_steps": 2, "steps_per_execution": 4},
        "simultaneous": {"simultaneous": True},
        "wgan_gp": {"penalties": {"wgan_gp": 10.0}, "loss": "wasserstein", "penalty_every": 1},
        "real_label": {"real_label": 0.9, "loss": "non_saturating"},
    }
    for key, settings in changes.items():
        changed = replace(fast, **settings)
        add(f"fast, {key}", of_run, recipes.train, changed, x, history_every=5)
    added: dict[str, dict[str, Any]] = {
        "diff_augment": {"diff_augment": "color,translation,cutout"},
        "instance_noise": {"instance_noise": 0.2},
        "spectral": {"spectral_norm": True},
        "packing": {"packing": 2},
        "minibatch": {"minibatch_stddev": 4},
    }
    for key, settings in added.items():
        changed = recipes.stabilise("dcgan", **settings)
        add(f"dcgan, {key}", of_run, recipes.train, changed, x, history_every=5)
    for name in toys.METHODS:
        add(f"toy {name}", of_toy, toys.train, name, data.ring_mixture(), members=2, steps=100)
    found["batches"] = lambda: {
        "order": digest(
            part.numpy()
            for batch in recipes.batches(x, y, batch_size=64, seed=SEED, skip=3).take(7)
            for part in batch
        )
    }
    # The applications' models.
    add("anomaly", of_detector, anomaly.train, x, encoder_steps=25)
    add("anomaly autoencoder", of_detector, anomaly.train_autoencoder, x)
    add("augmentation", of_images, augmentation.gan_samples, x, y, per_class=2)
    found["conditional classifier"] = lambda: of_classifier(conditional, x, y)
    pictures = noise(40, 24, 24, 1), noise(8, 24, 24, 1, seed=1)
    add("faces", of_run, faces.train, *pictures, steps=50)
    add("faces, augmented", of_run, faces.train, *pictures, augment="translation", steps=50)
    redraw = image_to_image.train
    add("image to image", of_run, redraw, x, targets, steps=20)
    add("image to image, restyler", of_run, redraw, x, targets, "restyler", steps=20)
    add("translation, letters", of_run, translation.train, x, targets, "letters", steps=10)
    tiles = noise(30, 16, 16, 3), noise(30, 16, 16, 3, seed=1)
    add("translation, painting", of_run, translation.train, *tiles, "painting", steps=10)
    for method in ("split", "plain"):
        add(f"motion {method}", of_run, motion.train, noise(100, 20, 20, 8), method, steps=20)
    singing = sound.sounds(150, seed=SEED)
    for method in ("wave", "spectrogram"):
        add(f"sound {method}", of_run, sound.train, singing, method, steps=20)
    table = records(), list(tabular.KINDS)
    for method in tabular.METHODS:
        add(f"tabular {method}", of_run, tabular.train, *table, method, steps=50)
    dates = text.dates()
    for method in text.METHODS:
        add(f"text {method}", of_run, text.train, dates, method, steps=25)
    add("text policy, pretrained", of_run, text.train, dates, "policy", pretraining=25, steps=25)
    news = summaries.news(200, seed=SEED)
    add("summaries tagger", of_marker, summaries.train_tagger, news)
    add("summaries adversarial", of_marker, summaries.train, news)
    return found


def of_images(made: Any) -> dict[str, str]:
    """The hash of the images that a function returned."""
    return {"images": digest([made.images])}


def of_marker(run: Any) -> dict[str, str]:
    """The hash of a summariser's network."""
    return of_networks(run.marker)


def of_toy(run: Any) -> dict[str, str]:
    """The hashes of a training on points."""
    return of_run(run) | {"samples": digest([run.samples(50, seed=1)])}


def of_detector(detector: Any) -> dict[str, str]:
    """The hash of a detector's scores and weights."""
    images = noise(20, 28, 28, 1, seed=2)
    return {"scores": digest([detector.residuals(images)])}


def of_classifier(conditional: Any, x: Any, y: Any) -> dict[str, str]:
    """The hash of a classifier that was trained on samples' stand-ins."""
    from gantut import recipes

    batches = recipes.batches(x, y, batch_size=64, seed=SEED)
    trained = conditional.train_classifier(batches, (28, 28, 1), 10, steps=STEPS, seed=SEED)
    return of_networks(trained.classify.args[0].func)


def records() -> Any:
    """A table of three kinds of column."""
    rng = np.random.default_rng(SEED)
    return np.column_stack(
        [rng.normal(size=400), rng.integers(0, 50, 400), rng.integers(0, 3, 400)]
    ).astype(np.float64)


def main() -> None:
    """Prints the hashes, and compares them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path, help="a file to keep the hashes in")
    parser.add_argument("--against", type=Path, help="a file of hashes to compare with")
    parser.add_argument("--only", default="", help="part of the names of the trainings to run")
    options = parser.parse_args()
    found, differing = {}, []
    before = {} if options.against is None else json.loads(options.against.read_text("utf-8"))
    for name, training in trainings().items():
        if options.only not in name:
            continue
        found[name] = training()
        mark = ""
        if options.against is not None:
            known = before.get(name)
            wrong = [k for k, v in found[name].items() if known is None or known.get(k) != v]
            differing += [f"{name}: {k}" for k in wrong]
            mark = f"  DIFFERS: {', '.join(wrong)}" if wrong else "  same"
        print(f"{name:<28} {' '.join(found[name].values())}{mark}", flush=True)
    if options.write is not None:
        options.write.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if differing:
        sys.exit(f"{len(differing)} differ: {'; '.join(differing)}")


if __name__ == "__main__":
    main()
