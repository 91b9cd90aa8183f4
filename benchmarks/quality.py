"""Time to quality: the Frechet distance by steps, for what a second of two cores pays for.

    python benchmarks/quality.py --only recipe --methods tutorial_dcgan --checkpoints runs/quality

Each row is one generator at one step of one training: 10,000 samples of its averaged weights where
it has them, judged twice. The first judge chose the recipes; the second, in the column
``second_judge``, took no part in any choice. Rows from before there was one lack its column.
``real`` are MNIST's test images, which lie at a distance of 0 from themselves. All of it runs on
one thread, so that two trainings side by side do not disturb each other; the seconds that a step
takes on both cores of a quiet machine are benchmarks/throughput.py's to measure, and book/speed.md
multiplies the two. ``cpu_seconds`` are the training's up to there, without the evaluations.

Four kinds of row ("kind"): "recipe", recipes of ours and what they are measured against;
"judges", the tutorial's first steps once more, by both judges; "change", the recipe ``fast`` with
one of its choices undone, or with something added that was tried; "groups", ``clustered_fast``
beside ``fast`` and the digits' own labels, all with the same long average of weights, and with
other groups. The last row of a training of that kind has its recall and coverage on the first
judge's features too.

A training of some hours can be stopped and started again with ``--checkpoints``.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import cache, partial, reduce
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from lib.marks import Marks, row
from lib.recording import main
from lib.variants import plain_fast, widened

from gantut import evaluation, judge, load_mnist, metrics, networks, recipes
from gantut._keras import keras, tf
from gantut.clustered import ClusteredGAN
from gantut.networks import parts

SAMPLES = 10_000
# Of `fast`, in steps: two minutes and more of two cores that take 6 ms a step.
MARKS = (512, 1024, 2048, 4096, 8192, 12_288, 20_480)


@cache
def references(name: str) -> metrics.Features:
    """The features of the test images."""
    return metrics.Features(judge.features(load_mnist().x_test, name))


def measured(samples: Any) -> dict[str, Any]:
    """What both judges say of a generator, or of its samples."""
    images = samples if isinstance(samples, np.ndarray) else samples.sample(SAMPLES, seed=0)
    found: dict[str, dict[str, Any]] = {}
    for name in judge.JUDGES:
        features, probabilities = judge.outputs(images, name)
        distance = metrics.frechet_distance(features, references(name))
        ratio = distance / evaluation.frechet_floor(SAMPLES, judged_by=name)
        found[name] = {"frechet_distance": distance, "frechet_ratio": ratio}
        found[name] |= evaluation.read_classes(probabilities)
        shares = found[name].pop("class_shares")
        found[name] |= {"smallest_class": min(shares), "largest_class": max(shares)}
    return {**found["first"], "second_judge": found["second"]}


def by_recipe(
    recipe: str | recipes.GANRecipe, marks: tuple[int, ...], variety: bool = False, **patch: Any
) -> Callable[..., Any]:
    """A training by a recipe, up to the last of its marks.

    Args:
        recipe: The recipe, or its name.
        marks: In steps.
        variety: Whether the last row has recall and coverage.
        **patch: A function of `gantut.clustered` to be replaced, and by which.
    """

    def rows(seed: int, checkpoints: Path | None) -> list[dict[str, Any]]:
        data = load_mnist()
        camera = Marks(marks, measured)
        with mock.patch.multiple("gantut.clustered", **patch) if patch else nullcontext():
            run = recipes.train(
                recipe,
                data.x_train,
                data.y_train,
                steps=marks[-1],
                seed=seed,
                callbacks=[camera],
                checkpoints=checkpoints,
                resume=checkpoints is not None,
            )
        if variety:
            fake = judge.features(run.gan.sample(SAMPLES, seed=0))
            found = metrics.manifold_metrics(references("first"), fake)
            camera.rows[-1] |= {"recall": found.recall, "coverage": found.coverage}
        return camera.rows

    return rows


def by_batches(sizes: Mapping[int, int], marks: tuple[int, ...]) -> Callable[..., Any]:
    """A training by ``fast`` whose batches have each size from the step of its key on."""

    def rows(seed: int, checkpoints: Path | None) -> list[dict[str, Any]]:
        images = load_mnist().x_train
        camera = Marks(marks, measured)
        gan = recipes.get("fast").build(seed=seed, mean_image=images.mean(0))
        first, *others = (
            recipes.batches(images, batch_size=sizes[begin], seed=seed).take(end - begin)
            for begin, end in pairwise([*sizes, marks[-1]])
        )
        data = reduce(lambda before, part: before.concatenate(part), others, first)
        recipes.run(gan, data, steps=marks[-1], callbacks=[camera])
        return camera.rows

    return rows


def in_torch(seed: int, checkpoints: Path | None) -> list[dict[str, Any]]:
    """The recipe ``fast`` in PyTorch, from the weights that ours starts with."""
    import torch
    from lib import peers

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    images, recipe = load_mnist().x_train, recipes.get("fast")
    twin = peers.Twin(recipe.build(seed=seed, mean_image=images.mean(0)), recipe)
    batch = peers.first_batches(images, recipe.batch_size, seed)
    rows: list[dict[str, Any]] = []
    spent = 0.0
    for mark in MARKS:
        begin = time.process_time()
        while twin.steps < mark:
            twin.step(batch())
        spent += time.process_time() - begin
        rows.append(row(mark, spent, measured(twin.sample(SAMPLES))))
        print(rows[-1], flush=True)
    return rows


def keras_guide(seed: int, checkpoints: Path | None) -> list[dict[str, Any]]:
    """The GAN of Keras' guide to ``train_step``, whose images lie in [0, 1]."""
    from lib.textbook import batches, guide_gan

    keras.utils.set_random_seed(seed)
    marks = (64, 128, 256, 512, 1024)
    camera = Marks(marks, measured)
    data = batches((load_mnist().x_train + 1) / 2, 64)
    guide_gan().fit(data, steps_per_epoch=marks[-1], verbose=0, callbacks=[camera])
    return camera.rows


