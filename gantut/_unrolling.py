"""What the discriminator would become in some more steps: the look ahead of an unrolled GAN."""

import contextlib
from collections.abc import Iterator
from typing import Any, TypeAlias

from gantut._keras import gradients, keras, tf
from gantut.optimizers import Unrolled

Tensor: TypeAlias = tf.Tensor


@contextlib.contextmanager
def unrolled(gan: Any, real: Tensor, fake: Tensor, labels: Tensor | None) -> Iterator[None]:
    """Inside it, D is what ``unroll_steps`` more steps on this batch would make of it.

    Args:
        gan: A compiled `gantut.GAN`; with no steps to unroll, nothing is done.
        real: A batch of data.
        fake: As many samples, through which the gradient goes to G.
        labels: Their labels, or None.

    Yields:
        Nothing.
    """
    if not gan.unroll_steps:
        yield
        return
    network = gan.discriminator
    weights = network.trainable_variables
    # Moving statistics and random states go ahead with the weights.
    variables = [*weights, *network.non_trainable_variables, gan.seed_generator.state]
    count = len(weights)
    values = [tf.convert_to_tensor(v) for v in variables]
    optimizer = Unrolled(gan.d_optimizer, weights)
    for _ in range(gan.unroll_steps):
        before = values[:count]
        with tf.GradientTape() as tape:
            tape.watch(before)
            with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
                loss = gan.adversarial_loss.discriminator(
                    gan.discriminate(real, labels), gan.discriminate(fake, labels)
                )
                if gan.penalties:
                    loss += gan.penalty(real, fake, labels)
        slopes = gradients(tape, loss, network, before)
        values = [scope.get_current_value(v) for v in variables]
        values[:count] = optimizer.step(before, slopes)
    with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
        yield
    # What was drawn at random is not drawn again by D's next step.
    statistics = {id(v) for v in network.non_trainable_weights}
    for v in variables[count:]:
        if id(v) not in statistics:
            v.assign(scope.get_current_value(v))
