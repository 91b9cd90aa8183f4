"""The bound, its gradient and the likelihood against closed forms; then training and files."""

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.polynomial.hermite_e import hermegauss

from gantut import callbacks, cli, data, evaluate, networks, recipes, runs
from gantut.vae import VAE, binarise, kl_to_standard_normal

SHAPE = (4, 4, 1)
LATENT = 3


def images(n: int = 40, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (n, *shape)).astype(np.float32)


def small(likelihood: str = "bernoulli", seed: int = 0) -> VAE:
    keras.utils.set_random_seed(seed)
    return VAE(
        networks.mlp_encoder(LATENT, SHAPE, widths=(8,), variational=True),
        networks.mlp_generator(LATENT, SHAPE, widths=(8,)),
        likelihood=likelihood,
        seed=seed,
    )


# --- A linear model, of which all is known -------------------------------------------------------


class Linear:
    """x = W z + b + sigma e with z and e standard normal: x is N(b, W W' + sigma^2 I).

    The posterior of z has the covariance (I + W'W / sigma^2)^-1. With orthogonal columns of W it
    is diagonal, as the encoder's distributions are, and the encoder can be exact.
    """

    size, latent, sigma = 5, 2, 0.4

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        directions, _ = np.linalg.qr(rng.standard_normal((self.size, self.latent)))
        self.weights = directions * [0.9, 0.5]
        self.bias = rng.standard_normal(self.size)
        self.posterior_variance = 1 / (1 + np.array([0.81, 0.25]) / self.sigma**2)
        self.to_mean = self.weights * self.posterior_variance / self.sigma**2  # (size, latent)
        z = rng.standard_normal((50, self.latent))
        noise = self.sigma * rng.standard_normal((50, self.size))
        self.x = (z @ self.weights.T + self.bias + noise).astype(np.float32)
        covariance = self.weights @ self.weights.T + self.sigma**2 * np.eye(self.size)
        self.log_likelihood = log_normal(self.x, self.bias, covariance)

    def vae(self, shift: float = 0.0, factor: float = 1.0) -> VAE:
        """The encoder's mean is off by `shift`, its variance by `factor`."""
        x = keras.Input((self.size,))
        mean, log_variance = keras.layers.Dense(self.latent), keras.layers.Dense(self.latent)
        encoder = keras.Model(x, [mean(x), log_variance(x)])
        mean.set_weights([self.to_mean, shift - self.bias @ self.to_mean])
        log_variance.set_weights(
            [np.zeros((self.size, self.latent)), np.log(factor * self.posterior_variance)]
        )
        z = keras.Input((self.latent,))
        centre = keras.layers.Dense(self.size)
        decoder = keras.Model(z, centre(z))
        centre.set_weights([self.weights.T, self.bias])
        return VAE(encoder, decoder, likelihood="normal", deviation=self.sigma)


