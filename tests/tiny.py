"""Small things that many tests need: images of noise, two tiny networks, a recipe of them."""

from functools import partial
from typing import Any

import numpy as np


def images(n: int = 64, side: int = 8, channels: int = 1, seed: int = 0) -> Any:
    """Uniform noise, float32 (n, side, side, channels) in [-1, 1]."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-1.0, 1.0, (n, side, side, channels)).astype(np.float32)


def records(n: int = 300, seed: int = 0) -> Any:
    """A skewed column, whole numbers that follow it, and three categories that depend on it."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n)
    whole = np.rint(4 + 2 * x + rng.standard_normal(n))
    category = np.digitize(x + 0.3 * rng.standard_normal(n), [-0.5, 1.0]) * 10.0 + 5.0
    return np.column_stack([np.exp(x), whole, category])


def recipe(**changes: Any) -> Any:
    """A recipe of two small networks, which trains in a moment."""
    from gantut import networks, recipes

    return recipes.GANRecipe(
        **{
            "name": "tiny",
            "summary": "for tests",
            "generator": partial(networks.mlp_generator, 4, widths=(8,), batch_norm=True),
            "discriminator": partial(networks.mlp_discriminator, widths=(8,)),
            "batch_size": 16,
            "steps": 24,
            "gpu_steps": 24,
            "ema": 0.9,
            "steps_per_execution": 2,
            "schedule": recipes.linear_decay(),
            **changes,
        }
    )


def noise(n=20, side=12, seed=0):
    """Smooth images (n, side, side, 1) in [-1, 1], each another one."""
    rng = np.random.default_rng(seed)
    rough = rng.uniform(-1, 1, (n, side + 4, side + 4))
    smooth = sum(rough[:, i : i + side, j : j + side] for i in range(5) for j in range(5)) / 9
    return np.clip(smooth, -1, 1).astype(np.float32)[..., None]
