"""gantut.export: generators as LiteRT files, and images from such files."""

import logging

import numpy as np
import pytest

from gantut import export, networks
from gantut._keras import keras, tf
from gantut.networks import soft_labels
from gantut.sampling import sample


@pytest.fixture(scope="module")
def plain():
    keras.utils.set_random_seed(0)
    # Large enough that the converter quantises its weights: it leaves small ones alone.
    return networks.mlp_generator(8, (8, 8, 1), (64, 64), batch_norm=True)


@pytest.fixture(scope="module")
def conditional():
    keras.utils.set_random_seed(0)
    return networks.mlp_generator(8, (8, 8, 1), (64, 64), num_classes=3)


@pytest.fixture(scope="module")
def files(plain, tmp_path_factory):
    folder = tmp_path_factory.mktemp("litert")
    return {
        way: export.export_litert(plain, folder / f"{way}.tflite", way)
        for way in export.QUANTISATIONS
    }


def error(path, model):
    """Root mean square of the difference to Keras' images."""
    wanted = sample(model, 200, seed=1)
    got = export.LiteRTGenerator(path).sample(200, seed=1)
    assert got.shape == wanted.shape
    assert got.dtype == np.float32
    return np.sqrt(np.mean((got - wanted) ** 2)) / wanted.std()


def test_a_file_in_full_precision_makes_the_images_of_keras(files, plain):
    assert error(files["none"], plain) < 1e-6


def test_each_way_of_quantising_costs_its_precision_and_no_more(files, plain):
    found = {way: error(path, plain) for way, path in files.items()}
    assert 1e-6 < found["float16"] < 1e-3 < found["dynamic"] < 0.02
    assert 1e-3 < found["int8"] < 0.05


def test_quantised_files_are_smaller(files, plain):
    sizes = {way: path.stat().st_size for way, path in files.items()}
    assert sizes["none"] > 4 * plain.count_params() * 0.9
    assert sizes["float16"] < 0.6 * sizes["none"]
    assert max(sizes["dynamic"], sizes["int8"]) < 0.45 * sizes["none"]


def test_the_batch_size_does_not_matter(files):
    generator = export.LiteRTGenerator(files["none"])
    assert (generator.latent_dim, generator.image_shape) == (8, (8, 8, 1))
    z = np.random.default_rng(0).standard_normal((7, 8))
    whole = generator(z)
    np.testing.assert_allclose(generator(z, batch_size=3), whole, atol=1e-6)
    np.testing.assert_allclose(generator(z[2:3])[0], whole[2], atol=1e-6)


def test_a_conditional_generator_draws_what_it_is_asked_for(conditional, tmp_path):
    path = export.export_litert(conditional, tmp_path / "c.tflite")
    generator = export.LiteRTGenerator(path)
    assert generator.conditional
    labels = np.array([0, 1, 2, 1, 0])
    got, wanted = generator.sample(5, labels, seed=3), sample(conditional, 5, labels, seed=3)
    np.testing.assert_allclose(got, wanted, atol=1e-6)
    np.testing.assert_array_equal(
        generator.sample(2, 1, seed=0), generator.sample(2, [1, 1], seed=0)
    )


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"quantise": "int4"}, ValueError, "quantise"),
        ({"quantise": "int8", "calibration": 0}, ValueError, "calibration"),
        ({"quantise": "int8", "calibration": True}, TypeError, "calibration"),
        ({"path": "net.keras"}, ValueError, "net.keras"),
    ],
)
def test_bad_settings_are_refused_by_name(plain, tmp_path, settings, error, said):
    path = tmp_path / settings.pop("path", "net.tflite")
    with pytest.raises(error, match=said):
        export.export_litert(plain, path, **settings)
    assert not list(tmp_path.iterdir())


def test_what_is_no_generator_is_refused(tmp_path, conditional):
    path = tmp_path / "net.tflite"
    with pytest.raises(TypeError, match="generator"):
        export.export_litert(sample, path)
    with pytest.raises(ValueError, match=r"\(None, 28, 28, 1\)"):
        export.export_litert(networks.mlp_discriminator((28, 28, 1)), path)
    with pytest.raises(ValueError, match="integer labels"):
        export.export_litert(soft_labels(conditional), path)
    assert not list(tmp_path.iterdir())


