"""gantut.applications.image_to_image: networks, the two-fold loss, and training on pairs."""

from functools import partial

import numpy as np
import pytest

from gantut._keras import keras, tf
from gantut.applications import image_to_image

SMALL = {
    "generator": partial(image_to_image.redrawer, widths=(16,), filters=2),
    "critic": partial(image_to_image.pair_discriminator, width=2),
    "batch_size": 16,
    "steps_per_execution": 5,
}


def squares(n=400, seed=0):
    """Sources with a bright square, and targets with the same square dark on bright ground."""
    rng = np.random.default_rng(seed)
    x = np.full((n, 8, 8, 1), -1, np.float32)
    for image, (row, column) in zip(x, rng.integers(0, 6, (n, 2)), strict=True):
        image[row : row + 3, column : column + 3] = 1
    return x, -x


def test_networks_have_the_right_shapes_and_open_again(tmp_path):
    g = image_to_image.redrawer((8, 6, 3), widths=(16,), filters=2)
    d = image_to_image.pair_discriminator((8, 6, 3), width=2)
    x = np.random.default_rng(0).uniform(-1, 1, (5, 8, 6, 3)).astype(np.float32)
    y = image_to_image.translate(g, x)
    assert y.shape == (5, 8, 6, 3)
    assert np.abs(y).max() <= 1
    assert d([y, x]).shape == (5, 1)
    for model, inputs in ((g, x), (d, [y, x])):
        path = tmp_path / f"{model.name}.keras"
        model.save(path)
        np.testing.assert_array_equal(keras.models.load_model(path)(inputs), model(inputs))


def test_a_restyler_has_the_right_shapes_and_opens_again(tmp_path):
    x = np.random.default_rng(0).uniform(-1, 1, (5, 8, 6, 3)).astype(np.float32)
    for settings in ({}, {"skip": True, "places": False}):
        g = image_to_image.restyler((8, 6, 3), filters=4, blocks=1, **settings)
        drawn = g(x)
        assert drawn.shape == x.shape
        assert np.abs(drawn).max() <= 1
        g.save(tmp_path / "g.keras")
        np.testing.assert_array_equal(keras.models.load_model(tmp_path / "g.keras")(x), drawn)


def test_only_with_places_does_a_restyler_know_where_it_is():
    x = np.zeros((1, 24, 24, 1), np.float32)
    spread = {}
    for places in (True, False):
        keras.utils.set_random_seed(0)
        g = image_to_image.restyler((24, 24, 1), filters=4, blocks=1, places=places)
        # Where no edge is in sight: a pixel sees 3 + 2 * 2 + 2 pixels, less than 10.
        middle = g(x)[0, 10:14:2, 10:14:2, 0].numpy()
        spread[places] = np.ptp(middle)
    assert spread[False] == 0
    assert spread[True] > 1e-4


def test_a_restyler_with_a_skip_starts_near_its_source():
    x = squares(20)[0]
    drawn = image_to_image.restyler((8, 8, 1), filters=4, blocks=1, skip=True)(x).numpy()
    assert np.corrcoef(drawn.ravel(), x.ravel())[0, 1] > 0.8


def test_the_same_weights_serve_another_size():
    small = image_to_image.restyler((24, 24, 1), filters=4, blocks=1, places=False)
    large = image_to_image.resized(small, (40, 32, 1))
    x = np.random.default_rng(0).uniform(-1, 1, (1, 40, 32, 1)).astype(np.float32)
    drawn = image_to_image.translate(large, x)
    assert drawn.shape == x.shape
    # Away from the smaller frame's edges, which are padded with zeros, it is the same.
    patch = image_to_image.translate(small, x[:, 8:32, 4:28])
    np.testing.assert_allclose(patch[:, 11:13, 11:13], drawn[:, 19:21, 15:17], atol=1e-5)
    assert np.abs(patch - drawn[:, 8:32, 4:28]).max() > 1e-3


def test_a_critic_of_single_images_takes_their_shape():
    d = image_to_image.image_discriminator((8, 6, 3), 2)
    assert d(np.zeros((5, 8, 6, 3), np.float32)).shape == (5, 1)


def test_the_mean_of_the_sources_is_subtracted():
    mean = np.full((4, 4, 1), 0.5, np.float32)
    g = image_to_image.redrawer((4, 4, 1), widths=(3,), filters=1, mean_source=mean)
    np.testing.assert_array_equal(g.get_layer("centre")(np.full((1, 16), 0.5)), np.zeros((1, 16)))


def compiled(weight, **settings):
    recipe = image_to_image.recipe(adversarial_weight=weight, **SMALL, **settings)
    return recipe.build((8, 8, 1), mean_source=squares()[0].mean(axis=0))


@pytest.mark.parametrize("method", image_to_image.METHODS)
def test_a_method_draws_with_its_network(method):
    gan = image_to_image.recipe(method).build((8, 8, 3))
    assert gan.generator.name == method
    assert gan.translate(np.zeros((2, 8, 8, 3), np.float32)).shape == (2, 8, 8, 3)


