"""Short sounds whose pitch and formants are known, two GANs that make them, and their rivals.

    from gantut.applications import sound

    data = sound.sounds(8_000, seed=0)
    run = sound.train(data, "spectrogram", seed=0)
    made = run.sample([sound.label("ɑ", "C3")] * 20)
    sound.pitch(made).hertz                     # near 130.8

A sound is 128 ms at 8 kHz: one of five sung vowels or a plucked string, on one of five notes of a
scale. The pair of kind and note is its label. `sounds` makes them by the source-filter model, so
that the truth is known, and `pitch`, `formants` and `read` find it again in any waveform.

`train` teaches a conditional GAN in one of two ways (Donahue et al. 2019): on the waveform itself,
with one-dimensional convolutions (WaveGAN), or on its log spectrogram (SpecGAN), from which
`from_spectrograms` finds a waveform. Beside them stand `normal_spectrograms`, `mixtures` and
`vocode`, which train no network.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import linalg

from gantut import _check, metrics, networks, recipes
from gantut._keras import keras, tf
from gantut.data import Float32
from gantut.gan import GAN
from gantut.sampling import check_labels

layers = keras.layers
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Model = Any

RATE = 8_000
"""Samples a second."""
LENGTH = 1_024
"""Samples of a sound, 128 ms."""
VOWELS: dict[str, tuple[float, float, float]] = {
    "i": (270, 2290, 3010),
    "ɛ": (530, 1840, 2480),
    "ɑ": (730, 1090, 2440),
    "ɔ": (570, 840, 2410),
    "u": (300, 870, 2240),
}
"""The first three formants of five vowels in Hz, averages over 33 men who said heed, head, hod,
hawed and who'd (Peterson and Barney 1952, table II)."""
KINDS = (*VOWELS, "string")
"""The vowels, and a plucked string."""
NOTES: dict[str, float] = {"C3": 130.81, "D3": 146.83, "E3": 164.81, "G3": 196.00, "A3": 220.00}
"""A scale of five notes in equal temperament, and their pitches in Hz."""
CLEAR = 0.8
"""Clarity (see `pitch`) from which a sound counts as having a pitch."""
CENTS = 25.0
"""How far from its note a pitch may be, in hundredths of a semitone."""

_FOURTH = 3_500.0  # Hz, the same for all vowels: voices differ little there
_BANDWIDTHS = (60.0, 90.0, 120.0, 150.0)  # Hz, of the four formants
_TRACT = 0.04  # deviation of the log length of vocal tracts
_HIGHEST = 3_900.0  # Hz, the highest partial
_PEAK = 0.9
_ORDER = 9  # of linear prediction: two for each formant below 4 kHz, one for the source's slope
_FALL = -6.0  # dB from the first to the second half; strings fall by 11, vowels hardly
_WINDOW, _HOP = 256, 64  # samples of a spectrum, and from one to the next
_TOP, _RANGE = 36.0, 70.0  # dB: where a spectrogram is 1, and how far below it is -1


# --- Making sounds -----------------------------------------------------------------------------


class Sounds(NamedTuple):
    """Sounds and what they were made from.

    Attributes:
        waves: float32 (n, 1024), at 8 kHz, in [-0.9, 0.9].
        labels: int64 (n,), as `label` gives them.
        pitches: float64 (n,), in Hz.
        formants: float64 (n, 3), in Hz; NaN for strings.
    """

    waves: Float32
    labels: Int64
    pitches: Float64
    formants: Float64


def label(kind: str, note: str) -> int:
    """The label of a kind of sound on a note.

    Args:
        kind: One of ``KINDS``.
        note: A key of ``NOTES``.

    Returns:
        An integer from 0 to 29; ``divmod(label, 5)`` gives back the places of kind and note.
    """
    if kind not in KINDS or note not in NOTES:
        raise ValueError(
            f"kinds are {', '.join(KINDS)} and notes {', '.join(NOTES)}, got {kind!r} on {note!r}"
        )
    return len(NOTES) * KINDS.index(kind) + list(NOTES).index(note)


