"""Training on several replicas is training on one, up to rounding."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tiny

from gantut import distribution, networks
from gantut._keras import tf
from gantut.gan import GAN

TRAIN = """
import json, sys

import keras
import numpy as np
import tensorflow as tf

devices, cases = int(sys.argv[1]), sys.argv[2:]
if devices:
    cpu = tf.config.list_physical_devices("CPU")[0]
    pieces = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(cpu, pieces)
import gantut
from gantut import distribution, networks, optimizers, recipes

if devices > 1:
    strategy = distribution.make_strategy(devices)
elif devices == 0:
    strategy = distribution.make_strategy(workers=True)
else:
    strategy = tf.distribute.get_strategy()
lazy = {"loss": "relativistic", "penalties": {"r1": 0.3, "r2": 0.3}, "penalty_every": 2}
x = np.random.default_rng(0).uniform(-1, 1, (640, 4, 4, 1)).astype("float32")


def train(steps, batch_norm=False, optimizer=optimizers.FusedAdam, rate=1e-3, **settings):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        generator = networks.mlp_generator(
            latent_dim=8, image_shape=(4, 4, 1), widths=(16,), batch_norm=batch_norm
        )
        discriminator = networks.mlp_discriminator((4, 4, 1), widths=(16,))
        model = gantut.GAN if devices == 1 else distribution.ReplicatedGAN
        gan = model(generator, discriminator, seed=3, **settings)
        gan.compile(optimizer(rate), optimizer(rate), steps_per_execution=5)
    weights = {"first": [w.tolist() for w in gan.generator.get_weights()]}
    batches = recipes.batches(x, batch_size=64, seed=0).take(steps)
    history = gan.fit(
        distribution.share_batches(batches, strategy),
        steps_per_epoch=steps,
        shuffle=False,
        verbose=0,
    ).history
    replicas = [
        len({np.asarray(part).tobytes() for part in strategy.experimental_local_results(v.value)})
        for v in gan.variables
        if v.dtype == "float32"
    ]
    for name in ("generator", "discriminator", "ema_generator"):
        weights[name] = [w.tolist() for w in getattr(gan, name).get_weights()]
    return {
        "weights": weights,
        "history": history,
        "step": int(gan.step_counter.numpy()),
        "different replicas": max(replicas),
        "replicas": strategy.num_replicas_in_sync,
    }


