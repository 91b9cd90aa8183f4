"""Measurements behind the chapter on sound and motion: the sounds.

A seed fixes the data, the training and the samples. From 8,000 sounds learn a GAN of spectrograms,
for 600 and for 2,000 steps, and a GAN of waveforms, for a little longer than the latter. They and
three rivals are asked for 40 sounds of every label. Real sounds, and real ones whose phases were
thrown away and guessed again, say what the measures themselves lose.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from lib.recording import main, timed

from gantut.applications import sound

EACH = 40
"""Sounds of every label."""
TRAININGS = {
    "spectrogram, 600 steps": ("spectrogram", 600),
    "spectrogram, 2,000 steps": ("spectrogram", 2_000),
    "wave, 1,500 steps": ("wave", 1_500),
}


def rows(seed: int) -> Iterator[dict[str, Any]]:
    """Real sounds, rivals and GANs."""
    data, reference = sound.sounds(8_000, seed), sound.sounds(3_000, 1_000 + seed)
    real = sound.sounds(1_200, 2_000 + seed)
    labels = np.repeat(np.arange(len(sound.KINDS) * len(sound.NOTES)), EACH)

    def row(name: str, waves: Any, asked: Any, cpu: float) -> dict[str, Any]:
        found = sound.measure(waves, asked, reference.waves)._asdict()
        return {"method": name, "cpu_seconds": cpu, **found}

    yield row("real", real.waves, real.labels, 0.0)
    again, cpu = timed(sound.from_spectrograms, sound.spectrograms(real.waves), seed=seed)
    yield row("real, phases guessed", again, real.labels, cpu)
    for name, rival in (
        ("normal spectrograms", sound.normal_spectrograms),
        ("mixtures", sound.mixtures),
        ("vocoder", sound.vocode),
    ):
        made, cpu = timed(rival, data, labels, seed)
        yield row(name, made, labels, cpu)
    for name, (method, steps) in TRAININGS.items():
        run = sound.train(data, method, steps=steps, seed=seed)
        yield row(name, run.sample(labels, seed), labels, run.cpu_seconds)


if __name__ == "__main__":
    main(__doc__, {"sound": rows}, {"seed": (0, 1, 2)})
