"""Measurements behind the chapter of questions and answers.

Six experiments, each a set of rows:

- ``pair``: the recipes ``fast`` and ``vae``, which have the same generator, for the same processor
  time (about 7 and about 28 seconds of training steps), three seeds.
- ``chain``: a small GAN trained on real digits, then on a set of which 30 % come from the GAN
  before, then on nothing but such samples, over three generations; three seeds.
- ``few``: the same small GAN on 100 images, as it is, with instance noise, and with shifts before D
  at whose edges black paper or, as `DiffAugment` has it, middle grey comes in; three seeds.
- ``sevens``: the same small GAN on 20,000 images without sevens; three seeds.
- ``cost``: weights, multiply-adds, and processor time of training and of sampling, for each recipe.
- ``real``: what real digits score in the place of samples.

Samples are judged as benchmarks/quality.py does, and ``frechet_ratio_raw`` is of the weights that
are not averaged. Precision, recall and coverage are of 3,000 samples against 3,000 test images
drawn at random: other people wrote the first half of the test set than the second.
"""

import base64
import dataclasses
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np
from lib.marks import Executions
from lib.recording import main
from quality import SAMPLES, measured

from gantut import judge, load_mnist, metrics, networks, recipes, stabilisers
from gantut._keras import keras
from gantut.evaluation import frechet_floor, quick_frechet, read_classes
from gantut.sampling import sample
from gantut.vae import binarise

BALLS = 3_000  # samples for coverage, which needs all pairs
HELD_OUT = 2_000  # training images that D has not seen

PAIR_STEPS = {"short": {"fast": 500, "vae": 1_000}, "long": {"fast": 2_000, "vae": 4_000}}
SMALL_STEPS = 800
FEW_STEPS = 1_200
COST_STEPS = {
    "fast": 640,
    "mlp": 160,
    "dcgan": 160,
    "conditional_mlp": 160,
    "conditional_dcgan": 160,
    "tutorial_dcgan": 4,
    "vae": 640,
}


def small_recipe() -> recipes.GANRecipe:
    """The recipe ``fast`` with networks of a quarter of the size."""
    return dataclasses.replace(
        recipes.get("fast"),
        name="small",
        generator=partial(networks.mlp_generator, 32, widths=(128, 256), batch_norm=True),
        discriminator=partial(networks.mlp_discriminator, widths=(256, 128)),
        ema=0.99,
    )


@cache
def reference() -> metrics.Features:
    """The features of the test images that samples are compared with by balls."""
    x = load_mnist().x_test
    return metrics.Features(judge.features(x[judge.order(len(x))[:BALLS]]))


def by_balls(features: np.ndarray) -> dict[str, float]:
    """Precision, recall, density and coverage."""
    return metrics.manifold_metrics(reference(), features[:BALLS])._asdict()


def measures(model: Any, samples: np.ndarray) -> dict[str, Any]:
    """The measures of samples of a model."""
    features, probabilities = judge.outputs(samples)
    shares = metrics.class_histogram(probabilities).tolist()
    row = {**measured(samples), **by_balls(features), "class_shares": shares}
    if model.generator is not model.ema_generator:
        raw = sample(model.generator, SAMPLES, seed=1)
        row["frechet_ratio_raw"] = quick_frechet(raw) / frechet_floor(SAMPLES)
    return row


def picture(images: np.ndarray) -> str:
    """Images as a base64 text of their 8-bit pixels, (n, 28, 28), row after row."""
    return base64.b64encode(np.round((images + 1) * 127.5).astype("uint8").tobytes()).decode()


def trained(recipe: Any, x: Any, y: Any, steps: int, seed: int) -> tuple[Any, dict[str, Any]]:
    """Trains; returns the model and what it cost."""
    executions, start = Executions(), time.perf_counter()
    run = recipes.train(recipe, x, y, steps=steps, seed=seed, callbacks=[executions])
    counts, seconds = executions.taken()
    cost = {
        "steps": run.steps,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": run.cpu_seconds,
        "cpu_seconds_of_steps": sum(seconds) / sum(counts) * run.steps,
    }
    return run.gan, cost


def pair_rows(data: Any, seed: int) -> Iterator[dict[str, Any]]:
    """A GAN and a VAE on the same budget."""
    for budget, steps in PAIR_STEPS.items():
        for recipe, number in steps.items():
            model, cost = trained(recipe, data.x_train, None, number, seed)
            row = {"recipe": recipe, "budget": budget, **cost}
            samples = model.sample(SAMPLES, seed=1)
            row |= measures(model, samples)
            sharp = metrics.sharpness(data.x_test)
            row["sharpness_ratio"] = metrics.sharpness(samples) / sharp
            if budget == "long" and seed == 0:
                row["picture"] = picture(samples[:20])
            if recipe == "vae":
                test = binarise(data.x_test[judge.order(len(data.x_test))[:2_000]])
                row["likelihood"] = float(np.mean(model.log_likelihood(test)))
            yield row


