"""gantut.sampling: samples from a plain Keras generator."""

import numpy as np
import pytest
from scipy import special, stats

from gantut import networks
from gantut._keras import keras
from gantut.data import check_labels
from gantut.sampling import count_classes, gumbel_noise, is_conditional, sample


@pytest.fixture(scope="module")
def plain():
    keras.utils.set_random_seed(0)
    model = networks.mlp_generator(3, (4, 4, 1), (8,), batch_norm=True)
    # Other moving statistics than at the start, so that training mode would show.
    norm = model.get_layer("batch_norm_1")
    norm.moving_mean.assign(np.linspace(-1, 1, 8))
    return model


@pytest.fixture(scope="module")
def conditional():
    keras.utils.set_random_seed(0)
    return networks.conditional_mlp_generator(5, 3, (4, 4, 1), (8,))


def test_samples_are_the_generator_of_normal_latents(plain):
    z = np.random.default_rng(7).standard_normal((9, 3), dtype=np.float32)
    wanted = np.asarray(plain(z, training=False))
    got = sample(plain, 9, seed=7)
    assert isinstance(got, np.ndarray)
    assert got.dtype == np.float32
    assert got.shape == (9, 4, 4, 1)
    np.testing.assert_allclose(got, wanted, atol=1e-6)
    assert np.abs(np.asarray(plain(z, training=True)) - wanted).max() > 0.05


def test_the_seed_decides_and_the_batch_size_does_not(plain):
    one = sample(plain, 11, seed=1)
    np.testing.assert_array_equal(one, sample(plain, 11, seed=1))
    np.testing.assert_allclose(one, sample(plain, 11, seed=1, batch_size=4), atol=1e-6)
    np.testing.assert_allclose(one, sample(plain, 11, seed=1, batch_size=1), atol=1e-6)
    assert np.abs(one - sample(plain, 11, seed=2)).max() > 0.05
    assert np.abs(sample(plain, 11) - sample(plain, 11)).max() > 0.05
    assert sample(plain, np.int64(2)).shape[0] == 2


def test_labels(conditional):
    assert is_conditional(conditional)
    assert count_classes(conditional) == 5
    rng = np.random.default_rng(3)
    z = rng.standard_normal((6, 3), dtype=np.float32)
    drawn = rng.integers(5, size=6)
    labels = np.array([0, 1, 2, 3, 4, 4])
    for given, used in (
        (labels, labels),
        (2, np.full(6, 2)),
        (None, drawn),
        (list(labels), labels),
    ):
        got = sample(conditional, 6, given, seed=3, batch_size=4)
        np.testing.assert_allclose(got, np.asarray(conditional([z, used])), atol=1e-6)
    assert len(set(drawn)) > 1
    assert (
        np.abs(sample(conditional, 6, 1, seed=3) - sample(conditional, 6, 2, seed=3)).max() > 0.01
    )


def test_unconditional_generators_take_no_labels(plain):
    assert not is_conditional(plain)
    assert count_classes(plain) is None
    with pytest.raises(ValueError, match="not conditional: it takes no labels"):
        sample(plain, 2, labels=1)


def test_a_generator_whose_classes_are_unknown():
    z, label = keras.Input((2,)), keras.Input((), dtype="int32")
    row = keras.layers.Embedding(4, 2)(label)
    model = keras.Model([z, label], keras.layers.Add()([z, row]))
    with pytest.raises(ValueError, match="classes are unknown; pass labels"):
        sample(model, 2)
    assert sample(model, 2, labels=[0, 3]).shape == (2, 2)
    with pytest.raises(ValueError, match=r"labels must be >= 0, got -1\.\.3"):
        sample(model, 2, labels=[-1, 3])


@pytest.mark.parametrize("n", [0, -1, 2.0, "2", None, True], ids=repr)
def test_wrong_numbers(plain, n):
    with pytest.raises(ValueError, match=f"^n must be a positive integer, got {n!r}$"):
        sample(plain, n)
    with pytest.raises(ValueError, match=f"^batch_size must be a positive integer, got {n!r}$"):
        sample(plain, 2, batch_size=n)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], r"labels must be integers of shape \(3,\), got int64 of shape \(2,\)"),
        ([[0], [1], [2]], r"got int64 of shape \(3, 1\)"),
        ([0.0, 1.0, 2.0], r"got float64 of shape \(3,\)"),
        ([True, False, True], r"got bool of shape \(3,\)"),
        ("seven", r"got <U5 of shape \(3,\)"),
        ([0, 1, 5], r"labels must be in 0\.\.4, got 0\.\.5"),
        (-1, r"labels must be in 0\.\.4, got -1\.\.-1"),
    ],
)
def test_wrong_labels(conditional, labels, message):
    with pytest.raises(ValueError, match=message):
        sample(conditional, 3, labels)


def test_check_labels_returns_int32():
    for dtype in (np.uint8, np.int64):
        got = check_labels(np.array([0, 3], dtype), 2, 4)
        assert got.dtype == np.int32
        assert got.tolist() == [0, 3]
    assert check_labels(3, 2, None).tolist() == [3, 3]


def test_gumbel_noise_is_the_quantile_of_a_normal_number():
    z = np.array([-4.0, -1.2, 0.0, 0.3, 4.0], np.float32)
    wanted = stats.gumbel_r.ppf(special.ndtr(z.astype(np.float64)))
    np.testing.assert_allclose(gumbel_noise(z), wanted, rtol=1e-3, atol=1e-4)
    far = gumbel_noise(np.array([-30.0, 30.0], np.float32)).numpy()
    assert np.isfinite(far).all()
