"""Mixtures in the plane: small networks that show mode collapse in seconds, several seeds at once.

    from gantut import data, toys

    run = toys.train("steady", data.ring_mixture(), members=4)
    run.coverage()

A toy network is so small that a step spends more time in starting operations than in arithmetic.
So several trainings, the *members*, run side by side in one network of :class:`ParallelDense`
layers. The networks still take and return plain rows, those of member 0 first, then those of member
1 and so on; so `gantut.GAN`, its losses and penalties and `gantut.stabilisers` work as they are.
Losses are means over all rows, so a member's gradient is smaller by the number of members than it
would be alone; Adam does not care about a factor once its epsilon is divided by it, as in `build`.

No member sees anything of another, and member i of a training with the seed s has the initial
weights, the data and the latent vectors of the training of one member with the seed s + i. (Only
instance noise and the mixing weights of WGAN-GP are drawn for all rows at once.)

``METHODS`` holds named settings that share their networks, data and batch size and differ in what
is to be compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from gantut import _check, recipes, stabilisers
from gantut._keras import Shape, Tensor, keras, tf
from gantut.callbacks import Annealed, AnnealNoise
from gantut.callbacks.parts import steps_done
from gantut.data import Mixture, sample_mixture
from gantut.gan import GAN
from gantut.metrics import ModeCoverage, mode_coverage
from gantut.networks.parts import checked_widths

Model: TypeAlias = keras.Model

DIMENSION = 2
"""Coordinates of a sample."""

POINTS = 100_000
"""Points of data that each member trains on, as in PacGAN's protocol (Lin et al. 2018)."""

_GENERATOR, _DISCRIMINATOR, _SAMPLES = range(3)  # streams of random numbers of a seed


