"""Two conditional GANs of sounds: of waveforms, and of log spectrograms."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut import _check, recipes
from gantut._keras import keras
from gantut.applications.sound.analysis import from_spectrograms, spectrograms
from gantut.applications.sound.synthesis import LABELS, LENGTH, Sounds, scaled
from gantut.data import Float32
from gantut.gan import GAN
from gantut.networks import parts

layers = keras.layers


def wave_generator(
    image_shape: Sequence[int] = (LENGTH,), num_classes: int = LABELS
) -> keras.Model:
    """From [z, labels] to waveforms (batch, 1024) in [-1, 1], by transposed convolutions in time.

    Sixteen places of 64 channels become 64, and these 1,024 samples. WaveGAN takes five such steps
    of stride 4 with kernels of 25; two, the second of stride 16 and with a kernel of 48, cost a
    fraction. Both kernels are multiples of their strides (Odena et al. 2016).

    Args:
        image_shape: (1024,), the only shape of a waveform.
        num_classes: Number of labels.
    """
    _check_shape(image_shape)
    inputs, x = parts.latent_and_label(64, num_classes)
    x = parts.leaky(layers.Dense(16 * 64, name="dense")(x), "leaky_relu_1")
    x = layers.Reshape((16, 64), name="reshape")(x)
    x = layers.Conv1DTranspose(64, 8, strides=4, padding="same", name="upsample_1")(x)
    x = layers.Conv1DTranspose(
        1, 48, strides=16, padding="same", activation="tanh", name="upsample_2"
    )(parts.leaky(x, "leaky_relu_2"))
    return keras.Model(inputs, layers.Flatten(name="wave")(x), name="wave_generator")


def wave_discriminator(
    image_shape: Sequence[int] = (LENGTH,), num_classes: int = LABELS
) -> keras.Model:
    """From [waveforms, labels] to logits (batch, 1), the mirror of `wave_generator`.

    Labels come in by a projection.
    """
    _check_shape(image_shape)
    wave = keras.Input((LENGTH,), name="wave")
    labels, one_hot = parts.label_input(num_classes)
    x = layers.Reshape((LENGTH, 1), name="reshape")(wave)
    x = layers.Conv1D(64, 48, strides=16, padding="same", name="downsample_1")(x)
    x = parts.leaky(x, "leaky_relu_1")
    x = layers.Conv1D(64, 8, strides=4, padding="same", name="downsample_2")(x)
    x = layers.Flatten(name="flatten")(parts.leaky(x, "leaky_relu_2"))
    return keras.Model([wave, labels], parts.project(x, one_hot), name="wave_discriminator")


def _check_shape(image_shape: Sequence[int]) -> None:
    if tuple(image_shape) != (LENGTH,):
        raise ValueError(f"waves: wanted sounds of {LENGTH} samples, got shape {image_shape}")


METHODS: dict[str, dict[str, Any]] = {
    "spectrogram": {
        "summary": "log spectrograms of short sounds, perceptrons with the label a projection",
        "penalties": {"r1": 1.0, "r2": 1.0},
    },
    "wave": {
        "summary": "waveforms of short sounds, two one-dimensional convolutions a network",
        "generator": wave_generator,
        "discriminator": wave_discriminator,
        "penalties": {"r1": 3.0, "r2": 3.0},
        "centred": False,
    },
}
"""What a recipe has beside the settings that both share, by name."""


def recipe(method: str = "spectrogram") -> recipes.GANRecipe:
    """The settings of a training, for `gantut.recipes.train`.

    Args:
        method: "wave" trains convolutions on waveforms, "spectrogram" the perceptrons of recipe
            ``conditional_fast`` on `spectrograms`.
    """
    fast: recipes.GANRecipe = recipes.get("conditional_fast")
    return replace(
        fast,
        name=f"sound, {method}",
        steps=600,
        gpu_steps=600,
        g_learning_rate=2e-3,
        d_learning_rate=2e-3,
        schedule=recipes.cosine_decay(),
        ema=0.995,
        steps_per_execution=20,
        **_check.one_of(method, "method", METHODS),
    )


@dataclass(frozen=True, kw_only=True)
class SoundRun(recipes.Run[GAN]):
    """What a training on sounds left: a `gantut.recipes.Run`, and the method."""

    method: str

    def sample(self, labels: npt.ArrayLike, seed: int = 0) -> Float32:
        """Makes sounds: float32 (n, 1024) at 8 kHz, each scaled to a peak of 0.9.

        The labels are integers (n,), as `label` gives them.
        """
        asked = np.atleast_1d(labels)
        made = self.gan.sample(len(asked), labels=asked, seed=seed)
        return scaled(made) if self.method == "wave" else from_spectrograms(made, seed=seed)


@recipes.cpu_timed
def train(data: Sounds, method: str = "spectrogram", **options: Any) -> SoundRun:
    """Trains a conditional GAN on sounds. Making spectrograms counts in its ``cpu_seconds``.

    Args:
        data: The sounds, of a batch (64) at least, every label among them.
        method: As in `recipe`.
        **options: ``steps``, ``seed``, ``callbacks`` and others of `gantut.recipes.train`.
    """
    settings = recipe(method)
    rows = data.waves if method == "wave" else spectrograms(data.waves)
    run = recipes.train(settings, rows, data.labels, **options)
    return SoundRun.of(run, method=method)
