"""gantut.applications.anomaly: the protocol, its measures, the plain detectors and the GAN's."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from gantut import data, recipes
from gantut._keras import keras, tf
from gantut.applications import anomaly


@pytest.fixture(scope="module")
def small():
    """Little images of three classes, each a bar of its own place and some noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(600) % 3
    images = rng.uniform(-1, -0.6, (600, 8, 8, 1)).astype(np.float32)
    images[np.arange(600), 2 * labels + 1] = rng.uniform(0.5, 1, (600, 8, 1))
    return images, labels


# --- The protocol ------------------------------------------------------------------------------


def test_the_split_is_the_protocols():
    loaded = data.load_mnist()
    labels = np.concatenate([loaded.y_train, loaded.y_test])
    images = (labels / 10).astype(np.float32).reshape(-1, 1, 1, 1)
    for digit, prevalence in ((1, 0.388), (4, 0.351), (5, 0.331), (7, 0.368), (9, 0.356)):
        split = anomaly.leave_one_out(images, labels, digit)
        normal = int(np.sum(labels != digit))
        assert len(split.train) == int(0.8 * normal)
        assert len(split.test) == 70_000 - len(split.train)
        assert split.anomalous.mean() == pytest.approx(prevalence, abs=5e-4)
        np.testing.assert_array_equal(split.anomalous, np.rint(10 * split.test.ravel()) == digit)


def test_no_image_is_in_both_sets_and_none_is_lost(small):
    images, labels = small
    split = anomaly.leave_one_out(images, labels, 1, seed=3)
    rows = np.concatenate([split.train, split.test]).reshape(600, -1)
    assert len(np.unique(rows, axis=0)) == 600
    expected = np.unique(images.reshape(600, -1), axis=0)
    np.testing.assert_array_equal(np.unique(rows, axis=0), expected)
    other = anomaly.leave_one_out(images, labels, 1, seed=4)
    assert not np.array_equal(split.train, other.train)
    again = anomaly.leave_one_out(images, labels, 1, seed=3)
    np.testing.assert_array_equal(split.train, again.train)


def test_a_thinned_test_set_keeps_the_prevalence(small):
    images, labels = small
    whole = anomaly.leave_one_out(images, labels, 0)
    part = anomaly.leave_one_out(images, labels, 0, test_share=0.25)
    np.testing.assert_array_equal(part.train, whole.train)
    assert len(part.test) == len(whole.test) // 4
    assert part.anomalous.mean() == pytest.approx(whole.anomalous.mean())


def test_the_split_refuses_what_it_cannot_split(small):
    images, labels = small
    with pytest.raises(ValueError, match="labels"):
        anomaly.leave_one_out(images, labels[:5], 1)
    with pytest.raises(ValueError, match="label 7 and others"):
        anomaly.leave_one_out(images, labels, 7)
    with pytest.raises(ValueError, match="label 0 and others"):
        anomaly.leave_one_out(images, np.zeros(600, int), 0)


# --- Measures ----------------------------------------------------------------------------------


def test_the_auroc_counts_pairs_and_ties_half():
    rng = np.random.default_rng(0)
    truth = rng.random(200) < 0.35
    scores = np.rint(3 * (rng.standard_normal(200) + truth))
    lead = scores[truth][:, None] - scores[~truth]
    wanted = np.mean(lead > 0) + 0.5 * np.mean(lead == 0)
    assert anomaly.measure(scores, truth).auroc == pytest.approx(wanted)


def test_the_auprc_joins_points_by_straight_lines():
    truth, scores = np.array([True, False, True]), [3, 2, 1]
    # Recall 0, 1/2, 1/2, 1 at precision 1, 1, 1/2, 2/3.
    assert anomaly.measure(scores, truth).auprc == pytest.approx(1 / 2 + (1 / 2 + 2 / 3) / 4)
    rng = np.random.default_rng(0)
    truth = rng.random(2_000) < 0.35
    scores = rng.standard_normal(2_000) + truth
    average = average_precision_score(truth, scores)
    assert anomaly.measure(scores, truth).auprc == pytest.approx(average, abs=0.002)


def test_the_worst_ranking_has_the_smallest_area():
    # 1 and 9 of the published rows: prevalence .388 and .356 (ratios of the true counts).
    for normal, strange in ((12_425, 7_877), (12_609, 6_958), (500, 500)):
        truth = np.arange(normal + strange) >= normal
        scores = -np.arange(normal + strange, dtype=float)
        smallest = anomaly.smallest_auprc(strange / (normal + strange))
        # The formula is the limit of many images; the first point of the curve, precision 1 at
        # recall 0, adds 1 / (2 anomalies) at most.
        assert anomaly.measure(scores, truth).auprc == pytest.approx(smallest, abs=0.002)
        assert anomaly.measure(scores, truth).auroc == 0
    assert anomaly.smallest_auprc(0.5) == pytest.approx(1 - np.log(2))
    assert anomaly.smallest_auprc(1e-6) == pytest.approx(5e-7, rel=1e-3)


def test_scores_without_information_reach_the_prevalence():
    truth = np.arange(40_000) < 14_000
    scores = np.random.default_rng(0).random(40_000)
    # Standard error of the AUROC about 0.003.
    assert anomaly.measure(scores, truth).auroc == pytest.approx(0.5, abs=0.01)
    assert anomaly.measure(scores, truth).auprc == pytest.approx(0.35, abs=0.01)
    assert anomaly.measure(np.zeros(40_000), truth).auroc == 0.5


