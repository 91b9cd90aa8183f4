"""Stacked MNIST: modes and KL of several methods against CPU seconds.

    python benchmarks/stacked.py
    python benchmarks/stacked.py --rows small small_plain --seeds 0 1 --cpu-seconds 300

Two settings. "small": the networks of Metz et al. 2017 (G, and a D of a quarter of its channels),
the same CPU seconds for each method. "free": networks of our choice. 25,600 samples are measured
by `gantut.evaluation.stacked_modes`. The budget counts the processor time of training steps, of all
threads together; measuring is no part of it. TensorFlow is held to one thread a pool, so that CPU
seconds are nearly the seconds of one quiet core.

Writes benchmarks/results/stacked.json after each measurement. Rows that are there already and
are not asked for stay.
"""

import argparse
import json
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
from lib.recording import use_one_thread

from gantut import data, evaluation, networks, recipes
from gantut._files import environment, write_json

RESULT = Path(__file__).parent / "results" / "stacked.json"
SAMPLES = 25_600
# Measured at these CPU seconds, and at the end.
POINTS = (30, 60, 120, 180, 300, 600, 1200, 2400)


@dataclass(frozen=True)
class Row:
    """One method in one setting: its CPU seconds and what makes its recipe."""

    setting: str
    method: str
    cpu_seconds: float
    recipe: Callable[[], recipes.Recipe]


def bare_discriminator(shape: Any, num_classes: int) -> Any:
    """The published D without batch normalisation, which judges each sample alone."""
    return networks.stacked_discriminator(shape, batch_norm=False)


def unpacked() -> recipes.Recipe:
    """Recipe "stacked_small" without its packs."""
    return replace(recipes.get("stacked_small"), name="stacked_small, not packed",
                   discriminator=bare_discriminator)  # fmt: skip


def early_loss(packed: bool) -> recipes.Recipe:
    """Recipe "stacked_small" with the loss of 2014 and no penalties, with its packs or without."""
    small = recipes.get("stacked_small") if packed else unpacked()
    return replace(small, name=f"{small.name}, plain loss", loss="non_saturating",
                   penalties={})  # fmt: skip


def one_mlp(shape: Any, num_classes: int, mean_image: Any) -> Any:
    """A generator as wide as the recipe's, without the sharing of weights over channels."""
    return networks.mlp_generator(128, shape, (256, 512), batch_norm=True, mean_image=mean_image)


def one_mlp_discriminator(shape: Any, num_classes: int, mean_image: Any) -> Any:
    """A discriminator that sees all pixels at once."""
    return networks.mlp_discriminator(shape, (512, 256), mean_image=mean_image)


def unshared() -> recipes.Recipe:
    """Recipe "stacked" with an MLP on all pixels at once."""
    return replace(recipes.get("stacked"), name="stacked, weights not shared",
                   generator=one_mlp, discriminator=one_mlp_discriminator)  # fmt: skip


def plain() -> recipes.Recipe:
    """Recipe "stacked" with the loss of 2014, without penalties and averaging."""
    return replace(recipes.get("stacked"), name="stacked, plain loss", loss="non_saturating",
                   penalties={}, ema=None)  # fmt: skip


ROWS = {
    "small": Row("small", "RpGAN + R1 + R2, packs of 4", 300,
                 lambda: recipes.get("stacked_small")),
    "small_unpacked": Row("small", "RpGAN + R1 + R2", 300, unpacked),
    "small_pac4": Row("small", "non-saturating loss, packs of 4", 300, lambda: early_loss(True)),
    "small_plain": Row("small", "non-saturating loss alone", 300, lambda: early_loss(False)),
    "small_published": Row("small", "DCGAN, published rates", 300,
                           lambda: recipes.get("stacked_dcgan")),
    "free": Row("free", "RpGAN + R1 + R2, weights shared over channels", 300,
                lambda: recipes.get("stacked")),
    "free_plain": Row("free", "non-saturating loss alone, weights shared", 300, plain),
    "free_unshared": Row("free", "RpGAN + R1 + R2, one MLP", 300, unshared),
}  # fmt: skip


class CpuBudget(keras.callbacks.Callback):
    """Ends a training after its CPU seconds; measures it on the way."""

    def __init__(self, limit: float, measure: Callable[[float], None]) -> None:
        super().__init__()
        self.limit = limit
        self.measure = measure
        self.points = [point for point in POINTS if point < limit]
        self.used = 0.0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Starts the clock."""
        self.began = time.process_time()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stops the clock; measures where a point or the end has come."""
        self.used += time.process_time() - self.began
        done = self.used >= self.limit
        if done or (self.points and self.used >= self.points[0]):
            while self.points and self.used >= self.points[0]:
                del self.points[0]
            self.measure(self.used)
        self.model.stop_training = self.model.stop_training or done


