"""The Dirac-GAN against its published table, finite differences of the losses, and theory."""

import numpy as np
import pytest

from gantut.dynamics import (
    DIRAC_STRENGTHS,
    UPDATES,
    Noise,
    bilinear_game,
    dirac_gan,
    f,
    f_prime,
    f_second,
    simulate,
    step_jacobian,
    vector_field,
)

GAMES = [dirac_gan(method) for method in DIRAC_STRENGTHS] + [bilinear_game()]
POINTS = np.array([(1.0, 1.0), (0.3, -0.8), (-1.7, 0.4), (-0.2, -2.1), (0.9, 1.6)])


def distance(path):
    return np.linalg.norm(path, axis=-1)


def name(game):
    return game.name


def losses(game, theta, psi):
    """The generator's and the discriminator's loss as `dirac_gan` words them.

    Means over the noise are sums over Gauss and Hermite's nodes.
    """
    method, _, strength = game.name.replace(",", "").partition(" ")
    size = float(strength.split()[-1]) if strength else 0.0
    value = f(0.0) + f(psi * theta)
    wgan_penalty = 0.5 * size * (abs(psi) - 1) ** 2
    half_square = 0.5 * size * f_prime(psi * theta) ** 2 * (theta**2 + psi**2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    noise, weights = size * nodes[:, None], weights / weights.sum()
    blurred = weights @ f(psi * (theta + noise))
    return {
        "bilinear": (theta * psi, -theta * psi),
        "GAN": (value - f(0.0), -value),
        "non-saturating": (-f(-psi * theta), -value),
        "WGAN": (theta * psi, -theta * psi),
        "WGAN-GP": (theta * psi, -theta * psi + wgan_penalty),
        "instance": (blurred, -blurred - weights @ f(-psi * noise)),
        "R1": (value, -value + 0.5 * size * psi**2),
        "consensus": (value + half_square, -value + half_square),
    }[method]


def jacobian(game):
    """That of the field at (0, 0), from one step of the size 1."""
    return step_jacobian(game, step_size=1.0) - np.eye(2)


# The table of distances from the equilibrium for h = 0.2 from (1, 1) after 500 steps, to the
# digits in which it is printed: (method, strength, simultaneous, alternating).
TABLE = [
    ("gan", None, "3.10", "1.42"),
    ("non_saturating", None, "0.640", "0.284"),
    ("wgan", 1.0, "1.00", "1.02"),
    ("wgan_gp", 0.7, "1.80", "1.22"),
    ("r1", 0.3, "2.643e-06", "2.301e-07"),
    ("r1", 1.0, "9.53e-22", "7.5e-17"),
    ("consensus", 1.0, "2.58e-10", "1.72e-11"),
]


def printed_like(value, text):
    if "e" in text:
        return f"{value:.{len(text.split('e')[0]) - 2}e}"
    return f"{value:.{len(text) - 2}f}"


@pytest.mark.parametrize(("method", "strength", "simultaneous", "alternating"), TABLE)
def test_published_table(method, strength, simultaneous, alternating):
    game = dirac_gan(method, strength=strength)
    for update, text in (("simultaneous", simultaneous), ("alternating", alternating)):
        final = distance(simulate(game, update=update))[-1]
        assert printed_like(final, text) == text


@pytest.mark.parametrize("update", ["simultaneous", "alternating"])
@pytest.mark.parametrize(("method", "strength"), [row[:2] for row in TABLE])
def test_each_row_agrees_with_the_package_s_losses_differentiated_by_machine(
    method, strength, update
):
    # No derivative here is ours: D(x) = -psi x meets the data at 0 and the sample at theta, and
    # TensorFlow differentiates the losses and penalties that train the book's networks.
    package = pytest.importorskip("gantut.losses")
    tf = pytest.importorskip("tensorflow")
    name = {"wgan": "wasserstein", "wgan_gp": "wasserstein", "non_saturating": method}
    pair = package.LOSSES[name.get(method, "minimax")]
    data = tf.zeros((1, 1), tf.float64)

    def two_losses(theta, psi):
        def critic(x):
            return -psi * x

        sample = tf.reshape(theta, (1, 1))
        real, fake = critic(data), critic(sample)
        generator, discriminator = pair.generator(fake, real), pair.discriminator(real, fake)
        if method == "r1":
            discriminator += strength * package.r1_penalty(critic, data)
        if method == "wgan_gp":
            middle = tf.constant([0.5], tf.float64)
            penalty = package.gradient_penalty(critic, data, sample, middle)
            discriminator += 0.5 * strength * penalty
        return generator, discriminator

    def gradients(theta, psi, losses_of=two_losses):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([theta, psi])
            generator, discriminator = losses_of(theta, psi)
        return tape.gradient(generator, theta), tape.gradient(discriminator, psi)

    def with_consensus(theta, psi):
        generator, discriminator = two_losses(theta, psi)
        half_square = 0.5 * strength * tf.add_n([g**2 for g in gradients(theta, psi)])
        return generator + half_square, discriminator + half_square

    @tf.function
    def run(steps, h):
        theta = psi = tf.ones((), tf.float64)
        for _ in tf.range(steps):
            objective = with_consensus if method == "consensus" else two_losses
            by_theta, by_psi = gradients(theta, psi, objective)
            theta = theta - h * by_theta
            if update == "alternating":
                _, by_psi = gradients(theta, psi, objective)
            psi = psi - h * by_psi
            if method == "wgan":
                psi = tf.clip_by_value(psi, -strength, strength)
        return theta, psi

    for steps in (1, 10, 100, 500):
        expected = simulate(dirac_gan(method, strength=strength), update=update, steps=steps)[-1]
        found = [float(value) for value in run(tf.constant(steps), tf.constant(0.2, tf.float64))]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.slow
def test_published_table_instance_noise():
    # The printed values are single runs; over many seeds they lie in the middle of the spread.
    game = dirac_gan("instance_noise", strength=0.7)
    for update, printed in (("simultaneous", 0.019), ("alternating", 0.0098)):
        runs = simulate(game, start=np.ones((20, 2)), update=update, noise_draws=1000)
        low, high = np.quantile(distance(runs[-1]), [0.05, 0.95])
        assert low < printed < high
        assert 0.002 < low < 0.006
        assert 0.018 < high < 0.032


def test_non_saturating_decays_like_the_root_of_time():
    game = dirac_gan("non_saturating")
    away = distance(simulate(game, update="alternating", steps=50_000))
    assert f"{away[-1]:.4f}" == "0.0277"
    # The flow's averaged equation gives r = sqrt(8 / t); over a turn (63 steps) r goes up and
    # down by 2 % around it.
    for steps in (12_500, 25_000, 50_000):
        turn = away[steps - 62 : steps + 1].mean()
        assert turn == pytest.approx(np.sqrt(8 / (0.2 * steps)), rel=2e-3)


def test_non_saturating_simultaneous_cycle_has_radius_root_2h():
    game = dirac_gan("non_saturating")
    for h in (0.05, 0.2):
        tail = distance(simulate(game, step_size=h, steps=20_000))[-2000:]
        assert tail.mean() == pytest.approx(np.sqrt(2 * h), rel=0.02)


@pytest.mark.parametrize("game", GAMES, ids=name)
def test_field_is_minus_the_gradient_of_the_losses(game):
    theta, psi = POINTS.T
    e = 1e-6
    v_theta, v_psi = vector_field(game, theta, psi)
    by_theta = (losses(game, theta + e, psi)[0] - losses(game, theta - e, psi)[0]) / (2 * e)
    by_psi = (losses(game, theta, psi + e)[1] - losses(game, theta, psi - e)[1]) / (2 * e)
    np.testing.assert_allclose(v_theta, -by_theta, atol=1e-8)
    np.testing.assert_allclose(v_psi, -by_psi, atol=1e-8)
    assert np.abs([v_theta, v_psi]).min() > 0.02  # so that the comparison is not one of zeros


@pytest.mark.parametrize("game", GAMES, ids=name)
def test_the_equilibrium_is_at_rest(game):
    # WGAN-GP has a kink there: its field is zero at psi = 0 exactly, and jumps beside it.
    np.testing.assert_allclose(vector_field(game, 0.0, 0.0), 0.0, atol=1e-16)


def test_f_and_its_derivatives():
    t = np.linspace(-6, 6, 25)
    e = 1e-5
    np.testing.assert_allclose(f(t), np.log(1 / (1 + np.exp(-t))), rtol=1e-12)
    np.testing.assert_allclose(f_prime(t), (f(t + e) - f(t - e)) / (2 * e), atol=1e-9)
    np.testing.assert_allclose(f_second(t), (f_prime(t + e) - f_prime(t - e)) / (2 * e), atol=1e-9)
    assert f_prime(0.0) == 0.5
    assert f_second(0.0) == -0.25


def test_f_does_not_overflow():
    with np.errstate(over="raise", invalid="raise"):
        assert f(1000.0) == 0.0
        assert f(-1000.0) == -1000.0
    assert f_prime(-1000.0) == 1.0
    assert f_prime(1000.0) == 0.0


@pytest.mark.parametrize("gamma", [0.0, 0.3, 0.7, 1.0, 2.5])
def test_r1_has_the_eigenvalues_of_the_paper(gamma):
    """Mescheder et al. 2018, section 3."""
    root = np.emath.sqrt(gamma**2 / 4 - 0.25)
    expected = [-gamma / 2 + root, -gamma / 2 - root]
    game = dirac_gan("r1", strength=gamma) if gamma else dirac_gan("gan")
    matrix = jacobian(game)
    np.testing.assert_allclose(matrix, [[0, -0.5], [0.5, -gamma]], atol=1e-9)
    # Sum and product identify a pair without asking for an order; at gamma = 1 the two meet and
    # the numerical eigenvalues are the square root of a rounding error apart.
    numerical = np.linalg.eigvals(matrix)
    assert numerical.sum() == pytest.approx(sum(expected).real, abs=1e-9)
    assert numerical.prod() == pytest.approx(np.prod(expected).real, abs=1e-9)


def test_r1_is_critical_at_gamma_1_and_alternating_at_1_minus_h_over_4():
    below, above = (
        np.linalg.eigvals(jacobian(dirac_gan("r1", strength=gamma))) for gamma in (0.99, 1.01)
    )
    assert np.abs(below.imag).min() > 0
    assert np.all(above.imag == 0)

    def radius(gamma, update):
        matrix = step_jacobian(dirac_gan("r1", strength=gamma), update=update)
        return np.abs(np.linalg.eigvals(matrix)).max()

    gammas = np.linspace(0.5, 1.5, 101)
    for update, best in (("simultaneous", 1.0), ("alternating", 0.95)):
        rates = [radius(gamma, update) for gamma in gammas]
        assert gammas[np.argmin(rates)] == pytest.approx(best, abs=1e-9)
    # Above 1 - h / 4 an alternating step's eigenvalues are real, though the flow's are not yet.
    matrix = step_jacobian(dirac_gan("r1", strength=0.98), update="alternating")
    np.testing.assert_allclose(np.sort(np.linalg.eigvals(matrix)), [0.87232, 0.92168], atol=1e-5)


@pytest.mark.parametrize(("update", "squared"), [("simultaneous", 0.95), ("alternating", 0.94)])
def test_r1_follows_its_step_jacobian_near_the_equilibrium(update, squared):
    game = dirac_gan("r1", strength=0.3)
    matrix = step_jacobian(game, update=update)
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(matrix)) ** 2, squared, atol=1e-9)
    start = np.array([1e-4, 1e-4])
    path = simulate(game, start=start, update=update, steps=100)
    expected = np.linalg.matrix_power(matrix, 100) @ start
    np.testing.assert_allclose(path[-1], expected, rtol=1e-6)