def sing(pitches: npt.ArrayLike, formants: npt.ArrayLike, phases: npt.ArrayLike) -> Float32:
    """Vowels by the source-filter model, without beginning or end.

    The glottis gives partials at all multiples k of the pitch, whose amplitudes fall as 1/k^2; the
    lips radiate the higher ones better, by a factor of k. The vocal tract multiplies each by the
    gain of its resonances, a pair of poles for each formant.

    Args:
        pitches: (n,), in Hz.
        formants: (n, m), in Hz, m <= 4; their bandwidths are 60, 90, 120 and 150 Hz.
        phases: (n,), where in its period each sound begins, in [0, 1).

    Returns:
        float32 (n, 1024), not scaled. Partials end at 3.9 kHz.
    """
    pitch_, shape = _frequencies(pitches, "pitches", 1), np.shape(formants)
    tract = _frequencies(formants, "formants", 2)
    if len(tract) != len(pitch_) or not 1 <= tract.shape[1] <= len(_BANDWIDTHS):
        raise ValueError(f"wanted formants of shape ({len(pitch_)}, 1 to 4), got {shape}")
    partials = np.arange(1, int(_HIGHEST / pitch_.min()) + 1)
    frequencies = pitch_[:, None] * partials
    gains = np.where(frequencies < _HIGHEST, 1 / partials, 0).astype(np.complex128)
    s = 1j * frequencies
    for centre, width in zip(tract.T, _BANDWIDTHS, strict=False):
        pole = (-width / 2 + 1j * centre)[:, None]
        gains *= np.abs(pole) ** 2 / ((s - pole) * (s - pole.conj()))
    return _series(gains, pitch_, phases)


def pluck(pitches: npt.ArrayLike, phases: npt.ArrayLike, decay: float = 0.05) -> Float32:
    """Plucked strings, without beginning or end: partial k has 1/k and dies out k times as fast.

    Args:
        pitches: (n,), in Hz.
        phases: (n,), where in its period each sound begins, in [0, 1).
        decay: Seconds after which the first partial has fallen to 1/e.

    Returns:
        float32 (n, 1024), not scaled.
    """
    pitch_ = _frequencies(pitches, "pitches", 1)
    if not decay > 0:
        raise ValueError(f"decay must be a time > 0, got {decay!r}")
    partials = np.arange(1, int(_HIGHEST / pitch_.min()) + 1)
    gains = np.where(pitch_[:, None] * partials < _HIGHEST, 1 / partials, 0)
    return _series(gains.astype(np.complex128), pitch_, phases, 1 / decay)


def _frequencies(values: npt.ArrayLike, name: str, axes: int) -> Float64:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != axes or not array.size or not (np.isfinite(array) & (array > 0)).all():
        raise ValueError(f"{name}: wanted frequencies > 0 on {axes} axes, got shape {array.shape}")
    return array


def _series(
    gains: npt.NDArray[np.complex128], pitches: Float64, phases: npt.ArrayLike, damping: float = 0
) -> Float32:
    """The real part of the sum over k of gains[:, k - 1] z^k, z turning once a period."""
    turns = np.asarray(phases, dtype=np.float64)
    if turns.shape != pitches.shape:
        raise ValueError(f"wanted phases of shape {pitches.shape}, got {turns.shape}")
    t = np.arange(LENGTH) / RATE
    waves = np.empty((len(pitches), LENGTH), np.float32)
    for start in range(0, len(waves), 128):  # a block that fits into a processor's cache
        rows = slice(start, start + 128)
        z = np.exp((2j * np.pi * pitches[rows, None] - damping) * t)
        z = (z * np.exp(2j * np.pi * turns[rows, None])).astype(np.complex64)
        total = np.zeros_like(z)
        for gain in gains[rows].T[::-1].astype(np.complex64):
            total = (total + gain[:, None]) * z
        waves[rows] = total.real
    return waves


def _shaped(waves: Float32, attack: float, release: float) -> Float32:
    """Fades in and out along half a cosine, and scales each sound to the same peak."""
    t = np.arange(LENGTH) / RATE
    edge = np.clip(np.minimum(t / attack, (t[-1] - t) / release), 0, 1)
    return _scaled(waves * (0.5 - 0.5 * np.cos(np.pi * edge)).astype(np.float32))


def _scaled(waves: npt.NDArray[Any]) -> Float32:
    peak = np.abs(waves).max(axis=1, keepdims=True)
    return (_PEAK * waves / np.maximum(peak, 1e-9)).astype(np.float32)


