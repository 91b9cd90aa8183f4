"""What surrounds a step, of a GAN and of a VAE: the data's doors, files, verbs and callbacks."""

import copy
import csv
import math
import os
import pickle
import warnings

import numpy as np
import pytest
import tiny
from states import assert_same_state, state

import gantut
from gantut import networks
from gantut._keras import keras, tf
from gantut.callbacks import StopOnDivergence
from gantut.stabilisers import Pack
from gantut.vae import VAE

layers = keras.layers
SHAPE = (4, 4, 1)


def make(kind="GAN", compiled=True, eager=True, seed=0, classes=None, width=3, **settings):
    """A GAN or a VAE of images of 4 x 4 pixels."""
    keras.utils.set_random_seed(seed)
    if kind == "VAE":
        model = VAE(
            networks.mlp_encoder(2, SHAPE, widths=(width,), variational=True),
            networks.mlp_generator(2, SHAPE, widths=(width,)),
            **settings,
        )
    else:
        generator = networks.mlp_generator(2, SHAPE, widths=(width,), num_classes=classes)
        discriminator = networks.mlp_discriminator(SHAPE, widths=(width,), num_classes=classes)
        model = gantut.GAN(generator, discriminator, **settings)
    if compiled:
        model.compile(run_eagerly=eager)
    return model


def images(n=10, scale=1.0, dtype=np.float32):
    return (scale * tiny.images(n, 4)).astype(dtype)


def batched(*arrays, size=4):
    return tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0]).batch(size)


class Batches(keras.utils.PyDataset):
    """Arrays in batches of 4, as Keras' own kind of dataset."""

    def __init__(self, *arrays):
        super().__init__()
        self.arrays = arrays

    def __len__(self):
        return math.ceil(len(self.arrays[0]) / 4)

    def __getitem__(self, i):
        return tuple(array[4 * i : 4 * i + 4] for array in self.arrays)


def generated(*arrays):
    yield from Batches(*arrays)


# --- Data --------------------------------------------------------------------------------------


def with_nan():
    x = images()
    x[6, 1, 2, 0] = np.nan
    return x


BAD = {
    "None": (lambda: None, "samples"),
    "other size": (lambda: np.zeros((10, 5, 5, 1), np.float32), r"\(n, 4, 4, 1\), got \(10, 5, 5"),
    "colour": (lambda: np.zeros((10, 4, 4, 3), np.float32), r"got \(10, 4, 4, 3\)"),
    "no channel": (lambda: np.zeros((10, 4, 4), np.float32), r"got \(10, 4, 4\)"),
    "bytes": (lambda: np.full((10, *SHAPE), 200, np.uint8), "uint8"),
    "double": (lambda: images(dtype=np.float64), "float64"),
    "list of doubles": (lambda: images().tolist(), "float64"),
    "0..255": (lambda: 127.5 * (images() + 1), r"\[-1, 1\]"),
    "NaN": (with_nan, "NaN"),
    "empty": (lambda: images(0), "at least one"),
    "tensor": (lambda: tf.constant(images(scale=9.0)), r"\[-1, 1\]"),
    "empty dataset": (lambda: batched(images()).take(0), "empty"),
    "empty generator": (lambda: iter(()), "empty"),
    "dataset of bytes": (lambda: batched(np.zeros((9, *SHAPE), np.uint8)), "uint8"),
    "dataset not batched": (lambda: batched(images()).unbatch(), r"got \(4, 4, 1\)"),
    "PyDataset": (lambda: Batches(images(scale=255.0)), r"\[-1, 1\]"),
    "PyDataset of NaN": (lambda: Batches(with_nan()[4:]), "NaN"),
    "generator": (lambda: generated(images(scale=255.0)), r"\[-1, 1\]"),
}


@pytest.fixture(scope="module")
def models():
    return {kind: make(kind) for kind in ("GAN", "VAE")}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("model", ["GAN", "VAE"])
