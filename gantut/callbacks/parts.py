"""What the callbacks share: looks at a model, and what must be remembered besides it."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gantut._keras import keras, tf

Logs = dict[str, float] | None


def steps_done(model: keras.Model) -> int:
    """The steps that a model has done, as it counts them."""
    return int(model.step_counter.numpy())


def optimizers_of(model: keras.Model) -> list[keras.optimizers.Optimizer]:
    """Those of a GAN, or the only one of another model."""
    found = (getattr(model, name, None) for name in ("g_optimizer", "d_optimizer"))
    return [optimizer for optimizer in found if optimizer is not None]


def copy_state(model: keras.Model) -> dict[str, np.ndarray]:
    """The values of all that a model would save, by name."""
    return {name: variable.numpy().copy() for name, variable in model.state().items()}


def put_state(model: keras.Model, state: Mapping[str, np.ndarray]) -> None:
    """Puts such values back."""
    for name, variable in model.state().items():
        variable.assign(state[name])


def is_finite(value: Any) -> bool:
    """Whether all floating-point numbers in a structure of arrays or tensors are finite."""
    parts = [np.asarray(part) for part in tf.nest.flatten(value) if part is not None]
    return all(np.isfinite(part).all() for part in parts if part.dtype.kind == "f")


def finite_losses(logs: Logs) -> bool:
    """Whether the losses among what Keras reports are finite."""
    return all(math.isfinite(v) for name, v in (logs or {}).items() if name.endswith("loss"))


class Resumable:
    """What a callback must remember besides the model, so that a training can go on elsewhere.

    `Checkpoints` writes down each one's ``state_dict()``. When the training is taken up again it
    hands that to ``load_state_dict``, before the callback's ``on_train_begin``, which asks
    ``begins()`` whether there is a training to go on with.

    Attributes:
        STATE: The names of the attributes to remember; JSON must be able to hold their values.
    """

    STATE: tuple[str, ...] = ()
    _goes_on = False

    def state_dict(self) -> dict[str, Any]:
        """What there is to remember now."""
        return {name: getattr(self, name) for name in self.STATE}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state_dict` gave."""
        for name, value in state.items():
            setattr(self, name, value)
        self._goes_on = True

    def begins(self) -> bool:
        """Whether a training begins; False, once, after ``load_state_dict``."""
        goes_on, self._goes_on = self._goes_on, False
        return not goes_on