def sounds(n: int, seed: int = 0) -> Sounds:
    """Draws sounds of all kinds on all notes.

    Each voice has its own length of the vocal tract, which moves its formants together: their
    logarithm has a standard deviation of 0.04. Sounds begin anywhere in their period.

    Args:
        n: How many.
        seed: Fixes them.

    Returns:
        `Sounds`, their labels uniform.
    """
    rng = _check.rng(seed)
    labels = rng.integers(len(KINDS) * len(NOTES), size=_check.integer(n, "n", 1))
    kinds, notes = np.divmod(labels, len(NOTES))
    pitches = np.array([*NOTES.values()])[notes]
    phases, lengths = rng.random(n), np.exp(_TRACT * rng.standard_normal((n, 1)))
    means = np.array([*((*vowel, _FOURTH) for vowel in VOWELS.values()), [np.nan] * 4])
    tract = means[kinds] * lengths
    waves = np.empty((n, LENGTH), np.float32)
    voiced = kinds < len(VOWELS)
    if voiced.any():
        waves[voiced] = _shaped(sing(pitches[voiced], tract[voiced], phases[voiced]), 0.015, 0.03)
    if not voiced.all():
        waves[~voiced] = _shaped(pluck(pitches[~voiced], phases[~voiced]), 0.004, 0.015)
    return Sounds(waves, labels, pitches, tract[:, :3])


# --- Measuring sounds --------------------------------------------------------------------------


class Pitch(NamedTuple):
    """What a sound repeats.

    Attributes:
        hertz: float64 (n,), the pitch; NaN where nothing repeats at all.
        clarity: float64 (n,), 1 for a sound that repeats exactly, about 0 for noise.
    """

    hertz: Float64
    clarity: Float64


def pitch(waves: npt.ArrayLike, low: float = 60.0, high: float = 500.0) -> Pitch:
    """Finds the pitch by the normalised square difference (McLeod and Wyvill 2005, section 4).

    That is::

        n(lag) = 2 sum_t x_t x_(t+lag) / sum_t (x_t^2 + x_(t+lag)^2)

    It is 1 where the sound repeats after the lag. The pitch is that of the first peak that reaches
    0.97 of the highest, refined by a parabola through three points; clarity is its height.

    Args:
        waves: (n, samples) at 8 kHz, of any scale.
        low: The lowest pitch looked for, in Hz.
        high: The highest.

    Returns:
        `Pitch`.
    """
    x = _waves(waves)
    if not 0 < low < high or high > RATE / 4:
        raise ValueError(f"wanted 0 < low < high <= {RATE // 4}, got {low!r} and {high!r}")
    first, last = int(RATE / high), int(RATE / low) + 1
    n = x.shape[1]
    if last + 1 >= n:
        raise ValueError(f"sounds of {n} samples are too short for a pitch of {low} Hz")
    products = np.fft.irfft(np.abs(np.fft.rfft(x, 2 * n)) ** 2)[:, :n]
    energy = np.cumsum(np.pad(x**2, ((0, 0), (1, 0))), axis=1)
    lags = np.arange(n)
    both = energy[:, n - lags] + energy[:, -1:] - energy[:, lags]
    alike = 2 * products / np.maximum(both, 1e-12)
    middle = alike[:, first : last + 1]
    left, right = alike[:, first - 1 : last], alike[:, first + 1 : last + 2]
    heights = np.where((middle >= left) & (middle > right), middle, -np.inf)
    best = heights.max(axis=1, keepdims=True)
    found = np.isfinite(best[:, 0]) & (best[:, 0] > 0)
    lag = first + np.argmax(heights >= 0.97 * best, axis=1)
    y0, y1, y2 = (alike[np.arange(len(x)), lag + d] for d in (-1, 0, 1))
    curve = np.minimum(y0 - 2 * y1 + y2, -1e-12)
    offset = 0.5 * (y0 - y2) / curve
    hertz = np.where(found, RATE / np.where(found, lag + offset, 1), np.nan)
    return Pitch(hertz, np.where(found, np.clip(y1 - 0.25 * (y0 - y2) * offset, 0, 1), 0.0))


def _waves(waves: npt.ArrayLike) -> Float64:
    x = np.asarray(waves, dtype=np.float64)
    if x.ndim != 2 or not x.size or not np.isfinite(x).all():
        raise ValueError(f"wanted finite sounds of shape (n, samples), got shape {x.shape}")
    return x