def test_bad_images_are_refused_before_anything_moves(models, model, kind):
    make_x, message = BAD[kind]
    x, model = make_x(), models[model]
    before = state(model)
    sized = x is None or isinstance(x, list) or hasattr(x, "__array__")
    with pytest.raises(ValueError, match=message):
        model.fit(x, verbose=0, **({"batch_size": 4} if sized else {}))
    assert_same_state(state(model), before)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "needs integer labels y"),
        (np.array([0, 1, 2]), r"shape \(10,\)"),
        (np.arange(10), r"0\.\.2, got 0\.\.9"),
        (np.arange(10) % 3 - 1, r"got -1\.\.1"),
        (np.arange(10) % 3 + 0.0, "float64"),
        (np.eye(3, dtype=np.int64)[np.arange(10) % 3], r"\(10, 3\)"),
    ],
    ids=["none", "few", "large", "negative", "float", "one-hot"],
)
def test_bad_labels(y, message):
    gan = make(classes=3)
    given = [(images(), y)]
    if y is None or len(y) == 10:
        arrays = [images(), *([] if y is None else [y])]
        given += [(batched(*arrays, size=10), None), (generated(*arrays), None)]
        given += [(Batches(*arrays), None)]
    for x, labels in given:
        with pytest.raises(ValueError, match=r"labels" if x is not given[0][0] else message):
            gan.fit(x, labels, verbose=0)
    assert int(gan.step_counter) == 0


