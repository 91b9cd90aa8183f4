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


def train_both(code):
    """Trains the chapter's GAN and the package's from the same weights on the same batches.

    Returns:
        The chapter's (G, D), the package's, copies from before the training, and the losses of
        each step from both.
    """
    chapter = run_listing(code)
    keras.utils.set_random_seed(0)
    mine = chapter["build_generator"](), chapter["build_discriminator"]()
    start = clone(mine[0]), clone(mine[1])
    gan = gantut.GAN(clone(mine[0]), clone(mine[1]), loss="non_saturating", seed=3)
    gan.compile(d_optimizer=chapter["adam"](), g_optimizer=chapter["adam"]())
    train_step = chapter["make_train_step"](*mine, seed=3)
    images = np.random.default_rng(0).uniform(-1, 1, (STEPS * BATCH, 28, 28, 1)).astype("float32")
    losses = []
    for first in range(0, len(images), BATCH):
        batch = images[first : first + BATCH]
        logs = gan.fit(batch, batch_size=BATCH, shuffle=False, verbose=0).history
        own = [float(loss) for loss in train_step(tf.constant(batch))]
        losses.append((own, [logs["d_loss"][0], logs["g_loss"][0]]))
    return mine, (gan.generator, gan.discriminator), start, losses


@pytest.fixture(scope="module")
def trained():
    return train_both(listing())


@pytest.mark.parametrize("player", [0, 1], ids=["generator", "discriminator"])
def test_same_weights_after_five_steps(trained, player):
    mine, theirs, start, _ = trained
    assert largest_difference(mine[player], theirs[player]) <= 1e-6
    assert largest_difference(mine[player], start[player]) > 1e-3


def test_same_losses_at_each_step(trained):
    *_, losses = trained
    assert len(losses) == STEPS
    for mine, theirs in losses:
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
def test_a_changed_listing_is_noticed(right, wrong):
    code = listing()
    assert code.count(right) == 1
    mine, theirs, _, _ = train_both(code.replace(right, wrong))
    apart = max(largest_difference(*pair) for pair in zip(mine, theirs, strict=True))
    assert apart > 1e-5


def test_the_listing_is_as_short_as_the_chapter_says():
    lines = [line for line in listing().splitlines() if line.strip()]
    said = re.search(r"the (\d+) lines written out", CHAPTER.read_text("utf-8"))
    assert said is not None
    assert len(lines) == int(said[1])