def chain_rows(data: Any, seed: int) -> Iterator[dict[str, Any]]:
    """Generations that learn from each other."""
    recipe = small_recipe()
    order = np.random.default_rng(seed).permutation(len(data.x_train))[:20_000]
    real = data.x_train[order]
    samples: dict[str, Any] = {}
    for name, parent, share in (
        ("real", None, 0.0),
        ("30 % generated", "real", 0.3),
        ("generated", "real", 1.0),
        ("generated twice", "generated", 1.0),
        ("generated three times", "generated twice", 1.0),
    ):
        x = real.copy()
        if parent is not None:
            x[: round(share * len(x))] = samples[parent][: round(share * len(x))]
        gan, cost = trained(recipe, x, None, SMALL_STEPS, seed)
        samples[name] = gan.sample(len(x), seed=1)
        yield {"data": name, **cost, **measures(gan, samples[name][:SAMPLES])}


def on_black_paper(builder: Callable[..., Any], **given: Any) -> Any:
    """A discriminator behind `DiffAugment` that shifts ink of 0 to 2, so that 0 is no ink."""
    down, up = keras.layers.Rescaling(1.0, -1.0), keras.layers.Rescaling(1.0, 1.0)
    shifts = stabilisers.DiffAugment("translation")
    return stabilisers.at_input(builder(**given), up, shifts, down)


def few_rows(data: Any, seed: int) -> Iterator[dict[str, Any]]:
    """A hundred images, with and without noise or augmentation."""
    recipe = small_recipe()
    black = partial(on_black_paper, recipe.discriminator)
    variants: dict[str, Callable[[], Any]] = {
        "plain": lambda: recipe,
        "instance noise": lambda: recipes.stabilise(recipe, instance_noise=0.2),
        "augmentation": lambda: dataclasses.replace(recipe, name="black", discriminator=black),
        "grey frame": lambda: recipes.stabilise(recipe, diff_augment="translation"),
    }
    shuffled = data.x_train[np.random.default_rng(seed).permutation(len(data.x_train))]
    x, new = np.split(shuffled[: 100 + HELD_OUT], [100])
    for name, variant in variants.items():
        gan, cost = trained(variant(), x, None, FEW_STEPS, seed)
        samples = gan.sample(SAMPLES, seed=1)
        row = {"variant": name, **cost, **measures(gan, samples)}
        known, unknown, fake = (
            float(np.mean(gan.discriminator.predict(images, batch_size=500, verbose=0)))
            for images in (x, new, samples[:HELD_OUT])
        )
        # Of D's lead of real over generated images: the share that new real images lack.
        row["learned_by_heart"] = (known - unknown) / (known - fake)
        yield row


def sevens_rows(data: Any, seed: int) -> Iterator[dict[str, Any]]:
    """A class that the data lacks."""
    others = np.flatnonzero(data.y_train != 7)
    x = data.x_train[np.random.default_rng(seed).permutation(others)[:20_000]]
    gan, cost = trained(small_recipe(), x, None, SMALL_STEPS, seed)
    yield {**cost, **measures(gan, gan.sample(SAMPLES, seed=1))}


def cost_rows(data: Any, seed: int) -> Iterator[dict[str, Any]]:
    """What each recipe costs."""
    for name, steps in COST_STEPS.items():
        recipe = recipes.get(name)
        recipe = dataclasses.replace(
            recipe, steps_per_execution=min(recipe.steps_per_execution, steps // 2)
        )
        model, cost = trained(recipe, data.x_train, data.y_train, steps, seed)
        generator = getattr(model, "ema_generator", model.generator)
        model.sample(500, seed=0)
        begin = time.process_time()
        model.sample(2_000, seed=0)
        row = {
            "recipe": name,
            "batch_size": recipe.batch_size,
            "steps_of_the_recipe": recipe.steps,
            **cost,
            "cpu_seconds_per_1000_steps": 1000 * cost["cpu_seconds_of_steps"] / cost["steps"],
            "images_per_cpu_second": 2_000 / (time.process_time() - begin),
            "generator_weights": generator.count_params(),
            "generator_multiply_adds": networks.multiply_adds(generator),
        }
        # The network that only training needs: D, or the VAE's encoder.
        other = getattr(model, "discriminator", None) or model.encoder
        row["other_weights"] = other.count_params()
        row["other_multiply_adds"] = networks.multiply_adds(other)
        yield row


def real_rows(data: Any, seed: int) -> Iterator[dict[str, Any]]:
    """Test images beside the reference, as many as there are samples."""
    rows = judge.order(len(data.x_test))[BALLS : 2 * BALLS]
    features, probabilities = judge.outputs(data.x_test[rows])
    yield {**by_balls(features), "confident": read_classes(probabilities)["confident"]}


EXPERIMENTS = {
    "pair": pair_rows,
    "chain": chain_rows,
    "few": few_rows,
    "sevens": sevens_rows,
    "cost": cost_rows,
    "real": real_rows,
}


if __name__ == "__main__":
    seeds = {name: (0,) if name in ("cost", "real") else (0, 1, 2) for name in EXPERIMENTS}
    main(
        __doc__,
        {name: partial(rows, load_mnist()) for name, rows in EXPERIMENTS.items()},
        {"seed": seeds},
        samples=SAMPLES,
    )
