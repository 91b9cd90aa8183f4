"""gantut.applications.conditional: asking, truncation, ways between, picking, and the CAS."""

import numpy as np
import pytest
import tiny
from scipy import stats
from sklearn.metrics import confusion_matrix

from gantut import judge, load_mnist, metrics, networks, recipes, sampling
from gantut._keras import keras
from gantut.applications import conditional

SHAPE = (28, 28, 1)


@pytest.fixture(scope="module")
def generator():
    keras.utils.set_random_seed(0)
    return networks.mlp_generator(6, SHAPE, widths=(12,), num_classes=10)


@pytest.fixture(scope="module")
def run():
    """Some seconds of `conditional_fast`."""
    data = load_mnist()
    return recipes.train("conditional_fast", data.x_train, data.y_train, steps=240, seed=0)


def digits(per_class):
    data = load_mnist()
    rows = np.concatenate([np.flatnonzero(data.y_test == k)[:per_class] for k in range(10)])
    return data.x_test[rows], data.y_test[rows]


def is_bright(images):
    """A classifier of two classes, by the mean of the image."""
    mean = images.mean(axis=(1, 2, 3))
    return np.stack([0.5 - mean / 2, 0.5 + mean / 2], axis=1)


def flat(values):
    """Even images of the given greys."""
    return np.broadcast_to(
        np.asarray(values, np.float32)[:, None, None, None], (len(values), *SHAPE)
    )


# --- Truncated latents -------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.3, 1.0, 2.5])
def test_truncated_latents_are_normal_within_the_threshold(threshold):
    z = conditional.truncated_latents(2_000, 5, threshold=threshold, seed=1)
    assert z.dtype == np.float32
    assert z.shape == (2_000, 5)
    assert np.abs(z).max() <= threshold
    oracle = stats.truncnorm(-threshold, threshold)
    # With this seed p is 0.1 at least; a plain or a scaled normal sample has p < 1e-9.
    assert stats.kstest(z.ravel(), oracle.cdf).pvalue > 0.01
    assert z.std() == pytest.approx(oracle.std(), rel=0.02)


def test_truncation_pulls_the_same_vectors_towards_zero():
    free, wide, narrow, none = (
        conditional.truncated_latents(400, 3, threshold=t, seed=2) for t in (None, 2.0, 0.5, np.inf)
    )
    np.testing.assert_array_equal(free, none)
    assert stats.kstest(free.ravel(), "norm").pvalue > 0.01
    for near, far in ((narrow, wide), (wide, free)):
        assert (np.abs(near) < np.abs(far)).all()
        np.testing.assert_array_equal(np.sign(near), np.sign(far))
    assert not np.array_equal(free, conditional.truncated_latents(400, 3, seed=3))


@pytest.mark.parametrize("threshold", [0.0, -1.0, np.nan])
def test_thresholds_out_of_range(threshold):
    with pytest.raises(ValueError, match="threshold"):
        conditional.truncated_latents(2, 2, threshold=threshold)


# --- Asking ------------------------------------------------------------------------------------


def test_a_grid_has_a_class_a_row_and_a_latent_vector_a_column(generator):
    images = conditional.class_grid(generator, 4, threshold=1.0, seed=5)
    z = conditional.truncated_latents(4, 6, threshold=1.0, seed=5)
    for row in (0, 7):
        expected = np.asarray(generator([z, np.full(4, row)], training=False))
        np.testing.assert_allclose(images[4 * row : 4 * row + 4], expected, atol=1e-6)


def test_samples_come_with_the_classes_that_were_asked_for(generator):
    images, labels = conditional.sample(generator, 3, seed=5)
    np.testing.assert_array_equal(labels, np.repeat(np.arange(10), 3))
    z = conditional.truncated_latents(30, 6, seed=5)
    np.testing.assert_allclose(
        images, np.asarray(generator([z, labels], training=False)), atol=1e-6
    )


def test_asking_a_generator_that_takes_no_labels():
    plain = networks.mlp_generator(4, SHAPE, (3,))
    for ask in (conditional.sample, conditional.class_grid):
        with pytest.raises(ValueError, match="'mlp_generator' is no conditional generator"):
            ask(plain, 2)
    with pytest.raises(ValueError, match="'mlp_generator' is no conditional generator"):
        networks.soft_labels(plain)


# --- Reading -----------------------------------------------------------------------------------


def test_the_confusion_matrix_has_shares_by_rows():
    x, y = digits(20)
    asked = np.where(np.arange(len(y)) % 3 == 0, (y + 1) % 10, y)
    shares = conditional.confusion_matrix(x, asked)
    read = judge.probabilities(x).argmax(axis=1)
    np.testing.assert_allclose(shares, confusion_matrix(asked, read, normalize="true"))
    assert conditional.accuracy(x, asked) == np.mean(asked == read)
    assert 0.6 < conditional.accuracy(x, asked) < 0.7  # a third was asked for wrongly
    only = conditional.confusion_matrix(flat([-1, 1, 1]), [1, 1, 1], is_bright)
    np.testing.assert_allclose(only, [[0, 0], [1 / 3, 2 / 3]])


