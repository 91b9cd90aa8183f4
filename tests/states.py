"""A training's whole state, which two trainings can be asked to share to the bit, and its end."""

import keras
import numpy as np


def state(model):
    """Every variable of a model that `save` would write, copied, by its name in the file."""
    return {name: variable.numpy().copy() for name, variable in model.state().items()}


def assert_same_state(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


class Stop(keras.callbacks.Callback):
    """Ends a training from within, as an exception does."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.step_counter.numpy()) >= self.step:
            raise KeyboardInterrupt
