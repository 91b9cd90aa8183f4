"""An autoencoder whose code has few bits, with or without a patch critic."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut import _check, losses, networks, recipes
from gantut._keras import Tensor, keras, tf, unchanged
from gantut._state import numbered
from gantut.applications.flows.velocity import Network, layers
from gantut.data import Float32, check_images
from gantut.model import Model
from gantut.networks.parts import checked_shape
from gantut.optimizers import FusedAdam
from gantut.sampling import in_batches


def patch_critic(
    image_shape: Sequence[int] = networks.MNIST_SHAPE, widths: Sequence[int] = (256, 128)
) -> Network:
    """A critic that judges each quarter of an image by itself (as Isola et al. 2017 do patches).

    The same small perceptron sees the four; the result are four logits.

    Args:
        image_shape: (height, width, channels), both sides even.
        widths: Units of the hidden layers.
    """
    high, wide, channels = checked_shape(image_shape, multiple_of=2)
    image = keras.Input((high, wide, channels), name="image")
    x = layers.Reshape((2, high // 2, 2, wide // 2 * channels))(image)
    x = layers.Permute((1, 3, 2, 4))(x)
    x = layers.Reshape((4, high // 2 * wide // 2 * channels))(x)
    for width in widths:
        x = layers.LeakyReLU(0.2)(layers.Dense(width)(x))
    return keras.Model(image, layers.Dense(1)(x), name="patch_critic")


class Autoencoder(Model):
    """An encoder and a decoder with a code of whole numbers between, and maybe a critic.

    Each number of the code is one of ``levels`` in [-1, 1]: the encoder's output after tanh,
    rounded, with the gradient of what was not rounded (finite scalar quantization, Mentzer et al.
    2023). A code of k numbers has k log2(levels) bits.

    Args:
        encoder: From images to codes (batch, k), unbounded.
        decoder: From codes to images in [-1, 1].
        levels: How many values each number of a code has, at least 2.
        critic: From images to logits, as `patch_critic`; None trains by pixels alone.
        weight: Of the critic's relativistic loss beside the mean squared error of pixels.
        penalty: Weight of R1 and R2 on the critic.
        seed: Fixes the random numbers of training.
    """

    def __init__(
        self,
        encoder: Network,
        decoder: Network,
        *,
        levels: int = 4,
        critic: Network | None = None,
        weight: float = 0.3,
        penalty: float = 1.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(name="autoencoder")
        self.encoder, self.decoder, self.critic = encoder, decoder, critic
        self.generator = self.ema_generator = decoder
        self.levels = _check.integer(levels, "levels", 2)
        self.weight = _check.number(weight, "weight", least=0)
        self.penalty = _check.number(penalty, "penalty", least=0)
        self.sample_shape = tuple(encoder.inputs[0].shape[1:])
        self.begin(seed, "loss")

    @property
    def bits(self) -> float:
        """Bits of a code."""
        return float(self.decoder.inputs[0].shape[-1] * math.log2(self.levels))

    def compile(self, optimizer: Any = None, d_optimizer: Any = None, **options: Any) -> None:
        """Sets the optimizers of the autoencoder and of the critic, FusedAdam if None."""
        self.check_options(options, "two optimizers")
        self.learned = [*self.encoder.trainable_variables, *self.decoder.trainable_variables]
        optimizer = optimizer or FusedAdam(1e-3, beta_1=0.0, beta_2=0.99)
        optimizer.build(self.learned)
        if self.critic is not None:
            self.d_optimizer = d_optimizer or FusedAdam(1e-3, beta_1=0.0, beta_2=0.99)
            self.d_optimizer.build(self.critic.trainable_variables)
        super().compile(optimizer, auto_scale_loss=False, **options)

    def quantise(self, codes: Tensor) -> Tensor:
        """The nearest levels, with the gradient of the codes."""
        last = self.levels - 1.0
        nearest = tf.round((codes + 1.0) / 2.0 * last) / last * 2.0 - 1.0
        return codes + tf.stop_gradient(nearest - codes)

    def code(self, x: Tensor, training: bool = False) -> Tensor:
        """Codes of images, in whole levels."""
        return self.quantise(tf.tanh(self.encoder(x, training=training)))

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        """Reconstructions of images."""
        return self.decoder(self.code(x, training), training=training)

    def step(self, x: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """One step of ``fit``: the critic, if there is one, then the autoencoder."""
        self.step_counter.assign_add(1)
        game = losses.LOSSES["relativistic"]
        critic = self.critic
        if critic is not None:
            with unchanged(self.decoder):
                fake = tf.stop_gradient(self(x, training=True))
            with tf.GradientTape() as tape:
                loss = game.discriminator(critic(x, training=True), critic(fake, training=True))
                loss += self.penalty * losses.r1_penalty(critic, x)
                loss += self.penalty * losses.r2_penalty(critic, fake)
            slopes = tape.gradient(loss, critic.trainable_variables)
            self.d_optimizer.apply(slopes, critic.trainable_variables)
        with tf.GradientTape() as tape:
            made = self(x, training=True)
            loss = tf.reduce_mean(tf.square(made - x))
            if critic is not None:
                logits = critic(made, training=True), critic(x, training=True)
                loss += self.weight * game.generator(*logits)
        self.optimizer.apply(tape.gradient(loss, self.learned), self.learned)
        self.trackers[0].update_state(loss)
        return self.means()

    def encode(self, images: npt.ArrayLike) -> Float32:
        """Codes of images, float32 (n, k)."""
        return in_batches(tf.function(self.code, autograph=False), check_images(images))

    def decode(self, codes: npt.ArrayLike) -> Float32:
        """Images of codes (n, k), which are clipped to [-1, 1] and rounded to the levels before."""

        def draw(rows: Tensor) -> Tensor:
            return self.decoder(self.quantise(tf.clip_by_value(rows, -1.0, 1.0)), training=False)

        return in_batches(tf.function(draw, autograph=False), np.asarray(codes, np.float32))

    def state(self) -> dict[str, keras.Variable]:
        """All variables by name."""
        parts = [self.encoder, self.decoder, *([] if self.critic is None else [self.critic])]
        groups = {f"part{i}": part.variables for i, part in enumerate(parts)}
        groups["autoencoder"] = [self.step_counter, self.seed_generator.state]
        if self.compiled:
            groups["optimizer"] = self.optimizer.variables
            groups["d_optimizer"] = [] if self.critic is None else self.d_optimizer.variables
        return numbered(groups)


@recipes.cpu_timed
def train_autoencoder(
    images: npt.ArrayLike,
    *,
    code: int = 16,
    levels: int = 4,
    adversarial: bool = False,
    weight: float = 0.3,
    steps: int | None = None,
    seconds: float | None = None,
    batch_size: int = 64,
    seed: int = 0,
    callbacks: Iterable[keras.callbacks.Callback] = (),
) -> recipes.Run[Autoencoder]:
    """Trains an autoencoder by the mean squared error, with or without a patch critic.

    The networks are the encoder of `gantut.applications.anomaly` and the generator of `fast`.

    Args:
        images: float32 (n, height, width, channels) in [-1, 1].
        code: Numbers of a code.
        levels: As in `Autoencoder`.
        adversarial: Whether there is a critic.
        weight: Of its loss.
        steps: Steps of training; or
        seconds: seconds of it.
        batch_size: Images of a step.
        seed: Fixes the result, except with ``seconds``.
        callbacks: Keras callbacks.
    """
    images = check_images(images, name="images")
    seed = recipes.make_deterministic(seed)
    mean, shape = images.mean(axis=0), images.shape[1:]
    model = Autoencoder(
        networks.mlp_encoder(code, shape, mean_image=mean),
        networks.mlp_generator(code, shape, widths=(256, 512), batch_norm=True, mean_image=mean),
        levels=levels,
        critic=patch_critic(shape) if adversarial else None,
        weight=weight,
        seed=seed,
    )
    model.compile(steps_per_execution=16)
    data = recipes.batches(images, batch_size=batch_size, seed=seed)
    return recipes.run(model, data, steps=steps, seconds=seconds, callbacks=callbacks)
