"""One-pass generators that learn from a flow."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut import recipes
from gantut._keras import Tensor, keras, tf
from gantut.applications.flows.matching import Flow, Learner, draw_noise
from gantut.applications.flows.velocity import Network, layers
from gantut.data import Float32
from gantut.optimizers import FusedAdam
from gantut.sampling import sample


def one_pass(flow: Flow) -> Network:
    """A generator from latent vectors to samples: a single Euler step of a flow, to be trained.

    A latent vector is the noise of the flow in a row.
    """
    z = keras.Input((math.prod(flow.sample_shape),), name="z")
    noise = layers.Reshape(flow.sample_shape, name="noise")(z)
    network = keras.models.clone_model(flow.network)
    network.set_weights(flow.average.get_weights())
    return keras.Model(z, flow.finish(noise + network([noise, z[:, :1] * 0.0])), name="one_pass")


class Student(Learner):
    """A one-pass generator that learns where a flow takes noise (Luhman and Luhman 2021).

    ``fit`` takes noise in rows and, beside it, the samples that the flow makes of it. The loss is
    their mean squared error.
    """

    def __init__(self, generator: Network) -> None:
        super().__init__(generator, seed=0, name="student")

    def batch_loss(self, x: Tensor, labels: Tensor) -> Tensor:
        """The loss of noise and the samples made of it."""
        return tf.reduce_mean(tf.square(self.network(x, training=True) - labels))

    def sample(self, n: int, seed: int | None = None) -> Float32:
        """Generates samples (n, ...), as `gantut.GAN.sample` does."""
        return sample(self.generator, n, seed=seed)


def make_pairs(flow: Flow, n: int, seed: int = 0, **how: Any) -> tuple[Float32, Float32]:
    """Noise in rows (n, width), and the samples (n, ...) that a flow makes of it.

    ``how`` is as in `Flow.generate`.
    """
    noise = draw_noise(flow.sample_shape, n, seed)
    return noise.reshape(n, -1), flow.push(noise, **how)


@recipes.cpu_timed
def distil(
    flow: Flow,
    pairs: tuple[npt.ArrayLike, npt.ArrayLike],
    *,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    seed: int = 0,
    **length: Any,
) -> recipes.Run[Student]:
    """Trains a student of a flow by regression.

    Args:
        flow: The teacher, from whose weights the student starts.
        pairs: Of `make_pairs`.
        batch_size: Pairs of a step.
        learning_rate: Adam's.
        seed: Fixes the order of the pairs.
        **length: ``steps`` or ``seconds``, and callbacks, as in `gantut.recipes.run`.
    """
    seed = recipes.make_deterministic(seed)
    noise, samples = map(np.asarray, pairs)
    student = Student(one_pass(flow))
    student.compile(FusedAdam(learning_rate), steps_per_execution=16)
    data = recipes.batches(noise, samples, batch_size=batch_size, seed=seed)
    return recipes.run(student, data, **length)


def adversarial_recipe(generator: Network) -> recipes.GANRecipe:
    """The game of the recipe `fast` with another generator, such as that of a `Student`.

    Its latent vectors are the noise of the flow, and D sees real data, as in Sauer et al. (2024):
    an adversarial loss alone makes the student.
    """
    return replace(
        recipes.get("fast"),
        name="student",
        summary="a one-pass student of a flow, trained by the discriminator of fast",
        generator=lambda **_: generator,
        g_learning_rate=5e-4,
    )
