"""Sounds by the source-filter model, whose pitch and formants are known."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gantut import _check
from gantut.data import Float32, Float64, Int64

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
LABELS = len(KINDS) * len(NOTES)
"""The number of labels, one for each pair of kind and note."""
_FOURTH = 3_500.0  # Hz, the same for all vowels: voices differ little there
_BANDWIDTHS = (60.0, 90.0, 120.0, 150.0)  # Hz, of the four formants
HIGHEST = 3_900.0  # Hz, the highest partial


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
    """The label, 0 to 29, of one of ``KINDS`` on one of ``NOTES``.

    ``divmod(label, 5)`` gives their places back.
    """
    kind, note = _check.one_of(kind, "kind", KINDS), _check.one_of(note, "note", [*NOTES])
    return len(NOTES) * KINDS.index(kind) + [*NOTES].index(note)


def sing(pitches: npt.ArrayLike, formants: npt.ArrayLike, phases: npt.ArrayLike) -> Float32:
    """Vowels (n, 1024) by the source-filter model, not scaled, without beginning or end.

    The glottis gives partials at all multiples k of the pitch, whose amplitudes fall as 1/k^2; the
    lips radiate the higher ones better, by a factor of k, up to 3.9 kHz. The vocal tract multiplies
    each by the gain of its resonances, a pair of poles for each formant.

    Args:
        pitches: (n,), in Hz.
        formants: (n, m), in Hz, m <= 4; their bandwidths are 60, 90, 120 and 150 Hz.
        phases: (n,), where in its period each sound begins, in [0, 1).
    """
    hertz, tract = _frequencies(pitches, "pitches", 1), _frequencies(formants, "formants", 2)
    if len(tract) != len(hertz) or tract.shape[1] > len(_BANDWIDTHS):
        raise ValueError(f"wanted formants of shape ({len(hertz)}, 1 to 4), got {tract.shape}")
    frequencies = hertz[:, None] * partials(hertz)
    gains = np.where(frequencies < HIGHEST, 1 / partials(hertz), 0).astype(np.complex128)
    s = 1j * frequencies
    for centre, width in zip(tract.T, _BANDWIDTHS, strict=False):
        pole = (-width / 2 + 1j * centre)[:, None]
        gains *= np.abs(pole) ** 2 / ((s - pole) * (s - pole.conj()))
    return series(gains, hertz, phases)


def pluck(pitches: npt.ArrayLike, phases: npt.ArrayLike) -> Float32:
    """Plucked strings, otherwise as `sing`: partial k has 1/k and falls to 1/e in 50/k ms."""
    hertz = _frequencies(pitches, "pitches", 1)
    gains = np.where(hertz[:, None] * partials(hertz) < HIGHEST, 1 / partials(hertz), 0)
    return series(gains.astype(np.complex128), hertz, phases, damping=20)


def partials(pitches: Float64) -> Int64:
    """The numbers 1, 2, ... of the partials that the lowest of some pitches has."""
    return np.arange(1, int(HIGHEST / pitches.min()) + 1)


def _frequencies(values: npt.ArrayLike, name: str, axes: int) -> Float64:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != axes or not array.size or not (np.isfinite(array) & (array > 0)).all():
        raise ValueError(f"{name}: wanted frequencies > 0 on {axes} axes, got shape {array.shape}")
    return array


def series(
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
    """Fades in and out along half a cosine, in seconds, and scales."""
    t = np.arange(LENGTH) / RATE
    edge = np.clip(np.minimum(t / attack, (t[-1] - t) / release), 0, 1)
    return scaled(waves * (0.5 - 0.5 * np.cos(np.pi * edge)).astype(np.float32))


def scaled(waves: npt.NDArray[np.floating]) -> Float32:
    """Sounds of any scale, each with a peak of 0.9."""
    peak = np.abs(waves).max(axis=1, keepdims=True)
    return (0.9 * waves / np.maximum(peak, 1e-9)).astype(np.float32)


def sounds(n: int, seed: int = 0) -> Sounds:
    """Draws ``n`` sounds, which the seed fixes, of all kinds on all notes, their labels uniform.

    Each voice has its own length of the vocal tract, which moves its formants together: their
    logarithm has a standard deviation of 0.04. Sounds begin anywhere in their period.
    """
    rng = _check.rng(seed)
    labels = rng.integers(LABELS, size=_check.integer(n, "n", 1))
    kinds, notes = np.divmod(labels, len(NOTES))
    pitches = np.array([*NOTES.values()])[notes]
    phases, lengths = rng.random(n), np.exp(0.04 * rng.standard_normal((n, 1)))
    means = np.array([*((*vowel, _FOURTH) for vowel in VOWELS.values()), [np.nan] * 4])
    tract = means[kinds] * lengths
    waves = np.empty((n, LENGTH), np.float32)
    voiced = kinds < len(VOWELS)
    if voiced.any():
        waves[voiced] = _shaped(sing(pitches[voiced], tract[voiced], phases[voiced]), 0.015, 0.03)
    if not voiced.all():
        waves[~voiced] = _shaped(pluck(pitches[~voiced], phases[~voiced]), 0.004, 0.015)
    return Sounds(waves, labels, pitches, tract[:, :3])
