"""Adversarial losses and gradient penalties, as pure functions on logits.

Notation, in all of this module: ``real`` are the discriminator's logits on data, ``fake`` its
logits on generated samples, both of shape ``(batch, 1)`` or ``(batch,)`` and unbounded; the
probability that a sample is real is ``sigmoid(logit)``. Each loss is a scalar to be *minimised*
by the player that it is named after. Expectations are means over the batch.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

from gantut import _check
from gantut._keras import Tensor, tf

Critic: TypeAlias = Callable[[Tensor], Tensor]


class AdversarialLoss(NamedTuple):
    """A pair of losses.

    Attributes:
        name: Its key in ``LOSSES``.
        discriminator: ``(real, fake) -> scalar``, minimised by D.
        generator: ``(fake, real) -> scalar``, minimised by G.
        relativistic: Whether the generator's loss looks at ``real``; others are given None.
    """

    name: str
    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    relativistic: bool = False


def binary_cross_entropy(logits: Tensor, label: float) -> Tensor:
    """Mean of ``-label * log D - (1 - label) * log(1 - D)`` with ``D = sigmoid(logits)``, in nats.

    It is written with ``softplus(t) = log(1 + exp(t))`` so that no logarithm of zero can occur.
    ``label``, in [0, 1], is the probability that the target gives to "real".
    """
    return tf.reduce_mean(
        label * tf.math.softplus(-logits) + (1.0 - label) * tf.math.softplus(logits)
    )


def minimax_discriminator(real: Tensor, fake: Tensor, real_label: float = 1.0) -> Tensor:
    """``-E[log D(x)] - E[log(1 - D(G(z)))]`` (Goodfellow et al. 2014, eq. 1).

    Both terms are summed, so a discriminator that answers 1/2 everywhere has the loss 2 log 2.
    The target for real data, ``real_label``, is below 1 in one-sided label smoothing (Salimans et
    al. 2016, section 3.4): the best D then never exceeds it where there is only data, which keeps
    its logits finite.
    """
    return binary_cross_entropy(real, real_label) + binary_cross_entropy(fake, 0.0)


def minimax_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """``E[log(1 - D(G(z)))]``, the saturating loss (Goodfellow et al. 2014, eq. 1).

    Its derivative with respect to a logit is ``-D``: it vanishes where D is sure that a sample
    is generated, which is where a poor generator needs it most.
    """
    return -tf.reduce_mean(tf.math.softplus(fake))


def non_saturating_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """``-E[log D(G(z))]`` (Goodfellow et al. 2014, section 3).

    Its derivative with respect to a logit is ``-(1 - D)``: largest where D is sure that a
    sample is generated.
    """
    return binary_cross_entropy(fake, 1.0)


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """``E[(D(x) - 1)^2] / 2 + E[D(G(z))^2] / 2``, D without sigmoid (Mao et al. 2017, eq. 9)."""
    return 0.5 * (tf.reduce_mean(tf.square(real - 1.0)) + tf.reduce_mean(tf.square(fake)))


def least_squares_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """``E[(D(G(z)) - 1)^2] / 2`` (Mao et al. 2017, eq. 9)."""
    return 0.5 * tf.reduce_mean(tf.square(fake - 1.0))


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """``E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]`` (Lim and Ye 2017, eq. 14)."""
    return tf.reduce_mean(tf.nn.relu(1.0 - real)) + tf.reduce_mean(tf.nn.relu(1.0 + fake))


def wasserstein_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """``E[D(G(z))] - E[D(x)]``, D a 1-Lipschitz critic (Arjovsky et al. 2017, eq. 2).

    The Lipschitz condition is the business of a penalty (:func:`gradient_penalty`).
    """
    return tf.reduce_mean(fake) - tf.reduce_mean(real)


def wasserstein_generator(fake: Tensor, real: Tensor | None = None) -> Tensor:
    """``-E[D(G(z))]``: the generator's side of both the Wasserstein and the hinge loss."""
    return -tf.reduce_mean(fake)


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """``E[softplus(-(D(x) - D(G(z))))]`` over pairs (Jolicoeur-Martineau 2019, RpGAN).

    Row i of ``real`` is paired with row i of ``fake``; the loss used by Huang et al. 2024
    (R3GAN, eq. 2). A discriminator that cannot tell has the loss log 2, not 2 log 2.
    """
    return tf.reduce_mean(tf.math.softplus(fake - real))