@keras.saving.register_keras_serializable(package="gantut")
class ParallelDense(keras.layers.Layer):
    """Dense layers side by side: each member's rows meet that member's own weights.

    Takes rows (members * B, inputs), of which the rows i * B to (i + 1) * B - 1 are member i's,
    and returns (members * B, units): ``x_i @ kernel_i + bias_i`` for each member i, in one
    multiplication of stacked matrices.

    Args:
        units: Outputs of each of the dense layers.
        members: The number of dense layers.

    Attributes:
        kernel: Weights (members, inputs, units), drawn as ``keras.layers.Dense`` draws its own
            (Glorot and Bengio 2010, eq. 16).
        bias: Weights (members, 1, units), zero at first.
    """

    def __init__(self, units: int, members: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.members = _check.sizes(units=units, members=members)
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def build(self, input_shape: Shape) -> None:
        """Makes the weights."""
        # Keras takes the first axis for the extent of a convolution, which multiplies both fans.
        initializer = keras.initializers.VarianceScaling(self.members, "fan_avg", "uniform")
        inputs = int(input_shape[-1])
        self.kernel = self.add_weight(
            shape=(self.members, inputs, self.units), initializer=initializer, name="kernel"
        )
        self.bias = self.add_weight(
            shape=(self.members, 1, self.units), initializer="zeros", name="bias"
        )
        self.built = True

    def call(self, x: Tensor) -> Tensor:
        """Applies each member's layer to its rows."""
        rows, inputs = x.shape
        if rows is not None and rows % self.members:
            raise ValueError(f"cannot share out {rows} rows among {self.members} members")
        # One member alone takes any number of rows; of more, -1 fails where they do not fit.
        x = tf.reshape(x, [self.members, -1, inputs])
        return tf.reshape(tf.matmul(x, self.kernel) + self.bias, [-1, self.units])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(rows, units)."""
        return (input_shape[0], self.units)

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again, without its weights."""
        return {**super().get_config(), "units": self.units, "members": self.members}


STEPS_PER_EXECUTION = 50
"""Steps in one call of the compiled graph. Films and callbacks see every 50th step."""


@dataclass(frozen=True, kw_only=True)
class Method(recipes.GameSettings):
    """Everything that a training on a mixture needs beside the mixture and a seed.

    What is not named here is as in `gantut.recipes.GameSettings` and `gantut.GAN`.

    Attributes:
        name: Its key in ``METHODS``.
        summary: What it is, in a line.
        penalty_end: What the penalties' weights are multiplied by at the end of the training; on
            the way there they fall geometrically (1: they stay).
        packing: Points that D judges together (`gantut.stabilisers.Pack`).
        instance_noise: Standard deviation of the noise on D's input, as a share of the data's
            own; falls to zero along a line.
        g_widths: Units of G's hidden layers, first to last.
        d_widths: Units of D's.
        activation: Keras' name of the activation of G's hidden layers.
        d_activation: Of D's.
        batch_size: Points of data of one member in a step.
        standardise: Whether D divides points by the data's standard deviation, and G multiplies
            by it.
    """

    name: str
    summary: str
    penalty_end: float = 1.0
    d_steps: int = 1
    packing: int = 1
    unroll_steps: int = 0
    instance_noise: float = 0.0
    latent_dim: int = 2
    g_widths: tuple[int, ...] = (64, 64, 64)
    d_widths: tuple[int, ...] = (64, 64, 64)
    activation: str = "relu"
    d_activation: str = "leaky_relu"
    standardise: bool = True
    batch_size: int = 128
    steps: int = 12_000
    g_learning_rate: float = 4e-3
    d_learning_rate: float = 4e-3
    beta_1: float = 0.0
    beta_2: float = 0.99
    steps_per_execution: int = STEPS_PER_EXECUTION


# All have the same networks, batch, optimizer and first rates. "averaged" calms the plain GAN
# down; each of the cures is added to that by itself.
_PLAIN = Method(name="plain", summary="the non-saturating loss and nothing else")
_AVERAGED = replace(
    _PLAIN,
    name="averaged",
    summary="the same with rates that fall to 0 and averaged weights of G",
    ema=0.999,
    schedule=recipes.cosine_decay(),
)
_CURES: dict[str, tuple[str, dict[str, Any]]] = {
    "pacgan": ("and D judges two at a time", {"packing": 2}),
    "unrolled": ("and G looks five steps of D ahead", {"unroll_steps": 5}),
    "wgan_gp": (
        "the Wasserstein loss with a gradient penalty of weight 1",
        {"loss": "wasserstein", "penalties": {"wgan_gp": 1.0}},
    ),
    "r1": (
        "and R1 whose weight falls from 0.1 to 0.01",
        {"penalties": {"r1": 0.1}, "penalty_end": 0.1},
    ),
    "noise": (
        "and noise on what D sees, from a tenth of the data's deviation to none",
        {"instance_noise": 0.1},
    ),
    "steady": (
        "the relativistic loss, R1 and R2 whose weights fall from 0.1 to 0.01",
        {"loss": "relativistic", "penalties": {"r1": 0.1, "r2": 0.1}, "penalty_end": 0.1},
    ),
}

SHORT_STEPS: Mapping[str, int] = {"ring": 700, "grid": 1_500}
"""Lengths of a short training, by mixture. It takes seconds, and the methods' difference shows."""

METHODS: dict[str, Method] = {
    "plain": _PLAIN,
    "averaged": _AVERAGED,
    **{
        name: replace(_AVERAGED, name=name, summary=f"averaged, {summary}", **changes)
        for name, (summary, changes) in _CURES.items()
    },
}
"""The methods by name."""


def get(method: str | Method) -> Method:
    """The method of a name, a key of ``METHODS``; a method of your own is returned as it is."""
    if isinstance(method, Method):
        return method
    return _check.one_of(method, "method", METHODS)


def generator(method: Method, members: int = 1, scale: float = 1.0, seed: int = 0) -> Model:
    """A method's multilayer perceptron from latent vectors to points, for several members.

    Args:
        method: What tells the latent vector's length, the widths and the activation.
        members: Trainings side by side.
        scale: What the last layer's outputs are multiplied by: the data's standard deviation.
        seed: Fixes the initial weights; member i has those of a single member with seed + i.

    Returns:
        A model from (members * B, latent_dim) to points (members * B, 2).
    """
    latent_dim, members = _check.sizes(latent_dim=method.latent_dim, members=members)
    z = keras.Input((latent_dim,), name="latent")
    x = _perceptron(z, method.g_widths, DIMENSION, members, method.activation)
    if scale != 1.0:
        x = keras.layers.Rescaling(scale, name="unscale")(x)
    model = keras.Model(z, x, name="toy_generator")
    _initialise(model, members, seed, _GENERATOR)
    return model


def discriminator(method: Method, members: int = 1, scale: float = 1.0, seed: int = 0) -> Model:
    """A method's multilayer perceptron from points to logits, for several members.

    The arguments are those of `generator`, but points are divided by ``scale`` first.

    Returns:
        A model from points (members * B, 2) to logits (members * B / packing, 1).
    """
    point = keras.Input((DIMENSION,), name="point")
    x = point
    if scale != 1.0:
        x = keras.layers.Rescaling(1.0 / scale, name="scale")(x)
    if method.instance_noise:
        x = stabilisers.InstanceNoise(method.instance_noise, name="instance_noise")(x)
    if method.packing != 1:
        x = stabilisers.Pack(method.packing, name="pack")(x)
    x = _perceptron(x, method.d_widths, 1, members, method.d_activation)
    model = keras.Model(point, x, name="toy_discriminator")
    _initialise(model, members, seed, _DISCRIMINATOR)
    return model


def _perceptron(x: Tensor, widths: Sequence[int], outputs: int, members: int, act: str) -> Tensor:
    for i, width in enumerate(checked_widths(widths), start=1):
        x = ParallelDense(width, members, name=f"dense_{i}")(x)
        x = keras.layers.Activation(act, name=f"activation_{i}")(x)
    return ParallelDense(outputs, members, name="out")(x)


def _initialise(model: Model, members: int, seed: int, stream: int) -> None:
    """Draws each member's kernels from its own seed, whoever else is there."""
    drawn = [np.random.default_rng([seed + member, stream]) for member in range(members)]
    for layer in model.layers:
        if isinstance(layer, ParallelDense):
            _, inputs, units = layer.kernel.shape
            limit = np.sqrt(6.0 / (inputs + units))
            layer.kernel.assign(
                np.stack([r.uniform(-limit, limit, (inputs, units)) for r in drawn])
            )


class _MembersGAN(GAN):
    """A GAN whose members draw their latent vectors each from its own seed."""

    def __init__(self, *networks: Model, members: int, seed: int, **settings: Any) -> None:
        super().__init__(*networks, seed=seed, **settings)
        self.members = members
        self.first_seed = seed
        self.penalty_factor = self.add_weight(
            shape=(), initializer="ones", trainable=False, name="penalty_factor"
        )

    def penalty(self, real: Tensor, fake: Tensor, labels: Tensor | None) -> Tensor:
        """The penalties, times a factor that falls while training."""
        return tf.convert_to_tensor(self.penalty_factor) * super().penalty(real, fake, labels)

    def latents(self, n: Tensor) -> Tensor:
        """Draws latent vectors (n, latent_dim), ``n / members`` for each member."""
        # The GAN's own generator counts the draws; a member's seed tells them apart.
        count = self.seed_generator.next()[1]
        seeds = [
            tf.stack([tf.cast(self.first_seed + i, count.dtype), count])
            for i in range(self.members)
        ]
        shape = (n // self.members, self.latent_dim)
        return tf.concat([tf.random.stateless_normal(shape, seed=s) for s in seeds], axis=0)


@dataclass(frozen=True, kw_only=True)
class ToyRun(recipes.Run[GAN]):
    """What a training of several members left: a `gantut.recipes.Run` of all of them together.

    Attributes:
        method: What was trained.
        mixture: The data's mixture.
        seeds: The members' seeds.
        film: From a step to the points (members, frame, 2) that the averaged generators make of
            the same latent vectors then; empty if no steps were asked for.
    """

    method: Method
    mixture: Mixture
    seeds: tuple[int, ...]
    film: dict[int, np.ndarray]

    def samples(self, n: int = 2_500, seed: int = 0) -> np.ndarray:
        """Samples of the averaged generators, float32 (members, n, 2).

        The papers' protocol judges 2,500 of each member. ``seed`` fixes the latent vectors.
        """
        return _generate(self.gan, _sample_latents(self.gan, self.seeds, n, seed))

    def coverage(self, n: int = 2_500, seed: int = 0) -> list[ModeCoverage]:
        """The `gantut.metrics.mode_coverage` of each member's `samples`."""
        return [mode_coverage(points, self.mixture) for points in self.samples(n, seed)]


def _sample_latents(gan: GAN, seeds: Sequence[int], n: int, seed: int) -> Tensor:
    (n,) = _check.sizes(n=n)
    z = [
        np.random.default_rng([member, _SAMPLES, seed]).standard_normal(
            (n, gan.latent_dim), dtype=np.float32
        )
        for member in seeds
    ]
    return tf.constant(np.concatenate(z))


def _generate(gan: GAN, z: Tensor) -> np.ndarray:
    points = gan.ema_generator(z, training=False).numpy()
    return points.reshape(gan.members, -1, DIMENSION)


class _AnnealPenalty(Annealed):
    """Lowers the factor of the penalties from 1 by the same ratio in each step."""

    def variables(self) -> list[keras.Variable]:
        return [self.model.penalty_factor]


def build(method: str | Method, mixture: Mixture, *, members: int = 1, seed: int = 0) -> GAN:
    """Makes a method's compiled `gantut.GAN`, after `gantut.recipes.make_deterministic`.

    Args:
        method: A key of ``METHODS``, or a `Method`.
        mixture: The data's mixture, whose standard deviation counts.
        members: Trainings side by side.
        seed: The first member's; the others have the integers that follow.
    """
    method = get(method)
    (members,) = _check.sizes(members=members)
    if not 0.0 < method.penalty_end <= 1.0:
        raise ValueError(f"penalty_end must lie in (0, 1], got {method.penalty_end!r}")
    if method.batch_size % method.packing:
        raise ValueError(
            f"batch_size must be a multiple of packing {method.packing}, got {method.batch_size}"
        )
    seed = recipes.make_deterministic(seed)
    scale = deviation(mixture) if method.standardise else 1.0
    return method.compiled(
        _MembersGAN,
        generator(method, members, scale, seed),
        discriminator(method, members, scale, seed),
        epsilon=1e-7 / members,  # Keras' own
        d_steps=method.d_steps,
        unroll_steps=method.unroll_steps,
        members=members,
        seed=seed,
    )


def deviation(mixture: Mixture) -> float:
    """A mixture's standard deviation: the root of the mean variance of the coordinates."""
    mean = mixture.weights @ mixture.centres
    variance = mixture.weights @ np.square(mixture.centres - mean)
    return float(np.sqrt(variance.mean() + mixture.sigma**2))


def train(
    method: str | Method,
    mixture: Mixture,
    *,
    members: int = 1,
    seed: int = 0,
    steps: int | None = None,
    film: Iterable[int] = (),
    frame: int = 1_000,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    gan: GAN | None = None,
) -> ToyRun:
    """Trains several members of a method on points of a mixture.

    The same method, mixture, number of members and seed give the same bits on the same machine
    (see `gantut.recipes`). With another number of members a member is rounded differently, and
    after some hundred steps its weights are others.

    Args:
        method: As in `build`.
        mixture: From `gantut.data.ring_mixture`, `gantut.data.grid_mixture` or made by hand.
        members: As in `build`.
        seed: As in `build`.
        steps: Length of the training; the method's own if None.
        film: Steps at which to keep a frame, multiples of ``STEPS_PER_EXECUTION``; 0 is the
            untrained generator.
        frame: Points in a frame, of each member.
        callbacks: Keras callbacks, called every ``STEPS_PER_EXECUTION`` steps.
        gan: What `build` made of the same method, number of members and seed, to begin with its
            weights; a new one if None.
    """
    method = get(method)
    steps = method.steps if steps is None else steps
    steps, frame, members = _check.sizes(steps=steps, frame=frame, members=members)
    seed, film = _check.seed(seed), [_check.integer(step, "film", 0) for step in film]
    for step in film:
        if step > steps or (step % STEPS_PER_EXECUTION and step != steps):
            raise ValueError(
                f"film must name multiples of {STEPS_PER_EXECUTION} up to {steps}, got {step!r}"
            )
    if gan is None:
        gan = build(method, mixture, members=members, seed=seed)
    seeds = tuple(range(seed, seed + members))
    z, frames = _sample_latents(gan, seeds, frame, 0), {}

    def shoot(batch: Any = None, logs: Any = None) -> None:
        if (step := steps_done(gan)) in film:
            frames[step] = _generate(gan, z)

    run = recipes.run(
        gan,
        _batches(mixture, seeds, method.batch_size),
        steps=steps,
        schedule=method.schedule,
        callbacks=[
            *callbacks,
            keras.callbacks.LambdaCallback(on_train_begin=shoot, on_train_batch_end=shoot),
            _AnnealPenalty(lambda progress: method.penalty_end**progress, steps=steps),
            *([AnnealNoise(steps)] if method.instance_noise else []),
        ],
        history_every=STEPS_PER_EXECUTION,
    )
    return ToyRun.of(run, method=method, mixture=mixture, seeds=seeds, film=frames)


def _batches(mixture: Mixture, seeds: Sequence[int], batch_size: int) -> tf.data.Dataset:
    """An endless dataset of (members * batch_size, 2) rows, each member's from its own points."""
    # Constants, not NumPy arrays: a function that closes over an array copies it in each step.
    with tf.device("CPU:0"):
        points = tf.constant(
            np.concatenate([sample_mixture(mixture, POINTS, seed=seed) for seed in seeds])
        )
        members = tf.constant(seeds, tf.int64)

    def draw(number: Tensor) -> Tensor:
        drawn = []
        for i in range(len(seeds)):
            # Latent vectors are drawn with the numbers from 0 up: these go down.
            key = tf.stack([members[i], -1 - number])
            rows = tf.random.stateless_uniform((batch_size,), key, 0, POINTS, tf.int32)
            drawn.append(i * POINTS + rows)
        return tf.gather(points, tf.concat(drawn, axis=0))

    return tf.data.Dataset.counter().map(draw, num_parallel_calls=1).prefetch(2)
