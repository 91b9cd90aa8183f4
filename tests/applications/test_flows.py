"""gantut.applications.flows: losses against closed forms, integration, students, codes."""

import functools

import numpy as np
import pytest

from gantut import networks
from gantut._keras import keras, tf
from gantut.applications import flows
from gantut.optimizers import FusedAdam

MEAN, DEVIATION = 1.5, 0.4


def normal_rows(n, seed=0):
    """Rows from N(1.5, 0.4^2), of which all velocities are known."""
    rng = np.random.default_rng(seed)
    return (MEAN + DEVIATION * rng.standard_normal((n, 1))).astype(np.float32)


def normal_velocity(x, t):
    """E[x_1 - x_0 | x_t = x] for data from N(m, s^2): the normal's regression line."""
    variance = (1 - t) ** 2 + (t * DEVIATION) ** 2
    return MEAN + (t * DEVIATION**2 - (1 - t)) / variance * (x - t * MEAN)


class Known(keras.layers.Layer):
    """The closed form as a network, with an error to be learned away."""

    def build(self, input_shape):
        self.error = self.add_weight(shape=(), initializer="zeros")

    def call(self, inputs):
        return normal_velocity(*inputs) + self.error


def known(error=0.0):
    x, time = keras.Input((1,)), keras.Input((1,))
    layer = Known()
    network = keras.Model([x, time], layer([x, time]))
    layer.error.assign(error)
    return network


@pytest.fixture(scope="module")
def trained():
    network = functools.partial(flows.mlp_velocity, width=32, blocks=1)
    return flows.train(
        normal_rows(4_096), network=network, steps=800, batch_size=256, learning_rate=5e-3
    ).gan


# --- The loss ------------------------------------------------------------------------------------


def test_the_closed_form_velocity_has_the_least_loss():
    def loss(error):
        flow = flows.Flow(known(error), seed=0)
        noise = np.random.default_rng(1).standard_normal((50_000, 1), dtype=np.float32)
        return float(flow.loss_of(tf.constant(normal_rows(50_000)), tf.constant(noise)))

    assert loss(0.0) < min(loss(-0.1), loss(0.1))
    # The same draws: the loss rises by the square of the error, but for the sample's mean.
    assert loss(0.3) + loss(-0.3) - 2 * loss(0.0) == pytest.approx(2 * 0.09, rel=1e-3)


def test_of_two_points_the_velocity_points_to_their_weighted_mean():
    # With data -1 and 1, E[x_1 | x_t = x] = tanh(t x / (1 - t)^2).
    x = np.resize(np.float32([[-1.0], [1.0]]), (512, 1))
    network = functools.partial(flows.mlp_velocity, width=64, blocks=2)
    flow = flows.train(x, network=network, steps=1_200, batch_size=256).gan
    places = np.linspace(-1, 1, 9, dtype=np.float32)[:, None]
    for t in (0.2, 0.5):
        found = flow.velocity(tf.constant(places), tf.fill((9, 1), t)).numpy()
        data = np.tanh(t * places / (1 - t) ** 2)
        np.testing.assert_allclose(found, (data - places) / (1 - t), atol=0.25)
    made = flow.sample(2_000, seed=0, steps=16)
    assert np.mean(np.abs(np.abs(made) - 1) < 0.15) > 0.9
    assert np.mean(made > 0) == pytest.approx(0.5, abs=0.06)


def test_a_trained_flow_has_the_datas_moments(trained):
    made = trained.sample(5_000, seed=0)
    assert made.mean() == pytest.approx(MEAN, abs=0.05)
    assert made.std() == pytest.approx(DEVIATION, abs=0.05)


# --- Integration ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2)])
def test_a_method_converges_by_its_order(method, order):
    # dx / dt = -2 x + t has the solution (x_0 + 1/4) exp(-2 t) + t / 2 - 1/4.
    start = np.array([[1.0], [-3.0]])
    exact = (start + 0.25) * np.exp(-2.0) + 0.25

    def error(steps):
        path = flows.integrate(
            lambda x, t: t - 2 * x, tf.constant(start), steps=steps, method=method
        )
        assert len(path) == steps + 1
        return np.abs(path[-1].numpy() - exact).max()

    assert np.log2(error(32) / error(64)) == pytest.approx(order, abs=0.06)
    assert error(64) < 0.02**order


