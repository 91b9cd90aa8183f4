"""The failures of the chapter "Why GANs fail", each made on demand, and what cures it.

    from gantut.applications import failure

    gan, log = failure.late_start(r1=10.0)          # D trains alone first
    paths = failure.chase(beta_1=0.5)               # G and D go round and round
    run = failure.after_collapse(failure.collapsed())  # from one mode to eight
    gan, compare = failure.with_batch_norm(0.99)    # two generators in one

The chapter runs one seed of each, ``benchmarks/failure.py`` five.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from gantut import evaluation, losses, networks, recipes, stabilisers, toys
from gantut._keras import keras, tf
from gantut.data import Float32, Float64, Mixture, load_mnist, ring_mixture, sample_mixture
from gantut.diagnosis import Diagnosis
from gantut.gan import GAN
from gantut.metrics import ModeCoverage


@functools.cache
def _images() -> Float32:
    return load_mnist().x_train


def _adam() -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(1e-3, beta_1=0.0)


def times_floor(samples: Float32) -> float:
    """Frechet distance of 2,000 samples, as a multiple of what training images score."""
    return evaluation.quick_frechet(samples[:2000]) / evaluation.frechet_floor(2000)


def gradient_lengths(gan: GAN, z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Mean D(G(z)), and the length of G's gradient with either loss."""
    lengths = []
    for name in ("minimax", "non_saturating"):
        with tf.GradientTape() as tape:
            logits = gan.discriminate(gan.generator(z, training=True), None)
            loss = losses.LOSSES[name].generator(logits, None)
        gradient = tape.gradient(loss, gan.generator.trainable_variables)
        lengths.append(tf.linalg.global_norm(gradient))
    return tf.reduce_mean(tf.sigmoid(logits)), lengths[0], lengths[1]


def late_start(
    loss: str = "minimax",
    optimizer: str = "SGD",
    *,
    noise: float = 0.0,
    r1: float = 0.0,
    alone: int = 601,
    together: int = 600,
    seed: int = 0,
    diagnosis: Diagnosis | None = None,
) -> tuple[GAN, Float64]:
    """D trains alone for ``alone`` steps, then both for ``together`` steps.

    Returns the GAN, and of every 20th step of D alone the numbers of `gradient_lengths` behind its
    own. ``diagnosis`` takes its first reading before that, and goes on when both train.
    """
    keras.utils.set_random_seed(seed)
    generator = networks.mlp_generator(latent_dim=32, widths=(64, 128))
    discriminator = networks.mlp_discriminator(widths=(128, 64))
    if noise:
        layer = stabilisers.InstanceNoise(noise, seed=seed)
        discriminator = stabilisers.at_input(discriminator, layer)
    penalties = {"r1": r1} if r1 else {}
    gan = GAN(generator, discriminator, loss, penalties=penalties, seed=seed)
    g_optimizer = keras.optimizers.SGD(0.1) if optimizer == "SGD" else _adam()
    gan.compile(_adam(), g_optimizer, steps_per_execution=50)
    batches = recipes.batches(_images(), batch_size=64, seed=seed)
    z = tf.random.stateless_normal((256, 32), seed=(seed, 1))
    train_d = tf.function(lambda real: gan.discriminator_step(real, None, bool(r1)))
    look = tf.function(lambda: gradient_lengths(gan, z))

    callbacks = []
    if diagnosis is not None:
        callbacks = [diagnosis]
        diagnosis.set_model(gan)
        diagnosis.on_train_begin()
        diagnosis.load_state_dict(diagnosis.state_dict())  # so that it goes on in `fit`
    log = []
    for step, real in enumerate(batches.take(alone)):
        if step % 20 == 0:
            log.append([step, *map(float, look())])
        train_d(real)
    if together:
        gan.fit(batches, steps_per_epoch=together, shuffle=False, verbose=0, callbacks=callbacks)
    return gan, np.array(log)


ONE_POINT = Mixture(centres=np.array([[1.0, 1.0]]), sigma=0.05, weights=np.ones(1))
SMALL = toys.Method(
    name="small",
    summary="non-saturating loss, two hidden layers of 32 units, Adam",
    ema=0.99,
    g_widths=(32, 32),
    d_widths=(32, 32),
    activation="leaky_relu",
    d_activation="leaky_relu",
    standardise=False,
    batch_size=64,
    g_learning_rate=1e-3,
    d_learning_rate=1e-3,
    beta_2=0.999,
)


