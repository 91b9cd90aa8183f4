"""Seconds and peak memory of the metrics against the number of samples, and of importing them.

    python benchmarks/growth.py                # writes benchmarks/results/growth.json

Each measurement is a process of its own, so that its peak memory is its own. The features are as
the judge gives them: 64 non-negative numbers a sample. No measurement imports TensorFlow.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from gantut import metrics
from gantut._io import environment, write_json

FEATURES = 64
SIZES = ((1_000, 1_000), (2_000, 2_000), (5_000, 5_000), (10_000, 10_000), (50_000, 10_000))
METRICS = {
    "frechet": metrics.frechet_distance,
    "kernel": metrics.kernel_distance,
    "neighbours": metrics.manifold_metrics,
}


def features(n: int, seed: int) -> np.ndarray:
    """Features as those of the judge: float32 (n, 64), none below 0."""
    rng = np.random.default_rng(seed)
    return np.maximum(rng.normal(0.3, 1.0, (n, FEATURES)), 0).astype(np.float32)


def measure(metric: str, n: int, m: int) -> dict[str, float]:
    """One evaluation in this process.

    Args:
        metric: A key of ``METRICS``.
        n: Samples of the one set.
        m: Samples of the other.

    Returns:
        CPU seconds, the peak of the process's memory, and what it was before, in MiB.
    """
    a, b = features(n, 0), features(m, 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = time.process_time()
    METRICS[metric](a, b)
    return {
        "cpu_seconds": round(time.process_time() - began, 3),
        "peak_mebibytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "before_mebibytes": round(before, 1),
    }


def apart(*arguments: str) -> str:
    """What Python prints, run with these arguments on one core."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True, env=environment
    ).stdout


def import_seconds(module: str, repeats: int = 5) -> dict[str, float]:
    """Medians over new processes of the seconds that an import takes, by the clock and the CPU."""
    program = (
        "import sys, time; a, b = time.perf_counter(), time.process_time(); "
        f"import {module}; print(time.perf_counter() - a, time.process_time() - b); "
        "assert 'tensorflow' not in sys.modules"
    )
    runs = [[float(v) for v in apart("-c", program).split()] for _ in range(repeats)]
    wall, busy = (statistics.median(column) for column in zip(*runs, strict=True))
    return {"wall_seconds": round(wall, 3), "cpu_seconds": round(busy, 3)}


def main() -> None:
    """Measures all, and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=3, metavar=("METRIC", "N", "M"), help="print one")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).with_name("results") / "growth.json"
    )
    options = parser.parse_args()
    if options.one:
        metric, n, m = options.one
        print(json.dumps(measure(metric, int(n), int(m))))
        return
    rows = []
    for metric in METRICS:
        for n, m in SIZES:
            found = json.loads(apart(__file__, "--one", metric, str(n), str(m)))
            rows.append({"metric": metric, "n": n, "m": m, **found})
            print(rows[-1], flush=True)
    record = {
        "command": "python benchmarks/growth.py",
        "features": FEATURES,
        "imports": {name: import_seconds(name) for name in ("gantut", "gantut.metrics")},
        "rows": rows,
        "environment": environment(),
    }
    write_json(options.out, record)


if __name__ == "__main__":
    main()
