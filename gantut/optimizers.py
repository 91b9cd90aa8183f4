"""Adam in one pass over memory, and optimizers whose steps one can differentiate through."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from gantut._keras import Tensor, keras, tf

Optimizer: TypeAlias = keras.optimizers.Optimizer


class FusedAdam(keras.optimizers.Adam):
    """``keras.optimizers.Adam`` whose update is one TensorFlow operation a variable.

    Keras writes Adam's update (Kingma and Ba 2015, algorithm 1) as a dozen elementwise
    operations, each of which reads and writes an array as large as the variable. For networks of
    large dense layers and small batches, that traffic costs as much as the gradients. This class
    takes the same arguments and the same steps (up to rounding), and leaves what the fused kernel
    does not know (amsgrad, weights that are not float32) to Keras.

    A training with Keras' own optimizers is never freed: on one device too, they have TensorFlow
    sum the gradients over all replicas, by a function with a gradient of its own, and each graph
    that such a function is traced in stays in TensorFlow's table of gradients for good, some MiB
    a training. This class asks for that sum only where there are several replicas.
    """

    def _all_reduce_sum_gradients(
        self, grads_and_vars: Iterable[tuple[Tensor | None, keras.Variable]]
    ) -> list[tuple[Tensor | None, keras.Variable]]:
        """The gradients, summed over the replicas where there are several."""
        pairs = list(grads_and_vars)
        dense = [gradient for gradient, _ in pairs if gradient is not None]
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        if replicas > 1 or not dense or any(isinstance(g, tf.IndexedSlices) for g in dense):
            return super()._all_reduce_sum_gradients(pairs)
        # The sum has all gradients computed before the first weight changes, and so has this.
        computed = iter(tf.identity_n(dense))
        return [(None if g is None else next(computed), v) for g, v in pairs]

    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        """Updates one variable, as Keras' method of the same name does."""
        if self.amsgrad or variable.dtype != "float32" or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=tf.pow(tf.constant(self.beta_1, tf.float32), step),
            beta2_power=tf.pow(tf.constant(self.beta_2, tf.float32), step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
            use_locking=True,
        )


def _handle(variable: keras.Variable | tf.Variable) -> Tensor:
    """The resource behind a variable, which Keras passes either wrapped or bare."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle


class Unrolled:
    """The next steps of an optimizer as functions of tensors, for gradients through them.

    It starts from the optimizer's present state (Adam's moments and number of steps, SGD's
    momentum, the learning rate) and changes nothing of it.

    Args:
        optimizer: A built ``Adam`` (`FusedAdam` too) or ``SGD`` of Keras, without clipping, weight
            decay, averaging, gradient accumulation, loss scaling or amsgrad.
        variables: Those that it was built for.
    """

    def __init__(self, optimizer: Optimizer, variables: Sequence[keras.Variable]) -> None:
        self.check(optimizer)
        self.optimizer = optimizer
        self.is_adam = isinstance(optimizer, keras.optimizers.Adam)
        self.steps = 0
        if self.is_adam:
            slots = [optimizer._momentums, optimizer._velocities]  # noqa: SLF001 - none public
        else:
            slots = [optimizer.momentums] if optimizer.momentum else []
        indices = [optimizer._get_variable_index(v) for v in variables]  # noqa: SLF001
        self.slots = [[tf.convert_to_tensor(slot[i]) for slot in slots] for i in indices]

    @staticmethod
    def check(optimizer: Optimizer) -> None:
        """Raises if the optimizer's steps are none that this class knows."""
        if not isinstance(optimizer, keras.optimizers.Adam | keras.optimizers.SGD):
            raise ValueError(f"unrolling needs Keras' Adam or SGD, got {type(optimizer).__name__}")
        names = (
            "amsgrad", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema",
            "loss_scale_factor", "gradient_accumulation_steps",
        )  # fmt: skip
        values = ((name, getattr(optimizer, name, None)) for name in names)
        used = [f"{name}={value!r}" for name, value in values if value not in (None, False, 0.0)]
        if used:
            raise ValueError(f"unrolling takes a plain Adam or SGD, got one with {', '.join(used)}")

    def step(self, values: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> list[Tensor]:
        """The values, a tensor for each variable, after one step.

        A gradient is None where there is none: that variable stays, as in Keras.
        """
        self.steps += 1
        rate = tf.convert_to_tensor(self.optimizer.learning_rate)
        update = self._adam if self.is_adam else self._sgd
        return [
            value if gradient is None else value + update(i, gradient, tf.cast(rate, value.dtype))
            for i, (value, gradient) in enumerate(zip(values, gradients, strict=True))
        ]

    def _adam(self, i: int, gradient: Tensor, rate: Tensor) -> Tensor:
        one, two = self.optimizer.beta_1, self.optimizer.beta_2
        m, v = self.slots[i]
        m = m + (1.0 - one) * (gradient - m)
        v = v + (1.0 - two) * (tf.square(gradient) - v)
        self.slots[i] = [m, v]
        t = tf.cast(self.optimizer.iterations + self.steps, v.dtype)
        rate *= tf.sqrt(1.0 - tf.pow(tf.cast(two, t.dtype), t))
        rate /= 1.0 - tf.pow(tf.cast(one, t.dtype), t)
        # The root's derivative at 0 is infinite: a weight without gradient would give 0 * inf.
        positive = v > 0.0
        root = tf.where(positive, tf.sqrt(tf.where(positive, v, 1.0)), 0.0)
        return -rate * m / (root + self.optimizer.epsilon)

    def _sgd(self, i: int, gradient: Tensor, rate: Tensor) -> Tensor:
        if not self.slots[i]:
            return -rate * gradient
        momentum = self.optimizer.momentum * self.slots[i][0] - rate * gradient
        self.slots[i] = [momentum]
        if self.optimizer.nesterov:
            return self.optimizer.momentum * momentum - rate * gradient
        return momentum
