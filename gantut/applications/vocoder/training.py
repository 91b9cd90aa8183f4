"""Training a vocoder, with and without critics, and letting it speak."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import signal

from gantut import _check, recipes
from gantut._keras import Tensor, tf, unchanged
from gantut.applications.image_to_image import ImageToImage
from gantut.applications.sound import HOP, WINDOW
from gantut.applications.vocoder.networks import (
    FRAMES,
    HEADS,
    critics,
    generator,
    log_mel,
    log_sizes,
)
from gantut.applications.vocoder.words import BANDS, waves_of
from gantut.data import Float32
from gantut.optimizers import FusedAdam
from gantut.sampling import in_batches


class Vocoder(ImageToImage):
    """Learns waves from their mel spectrograms, by a distance of spectra and maybe critics.

    The dataset holds waves with half a window more at both ends; the rest follows from them. The
    arguments are those of `ImageToImage`, whose error is `distance`.
    """

    def check_batch(self, x: Any, y: Any) -> None:
        """Raises ValueError where the waves have another length."""
        if (got := np.shape(y)[1:]) != (wanted := (FRAMES + 1, BANDS)):
            size = FRAMES * HOP + WINDOW
            raise ValueError(f"wanted windows of {size} samples: mels {wanted}, got {got}")

    def unpack(self, batch: Any) -> tuple[Tensor, Tensor]:
        """What is to be made, waves or log10 magnitudes, and the mel spectrograms."""
        waves, _ = super().unpack(batch)
        of_waves = len(self.sample_shape) == 1
        real = waves[:, WINDOW // 2 : -WINDOW // 2] if of_waves else log_sizes(waves)
        return real, log_mel(waves)

    def discriminate(self, x: Tensor, labels: Tensor) -> Tensor:
        """All critics' logits."""
        return self.discriminator(x)[0]

    def generator_gradients(self, real: Tensor, labels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """G's loss, and its gradients: with the critics' logits come their features."""
        with unchanged(self.discriminator), tf.GradientTape() as tape:
            fake = self.generate(None, labels, training=True)
            logits, *made = self.discriminator(fake)
            _, *wanted = self.discriminator(real)
            game = self.adversarial_loss.generator(logits, None) + 2.0 * matching(wanted, made)
            loss = self.generator_loss(real, fake, game)
        return loss, self.generator_slopes(tape, loss)

    def generator_loss(self, real: Tensor, fake: Tensor, adversarial: Tensor) -> Tensor:
        """The distance, and the weighted adversarial loss."""
        error = distance(real, fake)
        self.l1_tracker.update_state(error)
        return error + self.adversarial_weight * adversarial


def distance(real: Tensor, fake: Tensor) -> Tensor:
    """Mean absolute difference of log10 magnitudes, or of waves': of three windows and of mels."""
    if len(real.shape) == 3:
        return tf.reduce_mean(tf.abs(real - fake))
    error = tf.reduce_mean(tf.abs(log_mel(real) - log_mel(fake)))
    for window in (128, 256, 512):
        apart = tf.abs(log_sizes(real, window) - log_sizes(fake, window))
        error += tf.reduce_mean(apart) / 3
    return error


def matching(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """How far features of critics differ, relative to their size (HiFi-GAN's feature matching)."""
    total = 0.0
    for wanted, made in zip(real, fake, strict=True):
        size = tf.reduce_mean(tf.abs(wanted))
        total += tf.reduce_mean(tf.abs(tf.stop_gradient(wanted) - made)) / tf.stop_gradient(size)
    return total / len(real)


def windows(waves: npt.ArrayLike) -> Float32:
    """All pieces of 0.288 s that begin 16 ms apart and before the word is over.

    Besides the words themselves it takes them faster and slower, by up to an eighth.
    """
    x, size = _check.rows(waves, "waves"), FRAMES * HOP + WINDOW
    pieces = []
    for up, down in ((1, 1), (8, 9), (9, 10), (15, 16), (16, 15), (10, 9), (9, 8)):
        for wave in signal.resample_poly(x, up, down, axis=1):
            wave = np.pad(wave, (0, max(size - len(wave), 0)))
            end = np.flatnonzero(np.abs(wave) > 0.01)[-1]
            last = min(max(end - size + 2 * WINDOW, 0), len(wave) - size)
            pieces += [wave[i : i + size] for i in range(0, last + 1, 2 * HOP)]
    return np.array(pieces, np.float32)


@recipes.cpu_timed
def train(
    waves: npt.ArrayLike,
    head: str = "wave",
    *,
    adversarial_weight: float = 0.0,
    batch_size: int = 16,
    learning_rate: float = 4e-3,
    critics_rate: float = 1e-3,
    seed: int = 0,
    **length: Any,
) -> recipes.Run[Vocoder]:
    """Trains a vocoder.

    Args:
        waves: float32 (n, 5120), such as `load_words` gives.
        head: As in `generator`.
        adversarial_weight: Of the critics, which are for waves; 0 trains none.
        batch_size: Windows of a step.
        learning_rate: The generator's first; it falls to 0 on a cosine.
        critics_rate: The critics'.
        seed: Fixes the result, except with ``seconds``.
        **length: ``steps`` or ``seconds``, and callbacks, as in `gantut.recipes.run`.
    """
    if adversarial_weight and head != "wave":
        raise ValueError("the critics judge waves: wanted head='wave'")
    pieces = windows(waves)
    seed = recipes.make_deterministic(seed)
    gan = Vocoder(
        generator(head=head),
        critics(),
        "least_squares",
        adversarial_weight=adversarial_weight,
        ema=0.995,
        seed=seed,
    )
    gan.compile(
        FusedAdam(critics_rate, beta_1=0.5, beta_2=0.9),
        FusedAdam(learning_rate, beta_1=0.8, beta_2=0.99),
        steps_per_execution=8,
    )
    data = recipes.batches(pieces, batch_size=batch_size, seed=seed)
    return recipes.run(gan, data, schedule=recipes.cosine_decay(), **length)


def speak(gan: Vocoder, mels: npt.ArrayLike, rounds: int = 32, seed: int = 0) -> Float32:
    """Waves (n, 64 m) for mel spectrograms (n, m + 1, 40), with the averaged weights.

    Where the network makes magnitudes, ``rounds`` of Griffin and Lim's guess the phases.
    """
    x = np.asarray(mels, np.float32)
    if x.ndim != 3 or x.shape[2] != BANDS or not np.isfinite(x).all():
        raise ValueError(f"wanted mel spectrograms of shape (n, frames, {BANDS}), got {x.shape}")
    of_waves = len(gan.sample_shape) == 1
    network = generator(x.shape[1], HEADS[not of_waves])
    network.set_weights(gan.ema_generator.get_weights())
    made = in_batches(functools.partial(network, training=False), x, 50)
    return made if of_waves else waves_of(10.0 ** made.astype(np.float64), rounds, seed)
