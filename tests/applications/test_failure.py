"""gantut.applications.failure: what the chapter on failures measures."""

import numpy as np
import pytest

from gantut import networks
from gantut._keras import keras, tf
from gantut.applications import failure
from gantut.metrics import mode_coverage


def test_the_mean_distance_is_that_of_the_second_half():
    path = np.zeros((4, 2, 2))
    path[:2] = 100
    path[2:, 1] = [3, 4]
    np.testing.assert_allclose(failure.mean_distance(path), [0, 5])


def test_a_mode_counts_from_a_hundredth_of_the_samples():
    centres = failure.RING.centres
    points = np.repeat(centres[:3], (2_400, 60, 40), axis=0)
    found = mode_coverage(points, failure.RING)
    assert failure.modes_with_a_share(found) == 3
    assert failure.modes_with_a_share(found, least=0.02) == 2


def test_after_a_collapse_the_training_begins_with_its_networks():
    start = failure.collapsed(members=1)
    run = failure.after_collapse(start, g_learning_rate=1e-9, d_learning_rate=1e-9, steps=1)
    np.testing.assert_allclose(run.samples(100), start.samples(100), atol=1e-6)
    assert run.mixture is failure.RING


def test_paths_are_those_of_the_generator_and_of_its_average():
    paths = failure.chase(0.5, members=2, steps=20)
    assert paths.shape == (2, 2, 2, 2)
    # The samples begin near the origin, 20 deviations of the data from its mean on each axis.
    assert np.abs(paths + 20).max() < 15
    assert np.any(paths[0] != paths[1])


@pytest.fixture(scope="module")
def generator():
    keras.utils.set_random_seed(0)
    return networks.mlp_generator(latent_dim=4, widths=(8,), batch_norm=True)


def test_a_copy_has_the_weights_and_another_momentum(generator):
    copy = failure.copy_with_momentum(generator, 0.5)
    for a, b in zip(copy.get_weights(), generator.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    momenta = [layer.momentum for layer in copy.layers if hasattr(layer, "momentum")]
    assert momenta == [0.5]


def test_recalibrated_statistics_are_those_of_one_large_batch(generator):
    made = failure.recalibrated(generator)
    before = keras.Model(made.input, made.get_layer("dense_1").output)
    z = tf.random.stateless_normal((4000, 4), seed=(1, 1))
    norm = made.get_layer("batch_norm_1")
    np.testing.assert_allclose(norm.moving_mean, before(z).numpy().mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(norm.moving_variance, before(z).numpy().var(axis=0), rtol=1e-3)
    ways = failure.three_ways(generator)
    assert set(ways) == {"training mode", "inference mode", "recalibrated"}
    # Without training the moving statistics are 0 and 1, whatever the batch has.
    far, near = (
        np.abs(ways[way] - ways["training mode"]).mean()
        for way in ("inference mode", "recalibrated")
    )
    assert near < far
