"""A neural vocoder in small: from mel spectrograms to waveforms, with and without critics.

    from gantut.applications import vocoder

    words = vocoder.load_words()
    run = vocoder.train(words.waves, steps=500)
    unseen = vocoder.load_words("other voices")
    waves = vocoder.speak(run.gan, vocoder.mel(unseen.waves))
    vocoder.measure(waves, unseen)

A mel spectrogram says how loud 40 bands of frequency are every 8 ms. It has no phases, and its
upper bands are wider than the distance between the partials of a voice. `guess_phases` inverts it
by the method of Griffin and Lim. `generator` is a network in the manner of Vocos (Siuzdak 2024): at
the rate of the frames it predicts magnitudes of short-time spectra, and phases or none; their
inverse is the wave. `Vocoder` trains it by a distance of spectra alone, or with critics beside it
as HiFi-GAN does (Kong et al. 2020), in small.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import signal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from gantut import _check, recipes
from gantut._files import Npz
from gantut._keras import Tensor, keras, tf, unchanged
from gantut.applications import sound
from gantut.applications.image_to_image import ImageToImage
from gantut.applications.sound import HOP, RATE, WINDOW
from gantut.data import Float32, Float64, Int64
from gantut.optimizers import FusedAdam
from gantut.sampling import in_batches

layers = keras.layers

FILE = Path(__file__).parents[1] / "data" / "spoken_digits.npz"
"""The words that ship, made by tools/make_digits.py."""
PARTS = ("train", "same voices", "other voices")
LENGTH = 5_120
"""Samples of a word with the silence around it, 0.64 s."""
LEAD = 256
"""Samples of silence before a word."""
BANDS = 40
"""Bands of a mel spectrogram."""
BINS = WINDOW // 2 + 1
"""Frequencies of a short-time spectrum."""
FLOOR = 0.05
"""The least magnitude that counts, 62 dB below that of a full tone."""
FRAMES = 32
"""Hops of a training window, 0.256 s."""


# --- The words ----------------------------------------------------------------------------------


class Words(NamedTuple):
    """Spoken digits.

    Attributes:
        waves: float32 (n, 5120), at 8 kHz, each with a peak of 0.9.
        digits: int64 (n,), what is said.
        voices: int64 (n,), who says it.
    """

    waves: Float32
    digits: Int64
    voices: Int64


def encode(waves: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Waves in [-1, 1] as 8-bit codes on the mu-law's curve, which is finer for soft sounds."""
    x = np.clip(np.asarray(waves, np.float64), -1, 1)
    curve = np.sign(x) * np.log1p(255 * np.abs(x)) / np.log(256)
    return np.round(127 * curve + 128).astype(np.uint8)


def decode(codes: npt.NDArray[np.uint8]) -> Float32:
    """The waves of codes of `encode`."""
    curve = (codes.astype(np.float64) - 128) / 127
    return (np.sign(curve) * np.expm1(np.abs(curve) * np.log(256)) / 255).astype(np.float32)


def load_words(part: str = "train") -> Words:
    """The words of one of ``PARTS``.

    "train" has 120 words, ten digits by twelve voices; "same voices" 36 by the same at another
    pitch and speed; "other voices" 40 by four others.
    """
    wanted = PARTS.index(_check.one_of(part, "part", PARTS))
    with FILE.open("rb") as file, Npz(file) as archive:
        rows = archive["parts"] == wanted
        codes, digits, voices = (archive[name][rows] for name in ("codes", "digits", "voices"))
    waves = np.pad(decode(codes), ((0, 0), (LEAD, 0)))[:, :LENGTH]
    return Words(waves, digits.astype(np.int64), voices.astype(np.int64))


# --- Mel spectrograms ---------------------------------------------------------------------------


def mel_filters() -> Float64:
    """Triangles of equal area, (129, 40), evenly spaced in mel = 2595 log10(1 + Hz / 700)."""
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 4_000 / 700), BANDS + 2) / 2595) - 1)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    hertz = np.linspace(0, RATE / 2, BINS)[:, None]
    rise, fall = (hertz - low) / (centre - low), (high - hertz) / (high - centre)
    # Of a triangle narrower than two bins, too, something must remain.
    filters = np.maximum(np.minimum(rise, fall), 0) + 1e-3 * np.exp(-np.abs(hertz - centre) / 30)
    return filters / filters.sum(axis=0)


def mel(waves: npt.ArrayLike) -> Float32:
    """Mel spectrograms (n, m + 1, 40) of waves (n, 64 m): log10 of each band's mean magnitude."""
    sizes = np.abs(sound.spectra(waves)) @ mel_filters()
    return np.log10(np.maximum(sizes, FLOOR)).astype(np.float32)


def sizes_of(mels: npt.ArrayLike, rounds: int = 30) -> Float64:
    """Magnitudes (n, m, 129), none negative, whose mel spectrograms are those given.

    The filters' pseudo-inverse begins; multiplications that keep the sign (Lee and Seung 2001,
    theorem 1) bring the bands nearer to what they should be.
    """
    filters = mel_filters()
    wanted = 10.0 ** np.asarray(mels, np.float64)
    sizes = np.maximum(wanted @ np.linalg.pinv(filters), 1e-3)
    for _ in range(rounds):
        sizes *= (wanted @ filters.T) / np.maximum(sizes @ filters @ filters.T, 1e-9)
    return sizes


