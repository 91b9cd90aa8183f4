"""gantut.applications.vocoder: the words, the measures, the networks and their training."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import signal

from gantut._keras import keras
from gantut.applications import sound, vocoder


@pytest.fixture(scope="module")
def words():
    return vocoder.load_words("other voices")


# --- The words ----------------------------------------------------------------------------------


def test_the_words_are_of_the_parts_that_the_page_names(words):
    counts = {part: vocoder.load_words(part) for part in vocoder.PARTS}
    assert [len(c.waves) for c in counts.values()] == [120, 36, 40]
    voices = [set(c.voices) for c in counts.values()]
    assert voices[0] == voices[1]
    assert not voices[0] & voices[2]
    assert [len(v) for v in voices] == [12, 12, 4]
    for c in counts.values():
        assert c.waves.shape[1:] == (vocoder.LENGTH,)
        assert c.waves.dtype == np.float32
        np.testing.assert_allclose(np.abs(c.waves).max(axis=1), 0.9, atol=0.02)
        assert not np.any(c.waves[:, : vocoder.LEAD])
    assert (np.bincount(words.digits) == 4).all()
    assert vocoder.FILE.stat().st_size <= 800_000


def test_codes_follow_the_law_of_the_telephone():
    x = np.linspace(-1, 1, 2_001)
    back = vocoder.decode(vocoder.encode(x))
    assert vocoder.encode(x).dtype == np.uint8
    # Half a step: 1/254 of the curve, whose slope is at most ln 256 (1/255 + |x|).
    assert (np.abs(back - x) <= 1.03 * np.log(256) * (1 / 255 + np.abs(x)) / 254).all()
    assert vocoder.decode(vocoder.encode(np.zeros(1)))[0] == 0


# --- Mel spectrograms ---------------------------------------------------------------------------


def test_filters_are_triangles_around_their_centres():
    filters = vocoder.mel_filters()
    assert filters.shape == (129, 40)
    np.testing.assert_allclose(filters.sum(axis=0), 1)
    # The centre of band 30 (from 0): 31/41 of the way from 0 to 4 kHz in mel.
    mels = 2595 * np.log10(1 + 4_000 / 700) * 31 / 41
    hertz = 700 * (10 ** (mels / 2595) - 1)
    assert abs(31.25 * filters[:, 30].argmax() - hertz) <= 31.25 / 2
    assert (np.diff(filters.argmax(axis=0)) >= 0).all()


def test_a_mel_spectrogram_shows_a_tone_in_its_band():
    t = np.arange(vocoder.LENGTH) / sound.RATE
    tone = 0.5 * np.sin(2 * np.pi * 1_000 * t)[None]
    image = vocoder.mel(tone)
    assert image.shape == (1, 81, 40)
    centres = vocoder.mel_filters().argmax(axis=0) * 31.25
    assert abs(centres[image[0, 40].argmax()] - 1_000) < 70
    louder = vocoder.mel(10 * tone) - image
    np.testing.assert_allclose(louder[0, 40, image[0, 40] > 0], 1, atol=1e-3)  # 20 dB
    assert vocoder.mel(np.zeros((1, 128))).max() == np.float32(np.log10(vocoder.FLOOR))


def test_the_network_computes_the_same_mel_spectrograms(words):
    whole = vocoder.mel(words.waves[:3])
    inside = vocoder.log_mel(tf.constant(words.waves[:3])).numpy()
    # The floor is added to each square, where `mel` takes the larger of band and floor.
    loud = whole[:, 2:-2] > 0
    assert loud.mean() > 0.1
    np.testing.assert_allclose(inside[loud], whole[:, 2:-2][loud], atol=6e-3)


def test_magnitudes_that_are_found_have_the_mels_asked_for(words):
    mels = vocoder.mel(words.waves[:4])
    sizes = vocoder.sizes_of(mels)
    assert (sizes >= 0).all()
    again = np.log10(np.maximum(sizes @ vocoder.mel_filters(), vocoder.FLOOR))
    assert np.abs(again - mels).mean() < 0.002
    in_network = vocoder.Unfiltered()(mels).numpy()
    loud = mels.max(axis=2) > 0.5
    assert np.abs(in_network - np.log10(np.maximum(sizes, vocoder.FLOOR)))[loud].mean() < 0.01


# --- Measures -----------------------------------------------------------------------------------


def test_measures_of_the_words_themselves_are_perfect(words):
    found = vocoder.measure(words.waves, words)
    assert (found.mel, found.spectrum, found.pitch, found.read) == (0, 0, 0, 1)
    assert found.clarity > 0.8


def test_measures_notice_what_they_are_for(words):
    softer = vocoder.measure(0.5 * words.waves, words)
    # Only what was at the floor stays there: less than the 6 dB of all.
    assert 2 < softer.mel < 6.03
    assert softer.pitch == 0
    assert softer.read > 0.8
    higher = signal.resample_poly(words.waves, 8, 9, axis=1)
    higher = np.pad(higher, ((0, 0), (0, vocoder.LENGTH - higher.shape[1])))
    assert vocoder.measure(higher, words).pitch > 0.9
    noise = 0.1 * np.random.default_rng(0).standard_normal(words.waves.shape)
    bad = vocoder.measure(noise, words)
    assert bad.pitch > 0.9
    assert bad.clarity < 0.5
    assert bad.read < 0.4
    other = vocoder.measure(np.roll(words.waves, 1, axis=0), words)
    assert other.read < 0.2


def test_true_magnitudes_with_guessed_phases_are_nearer_than_inverted_mels(words):
    few = words._replace(**{k: v[:10] for k, v in words._asdict().items()})
    true = vocoder.measure(vocoder.waves_of(np.abs(sound.spectra(few.waves))), few)
    blind = vocoder.measure(vocoder.guess_phases(vocoder.mel(few.waves)), few)
    assert true.pitch < 0.05 < blind.pitch
    assert true.spectrum < 0.6 * blind.spectrum


# --- Networks and training ----------------------------------------------------------------------


def test_waves_are_the_inverse_of_their_spectra(words):
    spectra = sound.spectra(words.waves[:2])
    steady = 2 * np.pi * np.arange(81)[:, None] * np.arange(129) / 4
    sizes = np.log10(np.abs(spectra) + 1e-9).astype(np.float32)
    phases = (np.angle(spectra) - steady).astype(np.float32)
    back = vocoder.Wave()(sizes, phases).numpy()
    np.testing.assert_allclose(back, words.waves[:2], atol=2e-4)


def test_constant_phases_are_steady_tones():
    # Only bin 5 sounds, at 5 x 31.25 Hz, in whatever frame one begins.
    sizes = np.full((1, 33, 129), -6, np.float32)
    sizes[:, :, 5] = 1.5
    wave = vocoder.Wave()(sizes, np.zeros_like(sizes)).numpy()
    heard = sound.pitch(wave[:, 256:-256])
    assert heard.hertz[0] == pytest.approx(156.25, abs=0.3)
    assert heard.clarity[0] > 0.99


def test_a_generator_begins_at_the_inverted_mels(words):
    mels = vocoder.mel(words.waves[:2])
    made = vocoder.generator(81, "sizes")(mels).numpy()
    start = vocoder.Unfiltered()(mels).numpy()
    assert made.shape == (2, 81, 129)
    assert np.abs(made - start).mean() < 0.15
    assert vocoder.generator(33)(mels[:, :33]).shape == (2, 2_048)


def test_critics_see_the_wave_by_periods_and_windows():
    network = vocoder.critics()
    wave = np.random.default_rng(0).standard_normal((2, 2_048)).astype(np.float32)
    logits, *features = network(wave)
    assert len(features) == 15
    assert logits.shape[0] == 2
    assert features[3].shape == (2, 228, 3, 8)  # 682 rows of 3 samples, every third
    assert features[9].shape[:2] == (2, 125)
    copy = keras.Model.from_config(network.get_config())
    assert copy.count_params() == network.count_params()


def test_matching_is_relative_to_the_features_of_real_waves():
    real = [tf.constant([[2.0, -2.0]]), tf.constant([[1.0]])]
    fake = [tf.constant([[1.0, -2.0]]), tf.constant([[1.0]])]
    assert float(vocoder.matching(real, fake)) == pytest.approx(0.125)


def test_windows_hold_the_words_at_several_speeds():
    t = np.arange(vocoder.LENGTH) / sound.RATE
    tone = (0.9 * np.sin(2 * np.pi * 200 * t))[None]
    tone[:, 4_000:] = 0
    pieces = vocoder.windows(tone)
    assert pieces.shape[1:] == (2_304,)
    heard = sound.pitch(pieces[:, :1_000]).hertz
    wanted = 200 * np.array([8 / 9, 9 / 10, 15 / 16, 1, 16 / 15, 10 / 9, 9 / 8])
    near = np.abs(np.log2(heard[:, None] / wanted)).argmin(axis=1)
    assert set(near) == set(range(7))


@pytest.mark.parametrize("settings", [{}, {"adversarial_weight": 0.05}, {"head": "sizes"}])
@pytest.mark.slow
def test_a_training_runs_and_speaks(words, settings):
    run = vocoder.train(words.waves[:6], steps=2, batch_size=4, **settings)
    assert run.steps == 2
    made = vocoder.speak(run.gan, vocoder.mel(words.waves[:3]))
    assert made.shape == (3, vocoder.LENGTH)
    assert np.isfinite(made).all()


def test_what_does_not_fit_is_refused(words):
    with pytest.raises(ValueError, match="unknown part"):
        vocoder.load_words("test")
    with pytest.raises(ValueError, match="words' shape"):
        vocoder.measure(words.waves[:3], words)
    with pytest.raises(ValueError, match="critics judge waves"):
        vocoder.train(words.waves, "sizes", adversarial_weight=0.1, steps=1)
    with pytest.raises(ValueError, match="unknown head"):
        vocoder.generator(head="phase")
    with pytest.raises(ValueError, match="multiple of 64"):
        sound.spectra(np.zeros((1, 100)))