def _patch_generator(**_: Any) -> Any:
    layers = keras.layers
    z = keras.Input((64,))
    x = z
    for units in (256, 7 * 7 * 32):
        x = layers.Dense(units, use_bias=False)(x)
        x = layers.LeakyReLU(0.2)(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Reshape((7, 7, 32))(x)
    # Each of 7 x 7 places draws its 4 x 4 pixels: Shi et al. 2016's pixel shuffle.
    x = layers.Dense(16)(x)
    x = layers.Reshape((7, 7, 4, 4))(x)
    x = layers.Reshape((28, 28, 1))(layers.Permute((1, 3, 2, 4))(x))
    return keras.Model(z, layers.Activation("tanh")(x))


def _patch_discriminator(image_shape: Any, **_: Any) -> Any:
    layers = keras.layers
    image = keras.Input(image_shape)
    x = layers.LeakyReLU(0.2)(layers.Conv2D(32, 4, strides=4)(image))
    x = layers.LeakyReLU(0.2)(layers.Dense(256)(layers.Flatten()(x)))
    return keras.Model(image, layers.Dense(1)(x))


def changed(name: str, **settings: Any) -> recipes.GANRecipe:
    """The recipe ``fast`` with other settings."""
    return replace(recipes.get("fast"), name=name, **settings)


def convolutions(rate: float) -> recipes.GANRecipe:
    """The settings of ``fast`` with the networks of ``dcgan``."""
    dcgan = recipes.get("dcgan")
    return changed(
        "convolutions",
        generator=dcgan.generator,
        discriminator=dcgan.discriminator,
        centred=False,
        g_learning_rate=rate,
        d_learning_rate=rate,
    )


STEPS = (1024, 2048, 4096)
# What takes a multiple of the time a step is given fewer steps, and the other way round.
FEW, MANY = (256, 512, 1024, 2048), (1024, 2048, 4096, 8192)
CHANGES: Mapping[str, tuple[recipes.GANRecipe, tuple[int, ...]]] = {
    "fast as it is": (changed("fast"), MANY),
    # One choice undone.
    "non-saturating loss": (changed("loss", loss="non_saturating"), STEPS),
    "no penalties": (changed("penalties", penalties={}), STEPS),
    "no average of the weights": (changed("ema", ema=None), STEPS),
    "images not centred": (changed("centre", centred=False), STEPS),
    "no batch normalisation": (
        changed("batch norm", generator=partial(networks.mlp_generator, 64, widths=(256, 512))),
        STEPS,
    ),
    "a tenth of the rates": (changed("rates", g_learning_rate=2e-4, d_learning_rate=1e-4), STEPS),
    "momentum 0.5": (changed("beta", beta_1=0.5, beta_2=0.999), STEPS),
    "all of it: plainly trained": (plain_fast(), STEPS),
    # Changes that were tried.
    "both players at once": (changed("at once", simultaneous=True), MANY),
    "penalties at each step": (changed("every 1", penalty_every=1), (512, 1024, 2048)),
    "penalties every 64 steps": (changed("every 64", penalty_every=64), STEPS),
    "ten times the penalties": (changed("gamma", penalties={"r1": 10.0, "r2": 10.0}), STEPS),
    "shorter average, 0.98": (changed("short", ema=0.98), STEPS),
    "rates that fall to 0": (changed("decay", schedule=recipes.linear_decay()), STEPS),
    "rates that rise at first": (
        changed("warm-up", schedule=lambda done: min(1.0, done / 0.1)), STEPS
    ),
    "batches of 16": (changed("batch 16", batch_size=16), MANY),
    "batches of 256": (changed("batch 256", batch_size=256), FEW),
    "half the width": (replace(widened(0.5), name="half"), MANY),
    "twice the width": (replace(widened(2), name="twice"), FEW),
    "patches and pixel shuffle, not centred": (
        changed("patches", generator=_patch_generator, discriminator=_patch_discriminator,
                centred=False), STEPS
    ),
    "convolutions, not centred": (convolutions(1e-3), FEW),
}  # fmt: skip


def augmented(seed: int, checkpoints: Path | None) -> list[dict[str, Any]]:
    """A training whose D sees shifted images; its layer is made once TensorFlow has its threads."""
    recipe = recipes.stabilise("fast", diff_augment="translation")
    return by_recipe(replace(recipe, name="augment"), FEW)(seed, checkpoints)


# Beside it, what no recipe can say: batches of 16 or 64 at first, and larger ones later.
OTHERS = {
    "augmented images": augmented,
    "batches of 16, later of 64": by_batches({0: 16, 1024: 64}, MANY),
    "batches of 64, later of 256": by_batches({0: 64, 2048: 256}, (1024, 2048, 3072, 4096)),
}

RECIPES: Mapping[str, Callable[..., Any]] = {
    # Of two cores an hour where a step takes .46 s; at 215 images a second it has 3,024 steps.
    "tutorial_dcgan": by_recipe(
        "tutorial_dcgan", (16, 32, 64, 128, 256, *range(512, 7_681, 512), 7_776)
    ),
    "fast": by_recipe("fast", MARKS),
    "fast, half the width": by_recipe(replace(widened(0.5), name="half"), (*MARKS, 32_768)),
    "fast, plainly trained": by_recipe(plain_fast(), MARKS),
    "fast in PyTorch": in_torch,
    "Keras' guide": keras_guide,
    "mlp": by_recipe("mlp", (512, 1024, 2048, 4096)),
    "dcgan": by_recipe("dcgan", FEW),
}

CLUSTERED = recipes.get("clustered_fast")


def seeing_slopes(widths: tuple[int, ...], **options: Any) -> Any:
    """`clustered_fast`'s D with features that are not learned: how steep it is in each place.

    In each cell of 4 x 4 pixels the mean brightness' rise, to the right, to the left, down and up.
    """
    ops = keras.ops
    D = networks.projection_mlp_discriminator(widths=widths, **options)
    image, label = D.inputs
    padded = ops.pad(image[..., 0], ((0, 0), (1, 1), (1, 1)), constant_values=-1.0)
    across = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    rises = ops.stack([ops.relu(x) for x in (across, -across, down, -down)], axis=-1)
    slopes = keras.layers.AveragePooling2D(4)(rises)
    pixels = D.get_layer("centre").output
    x = keras.layers.Concatenate()([pixels, 4 * keras.layers.Flatten(name="slopes")(slopes)])
    one_hot = D.get_layer("one_hot").output
    x = parts.project(parts.dense_layers(x, widths), one_hot)
    return keras.Model([image, label], x)


class DifferencesGAN(ClusteredGAN):
    """Its penalty is how far logits move when images do (Lin et al. 2025, arXiv 2501.08316).

    For small noise of deviation s, the squared distance over s ** 2 is in the mean the squared
    length of the slope: R1 and R2 without a second derivative.
    """

    def penalty(self, real: Any, fake: Any, labels: Any) -> Any:
        """The weighted sum, on the data and on the samples."""
        total, deviation = 0.0, 0.01
        for weight, x in zip(self.penalties.values(), (real, fake), strict=True):
            seed = self.seed_generator.next()
            moved = x + deviation * tf.random.stateless_normal(tf.shape(x), seed)
            change = self.discriminate(moved, labels) - self.discriminate(x, labels)
            total += weight / 2 * tf.reduce_mean(change**2) / deviation**2
        return total


def tried(**settings: Any) -> recipes.GANRecipe:
    """``clustered_fast`` with other settings."""
    return replace(CLUSTERED, **settings)


TRIED: Mapping[str, recipes.GANRecipe] = {
    "non-saturating loss": tried(loss="non_saturating"),
    "R1 alone, twice as strong": tried(penalties={"r1": 0.2}),
    "penalties by differences, each step": tried(model=DifferencesGAN, penalty_every=1),
    "D sees slopes too": tried(discriminator=partial(seeing_slopes, (256, 128))),
    "twice the width": tried(
        generator=partial(CLUSTERED.generator, widths=(256, 512)),
        discriminator=partial(CLUSTERED.discriminator, widths=(512, 256)),
    ),
}


def by_groups(k: int, **patch: Any) -> Callable[..., Any]:
    """The first steps of ``clustered_fast`` with so many groups."""
    return by_recipe(replace(CLUSTERED, clusters=k), MANY[1:], variety=True, **patch)


LONG = (*MANY[1:], 16_384, 24_576)
GROUPS = {
    "clustered_fast": by_recipe(CLUSTERED, LONG, variety=True),
    # A step of which takes half as long again.
    "fast": by_recipe(replace(recipes.get("fast"), ema=CLUSTERED.ema), LONG[:-1], variety=True),
    "conditional_fast": by_recipe(
        replace(recipes.get("conditional_fast"), ema=CLUSTERED.ema), LONG, variety=True
    ),
    **{f"{k} groups": by_groups(k) for k in (64, 1024)},
    "groups of pixels": by_groups(
        256, oriented_gradients=lambda images: images.reshape(len(images), -1)
    ),
    "groups at random": by_groups(
        256, oriented_gradients=lambda images: np.random.default_rng(0).random((len(images), 50))
    ),
    **{f"clustered_fast, {name}": by_recipe(recipe, MANY[1:]) for name, recipe in TRIED.items()},
}

KINDS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "recipe": RECIPES,
    "judges": {"tutorial_dcgan": by_recipe("tutorial_dcgan", (256,))},
    "change": {name: by_recipe(*change) for name, change in CHANGES.items()} | OTHERS,
    "groups": GROUPS,
}


def trained(kind: str, method: str, seed: int, checkpoints: Path | None) -> list[dict[str, Any]]:
    """One training. By the row: "fast" and "fast as it is" are one recipe, of two lengths."""
    return KINDS[kind][method](seed, checkpoints and checkpoints / kind / f"{method}-{seed}")


if __name__ == "__main__":
    main(
        __doc__,
        {kind: partial(trained, kind) for kind in KINDS},
        {"method": {kind: [*methods] for kind, methods in KINDS.items()}, "seed": (0, 1, 2)},
        group="kind",
        options={"checkpoints": {"type": Path, "help": "folder to go on from"}},
        samples=SAMPLES,
        floor=lambda rows: evaluation.frechet_floor(SAMPLES),
        second_floor=lambda rows: evaluation.frechet_floor(SAMPLES, judged_by="second"),
        real=lambda rows: measured(load_mnist().x_test),
    )