def log_normal(x: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    difference = x - mean
    squares = np.einsum("ni,ij,nj->n", difference, np.linalg.inv(covariance), difference)
    return -0.5 * (squares + np.linalg.slogdet(2 * np.pi * covariance)[1])


def test_exact_posterior_gives_the_likelihood_with_a_single_draw():
    model = Linear()
    vae = model.vae()
    # p(x | z) p(z) / q(z | x) is p(x) whatever z: no draw matters. Float32 sums of about 10 terms.
    for draws in (1, 3):
        found = vae.log_likelihood(model.x, draws=draws, seed=draws)
        np.testing.assert_allclose(found, model.log_likelihood, atol=2e-5)
    assert found.dtype == np.float64
    # The bound with the closed form of KL is exact on average over z.
    bound = vae.elbo(model.x, draws=400)
    spread = np.sqrt(vae.latent_dim / 2 / 400)  # log p(x | z) varies as log q(z | x) does, at most
    np.testing.assert_allclose(bound, model.log_likelihood, atol=5 * spread)


def test_bound_lies_below_the_likelihood_by_the_divergence_of_the_posteriors():
    model = Linear()
    shift, factor = 0.3, 1.7
    vae = model.vae(shift, factor)
    # KL(N(m + shift, factor v) || N(m, v)), one term a coordinate.
    gap = 0.5 * np.sum(factor + shift**2 / model.posterior_variance - 1 - np.log(factor))
    bound = vae.elbo(model.x, draws=300)
    assert gap == pytest.approx(0.5575, abs=0.0001)
    # Over 50 samples and 300 draws of each; measured with 500: 0.002 off.
    assert np.mean(model.log_likelihood - bound) == pytest.approx(gap, abs=0.02)
    # Importance weights close the gap. Measured over three seeds: 0.07 to 0.24 with 3 draws, at
    # most 0.007 either way with 1,000.
    gaps = [
        np.mean(model.log_likelihood - vae.log_likelihood(model.x, draws=draws))
        for draws in (3, 300)
    ]
    assert gap > gaps[0] + 0.1
    assert abs(gaps[1]) < 0.02


def test_units_of_the_normal_density():
    # A decoder that draws x exactly leaves the density's peak, 784 pixels of deviation 0.2.
    vae = small("normal")
    vae.log_deviation.assign(math.log(0.2))
    x = tf.constant(images(2))
    peak = vae.log_density(x, x).numpy()
    assert peak == pytest.approx(np.full(2, -16 * math.log(0.2 * math.sqrt(2 * math.pi))), rel=1e-6)
    assert -784 * math.log(0.2 * math.sqrt(2 * math.pi)) == pytest.approx(541.3, abs=0.1)
    off = vae.log_density(x, x + 0.1).numpy()
    assert peak - off == pytest.approx(np.full(2, 16 * 0.5 * 0.25), rel=1e-5)


# --- Binary images -------------------------------------------------------------------------------


def test_likelihood_of_binary_images_against_quadrature():
    # One latent coordinate: the integral over z by Gauss-Hermite nodes, in float64.
    keras.utils.set_random_seed(1)
    encoder = networks.mlp_encoder(1, (3, 3, 1), widths=(8,), variational=True)
    decoder = networks.mlp_generator(1, (3, 3, 1), widths=(8,))
    # A q wider than the prior bounds the importance weights, so that the estimate is steady.
    encoder.get_layer("mean").set_weights([np.zeros((8, 1)), np.zeros(1)])
    encoder.get_layer("log_variance").set_weights([np.zeros((8, 1)), np.full(1, 0.4)])
    vae = VAE(encoder, decoder)
    x = binarise(images(6, (3, 3, 1)), seed=2)
    nodes, weights = hermegauss(80)
    p = (decoder(nodes[:, None].astype(np.float32)).numpy().astype(np.float64) + 1) / 2
    p = 1e-6 + (1 - 2e-6) * p  # as the model keeps it from 0 and 1
    ink = (x[:, None] + 1) / 2
    log_p = np.sum(ink * np.log(p) + (1 - ink) * np.log(1 - p), axis=(2, 3, 4))
    exact = np.log(np.exp(log_p) @ weights / math.sqrt(2 * math.pi))
    assert np.ptp(exact) > 0.3  # the decoder tells images apart
    found = vae.log_likelihood(x, draws=1000)
    # Measured with 4,000: at most 0.011 off.
    np.testing.assert_allclose(found, exact, atol=0.04)
    assert np.all(vae.elbo(x, draws=60) < exact)


def test_probabilities_of_all_binary_images_sum_to_1():
    # 2 x 2 pixels: sixteen images; what they weigh for any z is a distribution.
    decoder = networks.mlp_generator(LATENT, (2, 2, 1), widths=(8,))
    vae = VAE(networks.mlp_encoder(LATENT, (2, 2, 1), widths=(8,), variational=True), decoder)
    every = (2.0 * (np.arange(16)[:, None] >> np.arange(4) & 1) - 1).reshape(16, 2, 2, 1)
    for centre in (decoder(np.ones((1, LATENT))), tf.constant(1.0, shape=(1, 2, 2, 1))):
        log_p = vae.log_density(tf.constant(every, tf.float32), tf.repeat(centre, 16, axis=0))
        assert float(tf.reduce_sum(tf.exp(log_p))) == pytest.approx(1, abs=1e-5)
        assert np.isfinite(log_p).all()


def test_grey_images_stand_for_their_binary_images():
    vae = small()
    grey, centre = images(1), tf.constant(images(1, seed=1))
    alone = float(vae.log_density(tf.constant(grey), centre)[0])
    binary = binarise(np.repeat(grey, 4000, axis=0), seed=5)
    log_p = vae.log_density(tf.constant(binary), tf.repeat(centre, len(binary), axis=0)).numpy()
    # The mean over the binary images, to 4 standard errors.
    assert alone == pytest.approx(log_p.mean(), abs=4 * float(log_p.std()) / math.sqrt(4000))
    np.testing.assert_allclose(np.mean(binary, axis=0), grey[0], atol=4 / math.sqrt(4000))
    assert set(np.unique(binary)) == {-1.0, 1.0}


# --- The training step ---------------------------------------------------------------------------


def test_kl_against_its_integral():
    mean, log_variance = np.array([[0.7, -0.2]]), np.array([[-1.0, 0.4]])
    nodes, weights = hermegauss(60)
    expected = 0.0
    for m, v in zip(mean[0], log_variance[0], strict=True):
        z = m + math.exp(0.5 * v) * nodes
        ratio = -0.5 * nodes**2 - 0.5 * v + 0.5 * z**2  # log q - log p
        expected += ratio @ weights / math.sqrt(2 * math.pi)
    found = kl_to_standard_normal(tf.constant(mean), tf.constant(log_variance)).numpy()
    assert found == pytest.approx([expected], rel=1e-12)
    assert kl_to_standard_normal(tf.zeros((2, 3)), tf.zeros((2, 3))).numpy().tolist() == [0, 0]


@pytest.mark.parametrize("likelihood", ["bernoulli", "normal"])
def test_step_follows_the_gradient_of_the_bound(likelihood):
    # Plain gradient descent with the noise that the step itself draws: each weight moves by the
    # finite difference of the negative bound.
    x = images(6)
    vae = small(likelihood)
    vae.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
    state = vae.seed_generator.state.numpy().copy()
    before = [v.numpy().copy() for v in vae.trainable_variables]
    assert len(before) == (10 if likelihood == "bernoulli" else 11)
    history = vae.fit(x, batch_size=6, shuffle=False, verbose=0).history
    moves = [b - v.numpy() for b, v in zip(before, vae.trainable_variables, strict=True)]

    vae.seed_generator.state.assign(state)
    noise = tf.random.stateless_normal((6, LATENT), seed=vae.seed_generator.next())

    def loss() -> float:
        mean, log_variance = vae.encoder(x)
        z = mean + tf.exp(0.5 * log_variance) * noise
        kl = kl_to_standard_normal(mean, log_variance)
        return float(tf.reduce_mean(kl - vae.log_density(x, vae.decoder(z))))

    for variable, value in zip(vae.trainable_variables, before, strict=True):
        variable.assign(value)
    assert history["loss"][0] == pytest.approx(loss(), rel=1e-5)
    assert history["loss"][0] == pytest.approx(
        history["reconstruction"][0] + history["kl"][0], rel=1e-5
    )
    for variable, value, move in zip(vae.trainable_variables, before, moves, strict=True):
        direction = np.sign(move)
        losses = []
        for step in (1e-3, -1e-3):
            variable.assign(value + step * direction)
            losses.append(loss())
        variable.assign(value)
        # Along sign(gradient) the slope is the sum of the gradient's absolute values.
        assert (losses[0] - losses[1]) / 2e-3 == pytest.approx(
            np.abs(move).sum(), rel=0.02, abs=0.02
        )


@pytest.mark.slow
def test_training_a_linear_model_finds_the_principal_components():
    # The optimum of a linear VAE is probabilistic principal component analysis (Tipping and Bishop
    # 1999, equations 7 and 8), whose likelihood follows from the data's covariance alone.
    rng = np.random.default_rng(3)
    mixing = rng.standard_normal((2, 6))
    x = rng.standard_normal((1000, 2)) @ mixing + 0.5 * rng.standard_normal((1000, 6))
    x = x.astype(np.float32)
    values = np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1]
    noise = values[2:].mean()
    best = -0.5 * (6 * math.log(2 * math.pi) + np.log(values[:2]).sum() + 4 * math.log(noise) + 6)
    keras.utils.set_random_seed(0)
    inputs, z = keras.Input((6,)), keras.Input((2,))
    log_variance = keras.layers.Dense(2, kernel_initializer="zeros")(inputs)
    encoder = keras.Model(inputs, [keras.layers.Dense(2)(inputs), log_variance])
    decoder = keras.Model(z, keras.layers.Dense(6)(z))
    vae = VAE(encoder, decoder, likelihood="normal", deviation=1.0, seed=0)
    rate = keras.optimizers.schedules.CosineDecay(0.1, 600)
    vae.compile(keras.optimizers.Adam(rate), steps_per_execution=20)
    vae.fit(x, batch_size=50, epochs=30, verbose=0)
    # The best is -8.29 nats, an untrained model's bound -26.
    bound = vae.elbo(x, draws=100).mean()
    # Measured: 0.01 below the best, and sigma 1.5 % too large.
    assert best - 0.03 < bound < best + 0.01
    assert vae.deviation == pytest.approx(math.sqrt(noise), rel=0.03)


