"""The failures of the chapter "Why GANs fail" and their cures, over several seeds.

    python benchmarks/failure.py
    python benchmarks/failure.py --only chase ring

The experiments are the chapter's own: its cells with the tag "benchmark" are run first. Each row
is five seeds. About twelve minutes of one processor core. Writes benchmarks/results/failure.json; a
row that is run again takes the place of the old one.
"""

import argparse
import dataclasses
import gc
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import nbformat
from lib.recording import use_one_thread

from gantut._files import environment, write_json

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "failure.json"
SEEDS = [0, 1, 2, 3, 4]
Values = dict[str, list[float]]
Row = tuple[str, str, Callable[[], Values]]


def chapter() -> dict[str, Any]:
    """Runs the chapter's cells with the tag "benchmark" and returns what they define."""
    notebook = nbformat.read(ROOT / "book" / "failure.ipynb", as_version=4)
    names: dict[str, Any] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and "benchmark" in cell.metadata.get("tags", []):
            exec(compile(cell.source, "failure.ipynb", "exec"), names)
    return names


def late_rows(names: dict[str, Any]) -> Iterator[Row]:
    """D trained alone first, on MNIST: one training after the other."""
    settings: dict[str, dict[str, Any]] = {
        "minimax, SGD": {},
        "non-saturating, SGD": {"loss": "non_saturating"},
        "minimax, SGD, R1 10": {"r1": 10.0},
        "minimax, SGD, noise 1": {"noise": 1.0},
        "minimax, SGD, noise 8": {"noise": 8.0},
        "minimax, Adam": {"optimizer": "Adam"},
    }

    def run(setting: dict[str, Any]) -> Values:
        values: Values = {"times_floor": [], "d_fake": [], "minimax": [], "non_saturating": []}
        for seed in SEEDS:
            gc.collect()  # each training holds the images once more
            gan, log = names["late_start"](**setting, seed=seed)
            values["times_floor"].append(names["times_floor"](gan.sample(2000, seed=0)))
            for column, key in enumerate(("d_fake", "minimax", "non_saturating"), start=1):
                values[key].append(float(log[-1, column]))
        return values

    for name, setting in settings.items():
        yield "late", name, lambda setting=setting: run(setting)


def chase_rows(names: dict[str, Any]) -> Iterator[Row]:
    """One normal distribution in the plane: all seeds in one network."""
    settings: dict[str, tuple[float, float]] = {
        "beta_1 0.9": (0.9, 0.0),
        "beta_1 0.9, R1 1": (0.9, 1.0),
        "beta_1 0.5": (0.5, 0.0),
        "beta_1 0": (0.0, 0.0),
        "beta_1 0.5, R1 1": (0.5, 1.0),
        "beta_1 0, R1 1": (0.0, 1.0),
    }

    def run(beta_1: float, r1: float) -> Values:
        paths = names["chase"](beta_1, r1, members=len(SEEDS))
        keys = ("distance", "distance_of_average")
        return {
            key: names["mean_distance"](path).tolist()
            for key, path in zip(keys, paths, strict=True)
        }

    for name, (beta_1, r1) in settings.items():
        yield "chase", name, lambda beta_1=beta_1, r1=r1: run(beta_1, r1)


def ring_rows(names: dict[str, Any]) -> Iterator[Row]:
    """Eight modes, and the advice to change activation, learning rate or loss."""
    both = ("g_learning_rate", "d_learning_rate")
    settings: dict[str, dict[str, Any]] = {
        "as it is": {},
        "activation leaky ReLU": {"activation": "leaky_relu", "d_activation": "leaky_relu"},
        "activation tanh": {"activation": "tanh", "d_activation": "tanh"},
        "both rates / 3": dict(zip(both, (1e-3 / 3, 1e-4 / 3), strict=True)),
        "both rates x 3": dict(zip(both, (3e-3, 3e-4), strict=True)),
        "G's rate / 10": {"g_learning_rate": 1e-4},
        "D's rate x 10": {"d_learning_rate": 1e-3},
        "loss minimax": {"loss": "minimax"},
        "loss least squares": {"loss": "least_squares"},
        "loss hinge": {"loss": "hinge"},
        "loss relativistic": {"loss": "relativistic"},
        "R1 and R2, 0.1": {"penalties": {"r1": 0.1, "r2": 0.1}},
        "relativistic, R1 and R2": {
            "loss": "relativistic",
            "penalties": {"r1": 0.1, "r2": 0.1},
        },
        "the same, D's rate x 10": {
            "loss": "relativistic",
            "penalties": {"r1": 0.1, "r2": 0.1},
            "d_learning_rate": 1e-3,
        },
    }

    def run(setting: dict[str, Any]) -> Values:
        method = dataclasses.replace(names["lopsided"], **setting)
        covered = names["toys"].train(method, names["ring"], members=len(SEEDS)).coverage()
        return {
            "modes": [float(names["modes_with_a_share"](c)) for c in covered],
            "high_quality": [c.high_quality for c in covered],
        }

    for name, setting in settings.items():
        yield "ring", name, lambda setting=setting: run(setting)


def batch_norm_rows(names: dict[str, Any]) -> Iterator[Row]:
    """Training mode against inference mode, on MNIST: one training after the other."""

    def run(momentum: float) -> Values:
        values: Values = {}
        for seed in SEEDS:
            gc.collect()
            _, compare = names["with_batch_norm"](momentum, seed=seed)
            for step, ways in compare.distance.items():
                for way, distance in ways.items():
                    values.setdefault(f"{way}, step {step}", []).append(distance)
        return values

    for momentum in (0.99, 0.9):
        yield "batch_norm", f"momentum {momentum}", lambda momentum=momentum: run(momentum)


EXPERIMENTS = {
    "late": late_rows,
    "chase": chase_rows,
    "ring": ring_rows,
    "batch_norm": batch_norm_rows,
}


def main() -> None:
    """Runs the rows and writes the table after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS))
    parser.add_argument("--rows", nargs="+", help="names of rows; all of the experiments if absent")
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    use_one_thread()
    names = chapter()
    for experiment in arguments.only:
        for _, name, run in EXPERIMENTS[experiment](names):
            if arguments.rows and name not in arguments.rows:
                continue
            wall, busy = time.perf_counter(), time.process_time()
            values = run()
            row = {
                "experiment": experiment,
                "row": name,
                "values": values,
                "seconds": round(time.perf_counter() - wall, 1),
                "cpu_seconds": round(time.process_time() - busy, 1),
            }
            print(f"{experiment}: {name}: {values}", flush=True)
            record(arguments.out, row)


def record(path: Path, row: dict[str, Any]) -> None:
    """Puts a row into the file, in place of the one of that name if there is one."""
    rows = json.loads(path.read_text("utf-8"))["rows"] if path.exists() else []
    new = (row["experiment"], row["row"])
    kept = [old for old in rows if (old["experiment"], old["row"]) != new]
    order = list(EXPERIMENTS)
    rows = sorted([*kept, row], key=lambda r: order.index(r["experiment"]))
    write_json(
        path,
        {
            "command": "python benchmarks/failure.py",
            "seeds": SEEDS,
            "environment": environment(),
            "cpu_seconds": round(sum(r["cpu_seconds"] for r in rows), 1),
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()
