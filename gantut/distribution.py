"""One training on several devices or machines: `tf.distribute` under the GAN's step.

Every replica keeps all variables, takes its rows of each batch, and the gradients are averaged
before either network moves (synchronous data parallelism). A training on N replicas is then the
training on one with the same batches, the same latent vectors and the same losses, up to the order
in which numbers are added. What looks at a batch as a whole cannot be so: batch normalisation takes
the statistics of a replica's rows (their moving averages are averaged), and so do the groups of
`gantut.stabilisers.MinibatchStdDev` and `Pack`; dropout draws one mask for all replicas.

::

    strategy = gantut.distribution.make_strategy(devices=2)
    with strategy.scope():
        gan = recipe.build(images.shape[1:])
    batches = gantut.recipes.batches(images, batch_size=64)
    shared = gantut.distribution.share_batches(batches, strategy)
    gan.fit(shared, steps_per_epoch=1000)
"""

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any, TypeAlias

from gantut import _check
from gantut._keras import Tensor, keras, tf
from gantut.gan import GAN, follow, move_towards

Strategy: TypeAlias = tf.distribute.Strategy


def make_strategy(devices: int | None = None, *, workers: bool = False) -> Strategy:
    """A strategy of TensorFlow for several devices; build the networks inside its ``scope()``.

    Args:
        devices: How many devices of this machine; all if None. GPUs if there are any. Else cores
            of the CPU, for trying it out: it takes longer than one device that uses them all, and
            TensorFlow divides the CPU before its first operation only.
        workers: One process of several, on this or on other machines, as the environment variable
            ``TF_CONFIG`` says; each uses all its devices.
    """
    if workers:
        if devices is not None:
            raise ValueError(f"workers use all their devices: wanted no devices, got {devices!r}")
        return tf.distribute.MultiWorkerMirroredStrategy()
    if devices is not None:
        devices = _check.integer(devices, "devices", 1)
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    if kind == "CPU" and devices is not None and 1 < devices <= (os.cpu_count() or 1):
        cpu = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration()] * devices
        with contextlib.suppress(RuntimeError):  # too late: there are as many as there are
            tf.config.set_logical_device_configuration(cpu, parts)
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    if devices is None:
        devices = len(found)
    if devices > len(found):
        raise ValueError(f"devices={devices}, but TensorFlow sees {len(found)} of kind {kind}")
    return tf.distribute.MirroredStrategy(found[:devices])


def share_batches(
    dataset: tf.data.Dataset, strategy: Strategy
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Gives each replica its rows of every batch: the first ones to the first replica.

    Args:
        dataset: Full batches of one size, the same in every process.
        strategy: That of `make_strategy`.

    Returns:
        A distributed dataset for ``fit``; ``dataset`` itself where there is one replica.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return dataset
    batch = tf.nest.flatten(dataset.element_spec)[0].shape[0]
    if batch is None or batch % replicas:
        raise ValueError(f"batches of {batch} samples cannot be shared among {replicas} replicas")
    share = batch // replicas

    def of_this_process(context: tf.distribute.InputContext) -> tf.data.Dataset:
        local = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * local * share

        def rows(*parts: Tensor) -> tf.data.Dataset:
            taken = tf.nest.map_structure(lambda x: x[first : first + local * share], parts)
            pieces = tf.nest.map_structure(
                lambda x: tf.reshape(x, [local, share, *x.shape[1:]]), taken
            )
            return tf.data.Dataset.from_tensor_slices(pieces if len(parts) > 1 else pieces[0])

        return dataset.flat_map(rows)

    return strategy.distribute_datasets_from_function(of_this_process)


def worker_index() -> int:
    """Which of several processes this is, as ``TF_CONFIG`` says; 0 where there is none."""
    text = os.environ.get("TF_CONFIG", "{}")
    try:
        return int(json.loads(text).get("task", {}).get("index", 0))
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f'TF_CONFIG must be like {{"cluster": {{"worker": ["host:port", ...]}}, "task": '
            f'{{"type": "worker", "index": 0}}}}, got {text!r}'
        ) from error


def newest_common(steps: list[int], strategy: Strategy) -> int | None:
    """The newest step of which every process has a checkpoint, or None; all call this at once."""
    most = 16  # as tensors of one length are gathered
    newest = sorted(steps, reverse=True)[:most]
    own = tf.constant([*newest, *[-1] * (most - len(newest))], tf.int64)
    everyone = strategy.gather(strategy.run(lambda: own), axis=0).numpy()
    lists = everyone.reshape(-1, most)
    common = set(lists[0]).intersection(*map(set, lists)) - {-1}
    return int(max(common)) if common else None