# --- What a trained one is for -------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained() -> VAE:
    vae = small()
    vae.compile(run_eagerly=True)
    vae.fit(images(64), batch_size=16, verbose=0)
    return vae


def test_samples_follow_their_seed_and_are_the_decoders(trained):
    first, again = trained.sample(7, seed=3), trained.sample(7, seed=3, batch_size=2)
    np.testing.assert_allclose(first, again, atol=1e-6)
    assert first.shape == (7, *SHAPE)
    assert first.dtype == np.float32
    z = np.random.default_rng(3).standard_normal((7, LATENT), dtype=np.float32)
    np.testing.assert_allclose(first, trained.decoder(z).numpy(), atol=1e-6)
    assert not np.array_equal(first, trained.sample(7, seed=4))


def test_encode_and_reconstruct(trained):
    x = images(9)
    means, deviations = trained.encode(x, batch_size=4)
    mean, log_variance = trained.encoder(x)
    np.testing.assert_allclose(means, mean, atol=1e-6)
    np.testing.assert_allclose(deviations, np.exp(0.5 * log_variance.numpy()), rtol=1e-5)
    rebuilt = trained.reconstruct(x, batch_size=4)
    np.testing.assert_allclose(rebuilt, trained.decoder(mean), atol=1e-6)


def test_estimates_follow_their_seed_and_take_blocks(trained):
    x = images(8)
    whole = trained.log_likelihood(x, draws=60)
    np.testing.assert_array_equal(whole, trained.log_likelihood(x, draws=60))
    other = trained.log_likelihood(x, draws=60, seed=1)
    split = trained.log_likelihood(x, draws=60, batch_size=3)
    assert not np.array_equal(whole, other)
    # In blocks the same latent vectors go to other images. Measured: means of eight images differ
    # by 0.02 from seed to seed.
    assert other.mean() == pytest.approx(whole.mean(), abs=0.1)
    assert split.mean() == pytest.approx(whole.mean(), abs=0.1)


