"""What one could do without a network: draw spectrograms, mix sounds, or vocode them."""

import numpy as np
import numpy.typing as npt

from gantut import _check
from gantut.applications.sound.analysis import (
    HOP,
    ORDER,
    SHAPE,
    from_spectrograms,
    linear_prediction,
    pitch,
    spectrograms,
)
from gantut.applications.sound.synthesis import (
    HIGHEST,
    KINDS,
    NOTES,
    RATE,
    Int64,
    Sounds,
    scaled,
    series,
)
from gantut.data import Float32, check_labels


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
    images = np.empty((len(asked), *SHAPE))
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
    return scaled(data.waves[np.array(pairs)].sum(axis=1))


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
    partials = np.arange(1, int(HIGHEST / hertz.min()) + 1)
    z = np.exp(-2j * np.pi * hertz[:, None] * partials / RATE)
    powers = z[..., None] ** np.arange(ORDER + 1)
    gains = 1 / (powers * linear_prediction(sources)[:, None]).sum(axis=2)
    gains /= 1 - 0.97 * z  # undoes the pre-emphasis
    gains[hertz[:, None] * partials > HIGHEST] = 0
    waves = series(gains, hertz, rng.random(len(asked)))
    smooth = np.hanning(2 * HOP + 1) / HOP
    loudness = [
        [np.convolve(wave.astype(np.float64) ** 2, smooth, mode="same") for wave in part]
        for part in (sources, waves)
    ]
    wanted, got = (np.sqrt(np.maximum(part, 1e-12)) for part in loudness)
    return scaled(waves * (wanted / got))
