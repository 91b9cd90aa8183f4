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

from gantut.applications.vocoder.networks import (
    FRAMES,
    HEADS,
    Levels,
    Unfiltered,
    Wave,
    critics,
    generator,
    log_mel,
    log_sizes,
)
from gantut.applications.vocoder.training import (
    Vocoder,
    distance,
    matching,
    speak,
    train,
    windows,
)
from gantut.applications.vocoder.words import (
    BANDS,
    BINS,
    FILE,
    FLOOR,
    LEAD,
    LENGTH,
    PARTS,
    Measures,
    Words,
    decode,
    encode,
    guess_phases,
    load_words,
    measure,
    mel,
    mel_filters,
    outline,
    pitch_track,
    recognizer,
    sizes_of,
    waves_of,
)

__all__ = [
    "BANDS",
    "BINS",
    "FILE",
    "FLOOR",
    "FRAMES",
    "HEADS",
    "LEAD",
    "LENGTH",
    "PARTS",
    "Levels",
    "Measures",
    "Unfiltered",
    "Vocoder",
    "Wave",
    "Words",
    "critics",
    "decode",
    "distance",
    "encode",
    "generator",
    "guess_phases",
    "load_words",
    "log_mel",
    "log_sizes",
    "matching",
    "measure",
    "mel",
    "mel_filters",
    "outline",
    "pitch_track",
    "recognizer",
    "sizes_of",
    "speak",
    "train",
    "waves_of",
    "windows",
]