def linear_prediction(waves: npt.ArrayLike, order: int = _ORDER) -> Float64:
    """The all-pole filter whose spectrum fits a sound's envelope (Makhoul 1975, section II).

    After pre-emphasis (each sample less 0.97 of the one before) and a Hamming window, the
    coefficients solve the normal equations of the autocorrelation.

    Args:
        waves: (n, samples).
        order: Number of poles.

    Returns:
        float64 (n, order + 1), coefficients of A(z) in powers of 1/z, the first of them 1. Each
        sample is predicted by minus the others times the samples before it.
    """
    x = _waves(waves)
    order = _check.integer(order, "order", 1)
    if x.shape[1] <= order:
        raise ValueError(f"sounds of {x.shape[1]} samples are too short for order {order}")
    y = np.concatenate([x[:, :1], x[:, 1:] - 0.97 * x[:, :-1]], axis=1)
    spectra = np.fft.rfft(y * np.hamming(y.shape[1]), 2 * y.shape[1])
    r = np.fft.irfft(np.abs(spectra) ** 2)[:, : order + 1]
    r[:, 0] = r[:, 0] * (1 + 1e-9) + 1e-12  # silence has the filter 1
    weights = [linalg.solve_toeplitz(row[:-1], row[1:]) for row in r]
    return np.concatenate([np.ones((len(x), 1)), -np.array(weights)], axis=1)


def formants(waves: npt.ArrayLike, count: int = 2, order: int = _ORDER) -> Float64:
    """The lowest resonances of a sound: poles of `linear_prediction` that are narrow enough.

    Args:
        waves: (n, samples) at 8 kHz.
        count: How many resonances to return.
        order: Of the prediction.

    Returns:
        float64 (n, count), in Hz, ascending; NaN where there are fewer. Only poles between 150 Hz
        and 3.8 kHz with a bandwidth below 500 Hz count.
    """
    filters = linear_prediction(waves, order)
    found = np.full((len(filters), _check.integer(count, "count", 1)), np.nan)
    for row, coefficients in zip(found, filters, strict=True):
        poles = np.roots(coefficients)
        hertz = np.angle(poles) * RATE / (2 * np.pi)
        width = -np.log(np.maximum(np.abs(poles), 1e-12)) * RATE / np.pi
        kept = np.sort(hertz[(hertz > 150) & (hertz < 3_800) & (width < 500)])[:count]
        row[: len(kept)] = kept
    return found


def read(waves: npt.ArrayLike) -> Int64:
    """Says what kind of sound each one is.

    A sound whose second half is weaker than its first by more than 6 dB is a string. Any other is
    the vowel whose first two formants are the nearest, on a logarithmic scale.

    Args:
        waves: (n, samples) at 8 kHz.

    Returns:
        int64 (n,), places in ``KINDS``; -1 where no two resonances are found.
    """
    x = _waves(waves)
    found = formants(x)
    means = np.log([vowel[:2] for vowel in VOWELS.values()])
    distances = ((np.log(found)[:, None] - means) ** 2).sum(axis=2)
    lost = np.isnan(distances).any(axis=1)
    kinds = np.where(lost, -1, np.where(lost[:, None], 0, distances).argmin(axis=1))
    half = x.shape[1] // 2
    early, late = ((part**2).sum(axis=1) for part in (x[:, :half], x[:, half:]))
    falls = late < 10 ** (_FALL / 10) * early
    return np.where(falls, len(VOWELS), kinds).astype(np.int64)