def guess_phases(mels: npt.ArrayLike, rounds: int = 32, seed: int = 0) -> Float32:
    """Waves (n, 64 m) for mel spectrograms (n, m + 1, 40), by `waves_of`."""
    return waves_of(sizes_of(mels), rounds, seed)


def waves_of(sizes: Float64, rounds: int = 32, seed: int = 0) -> Float32:
    """Waves (n, 64 m) for magnitudes (n, m + 1, 129), by `sound.griffin_lim`."""
    return sound.griffin_lim(sizes, rounds, seed).astype(np.float32)


# --- Measures -----------------------------------------------------------------------------------


class Measures(NamedTuple):
    """How near waves are to real words.

    Attributes:
        mel: Mean distance of mel spectrograms, in dB, where the word sounds.
        spectrum: The same of log magnitudes, averaged over windows of 8, 32 and 64 ms.
        pitch: The share of voiced frames whose pitch is more than half a semitone off.
        clarity: Median clarity of the voiced frames, see `sound.pitch`.
        read: The share of words whose digit the recognizer reads.
    """

    mel: float
    spectrum: float
    pitch: float
    clarity: float
    read: float


def pitch_track(waves: npt.ArrayLike) -> tuple[sound.Pitch, Float64]:
    """`sound.pitch` of pieces of 50 ms every 10 ms, and their mean squares, each (n, pieces)."""
    x = np.asarray(waves, np.float64)
    pieces = np.lib.stride_tricks.sliding_window_view(x, 400, axis=1)[:, ::80]
    power = np.mean(pieces**2, axis=2)
    heard = sound.pitch(pieces.reshape(-1, 400))
    return sound.Pitch(*(part.reshape(power.shape) for part in heard)), power


def measure(waves: npt.ArrayLike, words: Words) -> Measures:
    """Compares waves (n, 5120) with as many words, those that they should be."""
    made, real = _check.rows(waves, "waves"), words.waves
    if made.shape != real.shape:
        raise ValueError(f"waves: wanted the words' shape {real.shape}, got {made.shape}")
    wanted, power = pitch_track(real)
    got, _ = pitch_track(made)
    # The voices are below 400 Hz.
    voiced = (wanted.clarity >= sound.CLEAR) & (power > 1e-3) & (wanted.hertz < 400)
    with np.errstate(invalid="ignore"):
        near = np.abs(np.log2(got.hertz / wanted.hertz)) < 1 / 24
    spectra = [_distance(_levels(made, w), _levels(real, w)) for w in (64, 256, 512)]
    return Measures(
        mel=_distance(mel(made), mel(real)),
        spectrum=float(np.mean(spectra)),
        pitch=float(1 - near[voiced].mean()),
        clarity=float(np.median(got.clarity[voiced])),
        read=float(np.mean(recognizer().predict(outline(made)) == words.digits)),
    )