class Tensor:
    """What torch's tensors and NumPy have in common."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)


class Loader:
    """Batches as a torch DataLoader gives them: a list of tensors, or a tensor alone."""

    def __init__(self, *arrays):
        self.arrays = arrays

    def __len__(self):
        return math.ceil(len(self.arrays[0]) / 4)

    def __iter__(self):
        for batch in Batches(*self.arrays):
            parts = [Tensor(part) for part in batch]
            yield parts if len(parts) > 1 else parts[0]


def test_a_loader_of_another_library_is_a_dataset():
    x, y = images(10), np.arange(10) % 3
    for arrays, classes in (((x,), None), ((x, y), 3)):
        ends = []
        for data in (batched(*arrays), Loader(*arrays)):
            gan = make(classes=classes, seed=1)
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)
                gan.fit(data, epochs=2, verbose=0, shuffle=False)
            assert int(gan.step_counter) == 6
            ends.append(state(gan))
        assert_same_state(*ends)
    with pytest.raises(ValueError, match=r"\(10, 1, 4, 4\); move the channels last"):
        make().fit([image.transpose(2, 0, 1) for image in x])
    with pytest.raises(ValueError, match="empty"):
        make().fit(Loader(images(0)))


@pytest.mark.parametrize("data", [lambda: images(), "folder", {"x": images()}, 3, object()])
def test_what_is_no_data_is_refused_in_a_line(models, data):
    for model in models.values():
        with pytest.raises(TypeError, match=f"a generator .*; got {type(data).__name__}$"):
            model.fit(data)


@pytest.mark.parametrize("kind", [batched, Batches, generated, Loader])
@pytest.mark.parametrize("wrong", [np.nan, 1.5, -np.inf])
def test_a_later_batch_is_looked_at_before_anything_is_learned_of_it(kind, wrong):
    x = images(12)
    x[9, 2, 1, 0] = wrong
    gan, good = make(), make()
    said = r"(?s)images must be in \[-1, 1\].*up to\W+(nan|1\.5|inf)\W.*of step\W+2$"
    with pytest.raises(tf.errors.InvalidArgumentError, match=said):
        gan.fit(kind(x), verbose=0, shuffle=False)
    good.fit(batched(images(12)[:8]), verbose=0, shuffle=False)
    assert_same_state(state(gan), state(good))


def test_a_later_batch_is_looked_at_in_graphs_and_by_a_vae():
    x = images(12)
    x[9] = 2.0
    for model in (make(eager=False), make("VAE")):
        with pytest.raises(tf.errors.InvalidArgumentError, match="images must be in"):
            model.fit(batched(x), verbose=0)


@pytest.mark.parametrize(("kind", "eager"), [(batched, False), (Batches, True), (generated, True)])
def test_a_label_out_of_range_in_a_later_batch_is_told(kind, eager):
    gan = make(classes=3, eager=eager)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"labels must be in 0\.\.2"):
        gan.fit(kind(images(8), np.array([0, 1, 2, 0, 1, 2, 3, 0])), verbose=0)


def test_labels_of_bytes_for_more_classes_than_a_byte_has():
    gan = make(classes=300)
    gan.fit(images(8), np.arange(8, dtype=np.uint8), verbose=0)
    assert gan.sample(2, labels=299).shape == (2, *SHAPE)


def test_labels_without_a_use_are_ignored_and_lists_are_arrays():
    ends = []
    x, y = images(8), np.array([0, 1] * 4)
    for given in ((x, None), (list(x), list(y)), (batched(x, y), None), (Batches(x, y), None)):
        model = make(seed=1)
        model.fit(*given, batch_size=4 if len(given[0]) == 8 else None, verbose=0, shuffle=False)
        ends.append(state(model))
    for end in ends[1:]:
        assert_same_state(end, ends[0])


def test_a_batch_larger_than_the_data_is_all_of_it():
    ends = []
    for size in (8, 3):
        model = make(seed=1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(images(3), batch_size=size, verbose=0, shuffle=False)
        said = [str(w.message) for w in caught if "batch_size" in str(w.message)]
        assert said == ["batch_size 8 is more than the 3 samples: a batch holds 3"] * (size > 3)
        ends.append(state(model))
    assert_same_state(*ends)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((n, 1) for n in ("sample_weight", "class_weight", "validation_data", "validation_split")),
        *(("batch_size", value) for value in (0, -1, 2.0)),
    ],
)
def test_arguments_of_fit_that_mean_nothing_here(models, name, value):
    for model in models.values():
        with pytest.raises((ValueError, TypeError), match=name):
            model.fit(images(), **{name: value})


def test_numbers_of_numpy_are_numbers():
    ends = []
    for number in (int, np.int64):
        model = make(seed=0, penalty_every=number(2), d_steps=number(2), unroll_steps=number(0))
        model = gantut.GAN(model.generator, model.discriminator, seed=number(3))
        model.compile(run_eagerly=True, steps_per_execution=number(1))
        model.fit(images(8), batch_size=number(4), verbose=0, shuffle=False)
        ends.append(model.seed_generator.state.numpy())
    assert np.array_equal(*ends)


def test_a_last_batch_that_d_cannot_judge_is_told_before_the_first():
    x = keras.Input(SHAPE)
    judge = keras.Model(x, layers.Dense(1)(layers.Flatten()(Pack(2)(x))))
    gan = gantut.GAN(networks.mlp_generator(2, SHAPE, widths=(3,)), judge)
    gan.compile(run_eagerly=True)
    with pytest.raises(ValueError, match=r"Pack\(2\) got 3 rows"):
        gan.fit(images(7), batch_size=4, verbose=0)
    assert int(gan.step_counter) == 0
    gan.fit(images(6), batch_size=4, verbose=0)


# --- Data of unknown length --------------------------------------------------------------------

UNKNOWN = {
    "filtered": lambda x: (batched(x).filter(lambda _: True), {}),
    "generator": lambda x: (
        (batch for _ in range(2) for batch in generated(x)),
        {"steps_per_epoch": 3},
    ),
    "too short": lambda x: (
        batched(x).repeat(2).filter(lambda _: True),
        {"steps_per_epoch": 4, "epochs": 2},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("model", ["GAN", pytest.param("VAE", marks=pytest.mark.slow)])
def test_data_that_does_not_tell_its_length_is_trained_on_as_if_it_did(model):
    """To the bit: no step is counted, no number drawn and nothing averaged at its end."""
    settings = {"penalties": {"r1": 0.1}, "penalty_every": 2, "d_steps": 2, "ema": 0.9}
    trained = make(model, eager=False, **(settings if model == "GAN" else {}))
    start = state(trained)

    def train(data, **options):
        for name, variable in trained.state().items():
            variable.assign(start[name])
        history = trained.fit(data, verbose=0, shuffle=False, **{"epochs": 2} | options).history
        return history, state(trained)

    wanted, end = train(batched(images(12)))
    assert int(trained.step_counter) == 6
    for name, given in UNKNOWN.items():
        data, options = given(images(12))
        history, found = train(data, **options)
        assert_same_state(found, end)
        if name != "too short":  # whose epochs have four steps and two
            assert history == wanted


# --- Files -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_restored_model_goes_on_as_if_nothing_had_happened(tmp_path):
    for kind, files in (("GAN", ["discriminator", "generator"]), ("VAE", ["encoder", "generator"])):
        settings = {"ema": 0.9, "d_steps": 2} if kind == "GAN" else {"likelihood": "normal"}
        model, other = (make(kind, seed=seed, **settings) for seed in (0, 1))
        folder = tmp_path / kind
        model.fit(images(12), batch_size=4, verbose=0, shuffle=False)
        model.save(folder, overwrite=False)
        assert sorted(os.listdir(folder)) == [*(f"{name}.keras" for name in files), "state.npz"]
        saved, samples = state(model), model.sample(5, seed=0)
        other.restore(folder)
        assert_same_state(state(other), saved)
        np.testing.assert_array_equal(other.sample(5, seed=0), samples)
        for each in (model, other):
            each.fit(images(12), batch_size=4, verbose=0, shuffle=False)
        assert_same_state(state(other), state(model))
        changed = {k.split("/")[0] for k, v in state(model).items() if (v != saved[k]).any()}
        assert changed == {key.split("/")[0] for key in saved}
        # They are plain Keras, and so is the one file that is asked for by its name.
        model.save(folder / "alone.keras")
        for name in ("generator", "alone"):
            loaded = keras.models.load_model(folder / f"{name}.keras")
            z = np.random.default_rng(0).standard_normal((5, 2), dtype=np.float32)
            wanted = samples if name == "generator" else model.sample(5, seed=0)
            np.testing.assert_allclose(loaded(z, training=False), wanted, atol=1e-6)
        for path in (folder, folder / "alone.keras"):
            with pytest.raises(FileExistsError, match="overwrite=True"):
                model.save(path, overwrite=False)


def test_damaged_states_change_nothing(tmp_path):
    gan = make(ema=0.9)
    gan.save(tmp_path)
    path = tmp_path / "state.npz"
    whole = path.read_bytes()
    gan.fit(images(8), verbose=0)
    before = state(gan)
    middle = bytearray(whole)
    middle[whole.index(b"NUMPY") + 130] ^= 0xFF  # a bit of a number, caught by the checksum
    for damaged in (b"", b"hello", whole[:50], whole[: len(whole) // 2], whole[:-1], middle):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"state\.npz is damaged: ") as caught:
            gan.restore(tmp_path)
        assert "pickle" not in str(caught.value)
        assert_same_state(state(gan), before)
    np.savez(path, **{"generator/000": np.array([{}], dtype=object)})
    with pytest.raises(ValueError, match=r"state\.npz is damaged"):
        gan.restore(tmp_path)


def dropping():
    """The pair of `make` with a layer more in D."""
    gan = make(compiled=False, ema=0.9)
    x = keras.Input(SHAPE)
    judge = keras.Model(x, gan.discriminator(layers.Dropout(0.5)(x)))
    other = gantut.GAN(gan.generator, judge, ema=0.9)
    other.compile()
    return other


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: make(ema=0.9, width=5), r"'generator/000' has shape \(2, 3\) of"),
        (lambda: make(), "'ema_generator/000' is only in the file"),
        (dropping, "is only in this model"),
        (lambda: make("VAE"), "is only in"),
        (lambda: make(compiled=False, ema=0.9), "compile the GAN first"),
    ],
    ids=["width", "no average", "dropout", "VAE", "not compiled"],
)
def test_states_of_other_models_change_nothing(tmp_path, other, message):
    make(ema=0.9).save(tmp_path)
    model = other()
    before = state(model)
    with pytest.raises(ValueError, match=message):
        model.restore(tmp_path)
    assert_same_state(state(model), before)


def test_a_file_in_the_place_of_a_folder(tmp_path, models):
    (tmp_path / "mine").write_text("mine")
    for act in (models["GAN"].save, models["GAN"].restore):
        with pytest.raises(NotADirectoryError, match="mine is a file"):
            act(tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "mine"
    with pytest.raises(FileNotFoundError, match=r"state\.npz"):
        models["GAN"].restore(tmp_path)


# --- What is given to a model ------------------------------------------------------------------


@keras.saving.register_keras_serializable("tests")
class Unsaid(layers.Layer):
    """A layer that Keras cannot write down."""

    def __init__(self, inner):
        super().__init__(name="unsaid")
        self.inner = inner

    def call(self, x):
        return self.inner(x)


def unsaid():
    x = keras.Input(SHAPE)
    return keras.Model(x, layers.Dense(1)(layers.Flatten()(Unsaid(layers.Dense(2))(x))))


class Subclassed(keras.Model):
    """A model of which nobody knows what goes in."""


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Subclassed, "Subclassed"),
        (lambda: keras.Sequential([layers.Dense(1)]), "Sequential"),
        (lambda: None, "NoneType"),
        (unsaid, "layer 'unsaid' of the discriminator"),
    ],
    ids=["subclassed", "no input", "none", "no get_config"],
)
def test_networks_that_could_not_be_looked_into_or_saved(network, message):
    with pytest.raises(TypeError, match=message):
        gantut.GAN(networks.mlp_generator(2, SHAPE, widths=(3,)), network())


def test_optimizers_by_name_by_configuration_or_one_for_each():
    gan = make(compiled=False)
    config = keras.optimizers.serialize(keras.optimizers.SGD(0.25))
    gan.compile("adam", config)
    assert type(gan.d_optimizer) is keras.optimizers.Adam
    assert float(gan.g_optimizer.learning_rate) == 0.25
    gan.compile("adam", "adam")
    assert gan.d_optimizer is not gan.g_optimizer
    gan.compile(gan.d_optimizer, gan.g_optimizer)  # again, for the same weights
    shared = keras.optimizers.Adam()
    for arguments, named in (
        ({"d_optimizer": shared, "g_optimizer": shared}, "the same object"),
        ({"d_optimizer": keras.optimizers.Adam}, "d_optimizer"),
        ({"g_optimizer": 1e-3}, "g_optimizer"),
        ({"d_optimizer": "adamm"}, "adamm"),
        ({"optimizer": "adam"}, "d_optimizer and g_optimizer"),
        ({"d_optimizer": make().d_optimizer}, "d_optimizer moves other weights"),
        *(({"steps_per_execution": n}, "steps_per_execution") for n in (0, 2.5, "auto")),
    ):
        with pytest.raises((ValueError, TypeError), match=named):
            gan.compile(**arguments)
    with pytest.raises(TypeError, match="loss"):
        make("VAE", compiled=False).compile("adam", loss="mse")


# --- Keras' verbs and callbacks ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        (lambda model, x: model.evaluate(x), r"gantut\.evaluate"),
        (lambda model, x: model.test_on_batch(x), r"gantut\.evaluate"),
        (lambda model, x: model.get_config(), r"save\(folder\)"),
        (lambda model, x: type(model).from_config({}), r"restore\(folder\)"),
        (lambda model, x: model.to_json(), r"save\(folder\)"),
        (lambda model, x: model.export("x"), r"gantut\.export"),
        (lambda model, x: keras.models.clone_model(model), r"save\(folder\)"),
        (lambda model, x: pickle.dumps(model), r"save\(folder\)"),
        (lambda model, x: copy.deepcopy(model), r"save\(folder\)"),
    ],
)
def test_verbs_without_a_meaning_say_what_to_call(models, verb, says):
    for model in models.values():
        with pytest.raises(NotImplementedError, match=says):
            verb(model, images())


def trained_with(callback, epochs=2, **settings):
    """The GAN, the number of epochs, and what was warned of beside what Keras says itself."""
    gan = make(**settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        done = gan.fit(images(4), epochs=epochs, verbose=0, callbacks=[callback]).epoch
    said = [str(w.message) for w in caught if type(callback).__name__ in str(w.message)]
    return gan, len(done), said


def rates(gan):
    return [round(float(o.learning_rate), 7) for o in (gan.d_optimizer, gan.g_optimizer)]


def test_callbacks_that_do_what_they_always_do(tmp_path):
    _, _, said = trained_with(keras.callbacks.CSVLogger(tmp_path / "log.csv"))
    with (tmp_path / "log.csv").open() as file:
        header, *rows = csv.reader(file)
    assert not said
    assert {"d_loss", "g_loss", "d_real", "d_fake"} <= set(header)
    assert len(rows) == 2


def test_tensorboard_has_both_losses(tmp_path):
    pytest.importorskip("tensorboard")
    _, _, said = trained_with(keras.callbacks.TensorBoard(tmp_path, histogram_freq=1))
    assert not said
    records = [tf.compat.v1.train.summary_iterator(str(x)) for x in tmp_path.glob("*/*.v2")]
    tags = {value.tag for events in records for event in events for value in event.summary.value}
    assert {"epoch_d_loss", "epoch_g_loss", "logit/kernel/histogram"} <= tags


def test_early_stopping_needs_a_mean_and_a_direction():
    stop = keras.callbacks.EarlyStopping
    # d_loss cannot fall by 9 in an epoch.
    _, epochs, said = trained_with(stop("d_loss", mode="min", min_delta=9.0, patience=1), epochs=3)
    assert (epochs, said) == (2, [])
    _, epochs, said = trained_with(stop())
    assert epochs == 2
    assert "val_loss" in said[0]
    with pytest.warns(UserWarning, match="mode="), pytest.raises(ValueError, match="d_loss"):
        make().fit(images(4), verbose=0, callbacks=[stop("d_loss")])


def test_model_checkpoint_writes_the_generator_or_all_weights(tmp_path):
    checkpoint = keras.callbacks.ModelCheckpoint
    gan, _, said = trained_with(checkpoint(str(tmp_path / "{epoch}.keras")), ema=0.9)
    assert sorted(os.listdir(tmp_path)) == ["1.keras", "2.keras"]
    assert not said
    loaded = keras.models.load_model(tmp_path / "2.keras")
    for ours, theirs in zip(gan.ema_generator.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    path = str(tmp_path / "all.weights.h5")
    gan, _, said = trained_with(checkpoint(path, save_weights_only=True))
    assert not said
    other = make(seed=5)
    other.load_weights(path)
    for ours, theirs in zip(gan.weights, other.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_callbacks_of_one_rate_warn_that_it_is_gs():
    callbacks = keras.callbacks
    gan, _, said = trained_with(callbacks.LearningRateScheduler(lambda epoch: 0.5**epoch))
    assert rates(gan) == [2e-4, 0.5]
    assert "LearningRateSchedule" in said[0]
    falls = callbacks.ReduceLROnPlateau("d_loss", mode="min", min_delta=9.0, patience=1)
    gan, _, said = trained_with(falls)
    assert rates(gan)[0] == 2e-4 > rates(gan)[1]
    assert "one optimizer" in said[0]


def test_callbacks_that_cannot_do_what_their_name_says_name_what_can(tmp_path):
    callbacks = keras.callbacks
    lost = {
        "loss": gantut.losses.AdversarialLoss("lost", lambda r, f: f * math.nan, lambda f, r: f)
    }
    lost["loss"] = lost["loss"]._replace(
        discriminator=lambda r, f: tf.reduce_mean(f) * math.nan, generator=lambda f, r: f[0, 0]
    )
    _, epochs, said = trained_with(callbacks.TerminateOnNaN(), **lost)
    assert epochs == 2
    assert "StopOnDivergence" in said[0]
    assert trained_with(StopOnDivergence(), **lost)[1] == 1
    _, _, said = trained_with(callbacks.BackupAndRestore(tmp_path / "backup"))
    assert "Checkpoints" in said[0]
    _, _, said = trained_with(callbacks.SwapEMAWeights())
    assert "ema=" in said[0]


def test_a_vae_has_what_keras_callbacks_look_for():
    stop = keras.callbacks.TerminateOnNaN()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        make("VAE").fit(images(4), verbose=0, callbacks=[stop])
