"""Flow matching: the loss, sampling, training."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from gantut import _check, recipes
from gantut._keras import Tensor, keras, tf
from gantut._state import numbered
from gantut.applications.flows.velocity import Network, mlp_velocity, unet_velocity
from gantut.data import Float32, check_images, check_samples
from gantut.gan import follow, frozen_copy
from gantut.model import Model, built_optimizer
from gantut.optimizers import FusedAdam
from gantut.sampling import in_batches

Velocity: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def integrate(
    velocity: Velocity, x: Tensor, *, steps: int = 16, method: str = "heun"
) -> list[Tensor]:
    """The path from ``x`` at time 0 to time 1 along a velocity: steps + 1 points.

    "euler" follows the velocity at the beginning of each step, one evaluation. "heun" takes the
    mean of that and of the velocity where Euler's step ends, two evaluations.

    Args:
        velocity: From points (batch, ...) and times (batch, 1) to velocities.
        x: Points at time 0.
        steps: Equal steps.
        method: "euler" or "heun".
    """
    steps = _check.integer(steps, "steps", 1)
    _check.one_of(method, "method", ("euler", "heun"))
    path = [x]
    for step in range(steps):
        now, then = (
            tf.fill((tf.shape(x)[0], 1), tf.constant(place / steps, x.dtype))
            for place in (step, step + 1)
        )
        v = velocity(x, now)
        if method == "heun":
            v = (v + velocity(x + v / steps, then)) / 2.0
        x = x + v / steps
        path.append(x)
    return path


class Learner(Model):
    """A network that learns by one loss, ``batch_loss(x, labels)``, with an average of its weights.

    Args:
        network: What learns.
        ema: Decay of the average that samples come from, as in `gantut.GAN`; None keeps none.
        seed: Fixes the random numbers of training.
        name: The model's.
    """

    def __init__(
        self, network: Network, *, ema: float | None = None, seed: int | None, name: str
    ) -> None:
        super().__init__(name=name)
        self.ema = None if ema is None else _check.number(ema, "ema", least=0, below=1)
        self.network = self.generator = network
        self.average = self.ema_generator = network if ema is None else frozen_copy(network)
        self.sample_shape = tuple(network.inputs[0].shape[1:])
        self.begin(seed, "loss")

    def compile(self, optimizer: Any = None, **options: Any) -> None:
        """Sets the optimizer (FusedAdam(2e-3, beta_2=0.99) if None), as `gantut.vae.VAE` does."""
        self.check_options(options, "an optimizer alone")
        default = partial(FusedAdam, 2e-3, beta_2=0.99)
        optimizer = built_optimizer(optimizer, "optimizer", default, self.network)
        super().compile(optimizer, auto_scale_loss=False, **options)

    def step(self, x: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """One step of ``fit``."""
        self.step_counter.assign_add(1)
        with tf.GradientTape() as tape:
            loss = self.batch_loss(x, labels)
        variables = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        if self.ema is not None:
            follow(self.average, self.network, self.ema, self.optimizer.iterations)
        self.trackers[0].update_state(loss)
        return self.means()

    def state(self) -> dict[str, keras.Variable]:
        """All variables by name, the optimizer's and random states included (if compiled)."""
        groups = {
            "network": self.network.variables,
            "average": [] if self.ema is None else self.average.variables,
            "training": [self.step_counter, self.seed_generator.state],
        }
        if self.compiled:
            groups["optimizer"] = self.optimizer.variables
        return numbered(groups)


