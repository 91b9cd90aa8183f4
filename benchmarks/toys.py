"""How many modes of the ring and the grid each method finds, over ten seeds or more.

    python benchmarks/toys.py
    python benchmarks/toys.py --rows steady "steady, leaky G" --mixtures ring

The protocol of PacGAN (Lin et al. 2018, section 4.1): 100,000 points of data, and of each trained
generator 2,500 samples, which count when they lie within three standard deviations of the nearest
mode. One thread; all seeds of a row are members of one network. Writes
benchmarks/results/toys.json after each row; rows that are not asked for stay as they are there.
"""

import argparse
import dataclasses
import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from gantut import data, toys
from gantut._files import environment, write_json
from gantut.metrics import mode_coverage
from gantut.results import mean_and_error

RESULT = Path(__file__).parent / "results" / "toys.json"
SAMPLES = 2_500
MIXTURES = {"ring": data.ring_mixture(), "grid": data.grid_mixture()}
STEADY = toys.METHODS["steady"]


def _without(name: str, summary: str, **changes: Any) -> toys.Method:
    return dataclasses.replace(STEADY, name=name, summary=summary, **changes)


# The same as "steady", or the method named, but for one choice; run only where asked for.
ABLATIONS = (
    _without("steady, plain loss", "the non-saturating loss instead", loss="non_saturating"),
    _without("steady, leaky G", "LeakyReLU(0.2) in G instead of ReLU", activation="leaky_relu"),
    _without("steady, raw points", "D sees points in their own units", standardise=False),
    dataclasses.replace(
        toys.METHODS["unrolled"],
        name="unrolled, slow D",
        summary="unrolled, with a tenth of G's rate for D, as in its paper",
        d_learning_rate=toys.METHODS["unrolled"].g_learning_rate / 10,
    ),
)
SHORT = ("plain", "steady")


def rows() -> dict[str, tuple[toys.Method | None, Mapping[str, int]]]:
    """From a row's name to its method and its steps by mixture.

    No method means points of the mixture itself.
    """
    table: dict[str, tuple[toys.Method | None, Mapping[str, int]]] = {"perfect": (None, toys.STEPS)}
    table |= {name: (method, toys.STEPS) for name, method in toys.METHODS.items()}
    table |= {f"{name}, short": (toys.METHODS[name], toys.SHORT_STEPS) for name in SHORT}
    table |= {method.name: (method, toys.STEPS) for method in ABLATIONS}
    return table


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


def measure(
    method: toys.Method | None,
    mixture: data.Mixture,
    steps: int,
    seeds: list[int],
    members: int,
) -> dict[str, Any]:
    """Trains and judges one row."""
    samples: list[np.ndarray] = []
    if method is None:
        samples = [data.sample_mixture(mixture, SAMPLES, seed=10_000 + seed) for seed in seeds]
        return summarise(samples, mixture)
    wall = busy = 0.0
    for first in range(seeds[0], seeds[-1] + 1, members):
        count = min(members, seeds[-1] + 1 - first)
        run = toys.train(method, mixture, members=count, seed=first, steps=steps)
        samples += list(run.samples(SAMPLES))
        for seed, points in zip(run.seeds, samples[-count:], strict=True):
            found = mode_coverage(points, mixture)
            print(
                f"    seed {seed}: {found.modes} modes, {found.high_quality:.2%}, "
                f"{found.reverse_kl:.4f}, spread {spread(points, mixture):.2f}",
                flush=True,
            )
        wall += run.seconds
        busy += run.cpu_seconds
    return {
        **summarise(samples, mixture),
        "summary": method.summary,
        "steps": steps,
        "settings": settings(method, mixture),
        "seconds_per_run": wall / len(seeds),
        "cpu_seconds_per_run": busy / len(seeds),
    }


def recorded(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of a file, by mixture and method; none if there is no file."""
    if not path.exists():
        return {}
    old = json.loads(path.read_text(encoding="utf-8"))
    return {(row["mixture"], row["method"]): row for row in old["rows"]}


def main() -> None:
    """Runs the rows asked for, and writes the table after each."""
    known = rows()
    table = [name for name in known if name not in {method.name for method in ABLATIONS}]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", default=table, choices=list(known))
    parser.add_argument("--mixtures", nargs="+", default=list(MIXTURES), choices=list(MIXTURES))
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds, from 0")
    parser.add_argument("--members", type=int, default=5, help="seeds trained side by side")
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    if arguments.seeds < 2 or arguments.members < 1:
        parser.error("wanted at least 2 seeds and 1 member")

    import tensorflow as tf

    # A second thread would wait more than it works at this size.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for name in arguments.rows:
        method, steps = known[name]
        for mixture in arguments.mixtures:
            row = measure(
                method,
                MIXTURES[mixture],
                steps[mixture],
                list(range(arguments.seeds)),
                arguments.members,
            )
            done = recorded(arguments.out)  # Read now: another process may add rows meanwhile.
            done[mixture, name] = {
                "mixture": mixture,
                "method": name,
                "command": shlex.join(["python", *sys.argv]),
                "environment": environment(),
                **row,
            }
            print(
                f"{mixture}, {name}: {row['modes_mean']:.1f} modes (fewest {min(row['modes']):.0f})"
                f", high quality {row['high_quality_mean']:.2%} (least "
                f"{min(row['high_quality']):.2%}), reverse KL {row['reverse_kl_mean']:.4f} (most "
                f"{max(row['reverse_kl']):.4f}), {row.get('cpu_seconds_per_run', 0.0):.1f} CPU "
                "seconds a run",
                flush=True,
            )
            order = [(m, n) for m in MIXTURES for n in known if (m, n) in done]
            write_json(
                arguments.out,
                {
                    "command": "python benchmarks/toys.py",
                    "environment": environment(),
                    "seeds": list(range(arguments.seeds)),
                    "samples": SAMPLES,
                    "rows": [done[key] for key in order],
                },
            )


if __name__ == "__main__":
    main()