def _levels(waves: npt.ArrayLike, window: int) -> Float64:
    """log10 magnitudes of spectra of another window."""
    x = np.asarray(waves, np.float64)
    pieces = np.lib.stride_tricks.sliding_window_view(x, window, axis=1)[:, :: window // 4]
    return np.log10(np.maximum(np.abs(np.fft.rfft(pieces * np.hanning(window))), FLOOR))


def _distance(made: Any, wanted: Any) -> float:
    """Mean distance in dB over the frames that are at most 50 dB softer than the loudest."""
    sounds = wanted.max(axis=2) > wanted.max() - 2.5
    return float(20 * np.abs(made - wanted)[sounds].mean())


def outline(waves: npt.ArrayLike) -> Float64:
    """Features of a word: its mel spectrogram at nine times, in twenty bands, less the mean."""
    found = []
    for image in mel(waves).astype(np.float64):
        loud = np.flatnonzero(image.max(axis=1) > image.max() - 2)
        times = np.linspace(loud[0], loud[-1], 9)
        bands = image.reshape(len(image), BANDS // 2, 2).mean(axis=2)
        picked = [np.interp(times, np.arange(len(bands)), band) for band in bands.T]
        found.append(np.ravel(picked) - np.mean(picked))
    return np.array(found)


@functools.cache
def recognizer() -> Any:
    """Reads digits from `outline`: a linear classifier, fitted to the training words."""
    words = load_words()
    reader = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    return reader.fit(outline(words.waves), words.digits)


# --- The generator ------------------------------------------------------------------------------


def log_sizes(waves: Tensor, window: int = WINDOW) -> Tensor:
    """log10 of the magnitudes of short-time spectra a quarter of a window apart, from -1.3 on."""
    spectra = tf.signal.stft(waves, window, window // 4, window)
    # Added to the square, the floor keeps the slope finite where a spectrum is zero.
    power = tf.square(tf.math.real(spectra)) + tf.square(tf.math.imag(spectra)) + FLOOR**2
    return tf.math.log(power) / np.log(100)


def log_mel(waves: Tensor) -> Tensor:
    """`mel` of a batch, of the frames that lie inside its waves alone."""
    bands = tf.matmul(10.0 ** log_sizes(waves), tf.constant(mel_filters(), tf.float32))
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


def generator(frames: int = FRAMES + 1, head: str = "wave") -> keras.Model:
    """From mel spectrograms (batch, frames, 40) to waves, or to log10 magnitudes.

    Four ConvNeXt blocks at the rate of the frames, as in Vocos, each of which sees three frames
    more on either side. It begins with the magnitudes of `Unfiltered` and learns what to add.

    Args:
        frames: As many as there are; the weights fit any number.
        head: "wave", or "sizes" for magnitudes, whose phases are then guessed.
    """
    head = _check.one_of(head, "head", ("wave", "sizes"))
    mels = keras.Input((frames, BANDS))
    small = keras.initializers.RandomNormal(stddev=0.01)
    x = layers.Conv1D(128, 7, padding="same")(mels)
    for _ in range(4):
        y = layers.DepthwiseConv1D(7, padding="same")(x)
        y = keras.layers.LayerNormalization()(y)
        y = layers.Dense(384, activation="gelu")(y)
        x = layers.Add()([x, layers.Dense(128, kernel_initializer=small)(y)])
    x = keras.layers.LayerNormalization()(x)
    change = layers.Dense(BINS, kernel_initializer=small)(x)
    made = layers.Add()([Unfiltered()(mels), change])
    if head == "wave":
        made = Wave()(made, layers.Dense(BINS)(x))
    return keras.Model(mels, made, name="generator")


# --- The critics --------------------------------------------------------------------------------


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


def critics() -> keras.Model:
    """From waves (batch, 2048) to the logits of five critics, and their features.

    For each period p of 2, 3 and 5 a critic sees the wave in p columns, so that samples p apart are
    neighbours (Kong et al. 2020); for each window of 8 and 32 ms one sees the spectrogram.
    """
    samples = FRAMES * HOP
    wave = keras.Input((samples,))
    views = []
    for period in (2, 3, 5):
        rows = samples // period
        columns = layers.Reshape((rows, period, 1))(wave[:, : rows * period])
        views.append((columns, (5, 1), (3, 1)))
    views += [(Levels(window)(wave), (3, 5), (1, 3)) for window in (64, 256)]
    logits, features = [], []
    for x, kernel, strides in views:
        for filters in (8, 16, 16):
            x = layers.Conv2D(filters, kernel, strides, padding="same")(x)
            x = layers.LeakyReLU(0.2)(x)
            features.append(x)
        logits.append(layers.Flatten()(layers.Conv2D(1, 3, padding="same")(x)))
    return keras.Model(wave, [layers.Concatenate()(logits), *features], name="critics")


# --- Training -----------------------------------------------------------------------------------


class Vocoder(ImageToImage):
    """Learns waves from their mel spectrograms, by a distance of spectra and maybe critics.

    The dataset holds waves with half a window more at both ends, as `windows` makes them; the rest
    follows from them. The arguments are those of `ImageToImage`, whose error is `distance`.
    """

    def check_batch(self, x: Any, y: Any) -> None:
        """Any waves fit for which the networks work."""

    def unpack(self, batch: Any) -> tuple[Tensor, Tensor]:
        """What is to be made, waves or log10 magnitudes, and the mel spectrograms."""
        waves, _ = super().unpack(batch)
        inside = waves[:, WINDOW // 2 : -WINDOW // 2]
        return inside if len(self.sample_shape) == 1 else log_sizes(waves), log_mel(waves)

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
    seed: int = 0,
    **length: Any,
) -> recipes.Run[Vocoder]:
    """Trains a vocoder, at learning rates that fall to 0 along half a cosine.

    Args:
        waves: float32 (n, 5120), such as `load_words` gives.
        head: As in `generator`.
        adversarial_weight: Of the critics, which are for waves; 0 trains none.
        batch_size: Windows of a step.
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
        FusedAdam(1e-3, beta_1=0.5, beta_2=0.9),
        FusedAdam(4e-3, beta_1=0.8, beta_2=0.99),
        steps_per_execution=8,
    )
    data = recipes.batches(pieces, batch_size=batch_size, seed=seed)
    return recipes.run(gan, data, schedule=recipes.cosine_decay(), **length)


def speak(gan: Vocoder, mels: npt.ArrayLike, rounds: int = 32, seed: int = 0) -> Float32:
    """Waves (n, 64 m) for mel spectrograms (n, m + 1, 40), with the averaged weights.

    Where the network makes magnitudes, ``rounds`` of Griffin and Lim's guess the phases.
    """
    x = np.asarray(mels, np.float32)
    head = "wave" if len(gan.sample_shape) == 1 else "sizes"
    network = generator(x.shape[1], head)
    network.set_weights(gan.ema_generator.get_weights())
    made = in_batches(functools.partial(network, training=False), x, 50)
    return made if head == "wave" else waves_of(10.0 ** made.astype(np.float64), rounds, seed)
