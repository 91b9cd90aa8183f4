"""Spoken digits, their mel spectrograms, and how near a wave comes to them."""

import functools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from gantut import _check
from gantut._files import Npz
from gantut.applications import sound
from gantut.applications.sound import RATE, WINDOW
from gantut.data import Float32, Float64, Int64

FILE = Path(__file__).parents[2] / "data" / "spoken_digits.npz"
"""The words that ship, made by tools/make_digits.py."""
PARTS = ("train", "same voices", "other voices")
LENGTH = 5_120
"""Samples of a word with the silence around it, 0.64 s."""
BANDS = 40
"""Bands of a mel spectrogram."""
LEAD = 256
"""Samples of silence before a word."""
FLOOR = 0.05
"""The least magnitude that counts, 62 dB below that of a full tone."""
_LOUD = 1e-3  # mean square from which a frame may be voiced
_HIGHEST = 400.0  # Hz, of a voice
BINS = WINDOW // 2 + 1
"""Frequencies of a short-time spectrum."""


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
    low, centre, high = (edges[i : BANDS + i] for i in range(3))
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
    shape = pieces.shape[:2]
    heard = sound.pitch(pieces.reshape(-1, 400))
    power = np.mean(pieces**2, axis=2)
    return sound.Pitch(heard.hertz.reshape(shape), heard.clarity.reshape(shape)), power


def measure(waves: npt.ArrayLike, words: Words) -> Measures:
    """Compares waves with the words that they should be.

    Args:
        waves: (n, 5120).
        words: As many, from `load_words`.
    """
    made = _check.rows(waves, "waves")
    if made.shape != words.waves.shape:
        raise ValueError(f"waves: wanted the words' shape {words.waves.shape}, got {made.shape}")
    wanted, power = pitch_track(words.waves)
    got, _ = pitch_track(made)
    voiced = (wanted.clarity >= sound.CLEAR) & (power > _LOUD) & (wanted.hertz < _HIGHEST)
    with np.errstate(invalid="ignore"):
        near = np.abs(np.log2(got.hertz / wanted.hertz)) < 1 / 24
    return Measures(
        mel=_distance(mel(made), mel(words.waves)),
        spectrum=float(
            np.mean([_distance(_levels(made, w), _levels(words.waves, w)) for w in (64, 256, 512)])
        ),
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
