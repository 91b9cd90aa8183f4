"""gantut.applications.faces: data, the GAN and its watch, rivals, and the measures."""

import numpy as np
import pytest
from skimage import data as skimage_data
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from tiny import noise

from gantut import recipes
from gantut.applications import faces, rivals

# --- Data --------------------------------------------------------------------------------------


def test_the_photographs_are_those_of_scikit_image():
    photographs = skimage_data.lfw_subset()
    x, other = faces.load_faces(), faces.load_non_faces()
    assert x.shape == other.shape == (100, 24, 24, 1)
    assert x.dtype == np.float32
    for images, source in ((x, photographs[:100]), (other, photographs[100:])):
        np.testing.assert_allclose((images[..., 0] + 1) / 2, source[:, :24, :24], atol=1e-6)
    assert faces.load_faces(size=16).shape == (100, 16, 16, 1)


def test_every_face_is_held_out_once():
    x = noise(23)
    held = []
    for fold in range(5):
        train, holdout = faces.split(x, fold)
        assert len(train) + len(holdout) == 23
        held.append(holdout)
    both = np.concatenate(held).reshape(23, -1)
    np.testing.assert_array_equal(np.sort(both[:, 0]), np.sort(x.reshape(23, -1)[:, 0]))


def test_mirrors():
    x = noise(3)
    y = faces.with_mirrors(x)
    np.testing.assert_array_equal(y[:3], x)
    np.testing.assert_array_equal(y[3:], np.flip(x, axis=2))
    with pytest.raises(ValueError, match="float32"):
        faces.with_mirrors(np.zeros((2, 8, 8)))


# --- The GAN -----------------------------------------------------------------------------------


def training(steps, every):
    train, holdout = faces.split(faces.load_faces(size=16))
    return faces.train(train, holdout, steps=steps, width=8, latent_dim=8, every=every)


@pytest.fixture(scope="module")
def run():
    return training(50, 50)


@pytest.mark.slow
def test_a_short_training_draws_faces_and_watches():
    run = training(250, 100)
    assert run.curves["step"] == [0, 100, 200]
    assert run.cpu_seconds > 0
    made = run.sample(80, seed=1)
    assert made.shape == (80, 16, 16, 1)
    np.testing.assert_array_equal(made, run.sample(80, seed=1))
    train, holdout = faces.split(faces.load_faces(size=16))
    untrained = faces.recipe(width=8, latent_dim=8).build((16, 16, 1)).sample(80, seed=1)
    # Measured over seeds 0 to 2: distances 4 to 12 after training and 29 before it, correlations
    # of the mean images 0.54 to 0.77 and below 0.05.
    assert faces.frechet(made, train, holdout) < 20
    assert faces.frechet(untrained, train, holdout) > 25
    pairs = [
        np.corrcoef(images.mean(axis=0).ravel(), holdout.mean(axis=0).ravel())[0, 1]
        for images in (made, untrained)
    ]
    assert pairs[0] > 0.4
    assert abs(pairs[1]) < 0.2


