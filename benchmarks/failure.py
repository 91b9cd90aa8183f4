"""The failures of the chapter "Why GANs fail" and their cures, over several seeds.

The experiments are the chapter's own, of `gantut.applications.failure`. Each row is five seeds.
About twelve minutes of one processor core.
"""

import dataclasses
import functools
import gc
import time
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from lib.recording import main

from gantut import toys
from gantut.applications import failure

SEEDS = [0, 1, 2, 3, 4]
Values = dict[str, list[float]]


LATE: dict[str, dict[str, Any]] = {
    "minimax, SGD": {},
    "non-saturating, SGD": {"loss": "non_saturating"},
    "minimax, SGD, R1 10": {"r1": 10.0},
    "minimax, SGD, noise 1": {"noise": 1.0},
    "minimax, SGD, noise 8": {"noise": 8.0},
    "minimax, Adam": {"optimizer": "Adam"},
    "minimax, SGD, no head start": {"alone": 0},
    "minimax, Adam, no head start": {"optimizer": "Adam", "alone": 0},
}


def late(**setting: Any) -> Values:
    """D trained alone first, on MNIST: one training after the other."""
    values: Values = {"times_floor": [], "d_fake": [], "minimax": [], "non_saturating": []}
    for seed in SEEDS:
        gc.collect()  # each training holds the images once more
        gan, log = failure.late_start(**setting, seed=seed)
        values["times_floor"].append(failure.times_floor(gan.sample(2000, seed=0)))
        for step in log[-1:]:
            for value, key in zip(step[1:], ("d_fake", "minimax", "non_saturating"), strict=True):
                values[key].append(float(value))
    return values


CHASE: dict[str, dict[str, Any]] = {
    "beta_1 0.9": {"beta_1": 0.9},
    "beta_1 0.9, R1 1": {"beta_1": 0.9, "r1": 1.0},
    "beta_1 0.5": {"beta_1": 0.5},
    "beta_1 0": {"beta_1": 0.0},
    "beta_1 0.5, R1 1": {"beta_1": 0.5, "r1": 1.0},
    "beta_1 0, R1 1": {"beta_1": 0.0, "r1": 1.0},
}


def chase(**setting: Any) -> Values:
    """One normal distribution in the plane: all seeds in one network."""
    paths = failure.chase(**setting, members=len(SEEDS))
    keys = ("distance", "distance_of_average")
    return {k: failure.mean_distance(path).tolist() for k, path in zip(keys, paths, strict=True)}


PENALTIES = {"penalties": {"r1": 0.1, "r2": 0.1}}
R1 = {"penalties": {"r1": 0.1}}
WGAN_GP = {"loss": "wasserstein", "penalties": {"wgan_gp": 1.0}}
FIVE = {"d_steps": 5, "steps": 5 * failure.LOPSIDED.steps}  # as many steps of G
RING: dict[str, dict[str, Any]] = {
    "as it is": {},
    "activation leaky ReLU": {"activation": "leaky_relu", "d_activation": "leaky_relu"},
    "activation tanh": {"activation": "tanh", "d_activation": "tanh"},
    "both rates / 3": {"g_learning_rate": 1e-3 / 3, "d_learning_rate": 1e-4 / 3},
    "both rates x 3": {"g_learning_rate": 3e-3, "d_learning_rate": 3e-4},
    "G's rate / 10": {"g_learning_rate": 1e-4},
    "D's rate x 10": {"d_learning_rate": 1e-3},
    "D's rate x 10, G's / 10": {"d_learning_rate": 1e-3, "g_learning_rate": 1e-4},
    "5 steps of D": FIVE,
    "loss minimax": {"loss": "minimax"},
    "loss least squares": {"loss": "least_squares"},
    "loss hinge": {"loss": "hinge"},
    "loss relativistic": {"loss": "relativistic"},
    "loss Wasserstein, gradient penalty": WGAN_GP,
    "loss Wasserstein, gradient penalty, 5 steps of D": {**WGAN_GP, **FIVE},
    "R1, 0.1": R1,
    "R1 and R2, 0.1": PENALTIES,
    "relativistic, R1 and R2": {"loss": "relativistic", **PENALTIES},
    "the same, D's rate x 10": {"loss": "relativistic", **PENALTIES, "d_learning_rate": 1e-3},
}
COLLAPSE: dict[str, dict[str, Any]] = {
    "as it is": {},
    "R1, 0.1": R1,
    "D's rate x 10": {"d_learning_rate": 1e-3},
    "D's rate x 10, R1, 0.1": {"d_learning_rate": 1e-3, **R1},
    "D's rate x 10, Wasserstein, gradient penalty": {"d_learning_rate": 1e-3, **WGAN_GP},
    "D's rate x 100": {"d_learning_rate": 1e-2},
}


def ring(**setting: Any) -> Values:
    """Eight modes, and the advice to change activation, learning rate or loss."""
    method = dataclasses.replace(failure.LOPSIDED, **setting)
    return _counted(toys.train(method, failure.RING, members=len(SEEDS)))


def collapse(**setting: Any) -> Values:
    """The same ring, for networks whose samples all lie on one mode."""
    return _counted(failure.after_collapse(failure.collapsed(len(SEEDS)), **setting))


def _counted(run: toys.ToyRun) -> Values:
    covered = run.coverage()
    return {
        "modes": [float(failure.modes_with_a_share(c)) for c in covered],
        "high_quality": [c.high_quality for c in covered],
    }


BATCH_NORM: dict[str, dict[str, Any]] = {
    f"momentum {momentum}": {"momentum": momentum} for momentum in (0.99, 0.9)
}


def batch_norm(momentum: float) -> Values:
    """Training mode against inference mode, on MNIST: one training after the other."""
    values: Values = {}
    for seed in SEEDS:
        gc.collect()
        _, compare = failure.with_batch_norm(momentum, seed=seed)
        for step, ways in compare.distance.items():
            for way, distance in ways.items():
                values.setdefault(f"{way}, step {step}", []).append(distance)
    return values


EXPERIMENTS: dict[str, tuple[Callable[..., Values], dict[str, dict[str, Any]]]] = {
    "late": (late, LATE),
    "chase": (chase, CHASE),
    "ring": (ring, RING),
    "collapse": (collapse, COLLAPSE),
    "batch_norm": (batch_norm, BATCH_NORM),
}


def rows(experiment: str, row: str) -> Iterator[dict[str, Any]]:
    """One row: all seeds of one setting."""
    run, settings = EXPERIMENTS[experiment]
    wall, busy = time.perf_counter(), time.process_time()
    yield {
        "values": run(**settings[row]),
        "seconds": round(time.perf_counter() - wall, 1),
        "cpu_seconds": round(time.process_time() - busy, 1),
    }


if __name__ == "__main__":
    tf.config.experimental.enable_op_determinism()
    main(
        __doc__,
        {name: functools.partial(rows, name) for name in EXPERIMENTS},
        {"row": {name: [*settings] for name, (_, settings) in EXPERIMENTS.items()}},
        seeds=SEEDS,
        cpu_seconds=lambda rows: round(sum(row["cpu_seconds"] for row in rows), 1),
    )