@pytest.mark.parametrize(("error", "power"), [("absolute", 1), ("squared", 2)])
def test_the_loss_is_the_sum_of_both(error, power):
    gan = compiled(0.25, error=error)
    x, y = (tf.constant(images[:8]) for images in squares())
    fake = gan.generator(x, training=True)
    wanted = (np.abs(y.numpy() - fake.numpy()) ** power).mean() + 0.5
    assert float(gan.generator_loss(y, fake, tf.constant(2.0))) == pytest.approx(wanted, rel=1e-5)


def test_the_critic_sees_the_source():
    gan = compiled(0.1)
    x, y = (tf.constant(images[:8]) for images in squares())
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = gan.discriminate(y, x)
    assert float(tf.reduce_max(tf.abs(tape.gradient(logits, x)))) > 0


def step(gan):
    """One step on eight pairs, uncompiled; returns what changed in each network."""
    x, y = (tf.constant(images[:8]) for images in squares())
    networks = gan.generator, gan.discriminator
    before = [[w.numpy() for w in network.trainable_variables] for network in networks]
    gan.train_step((y, x))
    return [
        [np.any(a != b.numpy()) for a, b in zip(old, network.trainable_variables, strict=True)]
        for old, network in zip(before, networks, strict=True)
    ]


def test_without_a_critic_the_discriminator_stays_as_it_is():
    gan = compiled(0.0)
    g, d = step(gan)
    assert all(g)
    assert not any(d)
    assert [metric.name for metric in gan.metrics] == ["l1"]
    assert int(gan.step_counter) == 1


def test_with_a_critic_both_learn():
    g, d = step(compiled(0.1))
    assert all(g)
    assert all(d)


@pytest.mark.slow
def test_a_short_training_inverts_squares():
    larger = partial(image_to_image.redrawer, widths=(32,))
    settings = SMALL | {"generator": larger, "g_learning_rate": 1e-2}
    run = image_to_image.train(*squares(), steps=200, adversarial_weight=0.05, **settings)
    new_x, new_y = squares(100, seed=1)
    error = np.abs(run.gan.translate(new_x) - new_y).mean()
    # A blank image has 2 * 9 / 64 = 0.28. Measured over seeds 0 to 2: 0.0025 to 0.0028.
    assert error < 0.02
    assert run.history["l1"][-1] < run.history["l1"][0]


def test_a_training_starts_from_another_ones_weights():
    run = image_to_image.train(*squares(), steps=10, adversarial_weight=0.05, **SMALL)
    assert {"d_loss", "g_loss", "d_real", "d_fake", "l1"} < set(run.history)
    assert run.cpu_seconds > 0
    assert run.seconds > 0
    still = SMALL | {"steps": 5, "g_learning_rate": 1e-9}
    other = image_to_image.train(*squares(), start=run.gan, **still).gan
    wanted = run.gan.ema_generator.get_weights()
    for network in (other.generator, other.ema_generator):
        for a, b in zip(network.get_weights(), wanted, strict=True):
            if a.ndim > 1:  # no running mean or variance
                np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_seed_fixes_every_bit_and_a_model_can_be_saved(tmp_path):
    x, _ = squares()
    first, again = compiled(0.1), compiled(0.1)
    for gan in (first, again):
        step(gan)
    drawn = first.translate(x[:9])
    np.testing.assert_array_equal(again.translate(x[:9]), drawn)
    first.save(tmp_path)
    other = compiled(0.1)
    assert np.any(other.translate(x[:9]) != drawn)
    other.restore(tmp_path)
    np.testing.assert_array_equal(other.translate(x[:9]), drawn)


def test_numpys_integers_are_integers():
    one, two = np.int64(1), np.int64(2)
    shape = np.array([8, 8, 1])
    x = squares(3)[0]
    for network in (
        image_to_image.redrawer(shape, np.array([4]), two),
        image_to_image.restyler(shape, two, one),
    ):
        assert image_to_image.translate(network, x).shape == x.shape
    assert image_to_image.image_discriminator(shape, two)(x).shape == (3, 1)
    assert image_to_image.pair_discriminator(shape, two)([x, x]).shape == (3, 1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: image_to_image.train(x, x[:-1]), ValueError, "differ in shape"),
        (lambda x: image_to_image.train(x * 3, x), ValueError, "sources: wanted values in"),
        (lambda x: image_to_image.train(x, x[:, :4]), ValueError, "differ in shape"),
        (lambda x: image_to_image.train(x[:, :7], x[:, :7]), ValueError, "multiples of 2"),
        (lambda x: image_to_image.train(x, x, speed=3), TypeError, "speed"),
        (lambda x: image_to_image.train(x, x, "painter"), ValueError, "unknown method"),
        (lambda x: image_to_image.train(x, x, steps=0), ValueError, "steps"),
        (
            lambda x: image_to_image.train(x, x, adversarial_weight=-1.0),
            ValueError,
            "adversarial_weight",
        ),
        (
            lambda x: compiled(0.0).translate(x[:, :4]),
            ValueError,
            "sources: wanted 8 x 8",
        ),
        (
            lambda x: image_to_image.resized(image_to_image.restyler(places=False), (8, 8, 3)),
            ValueError,
            "shape",
        ),
        (lambda x: compiled(0.0).fit(x), ValueError, "got targets alone"),
        (lambda x: compiled(0.0).sample(3), TypeError, "translate"),
    ],
)
def test_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(squares()[0])