@pytest.mark.slow
def test_recipe_learns_and_is_watched_and_evaluated(tmp_path):
    mnist = data.load_mnist()
    few = data.ImageData(*(array[:2000] for array in mnist))
    grid = callbacks.SampleGrid(tmp_path / "grids", every=80, columns=2, rows=2)
    history = callbacks.HistoryWriter(tmp_path / "history.csv", every=80)
    run = recipes.train(
        "vae", few.x_train, steps=160, callbacks=[grid, history], progress=True, seed=0
    )
    assert run.diverged_at is None
    assert [path.name for path in grid.files] == [f"step-{n:06d}.png" for n in (0, 80, 160)]
    header, *rows = (tmp_path / "history.csv").read_text().splitlines()
    assert header == "step,seconds,learning_rate,loss,reconstruction,kl"
    assert len(rows) == 2
    assert run.history["step"] == [80, 160]
    # Read before the last execution of each row, of ten: the line falls to 0 at step 160.
    assert run.history["learning_rate"] == pytest.approx([2e-3 * 0.6, 2e-3 * 0.1], rel=1e-5)
    first, last = run.history["loss"]
    # Measured over three seeds: 161 to 162 nats, then 130, each the mean of 80 steps.
    assert first == pytest.approx(161.5, abs=4)
    assert last == pytest.approx(130, abs=3)
    assert evaluate(run.gan, n=200, data=few).frechet_ratio > 1
    bound = run.gan.elbo(few.x_test[:500]).mean()
    # Measured: -130.7 to -132.1 over three seeds.
    assert bound == pytest.approx(-131.2, abs=3)


# --- Recipe and files ----------------------------------------------------------------------------


def test_recipe_builds_networks_of_the_size_of_fast():
    vae = recipes.get("vae").build()
    fast = recipes.get("fast").build()
    ours = vae.encoder.count_params() + vae.decoder.count_params()
    theirs = fast.generator.count_params() + fast.discriminator.count_params()
    assert ours == pytest.approx(theirs, rel=0.05)
    assert vae.decoder.count_params() == pytest.approx(fast.generator.count_params(), rel=0.05)
    assert (vae.conditional, vae.num_classes, vae.generator) == (False, None, vae.decoder)


