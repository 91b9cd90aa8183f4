"""The network from mel spectrograms to spectra, and the critics of waves."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gantut import _check
from gantut._keras import Tensor, keras, tf
from gantut.applications.sound import HOP, WINDOW
from gantut.applications.vocoder.words import BANDS, BINS, FLOOR, mel_filters

layers = keras.layers

FRAMES = 32
"""Hops of a training window, 0.256 s."""


def log_sizes(waves: Tensor, window: int = WINDOW) -> Tensor:
    """log10 of the magnitudes of short-time spectra a quarter of a window apart, from -1.3 on."""
    spectra = tf.signal.stft(waves, window, window // 4, window)
    # Added to the square, the floor keeps the slope finite where a spectrum is zero.
    power = tf.square(tf.math.real(spectra)) + tf.square(tf.math.imag(spectra)) + FLOOR**2
    return tf.math.log(power) / np.log(100)


def log_mel(waves: Tensor) -> Tensor:
    """`mel` of a batch, of the frames that lie inside its waves alone."""
    sizes = 10.0 ** log_sizes(waves)
    bands = tf.matmul(sizes, tf.constant(mel_filters(), tf.float32))
    return tf.math.log(tf.maximum(bands, FLOOR)) / np.log(10)


@keras.saving.register_keras_serializable("gantut")
class Unfiltered(keras.layers.Layer):
    """From mel spectrograms (batch, frames, 40) to log10 magnitudes, as `sizes_of`."""

    def call(self, mels: Tensor) -> Tensor:
        """(batch, frames, 129)."""
        filters = tf.constant(mel_filters(), tf.float32)
        wanted = 10.0**mels
        sizes = tf.maximum(wanted @ tf.constant(np.linalg.pinv(mel_filters()), tf.float32), 1e-3)
        for _ in range(10):
            sizes *= (wanted @ tf.transpose(filters)) / (sizes @ filters @ tf.transpose(filters))
        return tf.math.log(tf.maximum(sizes, FLOOR)) / np.log(10)


@keras.saving.register_keras_serializable("gantut")
class Wave(keras.layers.Layer):
    """From log10 magnitudes and phases to waves, by the inverse of short-time spectra.

    A phase counts from that of a steady tone in the middle of its bin, which turns by a quarter
    from frame to frame in bin 1, by a half in bin 2, and so on.
    """

    def call(self, sizes: Tensor, phases: Tensor) -> Tensor:
        """(batch, m + 1, 129) twice, to (batch, 64 m)."""
        frames = tf.range(tf.shape(sizes)[1])[:, None]
        turns = tf.cast(frames * tf.range(BINS) % (WINDOW // HOP), tf.float32)
        angles = phases + 2 * np.pi * HOP / WINDOW * turns
        large = 10.0**sizes
        spectra = tf.complex(large * tf.cos(angles), large * tf.sin(angles))
        window = tf.signal.hann_window(WINDOW)
        pieces = tf.signal.irfft(spectra) * window
        weights = tf.signal.overlap_and_add(tf.ones_like(pieces[0]) * window**2, HOP)
        waves = tf.signal.overlap_and_add(pieces, HOP) / tf.maximum(weights, 1e-6)
        return waves[:, WINDOW // 2 : -WINDOW // 2]


HEADS = ("wave", "sizes")
"""What a `generator` makes: waves, or log10 magnitudes for which phases are guessed."""


def generator(
    frames: int = FRAMES + 1, head: str = "wave", width: int = 128, blocks: int = 4
) -> keras.Model:
    """From mel spectrograms (batch, frames, 40) to waves, or to log10 magnitudes.

    ConvNeXt blocks at the rate of the frames, as in Vocos. It begins with the magnitudes of
    `Unfiltered` and learns what to add.

    Args:
        frames: As many as there are; the weights fit any number.
        head: One of ``HEADS``.
        width: Channels.
        blocks: Number of blocks, each of which sees three frames more on either side.
    """
    mels = keras.Input((_check.integer(frames, "frames", 2), BANDS), name="mel")
    small = {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.01)}
    x = layers.Conv1D(width, 7, padding="same", name="embed")(mels)
    for i in range(1, blocks + 1):
        y = layers.DepthwiseConv1D(7, padding="same", name=f"mix_{i}")(x)
        y = layers.LayerNormalization(name=f"norm_{i}")(y)
        y = layers.Dense(3 * width, activation="gelu", name=f"widen_{i}")(y)
        x = layers.Add(name=f"add_{i}")([x, layers.Dense(width, name=f"narrow_{i}", **small)(y)])
    x = layers.LayerNormalization(name="norm")(x)
    change = layers.Dense(BINS, name="change", **small)(x)
    made = layers.Add(name="sizes")([Unfiltered(name="unfiltered")(mels), change])
    if _check.one_of(head, "head", HEADS) == "wave":
        made = Wave(name="wave")(made, layers.Dense(BINS, name="phases")(x))
    return keras.Model(mels, made, name="generator")


@keras.saving.register_keras_serializable("gantut")
class Levels(keras.layers.Layer):
    """`log_sizes` as an image (batch, frames, bins, 1)."""

    def __init__(self, window: int, **options: Any) -> None:
        super().__init__(**options)
        self.window = window

    def call(self, waves: Tensor) -> Tensor:
        """The image."""
        return log_sizes(waves, self.window)[..., None]

    def get_config(self) -> dict[str, Any]:
        """The window, too."""
        return super().get_config() | {"window": self.window}


def critics(
    samples: int = FRAMES * HOP,
    periods: Sequence[int] = (2, 3, 5),
    windows: Sequence[int] = (64, 256),
    width: int = 8,
) -> keras.Model:
    """From waves (batch, samples) to the logits of several critics, and their features.

    For each period p a critic sees the wave in p columns, so that samples p apart are neighbours
    (Kong et al. 2020); for each window one sees the spectrogram.
    """
    wave = keras.Input((_check.integer(samples, "samples", 2),), name="wave")
    logits, features = [], []
    views: list[tuple[Tensor, tuple[int, int], tuple[int, int]]] = []
    for period in periods:
        rows = samples // period
        columns = layers.Reshape((rows, period, 1))(wave[:, : rows * period])
        views.append((columns, (5, 1), (3, 1)))
    views += [(Levels(window)(wave), (3, 5), (1, 3)) for window in windows]
    for x, kernel, strides in views:
        for filters in (width, 2 * width, 2 * width):
            x = layers.Conv2D(filters, kernel, strides, padding="same")(x)
            x = layers.LeakyReLU(0.2)(x)
            features.append(x)
        logits.append(layers.Flatten()(layers.Conv2D(1, 3, padding="same")(x)))
    return keras.Model(wave, [layers.Concatenate()(logits), *features], name="critics")
