"""Adam with TensorFlow's fused kernel: the same mathematics in one pass over memory."""

from typing import Any

from gantut._backend import keras, tf


class FusedAdam(keras.optimizers.Adam):
    """``keras.optimizers.Adam`` whose update is one TensorFlow operation a variable.

    Keras writes Adam's update (Kingma and Ba 2015, algorithm 1) as a dozen elementwise
    operations, each of which reads and writes an array as large as the variable. For networks of
    large dense layers and small batches, that traffic costs as much as the gradients. This class
    takes the same arguments and the same steps (up to rounding), and leaves what the fused kernel
    does not know (amsgrad, weights that are not float32) to Keras.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
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


def _handle(variable: Any) -> Any:
    """The resource behind a variable, which Keras passes either wrapped or bare."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