def test_a_constant_velocity_needs_one_step():
    x = tf.zeros((2, 3))
    for method in ("euler", "heun"):
        end = flows.integrate(lambda x, t: tf.ones_like(x), x, steps=1, method=method)[-1]
        np.testing.assert_array_equal(end, np.ones((2, 3)))


# --- One pass ------------------------------------------------------------------------------------


def test_a_student_learns_the_ends_of_the_paths(trained):
    pairs = flows.make_pairs(trained, 1_000, 3, steps=8)
    first = flows.one_pass(trained)
    student = flows.distil(trained, pairs, steps=400, batch_size=128).gan
    before, after = (
        np.mean((generator(pairs[0]).numpy() - pairs[1]) ** 2)
        for generator in (first, student.generator)
    )
    assert after < before / 20
    made = student.sample(5_000, seed=0)
    assert made.mean() == pytest.approx(MEAN, abs=0.06)
    assert made.std() == pytest.approx(DEVIATION, abs=0.06)


def test_a_pass_is_one_euler_step(trained):
    noise = flows.draw_noise((1,), 50, seed=1)
    network = flows.one_pass(trained)
    np.testing.assert_allclose(
        network(noise), trained.push(noise, steps=1, method="euler"), atol=1e-5
    )


def test_one_step_of_the_closed_form_ends_at_the_mean():
    made = flows.Flow(known(), seed=0).sample(1_000, seed=0, steps=1, method="euler")
    np.testing.assert_allclose(made, MEAN, atol=1e-5)


# --- A mean flow ---------------------------------------------------------------------------------


class KnownMean(keras.layers.Layer):
    """The mean velocity of a path of `normal_velocity`, whose deviation has a closed form."""

    def build(self, input_shape):
        self.error = self.add_weight(shape=(), initializer="zeros")

    def call(self, inputs):
        x, times = inputs
        start, end = times[:, :1], times[:, 1:]
        at_start, at_end = (tf.sqrt((1 - t) ** 2 + (t * DEVIATION) ** 2) for t in (start, end))
        arrival = end * MEAN + at_end / at_start * (x - start * MEAN)
        step = tf.where(end > start, end - start, 1.0)
        mean = tf.where(end > start, (arrival - x) / step, normal_velocity(x, start))
        return mean + self.error * (x - start * MEAN)


def known_mean(error):
    x, times = keras.Input((1,)), keras.Input((2,))
    layer = KnownMean()
    network = keras.Model([x, times], layer([x, times]))
    layer.error.assign(error)
    return network


def test_the_closed_form_mean_velocity_is_where_the_loss_has_no_slope():
    noise = tf.constant(np.random.default_rng(1).standard_normal((40_000, 1), dtype=np.float32))
    data = tf.constant(normal_rows(40_000))

    def slope(error):
        flow = flows.MeanFlow(known_mean(error), power=0, seed=0)
        with tf.GradientTape() as tape:
            loss = flow.loss_of(data, noise)
        return float(tape.gradient(loss, flow.network.trainable_variables)[0])

    assert slope(0.0) == pytest.approx(0.0, abs=0.02)
    assert slope(-0.1) < -0.05 < 0.05 < slope(0.1)


def test_one_step_of_a_mean_flow_is_the_whole_path():
    flow = flows.MeanFlow(known_mean(0.0), seed=0)
    noise = flows.draw_noise((1,), 500, seed=0)
    for steps in (1, 4):
        np.testing.assert_allclose(
            flow.push(noise, steps=steps), MEAN + DEVIATION * noise, atol=1e-4
        )
    np.testing.assert_allclose(
        flow.velocity(tf.constant(noise), tf.fill((500, 1), 0.3)),
        normal_velocity(noise, 0.3),
        atol=1e-5,
    )


def test_a_trained_mean_flow_has_the_datas_moments_after_one_step():
    network = functools.partial(flows.mlp_velocity, width=32, blocks=1)
    flow = flows.train_mean(
        normal_rows(4_096), network=network, steps=1_500, batch_size=256, power=0
    ).gan
    noise = flows.draw_noise((1,), 5_000, seed=0)
    made = flow.push(noise)
    assert made.mean() == pytest.approx(MEAN, abs=0.04)
    assert made.std() == pytest.approx(DEVIATION, abs=0.03)
    assert np.abs(made - (MEAN + DEVIATION * noise)).mean() < 0.03


# --- Codes ---------------------------------------------------------------------------------------


