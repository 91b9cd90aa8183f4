"""Measurements behind the chapter on faces with known attributes.

A seed fixes the faces that are shown, the training and the samples.

- ``edits``: four attributes of the samples of the GAN of 1,000 faces, edited in latent space and in
  pixels.
- ``faces``: GANs that learned from 1,000, 100 and 5,000 faces, halves and means of two training
  faces, and attributes drawn one by one, 4,000 samples of each.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from lib.recording import main

from gantut import recipes
from gantut.applications import attributes

STEPS = 2_000
SAMPLES = 4_000
SHOWN = (1_000, 100, 5_000)


@cache
def train(shown: int, seed: int) -> Any:
    """The GAN of so many faces."""
    rows, _ = attributes.split(shown, seed)
    return recipes.train("fast", attributes.possible().images[rows], steps=STEPS, seed=seed)


def face_rows(shown: int, seed: int) -> Iterator[dict[str, Any]]:
    """The GAN and what needs no network, measured alike."""
    rows, holdout = attributes.split(shown, seed)
    images, codes = (array[rows] for array in attributes.possible())
    run = train(shown, seed)
    some = np.random.default_rng(seed).integers(shown, size=(2, SAMPLES))
    made = {
        "GAN": run.gan.sample(SAMPLES, seed=seed),
        "halves of two": attributes.halves(images, SAMPLES, seed),
        "mean of two": (images[some[0]] + images[some[1]]) / 2,
        "attributes one by one": attributes.shuffled(codes, SAMPLES, seed),
    }
    for method, samples in made.items():
        seconds = {"cpu_seconds": run.cpu_seconds} if method == "GAN" else {}
        found = attributes.measure(samples, rows, holdout)
        yield {"method": method, **found._asdict(), **seconds}


def edit_rows(shown: int, seed: int) -> Iterator[dict[str, Any]]:
    """Each edit by both ways."""
    generator = train(shown, seed).gan.ema_generator
    for name in attributes.EDITS:
        for way, found in attributes.edits(generator, name, seed).items():
            yield {"edit": name, "way": way, **found._asdict()}


if __name__ == "__main__":
    main(
        __doc__,
        {"edits": edit_rows, "faces": face_rows},
        {"shown": {"edits": (1_000,), "faces": SHOWN}, "seed": (0, 1, 2)},
        steps=STEPS,
        samples=SAMPLES,
    )
