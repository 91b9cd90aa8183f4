"""A flow of one step without a teacher: the mean velocity of a path (Geng et al. 2025)."""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut import _check, recipes
from gantut._keras import Tensor, tf
from gantut.applications.flows.matching import Flow, integrate, train
from gantut.applications.flows.velocity import Network, mlp_velocity, unet_velocity


class MeanFlow(Flow):
    """Learns the mean velocity u(x, s, e) of the flow's path through x from time s to time e.

    Its definition, (e - s) u = the integral of v over the path, differentiated by s along the
    path, says what u must be::

        u = v + (e - s) du/ds

    The loss is the squared error of that, with x_1 - x_0 in place of v, and no gradient through the
    right side. (With noise at time 1, as in Geng et al., the sign is the other.) In all but a
    quarter of a batch e = s, and the error is that of flow matching. A sample needs one step.

    Args:
        network: From [x, times] to velocities, where times (batch, 2) are s and e, as
            `unet_velocity` with ``times=2``.
        power: A sample's error, a mean over coordinates, is divided by this power of itself as a
            constant (the adaptive weight of Geng et al.); with 0 the best network is exact.
        **settings: As of a `Flow`.
    """

    def __init__(self, network: Network, *, power: float = 1.0, **settings: Any) -> None:
        super().__init__(network, **settings)
        self.power = _check.number(power, "power", least=0)

    def draw_times(self, n: Tensor) -> Tensor:
        """Starts and ends, s <= e, uniform; equal in all but the first quarter: (n, 2)."""
        both = tf.random.stateless_uniform((n, 2), seed=self.seed_generator.next())
        apart = tf.range(n)[:, None] < n // 4
        return tf.where(apart, tf.sort(both, axis=1), both[:, :1])

    def loss_of(self, data: Tensor, noise: Tensor) -> Tensor:
        """The loss above."""
        times = self.draw_times(tf.shape(data)[0])
        one = (-1, *(1 for _ in data.shape[1:]))
        share, end = (tf.reshape(t, one) for t in tf.unstack(times, axis=1))
        x, v = (1.0 - share) * noise + share * data, data - noise
        apart = tf.shape(data)[0] // 4
        along = tf.ones_like(times) * [1.0, 0.0]  # only the start moves
        with tf.autodiff.ForwardAccumulator([x, times], [v, along]) as path:
            slope = path.jvp(self.network([x[:apart], times[:apart]], training=True))
        slopes = tf.concat([slope, tf.zeros_like(v[apart:])], axis=0)
        target = tf.stop_gradient(v + (end - share) * slopes)
        squares = tf.square(self.network([x, times], training=True) - target)
        errors = tf.reduce_mean(tf.reshape(squares, (tf.shape(data)[0], -1)), axis=1)
        return tf.reduce_mean(errors / tf.stop_gradient(errors + 1e-3) ** self.power)

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        """The velocity, as of a `Flow`: the mean of a step of no length."""
        return self.average([x, tf.concat([t, t], axis=1)], training=False)

    def generate(self, noise: Tensor, *, steps: int = 1, method: str = "euler") -> Tensor:
        """As of a `Flow`, by the mean velocity of each step; there is no other method."""
        _check.one_of(method, "method", ("euler",))

        def mean(x: Tensor, start: Tensor) -> Tensor:
            times = tf.concat([start, start + 1.0 / steps], axis=1)
            return self.average([x, times], training=False)

        return self.finish(integrate(mean, noise, steps=steps, method="euler")[-1])


def train_mean(x: npt.ArrayLike, *, power: float = 1.0, **settings: Any) -> recipes.Run[Flow]:
    """Trains a `MeanFlow` as `train` does a flow, whose arguments it takes."""
    build = mlp_velocity if np.ndim(x) == 2 else unet_velocity
    network = partial(settings.pop("network", build), times=2)
    return train(x, network=network, model=partial(MeanFlow, power=power), **settings)