def autoencoder(**options):
    shape = (8, 8, 1)
    return flows.Autoencoder(
        networks.mlp_encoder(3, shape),
        networks.mlp_generator(3, shape),
        flows.patch_critic(shape),
        **options,
    )


def test_codes_are_whole_levels_and_pass_gradients():
    assert autoencoder(levels=4).bits == 6
    codes = tf.constant([[-1.0, -0.6, 0.34], [0.9, 0.2, -0.2]])
    with tf.GradientTape() as tape:
        tape.watch(codes)
        rounded = flows.quantise(codes, 4)
    third = 1 / 3
    np.testing.assert_allclose(rounded, [[-1, -third, third], [1, third, -third]], atol=1e-6)
    np.testing.assert_array_equal(tape.gradient(rounded, codes), np.ones((2, 3)))


def test_each_logit_of_the_critic_sees_its_quarter():
    critic = flows.patch_critic((8, 8, 1))
    blank = np.zeros((1, 8, 8, 1), np.float32)
    for quarter, (row, column) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
        image = blank.copy()
        image[0, row : row + 4, column : column + 4] = 1
        changed = np.ravel(critic(image) != critic(blank))
        assert list(np.flatnonzero(changed)) == [quarter]


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_an_autoencoder_learns_images(weight):
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 8, 512)
    images = np.full((512, 8, 8, 1), -1, np.float32)
    images[np.arange(512), rows] = 1
    model = flows.train_autoencoder(images, code=3, weight=weight, steps=300, batch_size=32).gan
    assert int(model.d_optimizer.iterations.numpy()) == (300 if weight else 0)
    codes = model.encode(images)
    assert len(np.unique(codes.round(3), axis=0)) <= 4**3
    decoded = model.decode(codes)
    assert np.mean((decoded - images) ** 2) < (0.4 if weight else 0.25) * images.var()
    np.testing.assert_allclose(decoded, model.translate(images), atol=1e-5)
    # What is no level is decoded as the nearest one, and what is out of range as the last.
    np.testing.assert_allclose(model.decode(1.1 * codes), decoded, atol=1e-5)


# --- Seeds and refusals --------------------------------------------------------------------------


def test_a_seed_fixes_the_result():
    images = np.random.default_rng(0).uniform(-1, 1, (64, 8, 8, 1)).astype(np.float32)

    def once(seed):
        network = functools.partial(flows.unet_velocity, widths=(4, 8), hidden=8)
        return flows.train(images, network=network, steps=20, batch_size=16, seed=seed).gan.sample(
            4, seed=0, steps=2
        )

    first = once(1)
    keras.layers.Dense(1), keras.layers.Conv2D(1, 1)  # Keras numbers their names on
    np.testing.assert_array_equal(first, once(1))
    assert first.shape == (4, 8, 8, 1)
    assert np.abs(first).max() <= 1
    assert np.abs(first - once(2)).max() > 0.01


def test_a_student_of_the_adversarial_kind_is_a_gan():
    flow = flows.Flow(flows.unet_velocity((8, 8, 1), widths=(4, 8), hidden=8), bounds=(-1, 1))
    recipe = flows.adversarial_recipe(flows.one_pass(flow))
    gan = recipe.build((8, 8, 1))
    assert gan.latent_dim == 64
    assert gan.sample(2, seed=0).shape == (2, 8, 8, 1)


def test_broken_inputs_are_refused():
    with pytest.raises(ValueError, match="steps"):
        flows.integrate(lambda x, t: x, tf.zeros((1, 1)), steps=0)
    with pytest.raises(ValueError, match="method"):
        flows.integrate(lambda x, t: x, tf.zeros((1, 1)), method="newton")
    with pytest.raises(ValueError, match="scale"):
        flows.Flow(flows.mlp_velocity((2,)), scale=0)
    with pytest.raises(ValueError, match="multiple"):
        flows.unet_velocity((10, 10, 1))
    with pytest.raises(ValueError, match="finite"):
        flows.train(np.full((8, 2), np.nan, np.float32), steps=1)
    mean_flow = flows.MeanFlow(flows.mlp_velocity((2,), times=2))
    with pytest.raises(ValueError, match="method"):
        mean_flow.sample(2, method="heun")
    with pytest.raises(ValueError, match="levels"):
        autoencoder(levels=1)
    flow = flows.Flow(flows.mlp_velocity((2,)))
    flow.compile(FusedAdam(1e-3))
    with pytest.raises(ValueError, match="shape"):
        flow.push(np.zeros((3, 5), np.float32))
