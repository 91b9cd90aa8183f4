"""A variational autoencoder (Kingma and Welling 2014), to be compared with a GAN.

The model. A latent vector z is drawn from N(0, I), and an image from a distribution p(x | z) whose
mean the decoder draws. The encoder says which latent vectors may belong to an image: a normal
distribution q(z | x) with independent coordinates. Training makes the evidence lower bound large,
of which the first term is estimated with one draw an image and the second has a closed form::

    log p(x) >= E_q[log p(x | z)] - KL(q(z | x) || p(z))

What p(x | z) is, and in which units its likelihood is given, depends on ``likelihood``:

"bernoulli"
    A model of black and white images: each pixel has ink (1) or none (-1), with the probability
    that the decoder's grey says, (grey + 1) / 2. Likelihoods are natural logarithms of the
    probability of a binary image, so never above 0: nats an image. A grey image stands for the
    binary images that `binarise` makes of it, and its bound for their mean bound. This is how
    likelihoods on MNIST are usually published (Burda et al. 2016); it says nothing about greys.

"normal"
    A model of pixels of any value: N(decoder(z), sigma^2 I), with one deviation sigma for all
    pixels, which is learned. Likelihoods are natural logarithms of a density over pixel values in
    [-1, 1], also in nats an image. A density can exceed 1, so that its logarithm can be positive
    (784 pixels with sigma 0.2 weigh up to 541 nats), and it changes with the scale of the pixels:
    counted from 0 to 255, the same model has 784 log(127.5) = 3,801 nats less. A deviation shared
    by all pixels keeps the density finite where a pixel is -1 in every image.
"""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut import _check
from gantut._keras import Tensor, keras, tf
from gantut._state import numbered
from gantut.data import Float64, check_images, check_samples
from gantut.model import Model, built_optimizer, check_network, check_pair
from gantut.optimizers import FusedAdam
from gantut.sampling import sample

# The least probability of ink and of no ink: a pixel that the decoder is sure of in float32 must
# not make an image impossible.
_LEAST = 1e-6


