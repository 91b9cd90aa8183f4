"""Measurements behind the chapter on tools and outlook: the shipped generator, quantised.

The generator ``fast`` is exported as a LiteRT file in four ways. From the same latent vectors,
10,000 per seed, Keras and each file make images; recorded are their Frechet distance as a multiple
of the floor, how far they are from Keras' and how often a judge reads the same digit in both. Then
each makes single images, in turns, so that what else the machine does falls on all alike.
"""

import functools
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from lib.recording import main

from gantut import export, judge, metrics, pretrained
from gantut.evaluation import frechet_floor, quick_frechet

SAMPLES, TURNS, CALLS = 10_000, 60, 20

Makers = dict[str, Callable[[Any], Any]]


def makers(folder: Path) -> tuple[Makers, dict[str, int]]:
    """The ways to make images, and what their weights or files weigh."""
    generator = pretrained.load("fast")
    compiled = tf.function(lambda z: generator(z, training=False), reduce_retracing=True)
    ways: Makers = {"keras": lambda z: compiled(tf.constant(z)).numpy()}
    sizes = {"keras": 4 * generator.count_params()}
    for way in export.QUANTISATIONS:
        path = export.export_litert(generator, folder / f"{way}.tflite", way)
        ways[way] = export.LiteRTGenerator(path)
        sizes[way] = path.stat().st_size
    return ways, sizes


def agreement(images: Any, wanted: Any, reads: Any) -> dict[str, Any]:
    """How far images are from those of Keras, and whether the judge reads the same digits."""
    answers = judge.probabilities(images)
    return {
        "frechet_ratio": quick_frechet(images) / frechet_floor(),
        "root_mean_square": float(np.sqrt(np.mean((images - wanted) ** 2))),
        "largest": float(np.abs(images - wanted).max()),
        "psnr": float(np.mean(metrics.psnr(images, wanted))) if images is not wanted else None,
        "same_digit": float(np.mean(answers.argmax(axis=1) == reads)),
    }


def quality(ways: Makers, sizes: dict[str, int], seed: int) -> Iterator[dict[str, Any]]:
    """One seed: the same latent vectors through each."""
    z = np.random.default_rng(seed).standard_normal((SAMPLES, 64), dtype=np.float32)
    wanted = np.concatenate([ways["keras"](part) for part in np.split(z, 20)])
    reads = judge.probabilities(wanted).argmax(axis=1)
    for way, make in ways.items():
        images = wanted if way == "keras" else make(z)
        yield {"way": way, "bytes": sizes[way], **agreement(images, wanted, reads)}


def seconds(ways: Makers, seed: int) -> Iterator[dict[str, Any]]:
    """Processor seconds of a single image, the median of turns."""
    z = np.random.default_rng(seed).standard_normal((1, 64), dtype=np.float32)
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for way in ways:
        ways[way](z)
    for _ in range(TURNS):
        for way, make in ways.items():
            begin = time.process_time()
            for _ in range(CALLS):
                make(z)
            taken[way].append((time.process_time() - begin) / CALLS)
    for way, each in taken.items():
        yield {"way": way, "seconds": float(np.median(each))}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        made = functools.cache(lambda: makers(Path(folder)))
        main(
            __doc__,
            {
                "quality": lambda seed: quality(*made(), seed),
                "seconds": lambda seed: seconds(made()[0], seed),
            },
            {"seed": (0, 1, 2, 3, 4)},
            samples=SAMPLES,
        )