def test_instance_noise_damps_like_r1_with_half_the_variance():
    for std in (0.3, 0.7, 1.0):
        matrix = jacobian(dirac_gan("instance_noise", strength=std))
        np.testing.assert_allclose(matrix, [[0, -0.5], [0.5, -(std**2) / 2]], atol=1e-8)


def test_mean_over_instance_noise_is_that_of_many_draws():
    game = dirac_gan("instance_noise", strength=0.7)
    rng = np.random.default_rng(0)
    n = 1_000_000
    noise = Noise(*(0.7 * rng.standard_normal((2, n))), np.full(n, 1 / n))
    for theta, psi in [(1.0, 1.0), (-0.5, 2.0)]:
        drawn = np.array(game.field(np.array(theta), np.array(psi), noise))
        np.testing.assert_allclose(drawn, vector_field(game, theta, psi), atol=2e-3)


@pytest.mark.parametrize("update", UPDATES)
def test_first_step_by_hand(update):
    # v(1, 1) of the bilinear game is (-1, 1); h = 0.5.
    expected = {
        "simultaneous": (0.5, 1.5),
        "alternating": (0.5, 1.25),
        "extragradient": (1 - 0.5 * 1.5, 1 + 0.5 * 0.5),
        "optimistic": (0.5, 1.5),
    }
    path = simulate(bilinear_game(), steps=1, step_size=0.5, update=update)
    np.testing.assert_array_equal(path, [(1.0, 1.0), expected[update]])


