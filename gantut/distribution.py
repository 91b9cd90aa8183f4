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
from typing import Any

from gantut._keras import keras, tf

Tensor = Any


def make_strategy(devices: int | None = None, *, workers: bool = False) -> Any:
    """A strategy of TensorFlow for training on several devices.

    Args:
        devices: How many devices of this machine; all if None. GPUs if there are any. Else the
            cores of the CPU, which is for trying it out: it takes longer than one device that uses
            them all. TensorFlow divides the CPU before its first operation only.
        workers: One process of several, on this or on other machines, as the environment variable
            ``TF_CONFIG`` says; each uses all its devices.

    Returns:
        A ``tf.distribute`` strategy; build the networks inside its ``scope()``.

    Raises:
        ValueError: ``devices`` is not a positive integer or more than there are, or is given
            beside ``workers``.
    """
    if workers:
        if devices is not None:
            raise ValueError(f"workers use all their devices: wanted no devices, got {devices!r}")
        return tf.distribute.MultiWorkerMirroredStrategy()
    if devices is not None and (
        isinstance(devices, bool) or not isinstance(devices, int) or devices < 1
    ):
        raise ValueError(f"devices must be a positive integer or None, got {devices!r}")
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


def share_batches(dataset: Any, strategy: Any) -> Any:
    """Gives each replica its rows of every batch: the first ones to the first replica.

    Args:
        dataset: Full batches of one size, the same in every process.
        strategy: That of `make_strategy`.

    Returns:
        A distributed dataset for ``fit``; ``dataset`` itself where there is one replica.

    Raises:
        ValueError: the batch is no multiple of the number of replicas.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return dataset
    batch = tf.nest.flatten(dataset.element_spec)[0].shape[0]
    if batch is None or batch % replicas:
        raise ValueError(
            f"batches of {batch} samples cannot be shared among {replicas} replicas: "
            f"wanted a multiple"
        )
    share = batch // replicas

    def of_this_process(context: Any) -> Any:
        local = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * local * share

        def rows(*parts: Any) -> Any:
            taken = tf.nest.map_structure(lambda x: x[first : first + local * share], parts)
            pieces = tf.nest.map_structure(
                lambda x: tf.reshape(x, [local, share, *x.shape[1:]]), taken
            )
            return tf.data.Dataset.from_tensor_slices(pieces if len(parts) > 1 else pieces[0])

        return dataset.flat_map(rows)

    return strategy.distribute_datasets_from_function(of_this_process)


def worker_index() -> int:
    """Which of several processes this is, from 0, as ``TF_CONFIG`` says.

    Returns:
        The index; 0 where there is no ``TF_CONFIG``.

    Raises:
        ValueError: ``TF_CONFIG`` is not what TensorFlow asks for.
    """
    text = os.environ.get("TF_CONFIG", "{}")
    try:
        return int(json.loads(text).get("task", {}).get("index", 0))
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f'TF_CONFIG must be like {{"cluster": {{"worker": ["host:port", ...]}}, "task": '
            f'{{"type": "worker", "index": 0}}}}, got {text!r}'
        ) from error


def newest_common(steps: list[int], strategy: Any) -> int | None:
    """The newest step that every process has: each calls this with its own.

    Args:
        steps: The steps of which this process has a checkpoint; at most 16 of the newest count.
        strategy: That of `make_strategy`.

    Returns:
        A step; None if there is none that all have.
    """
    most = 16
    newest = sorted(steps, reverse=True)[:most]
    own = tf.constant([*newest, *[-1] * (most - len(newest))], tf.int64)
    everyone = strategy.gather(strategy.run(lambda: own), axis=0).numpy()
    lists = everyone.reshape(-1, most)
    common = set(lists[0]).intersection(*map(set, lists)) - {-1}
    return int(max(common)) if common else None


def replica_latents(n: Tensor, latent_dim: int, seed: Tensor) -> Tensor:
    """This replica's rows of the latent vectors that one device would draw for the whole batch."""
    return _own_rows(n, lambda whole: tf.random.stateless_normal((whole, latent_dim), seed=seed))


