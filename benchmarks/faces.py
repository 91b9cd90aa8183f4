"""Measurements behind the chapter on faces.

    python benchmarks/faces.py

The 100 faces of scikit-image in five folds; each face is held out once. A fold is also the seed of
its trainings and samples.

- ``floor``: the Frechet distance of the training faces and their mirror images, in random order,
  to the held-out ones.
- ``folds``: GANs without and with DiffAugment, eigenfaces and jittered copies of the training
  faces, 640 samples of each beside the 20 held-out faces.
- ``long``: the GANs for 3,000 steps instead of 1,200, on folds 0 to 2 without and on fold 0 with
  DiffAugment.

All of it runs on one thread. ``--rows`` names experiments to run again, ``--folds`` the folds;
other rows are kept. Writes benchmarks/results/faces.json after each seed.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from recording import RESULTS, Record, use_one_thread

from gantut.applications import faces

RESULT = RESULTS / "faces.json"
SAMPLES = 640
LONG_STEPS = 3_000
LONG_FOLDS = {"GAN": (0, 1, 2), "GAN, DiffAugment": (0,)}
GANS: dict[str, str] = {"GAN": "", "GAN, DiffAugment": faces.POLICY}
RIVALS: dict[str, Callable[[Any, int], Any]] = {
    "jittered copies": lambda train, seed: faces.jittered_copies(train, SAMPLES, seed),
    "eigenfaces": lambda train, seed: faces.Eigenfaces(faces.with_mirrors(train)).sample(
        SAMPLES, seed
    ),
    "40 eigenfaces": lambda train, seed: faces.Eigenfaces(faces.with_mirrors(train), 40).sample(
        SAMPLES, seed
    ),
}


def gan_row(fold: int, method: str, steps: int | None = None) -> dict[str, Any]:
    """Trains a GAN on a fold and measures it."""
    train, holdout = faces.split(faces.load_faces(), fold)
    run = faces.train(train, holdout, augment=GANS[method], steps=steps, seed=fold)
    made = run.sample(SAMPLES, seed=fold)
    return {
        "method": method,
        "fold": fold,
        "steps": run.curves["step"][-1],
        "cpu_seconds": run.cpu_seconds,
        "by_heart": run.by_heart,
        "membership": run.membership,
        "curves": run.curves,
        **faces.measure(made, train, holdout, faces.load_non_faces())._asdict(),
    }


def floor_rows(folds: list[int]) -> Iterator[dict[str, Any]]:
    """What the training faces themselves score."""
    for fold in folds:
        train, holdout = faces.split(faces.load_faces(), fold)
        real = np.random.default_rng(fold).permutation(faces.with_mirrors(train))
        found = faces.frechet(real, train, holdout)
        yield {"method": "training faces", "fold": fold, "frechet": found, "cpu_seconds": 0.0}


def fold_rows(folds: list[int]) -> Iterator[dict[str, Any]]:
    """GANs and their rivals, each fold held out once."""
    for fold in folds:
        train, holdout = faces.split(faces.load_faces(), fold)
        for method, draw in RIVALS.items():
            begin = time.process_time()
            made = draw(train, fold)
            cpu_seconds = time.process_time() - begin
            found = faces.measure(made, train, holdout, faces.load_non_faces())
            yield {"method": method, "fold": fold, "cpu_seconds": cpu_seconds, **found._asdict()}
        for method in GANS:
            yield gan_row(fold, method)


def long_rows(folds: list[int]) -> Iterator[dict[str, Any]]:
    """The GANs for longer, on fewer folds, because of the time it takes."""
    for method, possible in LONG_FOLDS.items():
        for fold in folds:
            if fold in possible:
                yield gan_row(fold, method, LONG_STEPS)


EXPERIMENTS: dict[str, Callable[[list[int]], Iterator[dict[str, Any]]]] = {
    "floor": floor_rows,
    "folds": fold_rows,
    "long": long_rows,
}


def main() -> None:
    """Runs the experiments that were asked for, and writes the file after each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS))
    parser.add_argument("--folds", nargs="+", type=int, default=list(range(faces.FOLDS)))
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    use_one_thread()

    record = Record(arguments.out, seeds=list(range(faces.FOLDS)), samples=SAMPLES)
    for name in arguments.rows:
        for fold in arguments.folds:
            record.put(EXPERIMENTS[name]([fold]), experiment=name, fold=fold)


if __name__ == "__main__":
    main()