def test_the_watch_reads_the_networks_and_leaves_them_alone(run):
    train, holdout = faces.split(faces.load_faces(size=16))
    before = [np.copy(w) for w in run.gan.get_weights()]
    watch = faces.Overfitting(train, holdout, every=10)
    watch.set_model(run.gan)
    watch.on_train_begin()
    watch.on_train_batch_end(0)  # no step was taken since, so there is no new row
    assert run.curves["step"] == [0, 50]
    assert watch.curves["step"] == [50]
    for name, images in (("train", train), ("holdout", holdout)):
        wanted = run.gan.discriminator.predict(images, verbose=0).mean()
        assert watch.curves[name][0] == pytest.approx(wanted, abs=1e-5)
    logits = [run.gan.discriminator.predict(x, verbose=0)[:, 0] for x in (train, holdout)]
    labels = np.repeat([1, 0], [len(train), len(holdout)])
    area = roc_auc_score(labels, np.concatenate(logits))
    assert watch.curves["membership"][0] == pytest.approx(area, abs=1e-3)
    for one, other in zip(before, run.gan.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_recipe_says_what_is_added():
    plain, augmented = faces.recipe(), faces.recipe(faces.POLICY)
    assert isinstance(plain, recipes.GANRecipe)
    assert augmented.name == "faces+diff_augment"
    assert plain.steps == augmented.steps
    d = augmented.discriminator(image_shape=(24, 24, 1))
    assert any(layer.name.startswith("diff_augment") for layer in d.layers)
    with pytest.raises(ValueError, match="policy must be"):
        faces.recipe("blur")


# --- Rivals ------------------------------------------------------------------------------------


def test_eigenfaces_are_principal_components():
    x = noise(30)
    rows = x.reshape(30, -1).astype(np.float64)
    ours, theirs = faces.Eigenfaces(x, components=6), PCA(6, svd_solver="full").fit(rows)
    np.testing.assert_allclose(ours.deviations**2, theirs.explained_variance_, rtol=1e-6)
    np.testing.assert_allclose(np.abs(ours.axes @ theirs.components_.T), np.eye(6), atol=1e-6)
    np.testing.assert_allclose(
        np.abs(ours.project(x)), np.abs(theirs.transform(rows)), rtol=1e-5, atol=1e-6
    )
    assert len(faces.Eigenfaces(x).axes) == 29


def test_eigenface_samples_have_the_mean_and_the_variances():
    x = 0.2 * noise(30)  # so that nothing is cut off
    model = faces.Eigenfaces(x)
    made = model.sample(4_000, seed=1)
    assert np.abs(made).max() < 1
    coordinates = model.project(made) / model.deviations
    # Four standard errors of a mean are 4 / sqrt(4000) = 0.063, of a deviation 0.045.
    assert np.abs(coordinates.mean(axis=0)).max() < 0.063
    assert np.abs(coordinates.std(axis=0) - 1).max() < 0.045


# --- Measures ----------------------------------------------------------------------------------


def test_nearest_faces_in_closed_form():
    x = noise(5, seed=1)
    moved = np.roll(x[3:4], (2, -1), axis=(1, 2))
    dark = np.ascontiguousarray(0.3 * moved[:, :, ::-1] - 0.5)
    for images in (moved, dark):
        found = faces.nearest_faces(images, x)
        assert found.indices[0, 0] == 3
        assert found.distances[0, 0] == pytest.approx(0, abs=1e-5)
    # It is the largest correlation of the inside with a window of the face or its mirror image.
    known, other = x[:1], noise(1, seed=2)
    windows = [
        np.roll(y, (down, across), axis=(1, 2))[:, 2:-2, 2:-2]
        for y in (known, np.flip(known, axis=2))
        for down in range(-2, 3)
        for across in range(-2, 3)
    ]
    r = max(np.corrcoef(other[:, 2:-2, 2:-2].ravel(), y.ravel())[0, 1] for y in windows)
    found = faces.nearest_faces(other, known)
    assert found.distances[0, 0] == pytest.approx(np.sqrt(2 - 2 * r), rel=1e-5)
    flat = np.zeros_like(known)
    assert faces.nearest_faces(flat, known).distances[0, 0] == pytest.approx(1, rel=1e-6)
    with pytest.raises(ValueError, match="wanted 12 x 12"):
        faces.nearest_faces(noise(2, 16), x)


def test_edges_do_not_see_brightness():
    x = 0.5 * noise(2, side=24)
    edges = faces.edge_features(x)
    assert edges.shape == (2, 800)
    np.testing.assert_allclose(faces.edge_features(x + np.float32(0.3)), edges, atol=1e-3)
    assert np.abs(faces.edge_features(np.flip(x, 2)) - edges).max() > 0.05


def test_the_measures_know_copies_noise_and_background():
    x, other = faces.load_faces(size=16), faces.load_non_faces(size=16)
    train, holdout = faces.split(x)
    copies = faces.measure(rivals.jittered_copies(train, 320), train, holdout, other)
    background = faces.measure(np.tile(other, (4, 1, 1, 1)), train, holdout, other)
    # Copies are caught where they may move, and seldom where pixels stay in place.
    assert copies.memorised > 0.95
    assert copies.memorised_pixels < copies.memorised
    assert background.memorised < 0.1
    assert copies.taken_for_faces > 0.9
    assert background.taken_for_faces < 0.1
    assert copies.told_apart < 0.75
    assert background.told_apart > 0.85
    assert background.frechet > 3 * copies.frechet
    assert copies.precision > background.precision
    assert faces.frechet(train, train, holdout) < background.frechet
    with pytest.raises(ValueError, match="wanted 4 samples a training face, 320, got 100"):
        faces.measure(other, train, holdout, other)
    with pytest.raises(ValueError, match="wanted 80 samples, one a training face, got 20"):
        faces.frechet(holdout, train, holdout)