class Watch(keras.callbacks.Callback):
    """Notes where the samples' mean is, for the generator and for its average."""

    def on_train_begin(self, logs: Any = None) -> None:
        """Fixes the latent vectors."""
        self.path: list[list[Float32]] = []
        self.z = tf.random.stateless_normal((200 * self.model.members, 2), seed=(0, 1))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Notes both means of each member."""
        means = []
        for network in (self.model.generator, self.model.ema_generator):
            points = network(self.z, training=False).numpy()
            means.append(points.reshape(self.model.members, -1, 2).mean(axis=1))
        self.path.append(means)


def chase(beta_1: float, r1: float = 0.0, members: int = 5, steps: int = 2000) -> Float64:
    """Paths of the mean, in standard deviations of the data, from its mean.

    Returns an array of shape (2, readings, members, 2): generator and average.
    """
    penalties = {"r1": r1} if r1 else {}
    method = dataclasses.replace(SMALL, beta_1=beta_1, penalties=penalties)
    gan = toys.build(method, ONE_POINT, members=members)
    gan.compile(gan.d_optimizer, gan.g_optimizer, steps_per_execution=10)
    points = sample_mixture(ONE_POINT, 50_000, seed=0).astype("float32")
    batches = recipes.batches(points, batch_size=64 * members)
    watch = Watch()
    gan.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[watch])
    path = np.moveaxis(np.array(watch.path), 1, 0)
    return np.asarray((path - ONE_POINT.centres[0]) / ONE_POINT.sigma)


def mean_distance(path: Float64) -> Float64:
    """Over the second half of the training, for each member."""
    return np.asarray(np.linalg.norm(path[len(path) // 2 :], axis=-1).mean(axis=0))


RING = ring_mixture(sigma=0.05)
LOPSIDED = toys.Method(
    name="lopsided",
    summary="non-saturating loss, G's learning rate ten times D's",
    g_widths=(64, 64),
    d_widths=(64, 64),
    standardise=False,
    batch_size=128,
    g_learning_rate=1e-3,
    d_learning_rate=1e-4,
    beta_1=0.5,
    beta_2=0.999,
    steps=2000,
)


ONE_MODE = Mixture(centres=RING.centres[:1], sigma=RING.sigma, weights=np.ones(1))


def collapsed(members: int = 5) -> toys.ToyRun:
    """A pair that has seen one mode of the ring only: all samples are there."""
    method = dataclasses.replace(LOPSIDED, d_learning_rate=1e-3, penalties={"r1": 0.1}, steps=500)
    return toys.train(method, ONE_MODE, members=members)


def after_collapse(start: toys.ToyRun, **setting: Any) -> toys.ToyRun:
    """The whole ring for the networks of ``start``; `LOPSIDED` with ``setting``, new optimizers."""
    method, members = dataclasses.replace(LOPSIDED, **setting), len(start.seeds)
    gan = toys.build(method, RING, members=members)
    gan.generator.set_weights(start.gan.generator.get_weights())
    gan.discriminator.set_weights(start.gan.discriminator.get_weights())
    return toys.train(method, RING, members=members, gan=gan)


def modes_with_a_share(coverage: ModeCoverage, least: float = 0.01) -> int:
    """Modes with at least one in a hundred of 2,500 samples within three standard deviations."""
    return int(np.sum(coverage.counts >= least * 2500))


def copy_with_momentum(generator: keras.Model, momentum: float) -> keras.Model:
    """The same network; its batch normalisations have another momentum."""
    copy = keras.models.clone_model(generator)
    copy.set_weights(generator.get_weights())
    for layer in copy.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = momentum
    return copy


def recalibrated(generator: keras.Model) -> keras.Model:
    """The same weights; moving statistics from one large batch, and nothing else."""
    copy = copy_with_momentum(generator, 0.0)
    copy(tf.random.stateless_normal((4000, copy.input_shape[-1]), seed=(1, 1)), training=True)
    return copy


def three_ways(generator: keras.Model) -> dict[str, Float32]:
    """The same latent vectors, in training mode, in use, and in use after recalibration."""
    z = tf.random.stateless_normal((2048, generator.input_shape[-1]), seed=(2, 2))
    trained = copy_with_momentum(generator, 0.0)
    batches = [trained(rows, training=True) for rows in tf.split(z, 32)]
    return {
        "training mode": tf.concat(batches, axis=0).numpy(),
        "inference mode": generator(z, training=False).numpy(),
        "recalibrated": recalibrated(generator)(z, training=False).numpy(),
    }


class Compare(keras.callbacks.Callback):
    """Measures the three ways at some steps."""

    def __init__(self, steps: Sequence[int]) -> None:
        super().__init__()
        self.steps = steps
        self.distance: dict[int, dict[str, float]] = {}
        self.pictures: dict[int, dict[str, Float32]] = {}

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Compares, if it is time."""
        if batch + 1 in self.steps:
            ways = three_ways(self.model.generator)
            self.distance[batch + 1] = {n: times_floor(x) for n, x in ways.items()}
            self.pictures[batch + 1] = {n: x[:10] for n, x in ways.items()}


def with_batch_norm(
    momentum: float, steps: Sequence[int] = (100, 200, 400, 800), seed: int = 0
) -> tuple[GAN, Compare]:
    """A small GAN on MNIST, compared with itself at some steps."""
    keras.utils.set_random_seed(seed)
    generator = networks.mlp_generator(latent_dim=32, widths=(128, 256), batch_norm=True)
    generator = copy_with_momentum(generator, momentum)
    discriminator = networks.mlp_discriminator(widths=(256, 128))
    gan = GAN(generator, discriminator, seed=seed)
    gan.compile(_adam(), _adam(), steps_per_execution=50)
    compare = Compare(steps)
    batches = recipes.batches(_images(), batch_size=64, seed=seed)
    gan.fit(batches, steps_per_epoch=max(steps), shuffle=False, verbose=0, callbacks=[compare])
    return gan, compare
