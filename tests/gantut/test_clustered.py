"""Tests of groups that are found, and of the GAN that learns with them."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from scipy import stats

from gantut import GAN, load_mnist, networks, recipes
from gantut.clustered import ClusteredGAN, cluster_images, oriented_gradients

SHARES = np.array([0.5, 0.0, 0.3, 0.2])


@pytest.fixture(scope="module")
def generator():
    made = networks.mlp_generator(3, (4, 4, 1), widths=(8,), num_classes=4, draws_label=True)
    networks.set_label_shares(made, 40 * SHARES)
    return made


def drawn(generator, z):
    """The one-hot rows that a generator reads off latent vectors."""
    read = keras.Model(generator.inputs, generator.get_layer("latent_and_label").output)
    return read(z).numpy()[:, z.shape[1] - 1 :]


def latents(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 4), dtype=np.float32)


def test_oriented_gradients_of_an_edge_lie_in_its_direction_and_cell():
    """Brightness that grows to the right, downwards, to both; from hand."""
    ramp = np.linspace(-1.0, 1.0, 8, dtype=np.float32)
    right = np.tile(ramp, (8, 1))
    for image, direction in ((right, 0), (right.T, 2), (-right, 4), (-right.T, 6)):
        found = oriented_gradients(image[None, ..., None]).reshape(4, 8)
        assert (found.argmax(axis=1) == direction).all()
        assert (found**2).sum() == pytest.approx(1.0, rel=1e-5)
    between = (right + right.T) / 2
    found = oriented_gradients(between[None, 1:-1, 1:-1, None], cell=6, directions=4).ravel()
    assert found**2 == pytest.approx([0.5, 0.5, 0.0, 0.0], abs=1e-5)
    edge = np.full((8, 8), -1.0, np.float32)
    edge[:, 6:] = 1.0
    cells = oriented_gradients(edge[None, ..., None]).reshape(2, 2, 8)
    assert not cells[:, 0].any()
    assert cells[:, 1].any()


def test_images_without_a_slope_have_no_gradients():
    assert not oriented_gradients(np.full((2, 8, 8, 3), 0.5, np.float32)).any()


def test_groups_tell_digits_apart_that_nobody_named():
    """Measured: .91 of 6,000 digits are of their group's most frequent class; by chance .19."""
    data = load_mnist()
    x, y = data.x_train[:6_000], data.y_train[:6_000]
    groups = cluster_images(x, 64, seed=0)
    assert groups.shape == (6_000,)
    assert (groups == cluster_images(x, 64, seed=0)).all()
    table = np.zeros((64, 10))
    np.add.at(table, (groups, y), 1)
    assert table.max(axis=1).sum() > 0.85 * len(y)


def test_there_are_images_for_the_groups():
    with pytest.raises(ValueError, match="k=9"):
        cluster_images(tiny.images(8), 9)


def test_labels_are_drawn_by_their_shares(generator):
    z = latents(20_000)
    rows = drawn(generator, z)
    assert set(np.unique(rows)) <= {0.0, 1.0}
    assert (rows.sum(axis=1) == 1.0).all()
    counts = rows.sum(axis=0)
    assert counts[1] == 0
    assert stats.chisquare(counts[[0, 2, 3]], 20_000 * SHARES[[0, 2, 3]]).pvalue > 1e-4


def test_latent_vectors_are_placed_where_they_draw_the_label(generator):
    z = latents(20_000, seed=1)
    labels = np.random.default_rng(2).choice(4, len(z), p=SHARES)
    placed = networks.place_labels(generator, tf.constant(z), tf.constant(labels)).numpy()
    assert (drawn(generator, placed).argmax(axis=1) == labels).mean() > 0.999
    assert (placed[:, :-1] == z[:, :-1]).all()
    # Labels that come as often as they are drawn leave the distribution what it was.
    assert stats.kstest(placed[:, -1], "norm").pvalue > 1e-4


def test_the_network_takes_no_label_but_reads_the_drawn_one(generator):
    assert not networks.is_conditional(generator)
    z = np.repeat(latents(1), 2, axis=0)
    z[:, -1] = [-1.0, 1.0]
    first, second = generator(z).numpy()
    assert not np.array_equal(first, second)
    z[:, -1] = [-1.0, -1.5]  # the same interval
    first, second = generator(z).numpy()
    assert np.array_equal(first, second)


def test_networks_that_do_not_fit_are_refused(generator):
    judge = networks.mlp_discriminator((4, 4, 1), widths=(8,))
    with pytest.raises(ValueError, match="label inputs"):
        ClusteredGAN(generator, judge)
    told = networks.mlp_discriminator((4, 4, 1), widths=(8,), num_classes=4)
    with pytest.raises(ValueError, match="label inputs"):
        GAN(generator, told)


RECIPE = tiny.recipe(
    generator=partial(networks.mlp_generator, 4, widths=(8,), batch_norm=True, draws_label=True),
    discriminator=partial(networks.projection_mlp_discriminator, widths=(8,)),
    model=ClusteredGAN,
    clusters=4,
)


def test_a_training_finds_groups_and_draws_them_as_often(tmp_path):
    x = np.concatenate([tiny.images(48, seed=0), tiny.images(16, seed=1) ** 2])
    gan = recipes.train(RECIPE, x, steps=4, seed=3).gan
    shares = np.bincount(cluster_images(x, 4, seed=3), minlength=4) / 64
    rows = drawn(gan.ema_generator, np.random.default_rng(0).standard_normal((5_000, 5)))
    assert rows.mean(axis=0) == pytest.approx(shares, abs=0.03)
    gan.save(tmp_path)
    again = RECIPE.build((8, 8, 1))
    again.restore(tmp_path)
    assert np.array_equal(again.sample(5, seed=0), gan.sample(5, seed=0))


def test_the_discriminator_is_told_the_group_of_both():
    """A D that looks at the group alone sees no difference, whatever G draws."""
    gan = RECIPE.build((8, 8, 1))
    label = keras.Input((), dtype="int32")
    image = keras.Input((8, 8, 1))
    one_hot = keras.layers.CategoryEncoding(4, output_mode="one_hot", name="one_hot")(label)
    by_group = keras.layers.Dense(1)(one_hot)
    gan = ClusteredGAN(gan.generator, keras.Model([image, label], by_group), seed=0)
    labels = tf.constant([0, 1, 2, 3, 3])
    _, real, fake, _ = gan.discriminator_loss(
        tf.zeros((5, 8, 8, 1)), gan.generate(5, labels, training=True), labels, False
    )
    assert np.array_equal(real, fake)
