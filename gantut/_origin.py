"""Where a training was lost: the step and the layer in which a number was no longer finite."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from gantut._keras import keras, layers_of, tf
from gantut.gan import GAN


class Origin(NamedTuple):
    """Where it began.

    Attributes:
        step: The training step that could not be done, counted from 1 as the GAN counts.
        where: The layer, and what of it was not finite.
    """

    step: int
    where: str

    def __str__(self) -> str:
        """Both, as the end of a sentence."""
        return f"step {self.step:,} in {self.where}"


def find_origin(
    model: Any,
    good: Mapping[str, np.ndarray],
    batches: Callable[[int], Iterable[Any]],
    rates: list[tuple[int, list[float]]],
) -> Origin | None:
    """Goes through the steps since the last good state again, one at a time.

    The steps are those of the training: the state holds the random numbers, and ``batches`` the
    data. The model is left in some state, which the caller has to put right.

    Args:
        model: A compiled GAN, or another model with a ``step_counter`` and a ``_state``.
        good: The state to begin from.
        batches: From a step to a dataset that begins with that step's batch.
        rates: For each execution since then the step at its end, and the learning rate of each
            optimizer in it.

    Returns:
        Where it began; None if it does not happen again.
    """
    _put(model, good)
    step_function = tf.function(model.train_step, autograph=False, reduce_retracing=True)
    first = int(model.step_counter.numpy())
    executions = iter(rates)
    end, now = next(executions)
    for step, batch in enumerate(batches(first), start=first + 1):
        while step > end:
            following = next(executions, None)
            if following is None:
                return None
            end, now = following
        for optimizer, rate in zip(optimizers(model), now, strict=True):
            optimizer.learning_rate = rate
        before = {name: variable.numpy() for name, variable in model.state().items()}
        model.reset_metrics()
        logs = step_function(batch)
        if is_finite(logs) and all(map(is_finite, model.state().values())):
            continue
        _put(model, before)
        if isinstance(model, GAN):
            return Origin(step, _in_gan(model, *model.unpack(batch), step - 1, before))
        step_function(batch)
        return Origin(step, lost_weight(model) or "the loss")
    return None


def optimizers(model: Any) -> list[Any]:
    """Those of a GAN, or the only one of another model."""
    found = (getattr(model, name, None) for name in ("g_optimizer", "d_optimizer"))
    return [optimizer for optimizer in found if optimizer is not None]


def lost_weight(model: Any) -> str | None:
    """The first variable of the state that is not finite, by its path; None if all are."""
    for name, variable in model.state().items():
        if not is_finite(variable):
            return f"the weight {getattr(variable, 'path', name)!r}"
    return None


def _put(model: Any, state: Mapping[str, np.ndarray]) -> None:
    for name, variable in model.state().items():
        variable.assign(state[name])


def is_finite(value: Any) -> bool:
    """Whether all floating-point numbers in a structure of arrays or tensors are finite."""
    parts = [np.asarray(part) for part in tf.nest.flatten(value) if part is not None]
    return all(np.isfinite(part).all() for part in parts if part.dtype.kind == "f")


def _in_gan(gan: GAN, real: Any, labels: Any, step: int, before: Mapping[str, np.ndarray]) -> str:
    """The first thing that is not finite in a step of a GAN, in the order of its computation."""
    if not is_finite(real):
        return "the data itself"
    penalised = bool(gan.penalties) and step % gan.penalty_every == 0
    found = _in_discriminator_step(gan, real, labels, penalised)
    if found is not None:
        return found
    _put(gan, before)
    if gan.simultaneous:
        if (found := _in_generator_step(gan, real, labels)) is not None:
            return found
        _put(gan, before)
        gan.simultaneous_step(real, labels, penalised)
        for network, optimizer, name in (
            (gan.discriminator, gan.d_optimizer, "discriminator"),
            (gan.generator, gan.g_optimizer, "generator"),
        ):
            if (found := _update(network, optimizer, name)) is not None:
                return found
        return "the loss"
    gan.discriminator_step(real, labels, penalised)
    if (found := _update(gan.discriminator, gan.d_optimizer, "discriminator")) is not None:
        return found
    after = {name: variable.numpy() for name, variable in gan.state().items()}
    if (found := _in_generator_step(gan, real, labels)) is not None:
        return found
    _put(gan, after)
    gan.generator_step(real, labels)
    return _update(gan.generator, gan.g_optimizer, "generator") or "the generator's loss"


def _fake(gan: GAN, real: Any, labels: Any) -> tuple[Any, str | None]:
    z = gan.latents(tf.shape(real)[0])
    inputs = [z, labels] if gan.conditional else z
    return _forward(gan.generator, inputs, "generator", "its output")


def _in_discriminator_step(gan: GAN, real: Any, labels: Any, penalised: bool) -> str | None:
    fake, found = _fake(gan, real, labels)
    if found is not None:
        return found
    with tf.GradientTape() as tape:
        logits = []
        for x, kind in ((real, "data"), (fake, "samples")):
            inputs = [x, labels] if gan.conditional else x
            output, found = _forward(gan.discriminator, inputs, "discriminator", f"for {kind}")
            if found is not None:
                return found
            logits.append(output)
        loss = gan.adversarial_loss.discriminator(*logits)
        if not is_finite(loss):
            return "the discriminator's loss"
        if penalised:
            penalty = gan.penalty(real, fake, labels)
            if not is_finite(penalty):
                return "the discriminator's gradient penalty"
            loss += gan.penalty_every * penalty
    return _gradients(tape, loss, gan.discriminator, "discriminator")


def _in_generator_step(gan: GAN, real: Any, labels: Any) -> str | None:
    with tf.GradientTape() as tape:
        fake, found = _fake(gan, real, labels)
        if found is not None:
            return found
        inputs = [fake, labels] if gan.conditional else fake
        logits, found = _forward(gan.discriminator, inputs, "discriminator", "for samples")
        if found is not None:
            return found
        others = gan.discriminate(real, labels) if gan.adversarial_loss.relativistic else None
        adversarial = gan.adversarial_loss.generator(logits, others)
        loss = gan.generator_loss(real, fake, adversarial)
        if not is_finite(loss):
            return "the generator's loss"
    return _gradients(tape, loss, gan.generator, "generator")


def _forward(network: Any, inputs: Any, name: str, what: str) -> tuple[Any, str | None]:
    """The output of a network, and the first of its layers whose own is not finite."""
    found: list[str] = []

    def watched(layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def watch(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            if not found and not is_finite(output):
                found.append(f"layer {layer.name!r} of the {name}, {what}")
            return output

        return watch

    layers = [x for x in layers_of(network) if not isinstance(x, keras.layers.InputLayer)]
    try:
        for layer in layers:
            # Past Keras' own __setattr__, which would take it for a part of the layer.
            layer.__dict__["call"] = watched(layer, layer.call)
        output = network(inputs, training=True)
    finally:
        for layer in layers:
            layer.__dict__.pop("call", None)
    if found or is_finite(output):
        return output, next(iter(found), None)
    return output, f"the {name}, {what}"


def _gradients(tape: Any, loss: Any, network: Any, name: str) -> str | None:
    variables = network.trainable_variables
    gradients = tape.gradient(loss, variables)
    # They are computed from the last layer to the first.
    for variable, gradient in reversed(list(zip(variables, gradients, strict=True))):
        if gradient is not None and not is_finite(gradient):
            return f"the gradient of {variable.path!r} of the {name}"
    return None


def _update(network: Any, optimizer: Any, name: str) -> str | None:
    for variable in (*network.variables, *optimizer.variables):
        if not is_finite(variable):
            return f"the update of {variable.path!r} of the {name}"
    return None