def binarise(images: npt.ArrayLike, seed: int = 0) -> npt.NDArray[np.float32]:
    """Black and white images: each pixel is 1 (ink) with probability (grey + 1) / 2, else -1.

    As MNIST is binarised where likelihoods are published (Burda et al. 2016, section 5).

    Args:
        images: float32 images (n, height, width, channels) in [-1, 1].
        seed: Seed of the draw.
    """
    greys = check_images(images)
    ink = _check.rng(seed).random(greys.shape, dtype=np.float32) < (greys + 1) / 2
    return np.where(ink, np.float32(1), np.float32(-1))


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, diag(exp(log_variance))) || N(0, I)), in nats: (batch, d) to (batch,).

    Kingma and Welling (2014), appendix B.
    """
    return 0.5 * tf.reduce_sum(tf.exp(log_variance) + mean**2 - 1.0 - log_variance, axis=1)


class VAE(Model):
    """An encoder and a decoder, trained together by ``fit``.

    It has the attributes of a `gantut.GAN` that callbacks, recipes and the evaluation read:
    ``generator`` and ``ema_generator`` are the decoder (no average of its weights is kept).

    Args:
        encoder: Maps samples to [mean, log_variance], each (batch, latent_dim), as
            `gantut.networks.mlp_encoder` does with ``variational=True``.
        decoder: Maps (batch, latent_dim) to samples, as `gantut.networks.mlp_generator` does.
        likelihood: "bernoulli" or "normal"; see the module's description.
        deviation: For "normal", the deviation sigma that training starts from, > 0.
        seed: Fixes the random numbers of training. None draws a seed.

    Attributes:
        latent_dim: Length of the latent vector.
        log_deviation: The variable log(sigma); None for "bernoulli".
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        *,
        likelihood: str = "bernoulli",
        deviation: float = 0.3,
        seed: int | None = None,
        name: str = "vae",
    ) -> None:
        super().__init__(name=name)
        check_network(encoder, "encoder")
        check_network(decoder, "decoder")
        check_pair(decoder, encoder, ("decoder", "encoder"))
        if len(decoder.inputs) != 1:
            count = len(decoder.inputs)
            raise ValueError(f"the decoder must take latent vectors, got {count} inputs")
        self.latent_dim = int(decoder.inputs[0].shape[-1])
        coded = [x.shape[1:] for x in encoder.outputs]
        if coded != [(self.latent_dim,)] * 2:
            raise ValueError(
                f"the encoder must return [mean, log_variance], each (batch, {self.latent_dim}) as "
                f"the decoder takes, got {len(coded)} output(s) of shape "
                f"{', '.join(map(str, coded))}"
            )
        self.likelihood = _check.one_of(likelihood, "likelihood", ("bernoulli", "normal"))
        deviation = _check.number(deviation, "deviation", above=0)
        self.encoder = encoder
        self.decoder = self.generator = self.ema_generator = decoder
        self.sample_shape = tuple(decoder.outputs[0].shape[1:])
        self.log_deviation: keras.Variable | None = None
        if likelihood == "normal":
            self.log_deviation = self.add_weight(
                initializer=keras.initializers.Constant(math.log(deviation)),
                name="log_deviation",
            )
        self.begin(seed, "loss", "reconstruction", "kl")

    @property
    def deviation(self) -> float | None:
        """The deviation sigma of a pixel around the decoder's output; None for "bernoulli"."""
        return None if self.log_deviation is None else math.exp(self.log_deviation.numpy())

    def compile(self, optimizer: Any = None, **options: Any) -> None:
        """Sets the optimizer.

        Args:
            optimizer: A Keras optimizer, or its name; FusedAdam(1e-3) if None.
            **options: ``steps_per_execution``, ``run_eagerly`` and ``jit_compile``, as in Keras.
        """
        self.check_options(options, "an optimizer alone")
        optimizer = built_optimizer(optimizer, "optimizer", partial(FusedAdam, 1e-3), self)
        super().compile(optimizer, auto_scale_loss=False, **options)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Reconstructions of samples: what the decoder makes of the encoder's mean."""
        return self.decoder(self.encoder(inputs, training=training)[0], training=training)

    def step(self, x: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """One step of ``fit``: one draw of z an image, one step of the optimizer."""
        self.step_counter.assign_add(1)
        with tf.GradientTape() as tape:
            mean, log_variance = self.encoder(x, training=True)
            # The reparametrisation: z is a function of what is learned and of noise that is not.
            noise = tf.random.stateless_normal(tf.shape(mean), seed=self.seed_generator.next())
            z = mean + tf.exp(0.5 * log_variance) * noise
            reconstruction = -self.log_density(x, self.decoder(z, training=True))
            kl = kl_to_standard_normal(mean, log_variance)
            loss = tf.reduce_mean(reconstruction + kl)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        for tracker, value in zip(self.trackers, (loss, reconstruction, kl), strict=True):
            tracker.update_state(value)
        return self.means()

    def log_density(self, x: Tensor, centre: Tensor) -> Tensor:
        """The logarithm of p(x | z) where the decoder draws ``centre``: shape (batch,), in nats."""
        size = math.prod(self.sample_shape)
        x, centre = (tf.reshape(value, (-1, size)) for value in (x, centre))
        if self.likelihood == "bernoulli":
            ink, grey = 0.5 * (x + 1.0), 0.5 * (centre + 1.0)
            grey = _LEAST + (1.0 - 2.0 * _LEAST) * grey
            return tf.reduce_sum(
                ink * tf.math.log(grey) + (1.0 - ink) * tf.math.log(1.0 - grey), axis=1
            )
        log_deviation = tf.convert_to_tensor(self.log_deviation)
        squares = tf.reduce_sum((x - centre) ** 2, axis=1)
        return (
            -0.5 * squares * tf.exp(-2.0 * log_deviation)
            - size * log_deviation
            - 0.5 * size * math.log(2.0 * math.pi)
        )

    # --- What a trained one is for ---------------------------------------------------------------

    def sample(self, n: int, seed: int | None = None, batch_size: int = 500) -> np.ndarray:
        """Generates samples (n, ...), float32: the decoder's for latent vectors from N(0, I).

        These are the means of p(x | z), as is usual. The model itself draws each pixel at random,
        which `binarise` does with the means of a "bernoulli" one.

        Args:
            n: How many.
            seed: Fixes the latent vectors.
            batch_size: Samples made at a time; bounds the memory.
        """
        return sample(self.decoder, n, seed=seed, batch_size=batch_size)

    def encode(self, x: npt.ArrayLike, batch_size: int = 500) -> tuple[np.ndarray, np.ndarray]:
        """The encoder's means and standard deviations of samples, each float32 (n, latent_dim).

        Args:
            x: Samples (n, ...), images float32 in [-1, 1].
            batch_size: Samples at a time; bounds the memory.
        """
        parts = [self.encoder(block, training=False) for block in self._blocks(x, batch_size)]
        means, log_variances = map(np.concatenate, zip(*parts, strict=True))
        return means, np.exp(0.5 * log_variances)

    def reconstruct(self, x: npt.ArrayLike, batch_size: int = 500) -> np.ndarray:
        """What the decoder makes of the means of `encode`, which takes the same arguments."""
        return np.concatenate([self(block).numpy() for block in self._blocks(x, batch_size)])

    def elbo(
        self, x: npt.ArrayLike, *, draws: int = 1, seed: int = 0, batch_size: int = 500
    ) -> Float64:
        """The evidence lower bound of each sample, float64 (n,) in nats.

        Kingma and Welling (2014), equation 3; see the module's description of units.

        Args:
            x: Samples (n, ...), images float32 in [-1, 1].
            draws: Latent vectors drawn for a sample, over which log p(x | z) is averaged.
            seed: Fixes them.
            batch_size: Samples at a time; bounds the memory.
        """
        total = np.zeros(())
        for log_density, _, kl in self._draws(x, draws, seed, batch_size):
            total = total + log_density - kl
        return np.asarray(total / draws)

    def log_likelihood(
        self, x: npt.ArrayLike, *, draws: int = 100, seed: int = 0, batch_size: int = 500
    ) -> Float64:
        """Estimates log p(x) of each sample by importance weighting.

        Burda et al. (2016), section 3: the logarithm of the mean of p(x | z) p(z) / q(z | x) over
        draws from the encoder. Its expectation is a lower bound of log p(x): for one draw the
        evidence lower bound, and nearer to log p(x) with more. A second estimate with more draws
        shows how near. Of a grey image, a "bernoulli" model estimates a bound of the mean of its
        binary images, looser than the mean of their own estimates: pass images of `binarise` to
        quote a likelihood. Arguments and result as in `elbo`; the cost grows with ``draws``.
        """
        total = np.full((), -np.inf)
        for log_density, log_ratio, _ in self._draws(x, draws, seed, batch_size):
            total = np.logaddexp(total, log_density + log_ratio)
        return np.asarray(total - math.log(draws))

    def _draws(
        self, x: npt.ArrayLike, draws: int, seed: int, batch_size: int
    ) -> Iterator[tuple[Float64, Float64, Float64]]:
        """Yields, for each draw, log p(x | z), log p(z) / q(z | x) and KL(q || p): (n,) each."""
        draws = _check.integer(draws, "draws", 1)
        blocks = list(self._blocks(x, batch_size))
        codes = [self.encoder(block, training=False) for block in blocks]
        rng = _check.rng(seed)

        @tf.function(reduce_retracing=True)
        def terms(
            block: Tensor, mean: Tensor, log_variance: Tensor, noise: Tensor
        ) -> tuple[Tensor, Tensor, Tensor]:
            z = mean + tf.exp(0.5 * log_variance) * noise
            log_density = self.log_density(block, self.decoder(z, training=False))
            log_ratio = 0.5 * tf.reduce_sum(log_variance + noise**2 - z**2, axis=1)
            return log_density, log_ratio, kl_to_standard_normal(mean, log_variance)

        for _ in range(draws):
            parts = [
                terms(block, *code, rng.standard_normal(code[0].shape, dtype=np.float32))
                for block, code in zip(blocks, codes, strict=True)
            ]
            log_density, log_ratio, kl = map(np.concatenate, zip(*parts, strict=True))
            yield log_density.astype(np.float64), log_ratio.astype(np.float64), kl

    def _blocks(self, x: npt.ArrayLike, batch_size: int) -> Iterator[Tensor]:
        array = check_samples(x, self.sample_shape, maker="decoder")
        batch_size = _check.integer(batch_size, "batch_size", 1)
        for start in range(0, len(array), batch_size):
            yield tf.constant(array[start : start + batch_size])

    @property
    def networks(self) -> dict[str, keras.Model]:
        """What ``save`` writes: the decoder, from which samples come, and the encoder."""
        return {"generator": self.decoder, "encoder": self.encoder}

    def state(self) -> dict[str, keras.Variable]:
        """All variables by name, the optimizer's and random states included (if compiled)."""
        groups = {
            "encoder": self.encoder.variables,
            "decoder": self.decoder.variables,
            "vae": [self.step_counter, self.seed_generator.state],
        }
        if self.log_deviation is not None:
            groups["vae"].append(self.log_deviation)
        if self.compiled:
            groups["optimizer"] = self.optimizer.variables
        return numbered(groups)
