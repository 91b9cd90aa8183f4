"""Measurements behind the chapter on the neural vocoder.

From the same 120 spoken digits learn, for about as many CPU seconds each, a network that makes
waves, by a distance of spectra alone and with critics beside it, and one that makes magnitudes,
whose phases are guessed. They and Griffin and Lim's method on the mel spectrogram alone speak 36
words of the same voices at another pitch and speed, and 40 of other voices. The true magnitudes
with guessed phases say what the guessing costs. The first network is also trained for a quarter of
the steps, to see where more would lead.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from lib.recording import main, timed

from gantut.applications import sound, vocoder

TRAININGS: dict[str, dict[str, Any]] = {
    "waves, a quarter": {"steps": 400},
    "waves": {"steps": 1_600},
    "waves, with critics": {"steps": 480, "adversarial_weight": 0.05},
    "magnitudes, phases guessed": {"head": "sizes", "steps": 2_800},
}


def said(name: str, seconds: float, steps: int, speak: Any) -> Iterator[dict[str, Any]]:
    """Rows of a method, one for each kind of unseen words, with the seconds for one of sound."""
    for part in vocoder.PARTS[1:]:
        words = vocoder.load_words(part)
        waves, cpu = timed(speak, words)
        yield {
            "method": name,
            "part": part,
            "cpu_seconds": seconds,
            "steps": steps,
            "seconds_of_one": cpu / (waves.size / sound.RATE),
            **vocoder.measure(waves, words)._asdict(),
        }


def rows(seed: int) -> Iterator[dict[str, Any]]:
    """Griffin and Lim's method, and the networks."""
    for rounds in (32, 100):
        yield from said(
            f"Griffin-Lim, {rounds} rounds",
            0.0,
            0,
            lambda words, r=rounds: vocoder.guess_phases(vocoder.mel(words.waves), r, seed),
        )
    yield from said(
        "true magnitudes, phases guessed",
        0.0,
        0,
        lambda words: vocoder.waves_of(np.abs(sound.spectra(words.waves)), 32, seed),
    )
    for name, settings in TRAININGS.items():
        run = vocoder.train(vocoder.load_words().waves, seed=seed, **settings)
        yield from said(
            name,
            run.cpu_seconds,
            run.steps,
            lambda words, gan=run.gan: vocoder.speak(gan, vocoder.mel(words.waves)),
        )


if __name__ == "__main__":
    main(__doc__, {"vocoder": rows}, {"seed": (0, 1, 2)})
