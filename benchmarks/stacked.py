"""Stacked MNIST: modes and KL of several methods against CPU seconds.

Two settings. "small": the networks of Metz et al. 2017 (G, and a D of a quarter of its channels),
the same CPU seconds for each method. "free": networks of our choice. 25,600 samples are measured
by `gantut.evaluation.stacked_modes`. The budget counts the processor time of training steps, of all
threads together; measuring is no part of it. TensorFlow is held to one thread a pool, so that CPU
seconds are nearly the seconds of one quiet core.
"""

import shlex
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import keras
from lib.recording import main
from lib.variants import STACKED_SAMPLES, unpacked

from gantut import data, evaluation, networks, recipes, sampling
from gantut._files import environment

# Measured at these CPU seconds, and at the end.
POINTS = (30, 60, 120, 180, 300, 600, 1200, 2400)


@dataclass(frozen=True)
class Row:
    """One method in one setting: its CPU seconds and what makes its recipe."""

    setting: str
    method: str
    cpu_seconds: float
    recipe: Callable[[], recipes.GANRecipe]


def early_loss(packed: bool) -> recipes.GANRecipe:
    """Recipe "stacked_small" with the loss of 2014 and no penalties, with its packs or without."""
    small = recipes.get("stacked_small") if packed else unpacked()
    return replace(small, name=f"{small.name}, plain loss", loss="non_saturating",
                   penalties={})  # fmt: skip


def unshared() -> recipes.GANRecipe:
    """Recipe "stacked" with an MLP on all pixels at once."""
    return replace(
        recipes.get("stacked"),
        name="stacked, weights not shared",
        generator=partial(networks.mlp_generator, 128, widths=(256, 512), batch_norm=True),
        discriminator=partial(networks.mlp_discriminator, widths=(512, 256)),
    )


def plain() -> recipes.GANRecipe:
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


def rows(name: str, seed: int) -> Iterator[dict[str, Any]]:
    """Trains one method from one seed, and measures it at each point."""
    row, recipe = ROWS[name], ROWS[name].recipe()
    images = data.load_mnist().x_train
    gan = recipe.build(images.shape[1:], seed=seed, mean_image=images.mean(axis=0))
    curve: list[dict[str, Any]] = []
    began = time.perf_counter()

    def measure(used: float) -> None:
        point: dict[str, Any] = {
            "cpu_seconds": round(used, 1),
            "wall_seconds": round(time.perf_counter() - began, 1),
            "steps": int(gan.step_counter.numpy()),
            **count(gan.sample(STACKED_SAMPLES, seed=seed + 1)),
        }
        if gan.ema is not None and used >= row.cpu_seconds:
            # The weights as they are, not their average, on the same latent vectors.
            raw = sampling.sample(gan.generator, STACKED_SAMPLES, seed=seed + 1)
            found = evaluation.stacked_modes(raw)
            point |= {"modes_without_ema": found.modes, "kl_without_ema": found.kl}
        curve.append(point)
        print(name, {k: v for k, v in point.items() if k != "digit_shares"}, flush=True)

    recipes.train(
        recipe,
        images,
        gan=gan,
        seed=seed,
        steps=10**8,  # The budget ends it.
        callbacks=[CpuBudget(row.cpu_seconds, measure)],
    )
    yield {
        "command": shlex.join(["python", *sys.argv]),
        "environment": environment(),
        "setting": row.setting,
        "method": row.method,
        "recipe": recipe.name,
        "budget_cpu_seconds": row.cpu_seconds,
        "generator_weights": weights(gan.generator),
        "discriminator_weights": weights(gan.discriminator),
        "batch_size": recipe.batch_size,
        "curve": curve,
        **curve[-1],
    }


@cache
def real() -> dict[str, Any]:
    """The same count of real triples."""
    return {
        split: [count(data.stacked_mnist(STACKED_SAMPLES, split=split, seed=s)[0]) for s in (0, 1)]
        for split in ("train", "test")
    }


if __name__ == "__main__":
    main(
        __doc__,
        {name: partial(rows, name) for name in ROWS},
        {"seed": (0,)},
        group="row",
        samples=STACKED_SAMPLES,
        threads=1,
        real=lambda rows: real(),
    )
