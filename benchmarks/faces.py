"""Measurements behind the chapter on faces.

The 100 faces of scikit-image in five folds; each face is held out once. A fold is also the seed of
its trainings and samples.

- ``floor``: the Frechet distance of the training faces and their mirror images, in random order,
  to the held-out ones.
- ``folds``: GANs without and with DiffAugment, eigenfaces and jittered copies of the training
  faces, 640 samples of each beside the 20 held-out faces.
- ``blends``: two kinds of blends of two jittered copies, measured alike.
- ``long``: the GANs for 3,000 steps instead of 1,200.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from lib.recording import main, timed

from gantut.applications import faces, rivals

SAMPLES = 640
LONG_STEPS = 3_000
GANS: dict[str, str] = {"GAN": "", "GAN, DiffAugment": faces.POLICY}
Draw = Callable[[Any, int], Any]
RIVALS: dict[str, Draw] = {
    "jittered copies": lambda train, seed: rivals.jittered_copies(train, SAMPLES, seed),
    "eigenfaces": lambda train, seed: faces.Eigenfaces(faces.with_mirrors(train)).sample(
        SAMPLES, seed
    ),
    "40 eigenfaces": lambda train, seed: faces.Eigenfaces(faces.with_mirrors(train), 40).sample(
        SAMPLES, seed
    ),
}
BLENDS: dict[str, Draw] = {
    f"{kind} of two": lambda train, seed, kind=kind: rivals.blends(train, SAMPLES, seed, kind=kind)
    for kind in ("halves", "mean")
}


def gan_row(fold: int, method: str, steps: int | None = None) -> dict[str, Any]:
    """Trains a GAN on a fold and measures it."""
    train, holdout = faces.split(faces.load_faces(), fold)
    run = faces.train(train, holdout, augment=GANS[method], steps=steps, seed=fold)
    made = run.sample(SAMPLES, seed=fold)
    names = ("train", "holdout", "samples")
    known, unknown, fake = (np.mean(run.curves[name][-5:]) for name in names)
    return {
        "method": method,
        "steps": run.curves["step"][-1],
        "cpu_seconds": run.cpu_seconds,
        # The share of D's lead, training faces' mean logit over samples', that others lack.
        "by_heart": float((known - unknown) / (known - fake)),
        "membership": run.membership,
        "curves": run.curves,
        **faces.measure(made, train, holdout, faces.load_non_faces())._asdict(),
    }


def floor_rows(fold: int) -> Iterator[dict[str, Any]]:
    """What the training faces themselves score."""
    train, holdout = faces.split(faces.load_faces(), fold)
    real = np.random.default_rng(fold).permutation(faces.with_mirrors(train))
    found = faces.frechet(real, train, holdout)
    yield {"method": "training faces", "frechet": found, "cpu_seconds": 0.0}


def rival_rows(fold: int, methods: Mapping[str, Draw]) -> Iterator[dict[str, Any]]:
    """What needs no network, one fold held out."""
    train, holdout = faces.split(faces.load_faces(), fold)
    for method, draw in methods.items():
        made, cpu_seconds = timed(draw, train, fold)
        found = faces.measure(made, train, holdout, faces.load_non_faces())
        yield {"method": method, "cpu_seconds": cpu_seconds, **found._asdict()}


def fold_rows(fold: int) -> Iterator[dict[str, Any]]:
    """GANs and their rivals, one fold held out."""
    yield from rival_rows(fold, RIVALS)
    for method in GANS:
        yield gan_row(fold, method)


def long_rows(fold: int) -> Iterator[dict[str, Any]]:
    """The GANs for longer, one fold held out."""
    for method in GANS:
        yield gan_row(fold, method, LONG_STEPS)


if __name__ == "__main__":
    folds = list(range(faces.FOLDS))
    main(
        __doc__,
        {
            "floor": floor_rows,
            "folds": fold_rows,
            "blends": partial(rival_rows, methods=BLENDS),
            "long": long_rows,
        },
        {"fold": folds},
        seeds=folds,
        samples=SAMPLES,
    )
