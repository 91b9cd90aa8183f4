"""What one could do without a network: draw spectrograms, mix sounds, or vocode them."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from gantut import _check
from gantut.applications.sound import analysis, synthesis
from gantut.applications.sound.synthesis import LABELS, NOTES, Int64, Sounds, scaled
from gantut.data import Float32, check_labels
from gantut.sampling import draw_normal


def _of_labels(data: Sounds, labels: npt.ArrayLike) -> Int64:
    asked = check_labels(labels, np.size(labels), LABELS).astype(np.int64)
    few = set(asked) & set(np.flatnonzero(np.bincount(data.labels, minlength=LABELS) < 2))
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
    images = np.empty((len(asked), *analysis.SHAPE))
    for each in np.unique(asked):
        real = analysis.spectrograms(data.waves[data.labels == each]).astype(np.float64)
        images[asked == each] = draw_normal(real, int((asked == each).sum()), rng)
    return analysis.from_spectrograms(np.clip(images, -1, 1), seed=seed)


def mixtures(data: Sounds, labels: npt.ArrayLike, seed: int = 0) -> Float32:
    """Adds two real sounds of the label; as `normal_spectrograms`."""
    asked, rng = _of_labels(data, labels), _check.rng(seed)
    pairs = [rng.choice(np.flatnonzero(data.labels == each), 2, replace=False) for each in asked]
    return scaled(data.waves[np.array(pairs)].sum(axis=1))


def vocode(data: Sounds, labels: npt.ArrayLike, seed: int = 0) -> Float32:
    """Sings with the measured filter of one real sound on the measured pitch of another.

    What telephony has done since Atal and Hanauer 1971: `linear_prediction` takes the filter from
    a sound of the kind asked for, on whatever note; `pitch` the note from a sound of whatever kind;
    partials of that pitch go through that filter and get the loudness of the first sound over time.
    The arguments are those of `normal_spectrograms`.
    """
    asked, rng = _of_labels(data, labels), _check.rng(seed)
    kinds, notes = np.divmod(data.labels, len(NOTES))
    filters = [rng.choice(np.flatnonzero(kinds == each // len(NOTES))) for each in asked]
    voices = [rng.choice(np.flatnonzero(notes == each % len(NOTES))) for each in asked]
    sources = data.waves[filters]
    hertz = analysis.pitch(data.waves[voices]).hertz
    k = synthesis.partials(hertz)
    z = np.exp(-2j * np.pi * hertz[:, None] * k / synthesis.RATE)
    powers = z[..., None] ** np.arange(analysis.ORDER + 1)
    gains = 1 / (powers * analysis.linear_prediction(sources)[:, None]).sum(axis=2)
    gains /= 1 - 0.97 * z  # undoes the pre-emphasis
    gains[hertz[:, None] * k > synthesis.HIGHEST] = 0
    waves = synthesis.series(gains, hertz, rng.random(len(asked)))
    smooth = np.hanning(2 * analysis.HOP + 1) / analysis.HOP
    wanted, got = (
        ndimage.convolve1d(part.astype(np.float64) ** 2, smooth, mode="constant")
        for part in (sources, waves)
    )
    return scaled(waves * np.sqrt(np.maximum(wanted, 1e-12) / np.maximum(got, 1e-12)))