CASES = {
    "lazy": lambda: train(3, ema=0.9, **lazy),
    # A step of SGD with rate 1 is the gradient.
    "gradient": lambda: train(
        1, optimizer=keras.optimizers.SGD, rate=1.0, loss="wasserstein", penalties={"wgan_gp": 10.0}
    ),
    "batch_norm": lambda: train(1, batch_norm=True),
}
print("RESULT" + json.dumps({case: CASES[case]() for case in cases}))
"""


def start(*arguments, **environment):
    command = [sys.executable, "-c", TRAIN, *map(str, arguments)]
    return subprocess.Popen(
        command,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def result(process):
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]
    return json.loads(said.split("RESULT")[1])


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("localhost", 0))
        return [one.getsockname()[1] for one in sockets]


def assert_same(found, wanted, replicas):
    assert (found["replicas"], wanted["replicas"]) == (replicas, 1)
    assert found["step"] == wanted["step"] > 0
    assert found["different replicas"] == 1
    # Seen: differences up to 3e-7 in weights of size 1, and none in most.
    for name, arrays in wanted["weights"].items():
        for ours, theirs in zip(found["weights"][name], arrays, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=2e-6, err_msg=name)
    for name, values in wanted["history"].items():
        np.testing.assert_allclose(found["history"][name], values, rtol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def both():
    """What one device and what two made, side by side in time."""
    one, two = start(1, "lazy", "gradient"), start(2, "lazy", "gradient", "batch_norm")
    return result(one), result(two)


@pytest.fixture(scope="module")
def on_one(both):
    return both[0]


@pytest.fixture(scope="module")
def on_two(both):
    return both[1]


@pytest.mark.slow
def test_two_devices_take_the_steps_of_one(on_one, on_two):
    weights = on_one["lazy"]["weights"]
    assert np.abs(np.subtract(weights["generator"][0], weights["first"][0])).max() > 1e-3
    assert_same(on_two["lazy"], on_one["lazy"], replicas=2)


@pytest.mark.slow
def test_gradients_of_two_devices_are_those_of_one(on_one, on_two):
    assert_same(on_two["gradient"], on_one["gradient"], replicas=2)


@pytest.mark.slow
def test_two_workers_take_the_steps_of_one(on_one):
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    tasks = [{"type": "worker", "index": index} for index in range(2)]
    workers = [
        start(0, "lazy", TF_CONFIG=json.dumps({"cluster": cluster, "task": task})) for task in tasks
    ]
    for found in [result(worker) for worker in workers]:
        assert_same(found["lazy"], on_one["lazy"], replicas=2)


@pytest.mark.slow
def test_moving_statistics_are_the_mean_of_the_replicas(on_two):
    found = on_two["batch_norm"]
    assert found["different replicas"] == 1
    kernel = np.array(found["weights"]["first"][0])
    # The first draw goes to D's step, whose batch leaves no trace in G's statistics.
    z = tf.random.stateless_normal((64, 8), seed=(3, 1)).numpy()
    halves = np.split(z @ kernel, 2)
    _, _, _, mean, variance = map(np.array, found["weights"]["generator"][:5])
    np.testing.assert_allclose(mean, 0.1 * np.mean([h.mean(axis=0) for h in halves], 0), atol=1e-6)
    expected = 0.9 + 0.1 * np.mean([h.var(axis=0) for h in halves], axis=0)
    np.testing.assert_allclose(variance, expected, atol=1e-6)


def test_a_recipe_makes_a_gan_of_replicas_where_a_strategy_is_in_scope():
    strategy = distribution.make_strategy(1)
    with strategy.scope():
        gan = tiny.recipe().build((4, 4, 1))
    assert type(gan) is distribution.ReplicatedGAN
    gan.fit(tiny.images(32, 4), batch_size=16, verbose=0)
    assert gan.step_counter.numpy() == 2
    assert type(tiny.recipe().build((4, 4, 1))) is GAN


def test_what_trains_on_one_device_is_refused_on_several(monkeypatch):
    gan = tiny.recipe().build((4, 4, 1))
    monkeypatch.setattr(type(gan), "distribute_strategy", _Replicas)
    with pytest.raises(ValueError, match="ReplicatedGAN"):
        gan.fit(tiny.images(32, 4), verbose=0)


def test_one_device_needs_no_sharing():
    dataset = tf.data.Dataset.from_tensor_slices(np.zeros((4, 2), "float32")).batch(2)
    assert distribution.share_batches(dataset, tf.distribute.get_strategy()) is dataset


class _Replicas:
    num_replicas_in_sync = 3


@pytest.mark.parametrize("batch", [64, 2])
def test_batches_that_cannot_be_shared_are_named(batch):
    dataset = tf.data.Dataset.from_tensors(np.zeros((batch, 2), "float32"))
    with pytest.raises(ValueError, match=f"batches of {batch} samples .* 3 replicas"):
        distribution.share_batches(dataset, _Replicas())


@pytest.mark.parametrize("devices", [0, -1, 1.5, True, "2"])
def test_devices_must_be_a_positive_integer(devices):
    with pytest.raises((ValueError, TypeError), match="devices must be an integer >= 1"):
        distribution.make_strategy(devices)


def test_more_devices_than_there_are_is_an_error():
    with pytest.raises(ValueError, match=r"devices=999, but TensorFlow sees \d+ of kind"):
        distribution.make_strategy(999)


def test_workers_take_no_number_of_devices():
    with pytest.raises(ValueError, match="wanted no devices, got 2"):
        distribution.make_strategy(2, workers=True)


@pytest.mark.parametrize(
    ("name", "value"), [("d_steps", 2), ("unroll_steps", 1), ("simultaneous", True)]
)
def test_what_is_not_defined_on_replicas_is_refused(name, value):
    generator = networks.mlp_generator(4, (4, 4, 1), widths=(3,))
    discriminator = networks.mlp_discriminator((4, 4, 1), widths=(3,))
    with pytest.raises(ValueError, match=name):
        distribution.ReplicatedGAN(generator, discriminator, **{name: value})


def gantut(*arguments, index=None, cluster=None):
    """The command in a process of its own; with ``index``, as that worker of the cluster."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    if index is not None:
        task = {"type": "worker", "index": index}
        environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
    return subprocess.Popen(
        [sys.executable, "-m", "gantut", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def weights_in(folder):
    with np.load(folder / "state.npz") as state:
        return {name: state[name] for name in state.files}


def workers(folder, images, *more):
    """Two workers that train together."""
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    command = ["train", "mlp", "--out", folder, "--data", images, "--steps", 40, "--samples", 0]
    command += ["--checkpoint-every", 10, "--workers", *more]
    return [gantut(*command, index=index, cluster=cluster) for index in range(2)]


def finish(processes):
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-3000:]


@pytest.fixture(scope="module")
def images_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "images.npz"
    images = np.random.default_rng(0).uniform(-1, 1, (256, 8, 8, 1)).astype("float32")
    np.savez(path, images=images)
    return path


@pytest.mark.long
def test_killed_workers_go_on_from_the_checkpoint_that_both_have(tmp_path, images_file):
    finish(workers(tmp_path / "whole", images_file))
    killed = workers(tmp_path / "killed", images_file)
    second = tmp_path / "killed/worker-1/checkpoints"
    deadline = time.monotonic() + 200
    while not list(second.glob("step-*20.npz")):
        assert time.monotonic() < deadline
        assert killed[1].poll() is None
        time.sleep(0.02)
    for process in reversed(killed):
        process.kill()
        process.wait()
    # As if the second had died before it wrote its last one.
    newest = max(second.glob("step-*.npz"))
    newest.unlink()
    left = {path.name for path in second.glob("step-*.npz")}
    assert left
    finish(workers(tmp_path / "killed", images_file, "--resume"))
    found, wanted = weights_in(tmp_path / "killed"), weights_in(tmp_path / "whole")
    assert json.loads((tmp_path / "killed/run.json").read_text())["steps"] == 40
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    other = weights_in(tmp_path / "killed/worker-1")
    assert all(np.array_equal(other[name], value) for name, value in wanted.items())


@pytest.mark.slow
def test_the_command_trains_on_devices(tmp_path, images_file):
    command = ["train", "mlp", "--data", images_file, "--steps", 4, "--samples", 0]
    finish([gantut(*command, "--out", tmp_path / "two", "--devices", 2)])
    finish([gantut(*command, "--out", tmp_path / "one")])
    assert json.loads((tmp_path / "two/run.json").read_text())["replicas"] == 2
    found, wanted = weights_in(tmp_path / "two"), weights_in(tmp_path / "one")
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("text", ["[]", "{", '{"task": {"index": "x"}}'])
def test_a_tf_config_that_is_none_is_told(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=r"TF_CONFIG must be like .*, got"):
        distribution.worker_index()