@pytest.mark.slow
def test_same_seed_same_bits_and_a_training_goes_on():
    x = images(128, (8, 8, 1))
    first, again = (recipes.train("vae", x, steps=20, seed=5).gan for _ in range(2))
    for name, value in first.state().items():
        np.testing.assert_array_equal(value, again.state()[name], err_msg=name)
    one, other = (recipes.get("vae").build((8, 8, 1), seed=seed) for seed in (5, 6))
    kernel = "decoder/000"
    assert not np.array_equal(one.state()[kernel], other.state()[kernel])
    more = recipes.train("vae", x, steps=4, gan=first)
    assert more.gan is first
    assert int(first.step_counter.numpy()) == 24
    with pytest.raises(TypeError, match="'fast' trains a GAN"):
        recipes.train("fast", x, gan=first)
    with pytest.raises(TypeError, match="'vae' trains a VAE"):
        recipes.train("vae", x, gan=recipes.get("fast").build((8, 8, 1)))


def test_command_line_trains_samples_and_evaluates(tmp_path, capsys):
    archive = tmp_path / "own.npz"
    np.savez(archive, images=((images(80, (8, 8, 1)) + 1) * 127.5).astype(np.uint8))
    folder = tmp_path / "run"
    train = ["train", "vae", "--out", str(folder), "--data", str(archive), "--steps", "16"]
    assert cli.main([*train, "--samples", "20"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        ".lock", "encoder.keras", "generator.keras", "grids", "history.csv", "metrics.json",
        "run.json", "state.npz",
    ]  # fmt: skip
    assert json.loads((folder / "run.json").read_text())["settings"]["learning_rate"] == 2e-3
    assert cli.main(["sample", str(folder), "-n", "4", "--out", str(tmp_path / "s.npz")]) == 0
    with np.load(tmp_path / "s.npz") as arrays:
        assert arrays["images"].shape == (4, 8, 8, 1)
    assert cli.main(["evaluate", str(folder), "-n", "20"]) == 0
    # Another recipe's run in the same folder leaves no encoder of this one behind.
    assert "encoder.keras" in runs.FILES


# --- Refusals ------------------------------------------------------------------------------------


def test_networks_that_do_not_fit():
    encoder = networks.mlp_encoder(LATENT, SHAPE, widths=(8,), variational=True)
    decoder = networks.mlp_generator(LATENT, SHAPE, widths=(8,))
    with pytest.raises(ValueError, match=r"makes samples of shape \(5, 4, 1\).* takes \(4, 4, 1\)"):
        VAE(encoder, networks.mlp_generator(LATENT, (5, 4, 1), widths=(8,)))
    with pytest.raises(ValueError, match=r"each \(batch, 2\) .* got 2 output\(s\)"):
        VAE(encoder, networks.mlp_generator(2, SHAPE, widths=(8,)))
    with pytest.raises(ValueError, match=r"got 1 output\(s\) of shape \(1,\)"):
        VAE(networks.mlp_discriminator(SHAPE, widths=(8,)), decoder)
    with pytest.raises(ValueError, match="must take latent vectors"):
        VAE(encoder, networks.mlp_generator(LATENT, SHAPE, (8,), num_classes=10))
    with pytest.raises(ValueError, match="unknown likelihood 'poisson'; known are bernoulli, norm"):
        VAE(encoder, decoder, likelihood="poisson")
    with pytest.raises(ValueError, match="deviation must be"):
        VAE(encoder, decoder, deviation=0)


def test_bad_images_are_refused_everywhere():
    vae = small()
    for function in (vae.encode, vae.reconstruct, vae.elbo, vae.log_likelihood):
        with pytest.raises(ValueError, match=r"\(n, 4, 4, 1\), got \(4, 5, 4, 1\)"):
            function(images(4, (5, 4, 1)))


def test_bad_arguments():
    vae = small()
    vae.compile()
    x = images(4)
    for draws in (0, 1.5, True):
        with pytest.raises((ValueError, TypeError), match="draws must be"):
            vae.log_likelihood(x, draws=draws)
    with pytest.raises(ValueError, match="batch_size must be"):
        vae.encode(x, batch_size=0)
    with pytest.raises(ValueError, match="n must be"):
        vae.sample(0)
    with pytest.raises(ValueError, match="add the axis of the channels"):
        binarise(x[..., 0])