def test_the_measures_refuse_bad_input():
    truth = np.array([True, False])
    for scores in ([np.nan, 1.0], [[1.0, 2.0]], [1.0, 2.0, 3.0]):
        with pytest.raises(ValueError):  # noqa: PT011 (scikit-learn's words)
            anomaly.measure(scores, truth)
    with pytest.raises(ValueError, match="one kind only"):
        anomaly.measure([1.0, 2.0], [True, True])


# --- Networks ----------------------------------------------------------------------------------


def test_the_recipe_is_fast_but_shorter():
    fast, short = recipes.get("fast"), anomaly.recipe()
    assert short.steps == short.gpu_steps == 1_000
    names = ("name", "summary", "steps", "gpu_steps")
    assert dataclasses.replace(short, **{n: getattr(fast, n) for n in names}) == fast


@pytest.fixture(scope="module")
def trained(small):
    split = anomaly.leave_one_out(*small, 1)
    return split, anomaly.train(split.train, steps=50, encoder_steps=100)


@pytest.mark.slow
def test_a_trained_detector_finds_what_was_left_out(trained):
    split, detector = trained
    strange = split.anomalous
    # The bar of class 1 is where no training image has one. Measured over three seeds: 1 for both.
    assert anomaly.measure(detector.residuals(split.test), strange).auroc > 0.97
    assert anomaly.measure(detector.neighbour_scores(split.train, split.test), strange).auroc > 0.97
    made = detector.reconstruct(split.test)
    assert made.shape == split.test.shape
    error = np.mean((made - split.test) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(detector.residuals(split.test, kappa=0), error, rtol=1e-4)
    assert error[~strange].mean() < 0.5 * np.mean(
        (split.test[~strange] - split.train.mean(axis=0)) ** 2
    )
    assert detector.cpu_seconds > 0


def test_the_score_is_the_papers(trained):
    """Residual of pixels plus kappa times that of D's features, with codes on a sphere."""
    split, detector = trained
    gan, encoder = detector.gan, detector.reconstruction.encoder
    x = split.test[:7]
    code = encoder(x).numpy()
    code *= np.sqrt(64) / np.linalg.norm(code, axis=1, keepdims=True)
    made = gan.ema_generator(code).numpy()
    np.testing.assert_allclose(detector.reconstruct(x), made, atol=1e-5)
    layer = gan.discriminator.get_layer("leaky_relu_2")
    seen = keras.Model(gan.discriminator.input, layer.output)
    gap = np.mean((seen(x).numpy() - seen(made).numpy()) ** 2, axis=1)
    pixels = np.mean((x - made) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(detector.residuals(x, kappa=3), pixels + 3 * gap, rtol=1e-3)
    np.testing.assert_allclose(detector.residuals(x), pixels + gap, rtol=1e-3)


def test_the_encoder_moves_and_the_gan_stays(trained):
    split, detector = trained
    networks_ = (detector.gan.generator, detector.gan.ema_generator, detector.gan.discriminator)
    encoder = detector.reconstruction.encoder
    held = [network.get_weights() for network in networks_]
    before = encoder.get_weights()
    detector.reconstruction.compile(keras.optimizers.Adam(1e-3))
    for _ in range(3):
        detector.reconstruction.train_step(tf.constant(split.train[:64]))
    for network, weights in zip(networks_, held, strict=True):
        for a, b in zip(network.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(a, b)
    # All but mean, variance of the layer that centres.
    moved = [not np.array_equal(a, b) for a, b in zip(encoder.get_weights(), before, strict=True)]
    assert sum(moved) == 6
    encoder.set_weights(before)


def test_untrained_networks_know_the_mean_alone(small):
    split = anomaly.leave_one_out(*small, 1)
    detector = anomaly.untrained(split.train, seed=2)
    other = anomaly.untrained(split.train[::-1], seed=2)
    # The order of the images does not matter, beyond the rounding of their mean.
    np.testing.assert_allclose(
        detector.neighbour_scores(split.train, split.test),
        other.neighbour_scores(split.train, split.test),
        atol=1e-3,
    )


def test_scores_of_training_images_are_the_smallest(trained):
    split, detector = trained
    own = detector.neighbour_scores(split.train, split.train[:20])
    assert own.max() < detector.neighbour_scores(split.train, split.test).min()


def test_an_autoencoder_gives_normal_images_back(small):
    split = anomaly.leave_one_out(*small, 1)
    detector = anomaly.train_autoencoder(split.train, steps=60)
    assert detector.gan is None
    assert anomaly.measure(detector.residuals(split.test), split.anomalous).auroc > 0.97
    assert len(detector.features(split.test)) == 1
    error = np.mean((detector.reconstruct(split.test) - split.test) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(detector.residuals(split.test), error, rtol=1e-4)


def test_training_refuses_bad_input(small):
    images, _ = small
    with pytest.raises(ValueError, match="float32"):
        anomaly.train(images.astype(np.float64))
    with pytest.raises(ValueError, match="steps"):
        anomaly.train_autoencoder(images, steps=0)
