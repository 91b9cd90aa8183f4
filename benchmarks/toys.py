"""How many modes of the ring and the grid each method finds, over ten seeds.

    python benchmarks/toys.py --only ring --methods steady "unrolled, slow D"

The protocol of PacGAN (Lin et al. 2018, section 4.1): 100,000 points of data, and of each trained
generator 2,500 samples, which count when they lie within three standard deviations of the nearest
mode. All seeds of a row are members of one network.
"""

import dataclasses
import functools
import shlex
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from lib.recording import main

from gantut import data, toys
from gantut._files import environment
from gantut.metrics import mode_coverage
from gantut.results import mean_and_error

SAMPLES = 2_500
SEEDS = range(10)
MEMBERS = 5  # seeds trained side by side
MIXTURES = {"ring": data.ring_mixture(), "grid": data.grid_mixture()}
# Run only where asked for, as it is long.
SLOW_D = dataclasses.replace(
    toys.METHODS["unrolled"],
    name="unrolled, slow D",
    summary="unrolled, with a tenth of G's rate for D, as in its authors' notebook",
    d_learning_rate=toys.METHODS["unrolled"].g_learning_rate / 10,
)
SHORT = ("plain", "steady")
STEPS = {"ring": 12_000, "grid": 18_000}  # of the trainings in the table

# From a row's name to its method and its steps by mixture; no method means points of the mixture.
METHODS: dict[str, tuple[toys.Method | None, Mapping[str, int]]] = {
    "perfect": (None, STEPS),
    **{name: (method, STEPS) for name, method in toys.METHODS.items()},
    **{f"{name}, short": (toys.METHODS[name], toys.SHORT_STEPS) for name in SHORT},
}


def spread(points: np.ndarray, mixture: data.Mixture) -> float:
    """The deviation of counted samples from their mode's centre, in its standard deviations.

    The protocol does not look at it: a generator that puts all of a mode into one point scores
    better than the truth. A perfect sampler has 0.974, because it is cut off at three.
    """
    distance = np.linalg.norm(points[:, None] - mixture.centres, axis=2).min(axis=1)
    counted = distance[distance < 3 * mixture.sigma] / mixture.sigma
    return float(np.sqrt(np.mean(counted**2) / 2))


def summarise(samples: list[np.ndarray], mixture: data.Mixture) -> dict[str, Any]:
    """Each number by seed, and its mean and standard error."""
    coverage = [mode_coverage(points, mixture) for points in samples]
    columns = {
        "modes": [c.modes for c in coverage],
        "high_quality": [c.high_quality for c in coverage],
        "reverse_kl": [c.reverse_kl for c in coverage],
        "spread": [spread(points, mixture) for points in samples],
    }
    result: dict[str, Any] = {}
    for name, column in columns.items():
        result[name] = [float(value) for value in column]
        result[f"{name}_mean"], result[f"{name}_error"] = mean_and_error(result[name])
    result["samples"] = SAMPLES
    return result


def settings(method: toys.Method, mixture: data.Mixture) -> dict[str, Any]:
    """The method's fields as JSON can hold them."""
    values = {field.name: getattr(method, field.name) for field in dataclasses.fields(method)}
    del values["steps"]  # The row has its own.
    progress = (0.0, 0.25, 0.5, 0.75, 1.0)
    values["schedule"] = [round(method.schedule(p), 4) for p in progress]
    values["penalties"] = dict(method.penalties)
    values["scale"] = toys.deviation(mixture) if method.standardise else 1.0
    return values


def rows(mixture_name: str, name: str) -> Iterator[dict[str, Any]]:
    """Trains and judges one row."""
    method, steps_by_mixture = {**METHODS, SLOW_D.name: (SLOW_D, STEPS)}[name]
    mixture, steps = MIXTURES[mixture_name], steps_by_mixture[mixture_name]
    row: dict[str, Any] = {
        "command": shlex.join(["python", *sys.argv]),
        "environment": environment(),
    }
    if method is None:
        samples = [data.sample_mixture(mixture, SAMPLES, seed=10_000 + seed) for seed in SEEDS]
        yield row | summarise(samples, mixture)
        return
    runs = [
        toys.train(method, mixture, members=MEMBERS, seed=first, steps=steps)
        for first in SEEDS[::MEMBERS]
    ]
    yield {
        **row,
        **summarise([points for run in runs for points in run.samples(SAMPLES)], mixture),
        "summary": method.summary,
        "steps": steps,
        "settings": settings(method, mixture),
        "seconds_per_run": sum(run.seconds for run in runs) / len(SEEDS),
        "cpu_seconds_per_run": sum(run.cpu_seconds for run in runs) / len(SEEDS),
    }


if __name__ == "__main__":
    main(
        __doc__,
        {mixture: functools.partial(rows, mixture) for mixture in MIXTURES},
        {"method": [*METHODS]},
        group="mixture",
        seeds=[*SEEDS],
        samples=SAMPLES,
    )