def band_levels(waves: npt.ArrayLike) -> Float64:
    """Features for a distance between sets of sounds: levels of 20 bands in 4 quarters of a sound.

    Args:
        waves: (n, 1024) at 8 kHz, scaled to a peak of 0.9.

    Returns:
        float64 (n, 80), in dB. Bands are 200 Hz wide; what is more than about 40 dB below a full
        tone counts as silence.
    """
    x = _waves(waves)
    if x.shape[1] != LENGTH:
        raise ValueError(f"wanted sounds of {LENGTH} samples, got {x.shape[1]}")
    quarters = x.reshape(len(x), 4, LENGTH // 4) * np.hanning(LENGTH // 4)
    power = np.abs(np.fft.rfft(quarters, axis=2)) ** 2
    edges = np.linspace(0, power.shape[2] - 1, 21).astype(int)
    bands = np.add.reduceat(power[:, :, :-1], edges[:-1], axis=2)
    return 10 * np.log10(bands + 0.3).reshape(len(x), -1)


def describe(
    waves: npt.ArrayLike, labels: npt.ArrayLike, reference: npt.ArrayLike
) -> dict[str, float]:
    """What sounds are worth that were asked for by label.

    Args:
        waves: (n, 1024) at 8 kHz.
        labels: Integers (n,), what was asked for.
        reference: Real sounds (m, 1024), of all labels alike.

    Returns:
        A dict of

        - ``clear``: the share with a clear pitch, `CLEAR` or more;
        - ``note``: the share with a clear pitch within `CENTS` of the note that was asked for;
        - ``kind``: the share that `read` takes for the kind that was asked for;
        - ``right``: the share with both;
        - ``spread``: standard deviation of the logarithm of the first two formants, over the
          vowels of one label that were read rightly, pooled over labels; NaN if there are none;
        - ``frechet``: the Frechet distance to the real sounds on `band_levels`, in dB squared.
    """
    x = _scaled(_waves(waves))
    asked = check_labels(labels, len(x), len(KINDS) * len(NOTES))
    kinds, notes = np.divmod(asked, len(NOTES))
    heard = pitch(x)
    clear = heard.clarity >= CLEAR
    with np.errstate(invalid="ignore"):
        off = 1_200 * np.abs(np.log2(heard.hertz / np.array([*NOTES.values()])[notes]))
        note = clear & (off < CENTS)
    kind = read(x) == kinds
    squares, freedom = 0.0, 0
    resonances = np.log(formants(x))
    for each in np.unique(asked):
        rows = resonances[(asked == each) & kind & (kinds < len(VOWELS))]
        if len(rows) > 1:
            squares += float(((rows - rows.mean(axis=0)) ** 2).sum())
            freedom += 2 * (len(rows) - 1)
    return {
        "clear": float(clear.mean()),
        "note": float(note.mean()),
        "kind": float(kind.mean()),
        "right": float((note & kind).mean()),
        "spread": (squares / freedom) ** 0.5 if freedom else float("nan"),
        "frechet": metrics.frechet_distance(band_levels(x), band_levels(reference)),
    }


# --- Spectrograms ------------------------------------------------------------------------------

_HANN = np.hanning(_WINDOW + 1)[:-1]


def _spectra(waves: Float64) -> npt.NDArray[np.complex128]:
    """Short-time spectra (n, 17, 129), the sound continued by silence."""
    padded = np.pad(waves, ((0, 0), (_WINDOW // 2, _WINDOW // 2)))
    places = np.arange(0, LENGTH + 1, _HOP)[:, None] + np.arange(_WINDOW)
    return np.fft.rfft(padded[:, places] * _HANN, axis=2)


def _from_spectra(spectra: npt.NDArray[np.complex128]) -> Float64:
    """The sound whose short-time spectra are nearest in squares (Griffin and Lim 1984, eq. 6)."""
    pieces = np.fft.irfft(spectra, axis=2) * _HANN
    total = np.zeros((len(spectra), LENGTH + _WINDOW))
    weight = np.zeros(LENGTH + _WINDOW)
    for i in range(spectra.shape[1]):
        total[:, i * _HOP : i * _HOP + _WINDOW] += pieces[:, i]
        weight[i * _HOP : i * _HOP + _WINDOW] += _HANN**2
    inside = slice(_WINDOW // 2, _WINDOW // 2 + LENGTH)
    return total[:, inside] / weight[inside]


def spectrograms(waves: npt.ArrayLike) -> Float32:
    """Sounds as images: the logarithm of how loud each frequency is at each time.

    Args:
        waves: (n, 1024) at 8 kHz.

    Returns:
        float32 (n, 129, 17, 1) in [-1, 1], by frequency (0 to 4 kHz in steps of 31.25 Hz) and time
        (spectra of 32 ms, 8 ms apart): from 34 dB below to 36 dB above a sine of amplitude 1/64.
    """
    x = _waves(waves)
    if x.shape[1] != LENGTH:
        raise ValueError(f"wanted sounds of {LENGTH} samples, got {x.shape[1]}")
    levels = 20 * np.log10(np.abs(_spectra(x)) + 1e-9)
    images = np.clip((levels - _TOP) / (_RANGE / 2) + 1, -1, 1)
    return images.transpose(0, 2, 1)[..., None].astype(np.float32)


def from_spectrograms(images: npt.ArrayLike, iterations: int = 30, seed: int = 0) -> Float32:
    """Finds sounds that have given spectrograms, by guessing their phases.

    Griffin and Lim 1984 go to and fro: take the phases of the spectra of the sound made with the
    last phases. Perraudin et al. 2013 go 1.99 times as far each time, which needs far fewer steps.

    Args:
        images: As `spectrograms` makes them. What is -1 is silence.
        iterations: Steps.
        seed: Fixes the first phases, which are random.

    Returns:
        float32 (n, 1024), each scaled to a peak of 0.9.
    """
    levels = np.asarray(images, dtype=np.float64)
    if levels.shape[1:] != _SHAPE or not len(levels) or not np.isfinite(levels).all():
        raise ValueError(f"wanted spectrograms of shape (n, *{_SHAPE}), got {levels.shape}")
    levels = levels[..., 0].transpose(0, 2, 1)
    sizes = np.where(levels > -0.99, 10 ** (((levels - 1) * _RANGE / 2 + _TOP) / 20), 0.0)
    phases = np.exp(2j * np.pi * _check.rng(seed).random(sizes.shape))
    last: Any = 0.0
    for _ in range(_check.integer(iterations, "iterations", 0)):
        spectra = _spectra(_from_spectra(sizes * phases))
        ahead = spectra + 0.99 * (spectra - last)
        last = spectra
        phases = ahead / np.maximum(np.abs(ahead), 1e-9)
    return _scaled(_from_spectra(sizes * phases))


_SHAPE = (_WINDOW // 2 + 1, LENGTH // _HOP + 1, 1)


# --- Networks for waveforms --------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="gantut")
class PhaseShuffle(keras.layers.Layer):
    """Moves activations by a few places in time, at random, in training (Donahue et al. 2019).

    Transposed convolutions leave their own pattern at fixed places, by which D could know them;
    after the shuffle it cannot rely on places. The gap is filled by reflection, and one number of
    places is drawn for a batch.

    Args:
        places: The largest move, to either side.
    """

    def __init__(self, places: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.places = _check.integer(places, "places", 1)
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, x: Any, training: bool = False) -> Any:
        """Moves a batch (batch, time, channels)."""
        if not training:
            return x
        padded = tf.pad(x, [[0, 0], [self.places, self.places], [0, 0]], mode="REFLECT")
        start = keras.random.randint((), 0, 2 * self.places + 1, seed=self.seed_generator)
        return padded[:, start : start + x.shape[1]]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape stays."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What makes the layer again."""
        return {**super().get_config(), "places": self.places}


def wave_generator(num_classes: int, latent_dim: int = 64, width: int = 64) -> Model:
    """From latent vectors and labels to waveforms, by one-dimensional transposed convolutions.

    Sixteen places of ``width`` channels become 64, and these 1,024 samples. WaveGAN takes five
    such steps of stride 4 with kernels of 25; two, the second of stride 16 and with a kernel of
    48, cost a fraction. Both kernels are multiples of their strides (Odena et al. 2016).

    Args:
        num_classes: Number of labels.
        latent_dim: Length of the latent vector.
        width: Channels.

    Returns:
        A model from [z, labels] to waveforms (batch, 1024) in [-1, 1].
    """
    _check.sizes(width=width)
    z = networks._latent(latent_dim)
    labels, one_hot = networks._label(num_classes)
    x = layers.Concatenate(name="latent_and_label")([z, one_hot])
    x = networks._leaky(layers.Dense(16 * width, name="dense")(x), "leaky_relu_1")
    x = layers.Reshape((16, width), name="reshape")(x)
    x = layers.Conv1DTranspose(width, 8, strides=4, padding="same", name="upsample_1")(x)
    x = layers.Conv1DTranspose(
        1, 48, strides=16, padding="same", activation="tanh", name="upsample_2"
    )(networks._leaky(x, "leaky_relu_2"))
    return keras.Model([z, labels], layers.Flatten(name="wave")(x), name="wave_generator")


def wave_discriminator(num_classes: int, width: int = 64, phase_shuffle: int = 0) -> Model:
    """From waveforms and labels to logits, the mirror of :func:`wave_generator`.

    Args:
        num_classes: Number of labels, which come in by a projection.
        width: Channels.
        phase_shuffle: Places of `PhaseShuffle` between the two convolutions, each 2 ms; 0 for none.

    Returns:
        A model from [waveforms (batch, 1024), labels] to logits (batch, 1).
    """
    _check.sizes(width=width)
    wave = keras.Input((LENGTH,), name="wave")
    labels, one_hot = networks._label(num_classes)
    x = layers.Reshape((LENGTH, 1), name="reshape")(wave)
    x = layers.Conv1D(width, 48, strides=16, padding="same", name="downsample_1")(x)
    x = networks._leaky(x, "leaky_relu_1")
    if _check.integer(phase_shuffle, "phase_shuffle", 0):
        x = PhaseShuffle(phase_shuffle, name="phase_shuffle")(x)
    x = layers.Conv1D(width, 8, strides=4, padding="same", name="downsample_2")(x)
    x = layers.Flatten(name="flatten")(networks._leaky(x, "leaky_relu_2"))
    return keras.Model([wave, labels], networks._project(x, one_hot), name="wave_discriminator")


# --- Training ----------------------------------------------------------------------------------


def recipe(method: str = "spectrogram", phase_shuffle: int = 0) -> recipes.Recipe:
    """The settings of a training, for `gantut.recipes.train`.

    Args:
        method: "wave" trains convolutions on waveforms, "spectrogram" the perceptrons of recipe
            ``conditional_fast`` on `spectrograms`.
        phase_shuffle: As in `wave_discriminator`; for "wave" only.

    Returns:
        A recipe; ``dataclasses.replace`` makes another from it.
    """
    fast = recipes.get("conditional_fast")
    assert isinstance(fast, recipes.Recipe)
    shared: dict[str, Any] = {
        "name": f"sound, {method}",
        "schedule": recipes.cosine_decay(),
        "g_learning_rate": 2e-3,
        "d_learning_rate": 2e-3,
        "ema": 0.995,
        "steps_per_execution": 20,
    }
    places = _check.integer(phase_shuffle, "phase_shuffle", 0)
    known: dict[str, dict[str, Any]] = {
        "spectrogram": {
            "summary": "log spectrograms of short sounds, perceptrons with the label a projection",
            "penalties": {"r1": 1.0, "r2": 1.0},
            "steps": 600,
            "gpu_steps": 600,
        },
        "wave": {
            "summary": "waveforms of short sounds, two one-dimensional convolutions a network",
            "generator": _wave_generator,
            "discriminator": lambda shape, classes: wave_discriminator(
                classes, phase_shuffle=places
            ),
            "penalties": {"r1": 3.0, "r2": 3.0},
            "centred": False,
            "steps": 600,
            "gpu_steps": 600,
        },
    }
    settings = _check.one_of(method, "method", known)
    if places and method != "wave":
        raise ValueError(f"method {method!r} has no phase to shuffle")
    return replace(fast, **shared, **settings)


def _wave_generator(shape: Sequence[int], num_classes: int) -> Model:
    return wave_generator(num_classes)


@dataclass(frozen=True, kw_only=True)
class SoundRun(recipes.Run[GAN]):
    """What a training on sounds left.

    Attributes:
        method: As given.

    The rest is as in `gantut.recipes.Run`.
    """

    method: str

    def sample(self, labels: npt.ArrayLike, seed: int = 0) -> Float32:
        """Makes sounds.

        Args:
            labels: Integers (n,), as `label` gives them.
            seed: Fixes them.

        Returns:
            float32 (n, 1024) at 8 kHz, scaled to a peak of 0.9.
        """
        made = self.gan.sample(len(np.asarray(labels)), labels=np.asarray(labels), seed=seed)
        return _scaled(made) if self.method == "wave" else from_spectrograms(made, seed=seed)


def train(
    data: Sounds,
    method: str = "spectrogram",
    *,
    steps: int | None = None,
    phase_shuffle: int = 0,
    seed: int = 0,
    callbacks: Iterable[Any] = (),
) -> SoundRun:
    """Trains a conditional GAN on sounds.

    Args:
        data: The sounds, of a batch (64) at least, every label among them.
        method: As in `recipe`.
        steps: Length of the training; the recipe's own if None.
        phase_shuffle: As in `recipe`.
        seed: Fixes the result, as in `gantut.recipes`.
        callbacks: Keras callbacks, as in `gantut.recipes.train`.

    Returns:
        A `SoundRun`. Making the spectrograms counts in its ``cpu_seconds``.
    """
    settings = recipe(method, phase_shuffle)
    begin = time.process_time()
    rows = data.waves if method == "wave" else spectrograms(data.waves)
    run = recipes.train(settings, rows, data.labels, steps=steps, seed=seed, callbacks=callbacks)
    return SoundRun.of(run, method=method, cpu_seconds=time.process_time() - begin)


# --- What else one could do --------------------------------------------------------------------


def _of_labels(data: Sounds, labels: npt.ArrayLike) -> Int64:
    asked = check_labels(labels, np.size(labels), len(KINDS) * len(NOTES)).astype(np.int64)
    counts = np.bincount(data.labels, minlength=len(KINDS) * len(NOTES))
    few = [int(each) for each in np.unique(asked) if counts[each] < 2]
    if few:
        raise ValueError(f"of each label two sounds are needed; there are fewer of {few}")
    return asked


def normal_spectrograms(data: Sounds, labels: npt.ArrayLike, seed: int = 0) -> Float32:
    """Draws spectrograms from a normal distribution for each label, and finds their sounds.

    It has the mean and the covariance of the label's own spectrograms. The same way to a waveform
    as the GAN's; only the network is missing.

    Args:
        data: Real sounds.
        labels: Integers (n,), what to make.
        seed: Fixes the result.

    Returns:
        float32 (n, 1024), scaled to a peak of 0.9.
    """
    asked, rng = _of_labels(data, labels), _check.rng(seed)
    images = np.empty((len(asked), *_SHAPE))
    for each in np.unique(asked):
        real = spectrograms(data.waves[data.labels == each]).astype(np.float64)
        mean, wanted = real.mean(axis=0), asked == each
        # Weights of N(0, 1) on the deviations give the sample covariance.
        weights = rng.standard_normal((wanted.sum(), len(real))) / (len(real) - 1) ** 0.5
        images[wanted] = mean + np.tensordot(weights, real - mean, axes=1)
    return from_spectrograms(np.clip(images, -1, 1), seed=seed)


def mixtures(data: Sounds, labels: npt.ArrayLike, seed: int = 0) -> Float32:
    """Adds two real sounds of the label: a choir of two voices.

    Args:
        data: Real sounds.
        labels: Integers (n,), what to make.
        seed: Fixes the result.

    Returns:
        float32 (n, 1024), scaled to a peak of 0.9.
    """
    asked, rng = _of_labels(data, labels), _check.rng(seed)
    pairs = [rng.choice(np.flatnonzero(data.labels == each), 2, replace=False) for each in asked]
    return _scaled(data.waves[np.array(pairs)].sum(axis=1))


def vocode(data: Sounds, labels: npt.ArrayLike, seed: int = 0) -> Float32:
    """Sings with the measured filter of one real sound on the measured pitch of another.

    What telephony has done since Atal and Hanauer 1971: `linear_prediction` takes the filter from
    a sound of the kind asked for, on whatever note; `pitch` the note from a sound of whatever kind;
    partials of that pitch go through that filter and get the loudness of the first sound over time.

    Args:
        data: Real sounds.
        labels: Integers (n,), what to make.
        seed: Fixes the result.

    Returns:
        float32 (n, 1024), scaled to a peak of 0.9.
    """
    asked, rng = _of_labels(data, labels), _check.rng(seed)
    kinds, notes = np.divmod(data.labels, len(NOTES))
    filters = [rng.choice(np.flatnonzero(kinds == each // len(NOTES))) for each in asked]
    voices = [rng.choice(np.flatnonzero(notes == each % len(NOTES))) for each in asked]
    sources = data.waves[filters]
    hertz = pitch(data.waves[voices]).hertz
    partials = np.arange(1, int(_HIGHEST / hertz.min()) + 1)
    z = np.exp(-2j * np.pi * hertz[:, None] * partials / RATE)
    powers = z[..., None] ** np.arange(_ORDER + 1)
    gains = 1 / (powers * linear_prediction(sources)[:, None]).sum(axis=2)
    gains /= 1 - 0.97 * z  # undoes the pre-emphasis
    gains[hertz[:, None] * partials > _HIGHEST] = 0
    waves = _series(gains, hertz, rng.random(len(asked)))
    smooth = np.hanning(2 * _HOP + 1) / _HOP
    loudness = [
        [np.convolve(wave.astype(np.float64) ** 2, smooth, mode="same") for wave in part]
        for part in (sources, waves)
    ]
    wanted, got = (np.sqrt(np.maximum(part, 1e-12)) for part in loudness)
    return _scaled(waves * (wanted / got))
