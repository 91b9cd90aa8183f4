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

The numbers of the two kinds have nothing to do with each other.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut._keras import keras, tf
from gantut._state import numbered, read_state, save_training
from gantut.data import check_images, check_samples
from gantut.optimizers import FusedAdam
from gantut.sampling import sample

Tensor = Any
Float64 = npt.NDArray[np.float64]

LIKELIHOODS = ("bernoulli", "normal")
"""What p(x | z) can be; see the module's description."""

# The least probability of ink and of no ink: a pixel that the decoder is sure of in float32 must
# not make an image impossible.
_LEAST = 1e-6


def binarise(images: npt.ArrayLike, seed: int = 0) -> npt.NDArray[np.float32]:
    """Black and white images, drawn with the greys as the probabilities of ink.

    As MNIST is binarised where likelihoods are published (Burda et al. 2016, section 5).

    Args:
        images: float32 images (n, height, width, channels) in [-1, 1].
        seed: Seed of the draw.

    Returns:
        float32 of the same shape, 1 with probability (grey + 1) / 2 and -1 otherwise.

    Raises:
        ValueError: the images have another shape, dtype or range.
    """
    array = check_images(images)
    ink = np.random.default_rng(seed).random(array.shape, dtype=np.float32) < (array + 1) / 2
    return np.where(ink, np.float32(1), np.float32(-1))


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, diag(exp(log_variance))) || N(0, I)), row by row.

    Kingma and Welling (2014), appendix B.

    Args:
        mean: float32 of shape (batch, d).
        log_variance: The logarithms of the variances, of the same shape.

    Returns:
        float32 of shape (batch,), in nats.
    """
    return 0.5 * tf.reduce_sum(tf.exp(log_variance) + mean**2 - 1.0 - log_variance, axis=1)


class VAE(keras.Model):
    """An encoder and a decoder, trained together by ``fit``.

    It has the attributes of a `gantut.GAN` that callbacks, recipes and the evaluation read:
    ``generator`` and ``ema_generator`` are the decoder (no average of its weights is kept),
    ``conditional`` is False and ``num_classes`` None.

    Args:
        encoder: Maps samples to [mean, log_variance], each (batch, latent_dim), as
            `gantut.networks.mlp_encoder` does with ``variational=True``.
        decoder: Maps (batch, latent_dim) to samples, as `gantut.networks.mlp_generator` does.
        likelihood: "bernoulli" or "normal"; see the module's description.
        deviation: For "normal", the deviation sigma that training starts from, > 0.
        seed: Fixes the random numbers of training. None draws a seed.

    Attributes:
        encoder: The encoder.
        decoder: The decoder.
        latent_dim: Length of the latent vector.
        likelihood: "bernoulli" or "normal".
        log_deviation: The variable log(sigma); None for "bernoulli".

    Raises:
        ValueError: the two networks do not fit each other, ``likelihood`` is unknown, or
            ``deviation`` is not positive.
    """

    def __init__(
        self,
        encoder: Any,
        decoder: Any,
        *,
        likelihood: str = "bernoulli",
        deviation: float = 0.3,
        seed: int | None = None,
        name: str = "vae",
    ) -> None:
        super().__init__(name=name)
        _check_networks(encoder, decoder)
        if likelihood not in LIKELIHOODS:
            raise ValueError(
                f"unknown likelihood {likelihood!r}; known are {', '.join(LIKELIHOODS)}"
            )
        if not 0.0 < deviation < math.inf:
            raise ValueError(f"deviation must be a positive number, got {deviation!r}")
        self.likelihood = likelihood
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = int(decoder.inputs[0].shape[-1])
        self.conditional = False
        self.num_classes = None
        self.sample_shape = tuple(decoder.outputs[0].shape[1:])
        self.log_deviation: Any = None
        if likelihood == "normal":
            self.log_deviation = self.add_weight(
                shape=(),
                initializer=keras.initializers.Constant(math.log(deviation)),
                name="log_deviation",
            )
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.step_counter = self.add_weight(
            shape=(), dtype="int64", initializer="zeros", trainable=False, name="step"
        )
        self.trackers = [keras.metrics.Mean(name) for name in ("loss", "reconstruction", "kl")]
        self.built = True

    @property
    def generator(self) -> Any:
        """The decoder, which draws samples as a generator does."""
        return self.decoder

    @property
    def ema_generator(self) -> Any:
        """The decoder, under the name by which a `gantut.GAN` is asked for its samples."""
        return self.decoder

    @property
    def g_optimizer(self) -> Any:
        """The only optimizer, under the name by which callbacks know the generator's."""
        return self.optimizer

    @property
    def deviation(self) -> float | None:
        """The deviation sigma of a pixel around the decoder's output; None for "bernoulli"."""
        if self.log_deviation is None:
            return None
        return math.exp(float(self.log_deviation.numpy()))

    @property
    def metrics(self) -> list[Any]:
        """The running means that ``fit`` reports and resets each epoch."""
        return self.trackers

    def compile(
        self,
        optimizer: Any = None,
        *,
        steps_per_execution: int = 1,
        run_eagerly: bool = False,
        jit_compile: bool | str = "auto",
    ) -> None:
        """Sets the optimizer.

        Args:
            optimizer: A Keras optimizer; FusedAdam(1e-3) if None.
            steps_per_execution: Training steps run per call of the compiled graph.
            run_eagerly: Run step by step in Python, for debugging.
            jit_compile: As in Keras.
        """
        super().compile(
            optimizer=FusedAdam(1e-3) if optimizer is None else optimizer,
            steps_per_execution=steps_per_execution,
            run_eagerly=run_eagerly,
            jit_compile=jit_compile,
        )
        # Variables cannot be made while a graph is traced.
        self.optimizer.build(self.trainable_variables)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        """Reconstructions of samples: what the decoder makes of the encoder's mean."""
        return self.decoder(self.encoder(inputs, training=training)[0], training=training)

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Keras' ``fit``, after a look at the data.

        Args:
            x: Samples as an array, or a dataset of ``x`` or ``(x, labels)``. Images are float32
                (batch, height, width, channels) in [-1, 1].
            y: Ignored: labels play no part.
            *args: As in Keras.
            **kwargs: As in Keras; weights of samples and validation data are not supported.

        Returns:
            Keras' History, with the means of ``loss`` (the negative bound) and of its two parts,
            ``reconstruction`` (-log p(x | z)) and ``kl``, in nats a sample.

        Raises:
            ValueError: the data is empty or has a wrong shape, dtype or range. Of a dataset the
                first batch is looked at.
        """
        for name in ("sample_weight", "class_weight", "validation_data", "validation_split"):
            if name in kwargs:
                raise ValueError(f"VAE.fit takes no {name}")
        if x is None:
            raise ValueError("fit needs samples: an array or a dataset x")
        if isinstance(x, tf.Tensor):
            x = x.numpy()
        if isinstance(x, np.ndarray):
            x = self._check(x)
        elif isinstance(x, tf.data.Dataset):
            first = next(iter(x.take(1)), None)
            if first is None:
                raise ValueError("the dataset is empty")
            self._check(keras.utils.unpack_x_y_sample_weight(first)[0])
        return super().fit(x, None, *args, **kwargs)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """One step of ``fit``: one draw of z an image, one step of the optimizer."""
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        self.step_counter.assign_add(1)
        with tf.GradientTape() as tape:
            mean, log_variance = self.encoder(x, training=True)
            # The reparametrisation: z is a function of what is learned and of noise that is not.
            noise = tf.random.stateless_normal(tf.shape(mean), seed=self.seed_generator.next())
            z = mean + tf.exp(0.5 * log_variance) * noise
            reconstruction = -self._log_density(x, self.decoder(z, training=True))
            kl = kl_to_standard_normal(mean, log_variance)
            loss = tf.reduce_mean(reconstruction + kl)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        loss_mean, reconstruction_mean, kl_mean = self.trackers
        loss_mean.update_state(loss)
        reconstruction_mean.update_state(reconstruction)
        kl_mean.update_state(kl)
        return {tracker.name: tracker.result() for tracker in self.trackers}

    def _log_density(self, x: Tensor, centre: Tensor) -> Tensor:
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

    def sample(
        self, n: int, seed: int | None = None, batch_size: int = 500, *, noise: bool = False
    ) -> np.ndarray:
        """Generates samples: the decoder's images for latent vectors from N(0, I).

        These are the means of p(x | z), as is usual. The model itself draws each pixel at random.

        Args:
            n: How many.
            seed: Fixes the latent vectors and the noise.
            batch_size: Samples made at a time; bounds the memory.
            noise: Draw from p(x | z): binary images for "bernoulli", grainy ones (cut off at -1
                and 1) for "normal". These are what the likelihood is about.

        Returns:
            float32 of shape (n, ...), images in [-1, 1].

        Raises:
            ValueError: ``n`` or ``batch_size`` is not a positive integer.
        """
        images = sample(self.decoder, n, seed=seed, batch_size=batch_size)
        if noise:
            # Another stream than that of the latent vectors, which begins with the same seed.
            rng = np.random.default_rng(None if seed is None else [seed, 1])
            deviation = self.deviation
            if deviation is None:
                ink = rng.random(images.shape, dtype=np.float32) < (images + 1) / 2
                return np.where(ink, np.float32(1), np.float32(-1))
            images += deviation * rng.standard_normal(images.shape, dtype=np.float32)
            np.clip(images, -1, 1, out=images)
        return images

    def encode(self, x: npt.ArrayLike, batch_size: int = 500) -> tuple[np.ndarray, np.ndarray]:
        """The encoder's distribution over the latent vectors of given samples.

        Args:
            x: Samples (n, ...), images float32 in [-1, 1].
            batch_size: Samples at a time; bounds the memory.

        Returns:
            Means and standard deviations, each float32 (n, latent_dim).

        Raises:
            ValueError: the samples are empty or have a wrong shape, dtype or range.
        """
        parts = [self.encoder(block, training=False) for block in self._blocks(x, batch_size)]
        means, log_variances = (np.concatenate(list(group)) for group in zip(*parts, strict=True))
        return means, np.exp(0.5 * log_variances)

    def reconstruct(self, x: npt.ArrayLike, batch_size: int = 500) -> np.ndarray:
        """What the decoder makes of the means of `encode`.

        Args:
            x: Samples (n, ...), images float32 in [-1, 1].
            batch_size: Samples at a time; bounds the memory.

        Returns:
            float32 of the shape of ``x``.

        Raises:
            ValueError: as `encode`.
        """
        return np.concatenate([self(block).numpy() for block in self._blocks(x, batch_size)])

    def elbo(
        self, x: npt.ArrayLike, *, draws: int = 1, seed: int = 0, batch_size: int = 500
    ) -> Float64:
        """The evidence lower bound of each sample (Kingma and Welling 2014, equation 3).

        Args:
            x: Samples (n, ...), images float32 in [-1, 1].
            draws: Latent vectors drawn for a sample, over which log p(x | z) is averaged.
            seed: Fixes them.
            batch_size: Samples at a time; bounds the memory.

        Returns:
            float64 of shape (n,), in nats; see the module's description of units.

        Raises:
            ValueError: as `encode`, or ``draws`` is not a positive integer.
        """
        total: Any = 0.0
        for log_density, _, kl in self._draws(x, draws, seed, batch_size):
            total = total + log_density - kl
        return np.asarray(total / draws)

    def log_likelihood(
        self, x: npt.ArrayLike, *, draws: int = 100, seed: int = 0, batch_size: int = 500
    ) -> Float64:
        """Estimates log p(x) of each sample by importance weighting.

        Burda et al. (2016), section 3: the logarithm of the mean of p(x | z) p(z) / q(z | x) over
        draws from the encoder. Its expectation is a lower bound of log p(x), the evidence lower
        bound for one draw; it never falls with more draws and comes to log p(x) with infinitely
        many. How near it is, a second estimate with more draws shows. Of a grey image, a
        "bernoulli" model estimates a bound of the mean of its binary images, looser than the mean
        of their own estimates: pass images of `binarise` to quote a likelihood.

        Args:
            x: Samples (n, ...), images float32 in [-1, 1].
            draws: Latent vectors drawn for a sample; the cost grows with it.
            seed: Fixes them.
            batch_size: Samples at a time; bounds the memory.

        Returns:
            float64 of shape (n,), in nats; see the module's description of units.

        Raises:
            ValueError: as `encode`, or ``draws`` is not a positive integer.
        """
        total: Any = -np.inf
        for log_density, log_ratio, _ in self._draws(x, draws, seed, batch_size):
            total = np.logaddexp(total, log_density + log_ratio)
        return np.asarray(total - math.log(draws))

    def _draws(
        self, x: npt.ArrayLike, draws: int, seed: int, batch_size: int
    ) -> Iterator[tuple[Float64, Float64, Float64]]:
        """Yields, for each draw, log p(x | z), log p(z) / q(z | x) and KL(q || p): (n,) each."""
        if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 1:
            raise ValueError(f"draws must be a positive integer, got {draws!r}")
        blocks = list(self._blocks(x, batch_size))
        codes = [self.encoder(block, training=False) for block in blocks]
        rng = np.random.default_rng(seed)

        @tf.function(reduce_retracing=True)
        def terms(block: Any, mean: Any, log_variance: Any, noise: Any) -> Any:
            z = mean + tf.exp(0.5 * log_variance) * noise
            log_density = self._log_density(block, self.decoder(z, training=False))
            log_ratio = 0.5 * tf.reduce_sum(log_variance + noise**2 - z**2, axis=1)
            return log_density, log_ratio, kl_to_standard_normal(mean, log_variance)

        for _ in range(draws):
            parts = [
                terms(block, *code, rng.standard_normal(code[0].shape, dtype=np.float32))
                for block, code in zip(blocks, codes, strict=True)
            ]
            log_density, log_ratio, kl = (
                np.concatenate(list(group)).astype(np.float64) for group in zip(*parts, strict=True)
            )
            yield log_density, log_ratio, kl

    def _blocks(self, x: npt.ArrayLike, batch_size: int) -> Iterator[Tensor]:
        array = self._check(x)
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size must be a positive integer, got {batch_size!r}")
        for start in range(0, len(array), batch_size):
            yield tf.constant(array[start : start + batch_size])

    def _check(self, x: Any) -> np.ndarray:
        return check_samples(x, self.sample_shape, maker="decoder")

    # --- Files -----------------------------------------------------------------------------------

    def save(self, directory: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Writes what is needed to sample, and what is needed to go on training.

        ``generator.keras`` (the decoder) and ``encoder.keras`` open with
        ``keras.models.load_model`` where gantut is not installed; ``state.npz`` holds all
        variables, those of the optimizer and the random state included, for :meth:`restore`.

        Args:
            directory: A folder, made if it does not exist. Each file appears whole or not at all.
            overwrite: Replace what is there.

        Raises:
            FileExistsError: the folder has a state already and ``overwrite`` is False.
            OSError: the folder cannot be written to.
        """
        save_training(
            directory,
            {"generator": self.decoder, "encoder": self.encoder},
            self.state(),
            overwrite=overwrite,
            kind="model",
        )

    def restore(self, directory: str | os.PathLike[str]) -> None:
        """Puts a saved training state into this (compiled) VAE of the same architecture.

        Args:
            directory: A folder that :meth:`save` wrote.

        Raises:
            FileNotFoundError: there is no ``state.npz``.
            ValueError: the file is damaged or belongs to other networks, or this VAE is not
                compiled. Nothing is changed then.
        """
        if not self.compiled:
            raise ValueError("compile the VAE first: the optimizer's state is restored too")
        read_state(Path(directory) / "state.npz", self.state(), kind="VAE")

    def state(self) -> dict[str, Any]:
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


def _check_networks(encoder: Any, decoder: Any) -> None:
    read, made = tuple(encoder.inputs[0].shape[1:]), tuple(decoder.outputs[0].shape[1:])
    if read != made:
        raise ValueError(f"the decoder makes samples of shape {made}, but the encoder takes {read}")
    if len(decoder.inputs) != 1 or len(decoder.inputs[0].shape) != 2:
        raise ValueError(
            "the decoder must take latent vectors (batch, latent_dim), got inputs of shape "
            f"{', '.join(str(tuple(x.shape)) for x in decoder.inputs)}"
        )
    latent, coded = decoder.inputs[0].shape[-1], [tuple(x.shape[1:]) for x in encoder.outputs]
    if coded != [(latent,), (latent,)]:
        raise ValueError(
            f"the encoder must return [mean, log_variance], each (batch, {latent}) as the decoder "
            f"takes, got {len(coded)} output(s) of shape {', '.join(map(str, coded))}"
        )
