"""The GAN written out in the chapter on implementation takes the steps that gantut.GAN takes.

The code is run from the chapter's own cells, those with the tag "minimal-gan", so that page and
package cannot drift apart.
"""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import gantut

CHAPTER = Path(__file__).parents[2] / "book" / "implementation.md"
CELL = re.compile(r"```\{code-cell\} ipython3\n:tags: \[minimal-gan\]\n(.*?)\n```", re.DOTALL)
STEPS = 5
BATCH = 16


def listing():
    return "\n".join(CELL.findall(CHAPTER.read_text("utf-8")))


def run_listing(code):
    names = {"keras": keras, "tf": tf}
    exec(compile(code, str(CHAPTER), "exec"), names)
    return names


def clone(network):
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def largest_difference(a, b):
    pairs = zip(a.trainable_variables, b.trainable_variables, strict=True)
    return max(np.abs(left.numpy() - right.numpy()).max() for left, right in pairs)


def batches():
    images = np.random.default_rng(0).uniform(-1, 1, (STEPS * BATCH, 28, 28, 1)).astype("float32")
    return np.split(images, STEPS)


def train_listing(code):
    """The chapter's (G, D) after five steps, copies from before, and the losses of each step."""
    chapter = run_listing(code)
    keras.utils.set_random_seed(0)
    networks = chapter["build_generator"](), chapter["build_discriminator"]()
    start = tuple(map(clone, networks))
    train_step = chapter["make_train_step"](*networks, seed=3)
    losses = [[float(loss) for loss in train_step(tf.constant(batch))] for batch in batches()]
    return networks, start, losses


@pytest.fixture(scope="module")
def trained():
    return train_listing(listing())


@pytest.fixture(scope="module")
def packages(trained):
    """What the package makes of the same weights by the same batches."""
    _, start, _ = trained
    adam = run_listing(listing())["adam"]
    gan = gantut.GAN(*map(clone, start), loss="non_saturating", seed=3)
    gan.compile(d_optimizer=adam(), g_optimizer=adam())
    losses = []
    for batch in batches():
        logs = gan.fit(batch, batch_size=BATCH, shuffle=False, verbose=0).history
        losses.append([logs["d_loss"][0], logs["g_loss"][0]])
    return (gan.generator, gan.discriminator), losses


@pytest.mark.parametrize("player", [0, 1], ids=["generator", "discriminator"])
def test_same_weights_after_five_steps(trained, packages, player):
    (mine, start, _), (theirs, _) = trained, packages
    assert largest_difference(mine[player], theirs[player]) <= 1e-6
    assert largest_difference(mine[player], start[player]) > 1e-3


def test_same_losses_at_each_step(trained, packages):
    (*_, mine), (_, theirs) = trained, packages
    assert len(mine) == STEPS
    np.testing.assert_allclose(mine, theirs, rtol=1e-5)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("softplus(-fake_logits)", "softplus(fake_logits)"),
        ("softplus(-real_logits)", "softplus(1 - real_logits)"),
        ("generator(z, training=True)", "generator(z, training=False)"),
        ("adam(), adam()", "adam(), keras.optimizers.Adam(9e-4, beta_1=0.0)"),
    ],
)
def test_a_changed_listing_is_noticed(packages, right, wrong):
    code = listing()
    assert code.count(right) == 1
    mine, _, _ = train_listing(code.replace(right, wrong).replace("@tf.function", ""))
    apart = max(largest_difference(*pair) for pair in zip(mine, packages[0], strict=True))
    assert apart > 1e-5


def test_the_listing_is_as_short_as_the_chapter_says():
    lines = [line for line in listing().splitlines() if line.strip()]
    said = re.search(r"the (\d+) lines written out", CHAPTER.read_text("utf-8"))
    assert said is not None
    assert len(lines) == int(said[1])