def test_second_optimistic_step_by_hand():
    # w1 = (0.5, 1.5), v(w1) = (-1.5, 0.5), v(w0) = (-1, 1).
    path = simulate(bilinear_game(), steps=2, step_size=0.5, update="optimistic")
    np.testing.assert_array_equal(path[2], [0.5 + 0.5 * (-3 + 1), 1.5 + 0.5 * (1 - 1)])


def test_bilinear_rates():
    h = 0.2
    game = bilinear_game()
    for update, factor in (
        ("simultaneous", np.sqrt(1 + h**2)),
        ("extragradient", np.sqrt(1 - h**2 + h**4)),
    ):
        away = distance(simulate(game, update=update, step_size=h, steps=100))
        np.testing.assert_allclose(away[1:] / away[:-1], factor, rtol=1e-12)
        eigenvalues = np.linalg.eigvals(step_jacobian(game, update=update, step_size=h))
        np.testing.assert_allclose(np.abs(eigenvalues), factor, rtol=1e-9)


def test_bilinear_alternating_stays_on_an_ellipse():
    h = 0.2
    theta, psi = simulate(bilinear_game(), update="alternating", step_size=h, steps=5000).T
    np.testing.assert_allclose(theta**2 + psi**2 - h * theta * psi, 2 - h, rtol=1e-10)