def replica_alpha(n: Tensor, dtype: Any, seed: Tensor) -> Tensor:
    """This replica's rows of the places between data and samples for ``gradient_penalty``."""
    return _own_rows(n, lambda whole: tf.random.stateless_uniform((whole,), seed=seed, dtype=dtype))


def _own_rows(n: Tensor, draw: Any) -> Tensor:
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return draw(n)
    first = n * context.replica_id_in_sync_group
    return draw(n * context.num_replicas_in_sync)[first : first + n]


def check_gan(gan: Any) -> None:
    """Raises ValueError where a GAN has a setting that is not defined on several replicas."""
    for name, plain in (("d_steps", 1), ("unroll_steps", 0), ("simultaneous", False)):
        if getattr(gan, name) != plain:
            raise ValueError(
                f"a GAN with {name}={getattr(gan, name)} trains on one device only, "
                f"not on {gan.distribute_strategy.num_replicas_in_sync}: on replicas D moves "
                f"once in each step, and G once after it"
            )


def train_step(gan: Any, real: Tensor, labels: Tensor | None) -> tuple[Tensor, ...]:
    """D's step, then G's, on one replica's rows; weights move by all replicas' mean gradient.

    Args:
        gan: A compiled GAN, made in the strategy's scope.
        real: This replica's rows of the batch.
        labels: Theirs, or None.

    Returns:
        D's loss, G's loss, and the logits on data and samples, of these rows.
    """
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync
    states = [
        gan.seed_generator.state,
        *gan.discriminator.non_trainable_variables,
        *gan.generator.non_trainable_variables,
    ]

    def functional(step: Any) -> tuple[Any, list[Tensor]]:
        """What ``step`` returns, and what it would make of ``states``, which do not change."""
        now = [tf.convert_to_tensor(v) for v in states]
        with keras.StatelessScope(list(zip(states, now, strict=True))) as scope:
            result = step()
        return result, [scope.get_current_value(v) for v in states]

    def keep(values: list[Tensor]) -> None:
        means = [
            context.all_reduce(tf.distribute.ReduceOp.MEAN, v) if v.dtype.is_floating else v
            for v in values
        ]
        context.merge_call(_assign, args=(states, means))

    def d_gradients(with_penalty: bool) -> Any:
        return functional(lambda: gan.discriminator_gradients(real, labels, with_penalty))

    if gan.penalties and gan.penalty_every > 1:
        due = tf.equal(tf.convert_to_tensor(gan.step_counter) % gan.penalty_every, 0)
        result, values = tf.cond(due, lambda: d_gradients(True), lambda: d_gradients(False))
    else:
        result, values = d_gradients(bool(gan.penalties))
    d_loss, real_logits, fake_logits, gradients = result
    keep(values)
    # Keras' optimizers add up the replicas' gradients.
    gan.d_optimizer.apply([g / replicas for g in gradients], gan.discriminator.trainable_variables)
    (g_loss, gradients), values = functional(lambda: gan.generator_gradients(real, labels))
    keep(values)
    gan.g_optimizer.apply([g / replicas for g in gradients], gan.generator.trainable_variables)
    if gan.ema is not None:
        context.merge_call(_update_average, args=(gan,))
    return d_loss, g_loss, real_logits, fake_logits


def as_logs(means: dict[str, Tensor]) -> dict[str, Tensor]:
    """A replica's running means as ``fit`` wants them: between workers Keras averages over rows."""
    several = isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)
    return {name: tf.reshape(mean, [1]) for name, mean in means.items()} if several else means


def _assign(strategy: Any, variables: list[Any], values: list[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        strategy.extended.update(variable.value, lambda v, x: v.assign(x), args=(value,))


def _update_average(strategy: Any, gan: Any) -> None:
    decay = gan.average_decay()
    for average, weight in zip(gan.ema_generator.weights, gan.generator.weights, strict=True):
        strategy.extended.update(
            average.value,
            lambda a, w: (
                a.assign_sub((1.0 - decay) * (a - w)) if a.dtype == tf.float32 else a.assign(w)
            ),
            args=(weight.value,),
        )
