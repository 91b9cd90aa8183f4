"""A training's whole state, which two trainings can be asked to share to the bit."""

import numpy as np


def state(model):
    """Every variable of a model that `save` would write, copied, by its name in the file."""
    return {name: variable.numpy().copy() for name, variable in model._state().items()}


def assert_same_state(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)