def relativistic_generator(fake: Tensor, real: Tensor) -> Tensor:
    """``E[softplus(-(D(G(z)) - D(x)))]`` over pairs: the mirror of the discriminator's loss."""
    return tf.reduce_mean(tf.math.softplus(real - fake))


LOSSES: dict[str, AdversarialLoss] = {
    loss.name: loss
    for loss in (
        AdversarialLoss("minimax", minimax_discriminator, minimax_generator),
        AdversarialLoss("non_saturating", minimax_discriminator, non_saturating_generator),
        AdversarialLoss("least_squares", least_squares_discriminator, least_squares_generator),
        AdversarialLoss("hinge", hinge_discriminator, wasserstein_generator),
        AdversarialLoss("wasserstein", wasserstein_discriminator, wasserstein_generator),
        AdversarialLoss("relativistic", relativistic_discriminator, relativistic_generator, True),
    )
}


def get_loss(loss: str | AdversarialLoss, *, real_label: float = 1.0) -> AdversarialLoss:
    """Looks up a loss by name.

    Args:
        loss: A key of ``LOSSES``, or a pair of your own, which is returned as it is.
        real_label: One-sided label smoothing, in (0.5, 1]: the target for real data (0.9 is
            usual). Only for "minimax" and "non_saturating", whose targets are probabilities.
    """
    real_label = _check.number(real_label, "real_label", above=0.5, most=1.0)
    pair = loss if isinstance(loss, AdversarialLoss) else _check.one_of(loss, "loss", LOSSES)
    if real_label == 1.0:
        return pair
    if pair.discriminator is not LOSSES["minimax"].discriminator:
        raise ValueError(
            f"label smoothing applies to 'minimax' and 'non_saturating', not to {pair.name!r}"
        )
    return pair._replace(discriminator=partial(minimax_discriminator, real_label=real_label))


NO_SLOPE = (
    "the discriminator's logits have no derivative with respect to its input (is there a "
    "stop_gradient or a rounding in it?), so neither a penalty nor the generator can use it"
)


def _squared_gradient_norms(critic: Critic, x: Tensor) -> Tensor:
    """``||grad_x critic(x)||^2`` for each row of ``x``: shape (batch,)."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(critic(x))
    gradient = tape.gradient(total, x)
    if gradient is None:
        raise ValueError(NO_SLOPE)
    return tf.reduce_sum(tf.square(gradient), axis=range(1, len(x.shape)))


def r1_penalty(critic: Critic, real: Tensor) -> Tensor:
    """``E[||grad_x D(x)||^2] / 2`` on real data (Mescheder et al. 2018, eq. 9, without gamma).

    The gradient is taken of the logit. Each row's gradient is its own only if D treats rows
    apart, so D must have no batch normalisation.

    Args:
        critic: Maps a batch to logits.
        real: A batch of data, shape (batch, ...).
    """
    return 0.5 * tf.reduce_mean(_squared_gradient_norms(critic, real))


def r2_penalty(critic: Critic, fake: Tensor) -> Tensor:
    """``E[||grad_x D(G(z))||^2] / 2`` on generated samples (Mescheder et al. 2018, eq. 10)."""
    return 0.5 * tf.reduce_mean(_squared_gradient_norms(critic, fake))


def gradient_penalty(
    critic: Critic, real: Tensor, fake: Tensor, alpha: Tensor | None = None
) -> Tensor:
    """``E[(||grad D(x')|| - 1)^2]`` between data and samples (Gulrajani et al. 2017, eq. 3).

    ``x' = alpha * real + (1 - alpha) * fake`` with one alpha a row, uniform on [0, 1].

    Args:
        critic: Maps a batch to logits.
        real: A batch of data, shape (batch, ...).
        fake: Generated samples of the same shape.
        alpha: Mixing weights of shape (batch,), in [0, 1]; drawn uniformly if None.

    Returns:
        A scalar >= 0, to be multiplied by lambda (the paper's is 10). Its gradient is finite
        even where the critic is flat: 1e-12 under the root keeps the derivative of the norm
        from being 0/0.
    """
    if alpha is None:
        alpha = tf.random.uniform(tf.shape(real)[:1], dtype=real.dtype)
    shape = tf.concat([tf.shape(real)[:1], tf.ones(len(real.shape) - 1, tf.int32)], axis=0)
    alpha = tf.reshape(tf.cast(alpha, real.dtype), shape)
    mixed = alpha * real + (1.0 - alpha) * fake
    norms = tf.sqrt(_squared_gradient_norms(critic, mixed) + 1e-12)
    return tf.reduce_mean(tf.square(norms - 1.0))


PENALTIES = ("r1", "r2", "wgan_gp")
