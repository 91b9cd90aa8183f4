"""What a waveform shows, from its pitch to its spectrogram, and the rivals that use only that."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import linalg, ndimage

from gantut import _check, metrics
from gantut.applications.sound import synthesis
from gantut.applications.sound.synthesis import LENGTH, NOTES, RATE, VOWELS, Sounds
from gantut.data import Float32, Float64, Int64, check_labels
from gantut.sampling import draw_normal

CLEAR = 0.8
"""Clarity (see `pitch`) from which a sound counts as having a pitch."""
_CENTS = 25.0  # how far from its note a pitch may be
_ORDER = 9  # of linear prediction: two for each formant below 4 kHz, one for the source's slope
_FALL = -6.0  # dB from the first to the second half; strings fall by 11, vowels hardly
WINDOW = 256
"""Samples of a short-time spectrum."""
HOP = 64
"""Samples from one short-time spectrum to the next."""
_TOP, _RANGE = 36.0, 70.0  # dB: where a spectrogram is 1, and how far below it is -1
_SHAPE = (WINDOW // 2 + 1, LENGTH // HOP + 1, 1)  # of a spectrogram
_HANN = np.hanning(WINDOW + 1)[:-1]


class Pitch(NamedTuple):
    """What a sound repeats.

    Attributes:
        hertz: float64 (n,), the pitch; NaN where nothing repeats at all.
        clarity: float64 (n,), 1 for a sound that repeats exactly, about 0 for noise.
    """

    hertz: Float64
    clarity: Float64


def pitch(waves: npt.ArrayLike) -> Pitch:
    """Finds the pitch, between 60 and 500 Hz, by the normalised square difference.

    That is (McLeod and Wyvill 2005, section 4)::

        n(lag) = 2 sum_t x_t x_(t+lag) / sum_t (x_t^2 + x_(t+lag)^2)

    It is 1 where the sound repeats after the lag. The pitch is that of the first peak that reaches
    0.97 of the highest, refined by a parabola through three points; clarity is its height.
    """
    first, last = RATE // 500, RATE // 60 + 1
    x = _waves(waves, last + 2)
    n = x.shape[1]
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


def _waves(waves: npt.ArrayLike, least: int = 1, most: int | None = None) -> Float64:
    x = _check.rows(waves, "waves")
    if not least <= x.shape[1] <= (most or x.shape[1]):
        limits = f"{least}" if most == least else f"{least} or more"
        raise ValueError(f"waves: wanted sounds of {limits} samples, got {x.shape[1]}")
    return x


def linear_prediction(waves: npt.ArrayLike, order: int = _ORDER) -> Float64:
    """The all-pole filter whose spectrum fits a sound's envelope (Makhoul 1975, section II).

    After pre-emphasis (each sample less 0.97 of the one before) and a Hamming window, the
    coefficients solve the normal equations of the autocorrelation.

    Args:
        waves: (n, samples) at any rate.
        order: Number of poles.

    Returns:
        float64 (n, order + 1), coefficients of A(z) in powers of 1/z, the first of them 1.
    """
    x = _waves(waves, _check.integer(order, "order", 1) + 1)
    y = np.concatenate([x[:, :1], x[:, 1:] - 0.97 * x[:, :-1]], axis=1)
    spectra = np.fft.rfft(y * np.hamming(y.shape[1]), 2 * y.shape[1])
    r = np.fft.irfft(np.abs(spectra) ** 2)[:, : order + 1]
    r[:, 0] = r[:, 0] * (1 + 1e-9) + 1e-12  # silence has the filter 1
    weights = [linalg.solve_toeplitz(row[:-1], row[1:]) for row in r]
    return np.concatenate([np.ones((len(x), 1)), -np.array(weights)], axis=1)


def formants(waves: npt.ArrayLike) -> Float64:
    """The two lowest resonances: float64 (n, 2), in Hz, ascending; NaN for missing ones.

    They are poles of `linear_prediction` between 150 Hz and 3.8 kHz, with a bandwidth below 500 Hz.
    """
    filters = linear_prediction(waves)
    found = np.full((len(filters), 2), np.nan)
    for row, coefficients in zip(found, filters, strict=True):
        poles = np.roots(coefficients)
        hertz = np.angle(poles) * RATE / (2 * np.pi)
        width = -np.log(np.maximum(np.abs(poles), 1e-12)) * RATE / np.pi
        kept = np.sort(hertz[(hertz > 150) & (hertz < 3_800) & (width < 500)])[:2]
        row[: len(kept)] = kept
    return found


def read(waves: npt.ArrayLike) -> Int64:
    """Says what kind each sound is: int64 (n,), places in ``KINDS``.

    A sound whose second half is weaker than its first by more than 6 dB is a string. Any other is
    the vowel whose first two formants are the nearest, on a logarithmic scale, or -1 where no two
    are found.
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
    """Features for a distance between sets of sounds, (n, 1024) with a peak of 0.9.

    They are the levels of 20 bands of 200 Hz in 4 quarters of a sound, float64 (n, 80), in dB. What
    is more than about 40 dB below a full tone counts as silence.
    """
    x = _waves(waves, LENGTH, LENGTH)
    quarters = x.reshape(len(x), 4, LENGTH // 4) * np.hanning(LENGTH // 4)
    power = np.abs(np.fft.rfft(quarters, axis=2)) ** 2
    edges = np.linspace(0, power.shape[2] - 1, 21).astype(int)
    bands = np.add.reduceat(power[:, :, :-1], edges[:-1], axis=2)
    return 10 * np.log10(bands + 0.3).reshape(len(x), -1)


class Measures(NamedTuple):
    """What sounds are worth that were asked for by label.

    Attributes:
        clear: The share with a clear pitch, `CLEAR` or more.
        note: The share with a clear pitch at most a quarter semitone off the note asked for.
        kind: The share that `read` takes for the kind asked for.
        right: The share with both.
        spread: Standard deviation of the log formants of rightly read vowels, pooled over labels.
        frechet: The Frechet distance to the real sounds on `band_levels`, in dB squared.
    """

    clear: float
    note: float
    kind: float
    right: float
    spread: float
    frechet: float


def measure(waves: npt.ArrayLike, labels: npt.ArrayLike, reference: npt.ArrayLike) -> Measures:
    """Measures sounds.

    Args:
        waves: (n, 1024).
        labels: Integers (n,), what was asked for.
        reference: Real sounds (m, 1024), of all labels alike.
    """
    x = synthesis.scaled(_waves(waves))
    asked = check_labels(labels, len(x), synthesis.LABELS)
    kinds, notes = np.divmod(asked, len(NOTES))
    heard = pitch(x)
    clear = heard.clarity >= CLEAR
    with np.errstate(invalid="ignore"):
        off = 1_200 * np.abs(np.log2(heard.hertz / np.array([*NOTES.values()])[notes]))
        note = clear & (off < _CENTS)
    kind = read(x) == kinds
    squares, freedom = 0.0, 0
    resonances = np.log(formants(x))
    for each in np.unique(asked):
        rows = resonances[(asked == each) & kind & (kinds < len(VOWELS))]
        if len(rows) > 1:
            squares += float(((rows - rows.mean(axis=0)) ** 2).sum())
            freedom += 2 * (len(rows) - 1)
    return Measures(
        clear=float(clear.mean()),
        note=float(note.mean()),
        kind=float(kind.mean()),
        right=float((note & kind).mean()),
        spread=(squares / freedom) ** 0.5 if freedom else float("nan"),
        frechet=metrics.frechet_distance(band_levels(x), band_levels(reference)),
    )


def spectra(waves: npt.ArrayLike) -> npt.NDArray[np.complex128]:
    """Short-time spectra of sounds (n, 64 m): complex (n, m + 1, 129), one every 8 ms.

    A Hann window of 32 ms is centred on each place; the sound is continued by silence.
    """
    x = _waves(waves, HOP)
    if x.shape[1] % HOP:
        raise ValueError(f"waves: wanted a multiple of {HOP} samples, got {x.shape[1]}")
    padded = np.pad(x, ((0, 0), (WINDOW // 2, WINDOW // 2)))
    places = np.arange(0, x.shape[1] + 1, HOP)[:, None] + np.arange(WINDOW)
    return np.fft.rfft(padded[:, places] * _HANN, axis=2)


def _from_spectra(spectra: npt.NDArray[np.complex128]) -> Float64:
    """The sound whose short-time spectra are nearest in squares (Griffin and Lim 1984, eq. 6)."""
    pieces = np.fft.irfft(spectra, axis=2) * _HANN
    length = (spectra.shape[1] - 1) * HOP
    total = np.zeros((len(spectra), length + WINDOW))
    weight = np.zeros(length + WINDOW)
    for i in range(spectra.shape[1]):
        total[:, i * HOP : i * HOP + WINDOW] += pieces[:, i]
        weight[i * HOP : i * HOP + WINDOW] += _HANN**2
    inside = slice(WINDOW // 2, WINDOW // 2 + length)
    return total[:, inside] / weight[inside]


def griffin_lim(sizes: Float64, rounds: int = 30, seed: int = 0) -> Float64:
    """Sounds (n, 64 m) for magnitudes of `spectra`, (n, m + 1, 129), by guessing their phases.

    Griffin and Lim 1984 go to and fro: take the phases of the spectra of the sound made with the
    last phases. Perraudin et al. 2013 go 1.99 times as far each time, which needs far fewer steps.

    Args:
        sizes: The magnitudes.
        rounds: How often.
        seed: Fixes the first phases, which are random.
    """
    phases = np.exp(2j * np.pi * _check.rng(seed).random(sizes.shape))
    last: npt.NDArray[np.complex128] | float = 0.0
    for _ in range(_check.integer(rounds, "rounds", 0)):
        now = spectra(_from_spectra(sizes * phases))
        ahead = now + 0.99 * (now - last)
        last = now
        phases = ahead / np.maximum(np.abs(ahead), 1e-9)
    return _from_spectra(sizes * phases)


def spectrograms(waves: npt.ArrayLike) -> Float32:
    """Sounds (n, 1024) as images: the logarithm of how loud each frequency is at each time.

    They are float32 (n, 129, 17, 1) in [-1, 1], by frequency (0 to 4 kHz in steps of 31.25 Hz) and
    time (spectra of 32 ms, 8 ms apart): from 34 dB below to 36 dB above a sine of amplitude 1/64.
    """
    levels = 20 * np.log10(np.abs(spectra(_waves(waves, LENGTH, LENGTH))) + 1e-9)
    images = np.clip((levels - _TOP) / (_RANGE / 2) + 1, -1, 1)
    return images.transpose(0, 2, 1)[..., None].astype(np.float32)


def from_spectrograms(images: npt.ArrayLike, seed: int = 0) -> Float32:
    """Finds sounds (n, 1024), each with a peak of 0.9, for spectrograms, by `griffin_lim`.

    Args:
        images: As `spectrograms` makes them. What is -1 is silence.
        seed: Fixes the first phases, which are random.
    """
    levels = np.asarray(images, dtype=np.float64)
    if levels.shape[1:] != _SHAPE or not len(levels) or not np.isfinite(levels).all():
        raise ValueError(f"wanted spectrograms of shape (n, *{_SHAPE}), got {levels.shape}")
    levels = levels[..., 0].transpose(0, 2, 1)
    sizes = np.where(levels > -0.99, 10 ** (((levels - 1) * _RANGE / 2 + _TOP) / 20), 0.0)
    return synthesis.scaled(griffin_lim(sizes, seed=seed))


def _of_labels(data: Sounds, labels: npt.ArrayLike) -> Int64:
    asked = check_labels(labels, np.size(labels), synthesis.LABELS).astype(np.int64)
    few = set(asked) & set(np.flatnonzero(np.bincount(data.labels, minlength=synthesis.LABELS) < 2))
    if few:
        raise ValueError(f"labels: two sounds of each are needed; there are fewer of {min(few)}")
    return asked


def normal_spectrograms(data: Sounds, labels: npt.ArrayLike, seed: int = 0) -> Float32:
    """Draws spectrograms from a normal distribution for each label, and finds their sounds.

    It has the mean and the covariance of the label's own. Only the GAN's network is missing.

    Args:
        data: Real sounds, two at least of each label that is asked for.
        labels: Integers (n,), what to make.
        seed: Fixes the result.
    """
    asked, rng = _of_labels(data, labels), _check.rng(seed)
    images = np.empty((len(asked), *_SHAPE))
    for each in np.unique(asked):
        real = spectrograms(data.waves[data.labels == each]).astype(np.float64)
        images[asked == each] = draw_normal(real, int((asked == each).sum()), rng)
    return from_spectrograms(np.clip(images, -1, 1), seed=seed)


def mixtures(data: Sounds, labels: npt.ArrayLike, seed: int = 0) -> Float32:
    """Adds two real sounds of the label; as `normal_spectrograms`."""
    asked, rng = _of_labels(data, labels), _check.rng(seed)
    pairs = [rng.choice(np.flatnonzero(data.labels == each), 2, replace=False) for each in asked]
    return synthesis.scaled(data.waves[np.array(pairs)].sum(axis=1))


def vocode(data: Sounds, labels: npt.ArrayLike, seed: int = 0) -> Float32:
    """Sings with the measured filter of one real sound on the measured pitch of another.

    As telephony since Atal and Hanauer 1971: `linear_prediction` takes the filter from a sound of
    the kind asked for, `pitch` the note from another; partials of that pitch go through that filter
    and get the loudness of the first sound over time. Arguments as in `normal_spectrograms`.
    """
    asked, rng = _of_labels(data, labels), _check.rng(seed)
    kinds, notes = np.divmod(data.labels, len(NOTES))
    filters = [rng.choice(np.flatnonzero(kinds == each // len(NOTES))) for each in asked]
    voices = [rng.choice(np.flatnonzero(notes == each % len(NOTES))) for each in asked]
    sources = data.waves[filters]
    hertz = pitch(data.waves[voices]).hertz
    k = synthesis.partials(hertz)
    z = np.exp(-2j * np.pi * hertz[:, None] * k / RATE)
    powers = z[..., None] ** np.arange(_ORDER + 1)
    gains = 1 / (powers * linear_prediction(sources)[:, None]).sum(axis=2)
    gains /= 1 - 0.97 * z  # undoes the pre-emphasis
    gains[hertz[:, None] * k > synthesis.HIGHEST] = 0
    waves = synthesis.series(gains, hertz, rng.random(len(asked)))
    smooth = np.hanning(2 * HOP + 1) / HOP
    wanted, got = (
        ndimage.convolve1d(part.astype(np.float64) ** 2, smooth, mode="constant")
        for part in (sources, waves)
    )
    return synthesis.scaled(waves * np.sqrt(np.maximum(wanted, 1e-12) / np.maximum(got, 1e-12)))