def count(images: Any) -> dict[str, Any]:
    """Modes, KL and the share of each digit in each channel, as JSON has them."""
    found = evaluation.stacked_modes(images)
    cube = found.counts.reshape(10, 10, 10) / found.counts.sum()
    shares = [cube.sum(axis=axes).round(4).tolist() for axes in ((1, 2), (0, 2), (0, 1))]
    return {"modes": found.modes, "kl": found.kl, "digit_shares": shares}


def weights(model: Any) -> int:
    """How many numbers training changes."""
    return sum(int(weight.numpy().size) for weight in model.trainable_weights)


def run_row(row: Row, seed: int, cpu_seconds: float, keep: Callable[[dict[str, Any]], None]) -> Any:
    """Trains one method from one seed and calls ``keep`` with the row, at each point anew."""
    recipe = row.recipe()
    mnist = data.load_mnist()
    gan = recipe.build(mnist.x_train.shape[1:], seed=seed, mean_image=mnist.x_train.mean(axis=0))
    result: dict[str, Any] = {
        "setting": row.setting,
        "method": row.method,
        "recipe": recipe.name,
        "seed": seed,
        "budget_cpu_seconds": cpu_seconds,
        "generator_weights": weights(gan.generator),
        "discriminator_weights": weights(gan.discriminator),
        "batch_size": recipe.batch_size,
        "curve": [],
    }
    began = time.perf_counter()

    def measure(used: float) -> None:
        point: dict[str, Any] = {
            "cpu_seconds": round(used, 1),
            "wall_seconds": round(time.perf_counter() - began, 1),
            "steps": int(gan.step_counter.numpy()),
            **count(gan.sample(SAMPLES, seed=seed + 1)),
        }
        if gan.ema is not None and used >= cpu_seconds:
            # The weights as they are, not their average, on the same latent vectors.
            averaged, gan.ema_generator = gan.ema_generator, gan.generator
            try:
                found = evaluation.stacked_modes(gan.sample(SAMPLES, seed=seed + 1))
            finally:
                gan.ema_generator = averaged
            point |= {"modes_without_ema": found.modes, "kl_without_ema": found.kl}
        result["curve"].append(point)
        keep(result | point)
        print(
            f"{row.method}, seed {seed}: {point['cpu_seconds']:.0f} CPU s, "
            f"{point['steps']} steps, {point['modes']} modes, KL {point['kl']:.4f}",
            *[f"(without EMA {point[k]})" for k in ("modes_without_ema",) if k in point],
            flush=True,
        )

    recipes.train(
        recipe,
        mnist.x_train,
        gan=gan,
        seed=seed,
        steps=10**8,  # The budget ends it.
        callbacks=[CpuBudget(cpu_seconds, measure)],
    )
    return gan


def main() -> None:
    """Runs the rows that were asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--cpu-seconds", type=float, help="instead of each row's own budget")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--save", type=Path, help="folder for each row's trained GAN")
    arguments = parser.parse_args()
    use_one_thread()

    record: dict[str, Any] = {"rows": []}
    if arguments.out.exists():
        record = json.loads(arguments.out.read_text(encoding="utf-8"))
    record |= {"samples": SAMPLES, "threads": 1}
    if "real" not in record:
        record["real"] = {
            split: [count(data.stacked_mnist(SAMPLES, split=split, seed=s)[0]) for s in (0, 1)]
            for split in ("train", "test")
        }
    for seed in arguments.seeds:
        for name in arguments.rows:
            row = ROWS[name]

            def keep(result: dict[str, Any], name: str = name, seed: int = seed) -> None:
                """Puts the row in place of an older one and writes the file."""
                rows = [r for r in record["rows"] if (r["row"], r["seed"]) != (name, seed)]
                entry = {
                    "row": name,
                    "command": shlex.join(["python", *sys.argv]),
                    "environment": environment(),
                    **result,
                }
                order = list(ROWS)
                record["rows"] = sorted(
                    [*rows, entry], key=lambda r: (order.index(r["row"]), r["seed"])
                )
                write_json(arguments.out, record)

            budget = arguments.cpu_seconds or row.cpu_seconds
            gan = run_row(row, seed, budget, keep)
            if arguments.save is not None:
                gan.save(arguments.save / f"{name}-{seed}")


if __name__ == "__main__":
    main()