def test_whole_numbers_for_a_conditional_generator_are_refused(tmp_path, conditional):
    with pytest.raises(ValueError, match="labels"):
        export.export_litert(conditional, tmp_path / "net.tflite", "int8")
    assert not list(tmp_path.iterdir())


def test_a_network_that_the_converter_does_not_take_leaves_the_old_file(tmp_path, capfd):
    path = tmp_path / "net.tflite"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="recurrent_generator"):
        export.export_litert(networks.recurrent_generator(latent_dim=4), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    capfd.readouterr()  # the converter's own complaint is long


def test_nothing_is_printed(conditional, tmp_path, capsys, caplog, monkeypatch):
    logger = tf.get_logger()  # in a notebook it writes to the page
    monkeypatch.setattr(logger, "propagate", True)
    monkeypatch.setattr(logger, "level", logging.INFO)
    path = export.export_litert(conditional, tmp_path / "net.tflite", "dynamic")
    assert capsys.readouterr().out == ""
    assert [record.message for record in caplog.records] == []
    assert logger.level == logging.INFO
    got = export.LiteRTGenerator(path).sample(5, 2, seed=3)
    wanted, other = (sample(conditional, 5, label, seed=3) for label in (2, 1))
    assert np.abs(got - wanted).mean() < 0.1 * np.abs(other - wanted).mean()


@pytest.mark.parametrize(
    ("z", "settings", "said"),
    [
        (np.zeros((2, 7)), {}, r"\(2, 7\)"),
        (np.zeros((0, 8)), {}, r"\(0, 8\)"),
        (np.full((2, 8), np.nan), {}, "finite"),
        (np.zeros((2, 8)), {"labels": [0, 1]}, "no labels"),
        (np.zeros((2, 8)), {"batch_size": 0}, "batch_size"),
    ],
)
def test_bad_latent_vectors_are_refused(files, z, settings, said):
    with pytest.raises(ValueError, match=said):
        export.LiteRTGenerator(files["none"])(z, **settings)


def test_bad_files_and_threads_are_refused(files, tmp_path):
    with pytest.raises(FileNotFoundError):
        export.LiteRTGenerator(tmp_path / "missing.tflite")
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"not a network")
    with pytest.raises(ValueError, match=r"bad\.tflite"):
        export.LiteRTGenerator(bad)
    with pytest.raises(ValueError, match="threads"):
        export.LiteRTGenerator(files["none"], threads=0)
    with pytest.raises(ValueError, match="n must"):
        export.LiteRTGenerator(files["none"]).sample(0)


def test_numpys_integers_are_integers(files):
    generator = export.LiteRTGenerator(files["none"], threads=np.int64(1))
    drawn = generator.sample(np.int32(2), seed=np.int64(3))
    np.testing.assert_array_equal(drawn, generator.sample(2, seed=3))
    assert len(generator(np.zeros((3, 8)), batch_size=np.uint8(2))) == 3


def test_a_network_with_other_inputs_is_refused(tmp_path):
    net = networks.mlp_discriminator((4, 4, 1))
    path = tmp_path / "d.tflite"
    net.export(str(tmp_path / "saved"), verbose=False)
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved")).convert())
    with pytest.raises(ValueError, match="from latent vectors"):
        export.LiteRTGenerator(path)


@pytest.mark.slow
def test_evaluation_takes_a_file_as_it_is(tmp_path):
    from gantut import pretrained
    from gantut.evaluation import quick_frechet

    generator = pretrained.load("fast")
    path = export.export_litert(generator, tmp_path / "fast.tflite", "dynamic")
    there = quick_frechet(export.LiteRTGenerator(path), n=1000)
    here = quick_frechet(generator, n=1000)
    assert abs(there / here - 1) < 0.1
    assert there != here
