"""Processor seconds and peak memory of training and of measuring, as what they are given grows.

Each point is a process of its own on one thread, which notes its memory before the work and the
highest that it had since (Linux counts both), and the processor seconds of all that it did:

- ``images``, ``width``, ``batch``: the recipe ``fast`` on so many images (60,000 of MNIST, repeated
  or cut off), with so many times the units in each hidden layer, with so many images in a batch.
- ``classes``: the recipe ``conditional_fast`` with made-up labels of so many classes.
- ``frechet``, ``kernel``, ``neighbours``: the metrics of so many made-up samples against 10,000, 64
  non-negative numbers each, as the judge gives them; no TensorFlow in the process.
- ``import``: the seconds until a module can be used, medians over so many processes.

Seconds are the least of several runs, because other work on the machine can only add to them; a
training's are those of a step, from executions of 16 steps without the first, which compiles.
``prepare_seconds`` pass before that.
"""

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

FEATURES = 64
REFERENCES = 10_000
IMAGES = 10_000  # where something else grows
EXECUTIONS = 6  # of a training, of which the least counts: other work can only add to it
METRICS = {
    "frechet": "frechet_distance",
    "kernel": "kernel_distance",
    "neighbours": "manifold_metrics",
}
SAMPLES = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
VALUES: dict[str, tuple[int, ...]] = {
    "images": (10_000, 60_000, 240_000),
    "width": (1, 2, 4),
    "batch": (16, 64, 256, 1024),
    "classes": (10, 100, 1000),
    **dict.fromkeys(METRICS, SAMPLES),
    "import": (5,),
}


class Meter:
    """Processor seconds and memory from the moment that it is made."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
        self.before = self._mebibytes("VmRSS")
        self.began = time.process_time()

    @staticmethod
    def _mebibytes(what: str) -> float:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        (line,) = (line for line in lines if line.startswith(what))
        return int(line.split()[1]) / 1024

    def row(self, seconds: float | None = None) -> dict[str, float]:
        """What was used until now; ``seconds`` stand for those since the beginning."""
        spent = time.process_time() - self.began if seconds is None else seconds
        return {
            "cpu_seconds": round(spent, 4),
            "before_mebibytes": round(self.before, 1),
            "peak_mebibytes": round(self._mebibytes("VmHWM"), 1),
        }


def repeated(work: Callable[..., Any], *arguments: Any) -> dict[str, float]:
    """The row of some work: the least seconds of five times, or of fewer that take a second."""
    meter, spent = Meter(), []
    while len(spent) < 5 and sum(spent) < 1:
        began = time.process_time()
        work(*arguments)
        spent.append(time.process_time() - began)
    return meter.row(min(spent))


def digits(n: int) -> Any:
    """So many of MNIST's training images, from the first again after the last."""
    from gantut import load_mnist

    return np.resize(load_mnist().x_train, (n, 28, 28, 1))


def training(recipe: Any, n: int, num_classes: int | None = None) -> dict[str, float]:
    """The row of a training on n images, with made-up labels if there are classes."""
    from lib.marks import Executions

    from gantut import recipes

    x = digits(n)
    labels = None if num_classes is None else np.arange(n) % num_classes
    executions, meter = Executions(), Meter()
    length = (1 + EXECUTIONS) * recipe.steps_per_execution
    gan = recipes.train(recipe, x, labels, steps=length, callbacks=[executions]).gan
    steps, seconds = executions.taken()
    return {
        **meter.row(),
        "prepare_seconds": round(executions.at[0][1] - meter.began, 4),
        "step_milliseconds": round(1000 * min(seconds / steps), 3),
        "samples_mebibytes": round(x.nbytes / 2**20, 1),
        "parameters": gan.generator.count_params() + gan.discriminator.count_params(),
    }


def features(n: int) -> Any:
    """Made-up features as those of the judge: float32 (n, 64), none below 0."""
    random = np.random.default_rng(n).normal(0.3, 1.0, (n, FEATURES))
    return np.maximum(random, 0).astype(np.float32)


def measure(what: str, value: int) -> dict[str, Any]:
    """The row of one point of ``VALUES``, measured in this process."""
    if what in METRICS:
        from gantut import metrics

        return repeated(getattr(metrics, METRICS[what]), features(value), features(REFERENCES))

    from lib.recording import use_one_thread
    from lib.variants import widened

    from gantut import recipes

    use_one_thread()
    if what == "images":
        return training(recipes.get("fast"), value)
    if what == "width":
        return training(widened(value), IMAGES)
    if what == "batch":
        return training(dataclasses.replace(recipes.get("fast"), batch_size=value), IMAGES)
    return training(recipes.get("conditional_fast"), IMAGES, num_classes=value)


def apart(*arguments: str) -> str:
    """What Python prints, run with these arguments on one core."""
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, **one},
    ).stdout


def import_seconds(module: str, repeats: int) -> dict[str, Any]:
    """Medians over new processes of the seconds that an import takes, by the clock and the CPU."""
    program = (
        "import sys, time; a, b = time.perf_counter(), time.process_time(); "
        f"import {module}; print(time.perf_counter() - a, time.process_time() - b); "
        "assert 'tensorflow' not in sys.modules"
    )
    runs = [[float(v) for v in apart("-c", program).split()] for _ in range(repeats)]
    wall, busy = (statistics.median(column) for column in zip(*runs, strict=True))
    return {"module": module, "wall_seconds": round(wall, 3), "cpu_seconds": round(busy, 3)}


def experiment(name: str) -> Callable[[int], Iterator[dict[str, Any]]]:
    """What yields the rows of an experiment for a value, each measured in a new process."""

    def rows(value: int) -> Iterator[dict[str, Any]]:
        if name == "import":
            for module in ("gantut", "gantut.metrics"):
                yield import_seconds(module, value)
        else:
            yield json.loads(apart(__file__, "--one", name, str(value)))

    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
    else:
        from lib.recording import main

        main(
            __doc__,
            {name: experiment(name) for name in VALUES},
            {"value": VALUES},
            features=FEATURES,
            references=REFERENCES,
            images=IMAGES,
        )
