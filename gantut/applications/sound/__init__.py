"""Short sounds whose pitch and formants are known, two GANs that make them, and their rivals.

    from gantut.applications import sound

    data = sound.sounds(8_000, seed=0)
    run = sound.train(data, "spectrogram", seed=0)
    made = run.sample([sound.label("ɑ", "C3")] * 20)
    sound.pitch(made).hertz                     # near 130.8

A sound is 128 ms at 8 kHz: one of five sung vowels or a plucked string, on one of five notes of a
scale. The pair of kind and note is its label. `sounds` makes them by the source-filter model;
`pitch`, `formants` and `read` find the truth again in any waveform, (n, samples) at 8 kHz.

`train` teaches a conditional GAN on the waveform itself (WaveGAN) or on its log spectrogram
(SpecGAN, both Donahue et al. 2019), from which `from_spectrograms` finds a waveform.
`normal_spectrograms`, `mixtures` and `vocode` train no network.
"""

from gantut.applications.sound.analysis import (
    CLEAR,
    HOP,
    WINDOW,
    Measures,
    Pitch,
    band_levels,
    formants,
    from_spectrograms,
    griffin_lim,
    linear_prediction,
    measure,
    mixtures,
    normal_spectrograms,
    pitch,
    read,
    spectra,
    spectrograms,
    vocode,
)
from gantut.applications.sound.synthesis import (
    KINDS,
    LENGTH,
    NOTES,
    RATE,
    VOWELS,
    Sounds,
    label,
    pluck,
    sing,
    sounds,
)
from gantut.applications.sound.training import (
    SoundRun,
    recipe,
    train,
    wave_discriminator,
    wave_generator,
)

__all__ = [
    "CLEAR",
    "HOP",
    "KINDS",
    "LENGTH",
    "NOTES",
    "RATE",
    "VOWELS",
    "WINDOW",
    "Measures",
    "Pitch",
    "SoundRun",
    "Sounds",
    "band_levels",
    "formants",
    "from_spectrograms",
    "griffin_lim",
    "label",
    "linear_prediction",
    "measure",
    "mixtures",
    "normal_spectrograms",
    "pitch",
    "pluck",
    "read",
    "recipe",
    "sing",
    "sounds",
    "spectra",
    "spectrograms",
    "train",
    "vocode",
    "wave_discriminator",
    "wave_generator",
]
