"""Stacked MNIST: modes and KL of several methods against CPU seconds.

Three settings. "small": the networks of Metz et al. 2017 (G, and a D of a quarter of its channels),
the same CPU seconds for each method but the published one, which has more. "losses": the same
networks for half a minute, from three seeds; only the loss differs. "free": networks of our
choice, each with its own budget. 25,600 samples are measured by `gantut.evaluation.stacked_modes`.
The budget counts the processor time of training steps, of all threads together; measuring is no
part of it. TensorFlow is held to one thread a pool, so that CPU seconds are nearly the seconds of
one quiet core.
"""

import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any

from lib.marks import Marks
from lib.recording import main
from lib.variants import STACKED_SAMPLES, unpacked

from gantut import GAN, data, evaluation, networks, recipes, sampling
from gantut._files import environment

# Measured at these CPU seconds, up to a row's budget.
POINTS = (30, 60, 120, 180, 300, 600)


def early_loss(packed: bool, alone: bool = True) -> recipes.GANRecipe:
    """Recipe "stacked_small" with the loss of 2014, alone or with the penalties; packed or not."""
    small = recipes.get("stacked_small") if packed else unpacked()
    return replace(small, name=f"{small.name}, plain loss", loss="non_saturating",
                   penalties={} if alone else small.penalties)  # fmt: skip


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


# By the row's name: the setting, the method, its CPU seconds and its recipe.
ROWS: dict[str, tuple[str, str, int, recipes.GANRecipe]] = {
    "small": ("small", "RpGAN + R1 + R2, packs of 4", 180, recipes.get("stacked_small")),
    "small_unpacked": ("small", "RpGAN + R1 + R2", 180, unpacked()),
    "small_pac4": ("small", "non-saturating loss, packs of 4", 180, early_loss(packed=True)),
    "small_plain": ("small", "non-saturating loss alone", 180, early_loss(packed=False)),
    "small_published": ("small", "DCGAN, published rates", 300, recipes.get("stacked_dcgan")),
    "losses_relativistic": ("losses", "RpGAN + R1 + R2", 30, unpacked()),
    "losses_early": ("losses", "non-saturating loss + R1 + R2", 30, early_loss(False, alone=False)),
    "free": ("free", "RpGAN + R1 + R2, weights shared over channels", 120, recipes.get("stacked")),
    "free_plain": ("free", "non-saturating loss alone, weights shared", 120, plain()),
    "free_unshared": ("free", "RpGAN + R1 + R2, one MLP", 600, unshared()),
}


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
    setting, method, cpu_seconds, recipe = ROWS[name]
    images = data.load_mnist().x_train
    gan = recipe.build(images.shape[1:], seed=seed, mean_image=images.mean(axis=0))
    began = time.perf_counter()

    def judge(gan: GAN) -> dict[str, Any]:
        point = {
            "wall_seconds": round(time.perf_counter() - began, 1),
            **count(gan.sample(STACKED_SAMPLES, seed=seed + 1)),
        }
        if gan.ema is not None and round(budget.spent, 2) >= cpu_seconds:
            # The weights as they are, not their average, on the same latent vectors.
            raw = sampling.sample(gan.generator, STACKED_SAMPLES, seed=seed + 1)
            found = evaluation.stacked_modes(raw)
            point |= {"modes_without_ema": found.modes, "kl_without_ema": found.kl}
        return point

    points = [point for point in POINTS if point <= cpu_seconds]
    budget = Marks(points, judge, of="cpu_seconds")
    recipes.train(recipe, images, gan=gan, seed=seed, steps=10**8, callbacks=[budget])
    curve = [{"steps": point.pop("step"), **point} for point in budget.rows]
    yield {
        "command": shlex.join(["python", *sys.argv]),
        "environment": environment(),
        "setting": setting,
        "method": method,
        "recipe": recipe.name,
        "budget_cpu_seconds": cpu_seconds,
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
        {"seed": {name: (0, 1, 2) if row[0] == "losses" else (0,) for name, row in ROWS.items()}},
        group="row",
        samples=STACKED_SAMPLES,
        threads=1,
        real=lambda rows: real(),
    )
