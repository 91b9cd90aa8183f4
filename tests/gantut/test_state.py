"""gantut._state: a training in a folder, and networks from elsewhere that run nobody's code."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.backend.common import global_state

from gantut import GAN, networks, recipes
from gantut._state import DamagedError, load_model, read_meta, read_state, write_state


@pytest.fixture(scope="module")
def pair():
    """A small generator and a discriminator."""
    return (
        networks.mlp_generator(4, (6, 6, 1), widths=(8,)),
        networks.mlp_discriminator((6, 6, 1), widths=(8,)),
    )


@pytest.fixture(scope="module")
def saved(pair, tmp_path_factory):
    """The members of an ordinary file."""
    path = tmp_path_factory.mktemp("saved") / "generator.keras"
    pair[0].save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def put(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


# --- Saving --------------------------------------------------------------------------------------


class Unregistered(keras.layers.Layer):
    """A layer that Keras knows nothing of."""

    def call(self, inputs):
        return inputs


def through(layer, generator):
    return keras.Model(generator.inputs, layer(generator.outputs[0]))


def test_a_state_is_kept_where_a_network_cannot_be_written(pair, tmp_path, monkeypatch):
    gan = GAN(*pair)

    def full(path):
        raise RuntimeError("Can't write data (no space left)")

    monkeypatch.setattr(gan.generator, "save", full)
    with pytest.raises(OSError, match=r"generator\.keras"):
        gan.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


@pytest.mark.parametrize(
    "layer", [Unregistered(name="odd"), keras.layers.Lambda(lambda x: x, name="odd")]
)
def test_networks_that_will_not_open_again_are_told_of(layer, pair, tmp_path):
    generator, discriminator = pair
    with pytest.warns(UserWarning, match=r"generator\.keras .*\bodd\b"):
        GAN(through(layer, generator), discriminator).save(tmp_path)


def test_no_array_is_read_before_all_fit(tmp_path, monkeypatch):
    """A file cannot make its reader allocate more than the variables have."""
    path = tmp_path / "state.npz"
    write_state(path, {"a": np.ones(3, np.float32), "b": np.zeros(10**6, np.float32)})
    variables = {"a": tf.Variable(np.zeros(3, "f4")), "b": tf.Variable(np.zeros(2, "f4"))}
    kinds = {"a": tf.Variable([1, 2, 3]), "b": tf.Variable(np.zeros(10**6, "f4"))}
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("was read"))
    with pytest.raises(ValueError, match=r"'b' has shape \(1000000,\) .* there and shape \(2,\)"):
        read_state(path, variables)
    with pytest.raises(ValueError, match="'b' is only in the file"):
        read_state(path, {"a": variables["a"]})
    with pytest.raises(ValueError, match=r"'a' .*dtype float32 there and .*dtype int32 here"):
        read_state(path, kinds)


def test_a_record_is_not_unpacked_to_more_than_its_file(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "step.npz", meta=np.full(10**7, 32, np.uint8))
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("was read"))
    with pytest.raises(DamagedError, match=r"step\.npz"):
        read_meta(tmp_path / "step.npz")


# --- Networks from elsewhere ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conditional_dcgan", "mini_biggan", "stacked_small", "vae"])
def test_the_networks_of_recipes_open(name, tmp_path):
    model = recipes.get(name).build((28, 28, 1))
    model.save(tmp_path)
    for path in tmp_path.glob("*.keras"):
        load_model(path)
    again = load_model(tmp_path / "generator.keras")
    for mine, its in zip(model.ema_generator.weights, again.weights, strict=True):
        np.testing.assert_array_equal(mine, its)


def trap(sprung):
    """Parts of a description that ran code in one version of Keras or another, or try to."""
    touch = f"import pathlib; pathlib.Path({str(sprung)!r}).touch()"

    def part(module, kind, config=None, **more):
        return {"module": module, "class_name": kind, "config": config or {}, **more}

    get_file = {"origin": sprung.as_uri(), "cache_dir": str(sprung.parent)}
    called = {"function": part("keras", "utils.get_file"), "arguments": get_file}
    return {
        "module": part("os", "function", "system", registered_name="x"),
        "exec": part("builtins2", "exec", {"source": touch}),
        "function": part("keras.utils", "function", "get_file", registered_name="get_file"),
        "deserialize as a function": part("keras.layers", "function", "deserialize"),
        "deserialize as a class": part("keras.layers", "deserialize"),
        "load_model as a class": part("keras.models", "load_model"),
        "Popen": part("keras.layers", "Dense", {"activation": part("subprocess", "Popen")}),
        "dotted TFSMLayer": part("keras", "layers.TFSMLayer", {"filepath": str(sprung)}),
        "dotted Lambda": part("keras", "layers.Lambda", called),
        "TFSMLayer": part("keras.layers", "TFSMLayer", {"filepath": str(sprung)}),
        "Lambda": part("keras.layers", "Lambda", called),
        "registered": part(None, "x", registered_name="keras>Lambda"),
        "__lambda__": part("builtins", "__lambda__", {"code": touch}),
        "lookup": part("keras.layers", "StringLookup", {"vocabulary": str(sprung)}),
        "wrapped": part("keras.layers", "TimeDistributed", {"layer": part("os", "system")}),
        "no module": {"class_name": "Lambda", "config": called},
        "no name": part("keras.layers", ["Dense"]),
        "main of gantut": part("gantut.cli", "main"),
    }


@pytest.mark.parametrize("place", ["layer", "activation", "compile_config", "build_config"])
def test_a_description_that_could_run_code_is_not_opened(place, saved, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("Keras saw it"))
    for name, part in trap(tmp_path / "sprung").items():
        config = json.loads(saved["config.json"])
        if place == "layer":
            config["config"]["layers"][1] |= part
        elif place == "activation":
            config["config"]["layers"][1]["config"]["activation"] = part
        else:
            config[place] = {"x": [part]}
        path = put(tmp_path / "x.keras", {**saved, "config.json": json.dumps(config)})
        with pytest.raises(ValueError, match="asks for"):
            load_model(path)
        assert not (tmp_path / "sprung").exists(), name


def test_a_lambda_is_not_opened_even_where_all_is_trusted(tmp_path):
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Lambda(lambda z: z)(inputs)).save(tmp_path / "x.keras")
    keras.config.enable_unsafe_deserialization()
    try:
        with pytest.raises(ValueError, match="asks for 'Lambda'"):
            load_model(tmp_path / "x.keras")
    finally:
        global_state.set_global_attribute("safe_mode_saving", True)


def weights(**options):
    """Weights that are declared in one way or another."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        group = file.create_group("layers/dense/vars")
        if "link" in options:
            group["0"] = options["link"]
        else:
            group.create_dataset("0", dtype="f4", **options)
    return content.getvalue()