def test_reading_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"labels must be in 0..1, got 0..2"):
        conditional.confusion_matrix(flat([-1, 1]), [0, 2], is_bright)


# --- Ways between ------------------------------------------------------------------------------


def test_slerp_turns_evenly_and_keeps_its_length():
    a, b = np.array([3.0, 0, 0]), np.array([0, 5.0, 0])
    way = conditional.slerp(a, b, [0, 0.25, 0.5, 1])
    for t, v in zip((0, 0.25, 0.5, 1), way, strict=True):
        angle = t * np.pi / 2
        np.testing.assert_allclose(
            v, (3 + 2 * t) * np.array([np.cos(angle), np.sin(angle), 0]), atol=1e-9
        )
    rng = np.random.default_rng(0)
    many = rng.normal(size=(2, 4, 3))
    way = conditional.slerp(*many, np.linspace(0, 1, 7))
    assert way.shape == (7, 4, 3)
    np.testing.assert_allclose(way[0], many[0])
    np.testing.assert_allclose(way[-1], many[1])
    steps = (way[1:] * way[:-1]).sum(-1) / np.linalg.norm(way[1:], axis=-1)
    turned = np.arccos(steps / np.linalg.norm(way[:-1], axis=-1))
    np.testing.assert_allclose(turned, np.broadcast_to(turned[0], turned.shape), atol=1e-7)
    np.testing.assert_allclose(conditional.slerp(a, 2 * a, [0.5])[0], 1.5 * a)


def test_opposite_vectors_have_no_shortest_way():
    with pytest.raises(ValueError, match="opposite ways"):
        conditional.slerp([1.0, 0], [-2.0, 0], [0.5])


def test_the_ends_of_the_ways_are_the_plain_samples(generator):
    z = np.random.default_rng(0).normal(size=(2, 3, 6)).astype(np.float32)
    labels, others = np.array([4, 0, 9]), np.array([1, 2, 3])
    way = conditional.between_latents(generator, z[0], z[1], labels, steps=5)
    mixed = conditional.between_classes(generator, z[0], labels, others, steps=5)
    assert way.shape == mixed.shape == (3, 5, *SHAPE)
    for images, k, latents, asked in (
        (way, 0, z[0], labels),
        (way, -1, z[1], labels),
        (mixed, 0, z[0], labels),
        (mixed, -1, z[0], others),
    ):
        expected = np.asarray(generator([latents, asked], training=False))
        np.testing.assert_allclose(images[:, k], expected, atol=1e-5)
    # Half of each class is half of each one-hot row: the first layer's input is the mean.
    x = np.concatenate([z[0], np.eye(10)[[4, 0, 9]] / 2 + np.eye(10)[[1, 2, 3]] / 2], axis=1)
    first = generator.get_layer("dense_1")
    hidden = x @ first.kernel.numpy() + first.bias.numpy()
    hidden = np.where(hidden > 0, hidden, 0.2 * hidden)
    last = generator.get_layer("pixels")
    half = np.tanh(hidden @ last.kernel.numpy() + last.bias.numpy()).reshape(3, *SHAPE)
    np.testing.assert_allclose(mixed[:, 2], half, atol=1e-5)


def test_crossfade_is_the_mean_of_two_images():
    way = conditional.crossfade(flat([-1, 0]), flat([1, 0.5]), steps=5)
    assert way.shape == (2, 5, *SHAPE)
    np.testing.assert_allclose(
        way[:, :, 0, 0, 0], [[-1, -0.5, 0, 0.5, 1], [0, 0.125, 0.25, 0.375, 0.5]]
    )
    with pytest.raises(ValueError, match="differ in shape"):
        conditional.crossfade(flat([0]), flat([0, 1]))
    with pytest.raises(ValueError, match="steps"):
        conditional.crossfade(flat([0]), flat([1]), steps=1)


def test_render_and_soft_labels_say_what_is_wrong(generator):
    z = np.zeros((2, 6))
    for wrong in (np.zeros((2, 5)), np.zeros(6), np.zeros((0, 6)), np.full((2, 6), np.nan)):
        with pytest.raises(ValueError, match=r"latent vectors of shape \(n, 6\)"):
            sampling.render(generator, wrong, [0, 1])
    with pytest.raises(ValueError, match="takes labels beside"):
        sampling.render(generator, z)
    with pytest.raises(ValueError, match="one label a latent vector, 2, got"):
        sampling.render(generator, z, [0])
    with pytest.raises(ValueError, match="takes no labels beside"):
        sampling.render(networks.mlp_generator(6, SHAPE, (3,)), z, [0, 1])