class ReplicatedGAN(GAN):
    """A `gantut.GAN` whose step several replicas take together, each on its rows of the batch.

    Make and compile it inside the strategy's ``scope()``; `gantut.recipes.Recipe.build` makes one
    there. D moves once in each step and G once after it, each by the replicas' mean gradient;
    ``d_steps``, ``unroll_steps`` and ``simultaneous`` are refused.
    """

    on_replicas = True

    def step(self, real: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """D's step, then G's, on this replica's rows of the batch."""

        def d_gradients(with_penalty: bool) -> tuple[Any, list[Tensor]]:
            return self._apart(lambda: self.discriminator_gradients(real, labels, with_penalty))

        step = tf.convert_to_tensor(self.step_counter)
        (*of_d, slopes), states = self.lazily(step, d_gradients)
        self._keep(states)
        self.d_optimizer.apply(_shares(slopes), self.discriminator.trainable_variables)
        (g_loss, slopes), states = self._apart(lambda: self.generator_gradients(real, labels))
        self._keep(states)
        self.g_optimizer.apply(_shares(slopes), self.generator.trainable_variables)
        self.update_average()
        self.step_counter.assign_add(1)
        self.trackers[1].update_state(g_loss)
        logs = self.track(*of_d)
        # Between workers Keras averages over rows.
        several = tf.distribute.MultiWorkerMirroredStrategy
        rows = isinstance(tf.distribute.get_strategy(), several)
        return {name: tf.reshape(v, [1]) if rows else v for name, v in logs.items()}

    def latents(self, n: Tensor) -> Tensor:
        """This replica's rows of the latent vectors that one device would draw for the batch."""
        return _own_rows(n, super().latents)

    def mixing_weights(self, n: Tensor) -> Tensor:
        """This replica's rows of the mixing weights that one device would draw for the batch."""
        return _own_rows(n, super().mixing_weights)

    def update_average(self) -> None:
        """Moves the averaged weights towards the present ones, on all replicas alike."""
        ema = self.ema
        if ema is None:
            return

        def update(strategy: Strategy) -> None:
            def move(average: keras.Variable, weight: keras.Variable, share: Tensor) -> None:
                strategy.extended.update(average.value, move_towards, args=(weight.value, share))

            follow(self.ema_generator, self.generator, ema, self.g_optimizer.iterations, move)

        tf.distribute.get_replica_context().merge_call(update)

    @property
    def _states(self) -> list[keras.Variable]:
        networks = self.discriminator, self.generator
        return [
            self.seed_generator.state,
            *(v for network in networks for v in network.non_trainable_variables),
        ]

    def _apart(self, act: Callable[[], Any]) -> tuple[Any, list[Tensor]]:
        """What ``act`` returns, and what it would make of moving statistics and random states."""
        now = [(v, tf.convert_to_tensor(v)) for v in self._states]
        with keras.StatelessScope(now) as scope:
            result = act()
        return result, [scope.get_current_value(v) for v in self._states]

    def _keep(self, values: list[Tensor]) -> None:
        """Gives all replicas the mean of what each would make of the states."""
        context = tf.distribute.get_replica_context()
        mean = tf.distribute.ReduceOp.MEAN
        values = [context.all_reduce(mean, v) if v.dtype.is_floating else v for v in values]

        def assign(strategy: Strategy, values: list[Tensor]) -> None:
            for variable, value in zip(self._states, values, strict=True):
                strategy.extended.update(variable.value, lambda v, x: v.assign(x), args=(value,))

        context.merge_call(assign, args=(values,))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.check_plain("replicas go with", d_steps=1, unroll_steps=0, simultaneous=False)

    def compile(self, *args: Any, steps_per_execution: int = 1, **kwargs: Any) -> None:
        """As `gantut.GAN.compile`, but one step is run per call, whatever is asked.

        TensorFlow (2.21) fails to place Keras' loop over steps on more than one device.
        """
        super().compile(*args, **kwargs)


def _own_rows(n: Tensor, draw: Callable[[Tensor], Tensor]) -> Tensor:
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return draw(n)
    first = n * context.replica_id_in_sync_group
    return draw(n * context.num_replicas_in_sync)[first : first + n]


def _shares(gradients: list[Tensor]) -> list[Tensor]:
    """Of a mean over replicas, which Keras' optimizers make by adding up."""
    replicas = tf.distribute.get_replica_context().num_replicas_in_sync
    return [g / replicas for g in gradients]
