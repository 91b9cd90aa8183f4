"""gantut.losses against closed forms and finite differences, all in float64."""

import math

import numpy as np
import pytest

from gantut import losses
from gantut._keras import keras, tf

LOG2 = math.log(2.0)
REAL = np.array([[-2.0], [0.3], [1.7], [0.9]])
FAKE = np.array([[0.4], [-1.2], [2.5], [-0.1]])
N = len(REAL)


def sigmoid(t):
    return 1.0 / (1.0 + np.exp(-t))


def value_and_gradients(function, *arrays):
    tensors = [tf.constant(a, tf.float64) for a in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
    assert value.shape == ()
    gradients = tape.gradient(value, tensors, unconnected_gradients="zero")
    return float(value), [g.numpy() for g in gradients]


def finite_differences(function, arrays, index, step=1e-6):
    """Central differences of ``function(*arrays)`` with respect to each entry of one array."""
    gradient = np.zeros_like(arrays[index])
    for position in np.ndindex(*gradient.shape):
        ends = []
        for sign in (1, -1):
            moved = [a.copy() for a in arrays]
            moved[index][position] += sign * step
            ends.append(float(function(*[tf.constant(a, tf.float64) for a in moved])))
        gradient[position] = (ends[0] - ends[1]) / (2 * step)
    return gradient


# Value at logits 0 of (discriminator's loss, generator's loss).
AT_ZERO = {
    "minimax": (2 * LOG2, -LOG2),
    "non_saturating": (2 * LOG2, LOG2),
    "least_squares": (0.5, 0.5),
    "hinge": (2.0, 0.0),
    "wasserstein": (0.0, 0.0),
    "relativistic": (LOG2, LOG2),
}

# Values and derivatives written out with the sigmoid, as the papers have them (not softplus).
DISCRIMINATOR = {
    "minimax": (
        lambda r, f: -np.log(sigmoid(r)).mean() - np.log(1 - sigmoid(f)).mean(),
        lambda r, f: ((sigmoid(r) - 1) / N, sigmoid(f) / N),
    ),
    "least_squares": (
        lambda r, f: ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2,
        lambda r, f: ((r - 1) / N, f / N),
    ),
    "hinge": (
        lambda r, f: np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean(),
        lambda r, f: ((r < 1) / -N, (f > -1) / N),
    ),
    "wasserstein": (
        lambda r, f: f.mean() - r.mean(),
        lambda r, f: (np.full_like(r, -1 / N), np.full_like(f, 1 / N)),
    ),
    "relativistic": (
        lambda r, f: -np.log(sigmoid(r - f)).mean(),
        lambda r, f: (-sigmoid(f - r) / N, sigmoid(f - r) / N),
    ),
}
DISCRIMINATOR["non_saturating"] = DISCRIMINATOR["minimax"]

GENERATOR = {
    "minimax": (
        lambda f, r: np.log(1 - sigmoid(f)).mean(),
        lambda f, r: (-sigmoid(f) / N, 0 * r),
    ),
    "non_saturating": (
        lambda f, r: -np.log(sigmoid(f)).mean(),
        lambda f, r: (-(1 - sigmoid(f)) / N, 0 * r),
    ),
    "least_squares": (
        lambda f, r: ((f - 1) ** 2).mean() / 2,
        lambda f, r: ((f - 1) / N, 0 * r),
    ),
    "wasserstein": (
        lambda f, r: -f.mean(),
        lambda f, r: (np.full_like(f, -1 / N), 0 * r),
    ),
    "relativistic": (
        lambda f, r: -np.log(sigmoid(f - r)).mean(),
        lambda f, r: (-sigmoid(r - f) / N, sigmoid(r - f) / N),
    ),
}
GENERATOR["hinge"] = GENERATOR["wasserstein"]


def test_every_loss_is_tested():
    assert losses.LOSSES.keys() == AT_ZERO.keys() == DISCRIMINATOR.keys() == GENERATOR.keys()
    assert all(name == loss.name for name, loss in losses.LOSSES.items())


@pytest.mark.parametrize("name", AT_ZERO)
def test_values_where_the_discriminator_cannot_tell(name):
    zero = tf.zeros((5, 1), tf.float64)
    loss = losses.LOSSES[name]
    assert float(loss.discriminator(zero, zero)) == pytest.approx(AT_ZERO[name][0], abs=1e-15)
    assert float(loss.generator(zero, zero)) == pytest.approx(AT_ZERO[name][1], abs=1e-15)


@pytest.mark.parametrize("player", ["discriminator", "generator"])
@pytest.mark.parametrize("name", AT_ZERO)
def test_values_and_derivatives(name, player):
    function = getattr(losses.LOSSES[name], player)
    closed_value, closed_gradients = (DISCRIMINATOR if player == "discriminator" else GENERATOR)[
        name
    ]
    arrays = (REAL, FAKE) if player == "discriminator" else (FAKE, REAL)
    value, gradients = value_and_gradients(function, *arrays)
    assert value == pytest.approx(closed_value(*arrays), rel=1e-13)
    for index, closed in enumerate(closed_gradients(*arrays)):
        np.testing.assert_allclose(gradients[index], closed, rtol=1e-13, atol=1e-16)
        differences = finite_differences(function, arrays, index)
        np.testing.assert_allclose(gradients[index], differences, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", AT_ZERO)
def test_only_the_relativistic_generator_looks_at_real_logits(name):
    loss = losses.LOSSES[name]
    assert loss.relativistic == (name == "relativistic")
    fake = tf.constant(FAKE)
    one, other = loss.generator(fake, tf.constant(REAL)), loss.generator(fake, tf.constant(-REAL))
    assert (float(one) != float(other)) == loss.relativistic


@pytest.mark.parametrize("name", AT_ZERO)
def test_losses_stay_finite_at_extreme_logits(name):
    loss = losses.LOSSES[name]
    for sign in (1.0, -1.0):
        ends = [np.full((3, 1), sign * 1e4), np.full((3, 1), -sign * 1e4)]
        for function in (loss.discriminator, loss.generator):
            value, gradients = value_and_gradients(function, *ends)
            assert np.isfinite([value, *np.ravel(gradients)]).all()


def test_saturation():
    """Where D is sure that a sample is generated, one generator loss is flat, the other is not."""
    sure = np.full((1, 1), -12.0)
    _, (saturating,) = value_and_gradients(losses.minimax_generator, sure)
    _, (non_saturating,) = value_and_gradients(losses.non_saturating_generator, sure)
    assert saturating.item() == pytest.approx(-sigmoid(-12.0), rel=1e-12)  # -6.1e-6
    assert non_saturating.item() == pytest.approx(-(1 - sigmoid(-12.0)), rel=1e-12)


# --- Label smoothing ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
def test_label_smoothing_moves_the_best_discriminator_to_the_label(name):
    """Where there is only data, the loss is least at D = 0.9, not at D = 1."""
    loss = losses.get_loss(name, real_label=0.9)
    assert loss.generator is losses.LOSSES[name].generator
    logits = np.full((1, 1), math.log(0.9 / 0.1))
    nowhere = np.full((1, 1), -1e3)  # no generated samples: their term is 0
    value, (gradient, _) = value_and_gradients(loss.discriminator, logits, nowhere)
    assert gradient.item() == pytest.approx(0.0, abs=1e-15)
    assert value == pytest.approx(-0.9 * math.log(0.9) - 0.1 * math.log(0.1), rel=1e-13)
    for shift in (-1e-3, 1e-3):
        assert value_and_gradients(loss.discriminator, logits + shift, nowhere)[0] > value


def test_label_smoothing_is_one_sided():
    """Generated samples keep the label 0: their derivative is as without smoothing."""
    smooth = losses.get_loss("non_saturating", real_label=0.9).discriminator
    plain = losses.LOSSES["non_saturating"].discriminator
    _, (real, fake) = value_and_gradients(smooth, REAL, FAKE)
    _, (_, plain_fake) = value_and_gradients(plain, REAL, FAKE)
    np.testing.assert_array_equal(fake, plain_fake)
    np.testing.assert_allclose(real, (sigmoid(REAL) - 0.9) / N, rtol=1e-13)


def test_get_loss_returns_what_it_was_asked_for():
    for name, loss in losses.LOSSES.items():
        assert losses.get_loss(name) is loss
    own = losses.AdversarialLoss("own", lambda r, f: f, lambda f, r: f)
    assert losses.get_loss(own) is own


@pytest.mark.parametrize(
    ("loss", "label", "named"),
    [
        ("bce", 1.0, "loss 'bce'"),
        (None, 1.0, "loss"),
        (len, 1.0, "loss"),
        ("minimax", 0.5, "real_label"),
        ("minimax", 1.1, "real_label"),
        ("minimax", math.nan, "real_label"),
        ("hinge", 0.9, "hinge"),
        ("relativistic", 0.9, "relativistic"),
    ],
)
def test_get_loss_errors(loss, label, named):
    with pytest.raises((ValueError, TypeError), match=named):
        losses.get_loss(loss, real_label=label)


def test_a_critic_that_passes_no_gradient_to_its_input_is_told():
    x = tf.ones((2, 3))
    with pytest.raises(ValueError, match="stop_gradient"):
        losses.r1_penalty(lambda x: tf.reduce_sum(tf.round(tf.stop_gradient(x)), axis=1), x)


# --- Penalties ---------------------------------------------------------------------------------


def batch(rows, seed, shape=(2, 3, 1)):
    return np.random.default_rng(seed).normal(size=(rows, *shape))


def test_penalties_of_a_linear_critic():
    """D(x) = w . x has the gradient w everywhere."""
    w = batch(1, 3)[0]
    norm = np.linalg.norm(w)

    def critic(x):
        return tf.reduce_sum(x * w, axis=(1, 2, 3))

    real, fake = tf.constant(batch(4, 1)), tf.constant(batch(4, 2))
    assert float(losses.r1_penalty(critic, real)) == pytest.approx(norm**2 / 2, rel=1e-13)
    assert float(losses.r2_penalty(critic, fake)) == pytest.approx(norm**2 / 2, rel=1e-13)
    value = float(losses.gradient_penalty(critic, real, fake))
    assert value == pytest.approx((norm - 1.0) ** 2, rel=1e-10)


def test_penalties_of_a_quadratic_critic():
    """D(x) = |x|^2 / 2 has the gradient x, so each penalty tells where it was evaluated."""

    def critic(x):
        return tf.reduce_sum(tf.square(x), axis=(1, 2, 3))[:, None] / 2

    real, fake = batch(5, 1), batch(5, 2)
    squares = (real**2).sum(axis=(1, 2, 3))
    assert float(losses.r1_penalty(critic, tf.constant(real))) == pytest.approx(
        squares.mean() / 2, rel=1e-13
    )
    alpha = np.array([0.0, 0.2, 0.5, 0.9, 1.0])
    mixed = alpha[:, None, None, None] * real + (1 - alpha)[:, None, None, None] * fake
    norms = np.sqrt((mixed**2).sum(axis=(1, 2, 3)))
    value = losses.gradient_penalty(critic, tf.constant(real), tf.constant(fake), alpha)
    assert float(value) == pytest.approx(((norms - 1) ** 2).mean(), rel=1e-11)


def test_wgan_gp_has_a_finite_gradient_where_the_critic_is_flat():
    w = tf.Variable(tf.zeros((6, 1), tf.float64))
    x, y = tf.constant(batch(4, 1, (6,))), tf.constant(batch(4, 2, (6,)))
    with tf.GradientTape() as tape:
        value = losses.gradient_penalty(lambda t: t @ w, x, y)
    assert float(value) == pytest.approx((1e-6 - 1) ** 2, rel=1e-12)
    np.testing.assert_array_equal(tape.gradient(value, w), np.zeros((6, 1)))


def test_wgan_gp_draws_one_uniform_alpha_a_row():
    """Real rows are 1 everywhere and generated ones 0, so the critic sees alpha itself."""
    seen = []

    def critic(x):
        seen.append(x)
        return tf.reduce_sum(x, axis=(1, 2, 3))

    tf.random.set_seed(0)
    n = 4000
    losses.gradient_penalty(critic, tf.ones((n, 2, 2, 1)), tf.zeros((n, 2, 2, 1)))
    mixed = seen[0].numpy().reshape(n, -1)
    assert (mixed == mixed[:, :1]).all()  # one alpha for all pixels of a row
    alpha = np.sort(mixed[:, 0])
    assert alpha[0] >= 0.0
    assert alpha[-1] <= 1.0
    # Kolmogorov-Smirnov distance to the uniform distribution; 1.95 / sqrt(n) has p = 0.001. A
    # normal alpha, as in some tutorials, is 0.5 away.
    grid = np.arange(1, n + 1) / n
    distance = max(np.abs(grid - alpha).max(), np.abs(grid - 1 / n - alpha).max())
    assert distance < 1.95 / math.sqrt(n)


@pytest.mark.parametrize("name", ["r1", "r2", "wgan_gp"])
def test_gradient_of_the_penalty_with_respect_to_the_critics_weights(name):
    """Training needs the second derivative: compare it with differences of the penalty."""
    rng = np.random.default_rng(4)
    arrays = [rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=(4, 1))]
    real, fake = tf.constant(batch(5, 1, (3,))), tf.constant(batch(5, 2, (3,)))
    alpha = np.linspace(0.1, 0.9, 5)

    def penalty(w, b, v):
        def critic(x):
            return tf.nn.softplus(x @ w + b) @ v

        if name == "wgan_gp":
            return losses.gradient_penalty(critic, real, fake, alpha)
        return losses.r1_penalty(critic, real) if name == "r1" else losses.r2_penalty(critic, fake)

    _, gradients = value_and_gradients(penalty, *arrays)
    for index in range(3):
        differences = finite_differences(penalty, arrays, index, step=1e-5)
        assert np.abs(gradients[index]).max() > 1e-2
        np.testing.assert_allclose(gradients[index], differences, rtol=1e-6, atol=1e-8)


def test_each_row_of_a_keras_critic_has_its_own_gradient():
    """The penalty of a batch is the mean of the penalties of its rows."""
    keras.utils.set_random_seed(0)
    critic = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(5, "tanh"), keras.layers.Dense(1)]
    )
    x = tf.constant(batch(4, 1, (3,)), tf.float32)
    alone = [float(losses.r1_penalty(critic, x[i : i + 1])) for i in range(4)]
    assert float(losses.r1_penalty(critic, x)) == pytest.approx(np.mean(alone), rel=1e-5)
    assert max(alone) > 1.1 * min(alone)


def test_penalties_are_known_by_name():
    assert tuple(losses.PENALTIES) == ("r1", "r2", "wgan_gp")
