"""gantut.sampling: samples from a plain Keras generator."""

import gc
import weakref

import numpy as np
import pytest

from gantut import networks
from gantut._keras import keras
from gantut.sampling import in_batches, render, sample


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
    return networks.mlp_generator(3, (4, 4, 1), (8,), num_classes=5)


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
    with pytest.raises(ValueError, match="takes no labels"):
        sample(plain, 2, labels=1)


def test_many_rows_go_through_in_parts():
    rows, seen = np.arange(14).reshape(7, 2), []

    def doubled(part):
        seen.append(len(part))
        return 2 * part

    np.testing.assert_array_equal(in_batches(doubled, rows, np.int64(3)), 2 * rows)
    assert seen == [3, 3, 1]
    with pytest.raises(ValueError, match="batch_size"):
        in_batches(doubled, rows, 0)


def test_a_generator_whose_classes_are_unknown():
    z, label = keras.Input((2,)), keras.Input((), dtype="int32")
    row = keras.layers.Embedding(4, 2)(label)
    model = keras.Model([z, label], keras.layers.Add()([z, row]))
    with pytest.raises(ValueError, match="classes are unknown; pass labels"):
        sample(model, 2)
    assert sample(model, 2, labels=[0, 3]).shape == (2, 2)
    with pytest.raises(ValueError, match=r"labels must be >= 0, got -1\.\.3"):
        sample(model, 2, labels=[-1, 3])


@pytest.mark.parametrize("n", [0, 2.0, None, True], ids=repr)
def test_wrong_numbers(plain, n):
    error = ValueError if n == 0 else TypeError
    for name, call in (
        ("n", lambda: sample(plain, n)),
        ("batch_size", lambda: sample(plain, 2, batch_size=n)),
        ("batch_size", lambda: render(plain, np.zeros((2, 3)), batch_size=n)),
    ):
        with pytest.raises(error, match=f"^{name} must be"):
            call()


def test_numpys_integers_are_integers(plain, conditional):
    wanted = sample(plain, 5, seed=3, batch_size=2)
    got = sample(plain, np.int64(5), seed=np.uint8(3), batch_size=np.int32(2))
    np.testing.assert_array_equal(got, wanted)
    for label in (np.int64(2), np.uint8(2), np.array(2)):
        np.testing.assert_array_equal(
            sample(conditional, 3, label, seed=1), sample(conditional, 3, 2, seed=1)
        )


@keras.saving.register_keras_serializable("gantut_tests")
class Counted(keras.layers.Layer):
    """Counts how often Python runs it: once a trace, or once a call where nothing is traced."""

    calls = 0

    def call(self, x):
        self.calls += 1
        return x


@pytest.fixture
def counted():
    z = keras.Input((2,))
    layer = Counted()
    model = keras.Model(z, layer(keras.layers.Dense(3)(z)))
    layer.calls = 0
    return model, layer


def test_many_calls_trace_once(counted):
    model, layer = counted
    for seed in range(100):
        sample(model, 1, seed=seed)
    assert layer.calls == 1
    for n in range(2, 30):
        sample(model, n, seed=0, batch_size=4)
    assert layer.calls == 1


def test_many_calls_leave_nothing_behind(counted):
    model, _ = counted

    def kept_after(calls):
        for seed in range(calls):
            sample(model, 1 + seed % 3, seed=seed)
        gc.collect()
        return len(gc.get_objects())

    kept_after(10)
    assert kept_after(100) < kept_after(10) + 50  # less than one object a call


def test_a_sample_is_of_the_present_weights(counted):
    model, _ = counted
    before = sample(model, 4, seed=0)
    model.layers[1].kernel.assign(2 * model.layers[1].kernel)
    np.testing.assert_allclose(sample(model, 4, seed=0), 2 * before, rtol=1e-6)


def test_a_sampled_model_can_go_and_be_saved(tmp_path):
    model = networks.mlp_generator(3, (2, 2, 1), (4,))
    one = sample(model, 2, seed=0)
    model.save(tmp_path / "g.keras")
    again = keras.saving.load_model(tmp_path / "g.keras")
    np.testing.assert_array_equal(sample(again, 2, seed=0), one)
    alive = weakref.ref(model)
    del model
    gc.collect()
    assert alive() is None


def test_render_is_the_generator_compiled_or_not(plain, conditional):
    z = np.random.default_rng(0).standard_normal((5, 3), dtype=np.float32)
    labels = [0, 1, 2, 3, 4]
    for compiled in (False, True):
        got = render(plain, z.tolist(), batch_size=2, compiled=compiled)
        np.testing.assert_allclose(got, plain(z, training=False).numpy(), atol=1e-6)
        got = render(conditional, z, labels, batch_size=2, compiled=compiled)
        np.testing.assert_allclose(got, conditional([z, np.array(labels)]).numpy(), atol=1e-6)