def test_bilinear_optimistic_converges_below_one_over_root_3_only():
    def final(h):
        return distance(simulate(bilinear_game(), update="optimistic", step_size=h, steps=4000))[-1]

    assert final(0.56) < 1e-6
    assert final(0.60) > 1e6


def test_saturating_gan_grows_by_its_slope():
    path = simulate(dirac_gan("gan"), steps=200)
    slope = f_prime(path[:-1].prod(axis=1))
    squared = distance(path) ** 2
    np.testing.assert_allclose(squared[1:] / squared[:-1], 1 + 0.2**2 * slope**2, rtol=1e-12)


def test_clipping_holds_psi_and_the_start():
    game = dirac_gan("wgan", strength=0.3)
    for update in UPDATES:
        path = simulate(game, start=(1.0, 2.0), update=update)
        assert path[0].tolist() == [1.0, 0.3]
        assert np.abs(path[:, 1]).max() == 0.3


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("game", GAMES, ids=name)
def test_several_starts_are_as_many_runs(game, update):
    starts = POINTS[:3]
    together = simulate(game, start=starts, steps=30, update=update, noise_draws=10)
    assert together.shape == (31, 3, 2)
    assert together.dtype == np.float64
    if game.noise_std:  # one seed draws other noise for another number of starts
        return
    for i, start in enumerate(starts):
        alone = simulate(game, start=start, steps=30, update=update)
        np.testing.assert_allclose(together[:, i], alone, rtol=1e-13)


def test_seed_fixes_the_noise():
    game = dirac_gan("instance_noise")
    first = simulate(game, steps=20, seed=3)
    np.testing.assert_array_equal(first, simulate(game, steps=20, seed=3))
    assert not np.array_equal(first, simulate(game, steps=20, seed=4))


def test_no_steps_is_the_start():
    np.testing.assert_array_equal(simulate(bilinear_game(), steps=0), [(1.0, 1.0)])


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("update", "sideways", ValueError),
        ("steps", -1, ValueError),
        ("steps", 1.5, TypeError),
        ("step_size", 0.0, ValueError),
        ("step_size", np.nan, ValueError),
        ("step_size", "0.1", TypeError),
        ("noise_draws", 0, ValueError),
        ("seed", 0.5, TypeError),
        ("start", (1.0, 2.0, 3.0), ValueError),
        ("start", np.empty((0, 2)), ValueError),
        ("start", (np.inf, 0.0), ValueError),
    ],
)
def test_simulate_refuses(name, value, error):
    with pytest.raises(error, match=name):
        simulate(dirac_gan("gan"), **{name: value})


def test_numpys_numbers_are_numbers():
    game = dirac_gan("instance_noise", strength=np.float32(0.5))
    given = {"steps": np.int64(3), "noise_draws": np.uint8(4), "seed": np.int32(1)}
    plain = {"steps": 3, "noise_draws": 4, "seed": 1}
    np.testing.assert_array_equal(simulate(game, **given), simulate(game, **plain))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: dirac_gan("dcgan"), "method"),
        (lambda: dirac_gan("gan", strength=1.0), "strength"),
        (lambda: dirac_gan("r1", strength=-1.0), "strength"),
        (lambda: step_jacobian(bilinear_game(), update="optimistic"), "optimistic"),
        (lambda: step_jacobian(bilinear_game(), step_size=-1), "step_size"),
    ],
)
def test_refusals(call, name):
    with pytest.raises(ValueError, match=name):
        call()