class Flow(Learner):
    """A network that learns the velocity from noise to data, by ``fit``.

    Args:
        network: From [x, time] to velocities, as `unet_velocity`.
        centre: Is subtracted from the data,
        scale: by which they are divided then.
        bounds: What samples are clipped to; None does not clip.
        ema: Decay of the average of the weights that samples come from, as in `gantut.GAN`.
        seed: Fixes the noise and the times of training.
    """

    def __init__(
        self,
        network: Network,
        *,
        centre: npt.ArrayLike = 0.0,
        scale: float = 1.0,
        bounds: tuple[float, float] | None = None,
        ema: float = 0.998,
        seed: int | None = None,
    ) -> None:
        super().__init__(network, ema=ema, seed=seed, name="flow")
        self.centre = np.asarray(centre, np.float32)
        self.scale, self.bounds = _check.number(scale, "scale", above=0), bounds
        self.graphs: dict[Any, Any] = {}

    def batch_loss(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """The loss of a batch of data and as much noise."""
        data = (x - self.centre) / self.scale
        noise = tf.random.stateless_normal(tf.shape(data), seed=self.seed_generator.next())
        return self.loss_of(data, noise)

    def draw_times(self, n: Tensor) -> Tensor:
        """Times of a step, uniform in [0, 1): (n, 1)."""
        return tf.random.stateless_uniform((n, 1), seed=self.seed_generator.next())

    def loss_of(self, data: Tensor, noise: Tensor) -> Tensor:
        """The flow-matching loss, a mean over coordinates: Lipman et al. 2023, equation 23."""
        t = self.draw_times(tf.shape(data)[0])
        share = tf.reshape(t, (-1, *(1 for _ in data.shape[1:])))
        v = self.network([(1.0 - share) * noise + share * data, t], training=True)
        return tf.reduce_mean(tf.square(v - (data - noise)))

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        """The velocity by the averaged weights, in units of the noise."""
        return self.average([x, t], training=False)

    def generate(self, noise: Tensor, *, steps: int = 16, method: str = "heun") -> Tensor:
        """Where noise (n, ...) gets to, in the units of the data, clipped to the bounds."""
        return self.finish(integrate(self.velocity, noise, steps=steps, method=method)[-1])

    def finish(self, x: Tensor) -> Tensor:
        """The end of a path in the units of the data, clipped to the bounds."""
        x = x * self.scale + self.centre
        return x if self.bounds is None else keras.ops.clip(x, *self.bounds)

    def sample(self, n: int, seed: int | None = None, batch_size: int = 500, **how: Any) -> Float32:
        """Generates samples (n, ...), as `gantut.GAN.sample` does; ``how`` is as in `generate`."""
        return self.push(draw_noise(self.sample_shape, n, seed), batch_size, **how)

    def push(self, noise: npt.ArrayLike, batch_size: int = 500, **how: Any) -> Float32:
        """What `generate` makes of given noise (n, ...)."""
        noise = np.asarray(noise, np.float32)
        if noise.shape[1:] != self.sample_shape or not len(noise):
            raise ValueError(f"noise: wanted shape (n, *{self.sample_shape}), got {noise.shape}")
        key = tuple(sorted(how.items()))
        if key not in self.graphs:
            self.graphs[key] = tf.function(partial(self.generate, **how), autograph=False)
        return in_batches(self.graphs[key], noise, batch_size)


def draw_noise(shape: Sequence[int], n: int, seed: int | None = None) -> Float32:
    """Draws noise (n, ...) from N(0, I), as samples of these shapes start from."""
    n = _check.integer(n, "n", 1)
    rng = np.random.default_rng() if seed is None else _check.rng(seed)
    return rng.standard_normal((n, *shape), dtype=np.float32)


@recipes.cpu_timed
def train(
    x: npt.ArrayLike,
    *,
    network: Callable[..., Network] | None = None,
    model: Callable[..., Flow] = Flow,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    seed: int = 0,
    **length: Any,
) -> recipes.Run[Flow]:
    """Trains a flow on images or rows, at a constant rate.

    Args:
        x: Images float32 (n, height, width, channels) in [-1, 1], or rows (n, width).
        network: Builds the velocity network from the shape of a sample; `unet_velocity` for images
            and `mlp_velocity` for rows if None.
        model: `Flow`, or a subclass.
        batch_size: Samples of a step.
        learning_rate: Adam's.
        seed: Fixes the result, except with ``seconds``, as in `gantut.recipes`.
        **length: ``steps`` or ``seconds``, and callbacks, as in `gantut.recipes.run`.
    """
    x = np.asarray(x)
    x = check_samples(x, x.shape[1:], maker="network") if x.ndim == 2 else check_images(x, name="x")
    seed = recipes.make_deterministic(seed)
    build = network or (mlp_velocity if x.ndim == 2 else unet_velocity)
    flow = model(
        build(x.shape[1:]),
        centre=x.mean(axis=0),
        scale=0.5 if x.ndim == 4 else float(x.std(axis=0).mean()) or 1.0,
        bounds=(-1.0, 1.0) if x.ndim == 4 else None,
        seed=seed,
    )
    flow.compile(FusedAdam(learning_rate, beta_2=0.99), steps_per_execution=16)
    data = recipes.batches(x, batch_size=batch_size, seed=seed)
    return recipes.run(flow, data, **length)