# --- Picking -----------------------------------------------------------------------------------


def test_any_seed_will_do_for_picking():
    seeds = []

    def draw(n, seed):
        seeds.append(seed)
        return grey(n, seed)

    for seed in (5_000, np.int64(2**32 - 1)):
        conditional.pick_by_class(draw, 5, classify=is_bright, seed=seed)
    assert max(seeds) < 2**32
    assert len(set(seeds)) == len(seeds)


def grey(n, seed):
    """Even images, one in four of them bright."""
    return flat(np.where(np.random.default_rng(seed).random(n) < 0.25, 0.8, -0.4))


def test_picking_draws_until_each_class_is_full():
    picked = conditional.pick_by_class(grey, 1_250, classify=is_bright, seed=1)
    np.testing.assert_array_equal(picked.labels, np.repeat([0, 1], 1_250))
    np.testing.assert_allclose(picked.images[:1_250], -0.4)
    np.testing.assert_allclose(picked.images[1_250:], 0.8)
    assert picked.drawn == 6_000  # one in four is bright: 1,000 of 4,000, 1,500 of 6,000
    # Of the dark ones (0.7) and the bright ones (0.9) the latter alone are above 0.8.
    with pytest.raises(ValueError, match=r"after 200,000 draws .* of the classes \[0\]"):
        conditional.pick_by_class(
            lambda n, seed: grey(20, seed), 5, classify=is_bright, confidence=0.8
        )
    with pytest.raises(ValueError, match="confidence"):
        conditional.pick_by_class(grey, 5, confidence=2)


# --- The classification accuracy score ---------------------------------------------------------


def test_the_score_is_the_accuracy_on_the_test_images():
    x, y = digits(60)
    test_x, test_y = load_mnist().x_train[:500], load_mnist().y_train[:500]
    # At half the size, which is quicker.
    x, test_x = x[:, ::2, ::2], test_x[:, ::2, ::2]
    # Two classes with their names exchanged are two classes read wrongly, and no others.
    swapped = np.where(y == 3, 5, np.where(y == 5, 3, y))
    score = conditional.classification_accuracy_score(x, swapped, test_x, test_y, steps=60)
    read = score.classify(test_x).argmax(axis=1)
    assert score.accuracy == np.mean(read == test_y)
    wanted = [np.mean(read[test_y == k] == k) for k in range(10)]
    np.testing.assert_allclose(score.by_class, wanted)
    # Measured: 0.08 for both, and 0.73 to 0.98 for the others.
    assert score.by_class[[3, 5]].max() < 0.2
    assert np.delete(score.by_class, [3, 5]).min() > 0.6
    assert score.cpu_seconds > 0
    with pytest.raises(ValueError, match="test_images"):
        conditional.classification_accuracy_score(x, y, x[:, :7], y)


# --- All of it on a short training -------------------------------------------------------------


@pytest.mark.slow
def test_a_short_training_makes_digits_on_demand(run):
    """A generator at its start is read right 10 % of the time."""
    images, labels = conditional.sample(run.gan.ema_generator, 100, seed=1)
    assert conditional.accuracy(images, labels) > 0.6
    real = judge.features(load_mnist().x_test[:1_000])
    curve = conditional.truncation_curve(
        run.gan.ema_generator, real, [np.inf, 0.3], per_class=100, seed=1
    )
    assert [point.threshold for point in curve] == [np.inf, 0.3]
    free, tight = curve
    assert free.accuracy == conditional.accuracy(images, labels)
    assert (free.precision, free.recall) == metrics.precision_recall(real, judge.features(images))
    assert tight.precision > free.precision
    assert tight.recall < free.recall - 0.1
    assert tight.accuracy > free.accuracy


@pytest.mark.slow
def test_mini_biggan_takes_a_step():
    """Run eagerly: the graph takes longer to compile than all other tests here."""
    gan = recipes.get("mini_biggan").build((8, 8, 1), seed=1)
    gan.run_eagerly, gan.steps_per_execution = True, 1
    before = [gan.discriminator.get_weights(), gan.generator.get_weights()]
    gan.fit(tiny.images(20), np.arange(20) % 10, batch_size=20, epochs=1, verbose=0)
    after = [gan.discriminator.get_weights(), gan.generator.get_weights()]
    for old, new in zip(before, after, strict=True):
        changed = [not np.array_equal(a, b) for a, b in zip(old, new, strict=True)]
        # The skip's bias alone has no say in a normalised sum.
        assert np.mean(changed) > 0.8
        assert all(np.isfinite(w).all() for w in new)
    made = gan.sample(10, labels=np.arange(10), seed=0)
    assert made.shape == (10, 8, 8, 1)