@pytest.mark.parametrize(
    "options",
    [
        {"shape": (8, 64), "external": [("/etc/passwd", 0, 2048)]},
        {"shape": (30000, 30000), "chunks": (1000, 1000), "compression": "gzip"},
        {"shape": (10**9,), "chunks": (10**6,)},
        {"link": h5py.ExternalLink("/etc/passwd", "/x")},
        {"link": h5py.SoftLink("/layers")},
    ],
)
def test_weights_that_are_not_in_the_file_are_not_read(options, saved, tmp_path):
    path = put(tmp_path / "x.keras", {**saved, "model.weights.h5": weights(**options)})
    with pytest.raises(ValueError, match="weights '0'"):
        load_model(path)


def test_files_that_would_grow_are_not_opened(saved, tmp_path):
    path = tmp_path / "x.keras"
    put(path, saved, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="not compressed"):
        load_model(path)
    put(path, {**saved, "assets/x": b"0"})
    with pytest.raises(ValueError, match="wanted"):
        load_model(path)
    put(path, {**saved, "config.json": b" " * 2**25})
    with pytest.raises(ValueError, match=r"config\.json is longer"):
        load_model(path)
    for content in (b"", b"PK", b"\x89HDF\r\n\x1a\n"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="cannot be read as a Keras model"):
            load_model(path)


def dense(config, number=0):
    layers = config["config"]["layers"]
    return [layer for layer in layers if layer["class_name"] == "Dense"][number]


def huge_layer(config):
    dense(config)["config"]["units"] = 2 * 10**8


def huge_product(config):
    """Layers of which none is large, and their weights are."""
    for number in range(2):
        dense(config, number)["config"]["units"] = 20_000
        dense(config, number).pop("build_config")
    config["config"]["layers"] = [
        layer for layer in config["config"]["layers"] if layer["class_name"] != "Reshape"
    ]
    config["config"]["output_layers"] = [dense(config, 1)["name"], 0, 0]


def huge_layer_that_leads_nowhere(config):
    aside = json.loads(json.dumps(dense(config)))
    aside["name"] = aside["config"]["name"] = "aside"
    aside["config"]["units"] = 10**9
    config["config"]["layers"].append(aside)


def huge_input_of_a_layer(config):
    dense(config)["build_config"] = {"input_shape": [None, 10**9]}


def huge_constant(config):
    value = {"class_name": "__tensor__", "config": {"value": [0.0], "dtype": "float32"}}
    config["config"]["layers"].append(
        {
            "module": "keras.src.ops.numpy",
            "class_name": "Tile",
            "config": {"repeats": [10**9], "name": "aside"},
            "registered_name": "Tile",
            "name": "aside",
            "inbound_nodes": [{"args": [value], "kwargs": {}}],
        }
    )


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (huge_layer, "pixels"),
        (huge_product, "400,"),
        (huge_layer_that_leads_nowhere, "5,000,"),
        (huge_input_of_a_layer, "dense"),
        (huge_constant, "'aside'"),
    ],
)
def test_layers_larger_than_their_file_are_not_made(change, word, saved, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: pytest.fail("Keras made it"))
    monkeypatch.setattr(tf, "tile", lambda *_, **__: pytest.fail("was computed"))
    config = json.loads(saved["config.json"])
    change(config)
    path = put(tmp_path / "x.keras", {**saved, "config.json": json.dumps(config)})
    with pytest.raises(ValueError, match=word):
        load_model(path)


def test_the_innermost_cause_is_told(saved, tmp_path):
    config = json.loads(saved["config.json"])
    config["config"]["layers"][1]["config"]["units"] = "many"
    path = put(tmp_path / "x.keras", {**saved, "config.json": json.dumps(config)})
    with pytest.raises(ValueError, match="many"):
        load_model(path)
