"""Learning rates and noise that change with the progress of the training."""

import math
from collections.abc import Callable

from gantut._keras import keras, layers_of
from gantut.callbacks.clock import Measured
from gantut.callbacks.parts import Logs, optimizers_of
from gantut.stabilisers import InstanceNoise


class Annealed(Measured):
    """Sets variables by the progress of the training: the base of the schedules.

    A variable's value is the one that it had when training began, times ``schedule(progress)``;
    it is set before each execution and put back when training ends. Progress is the share of the
    steps that are done or, with ``seconds``, of the time that has passed. With ``steps`` it
    depends on nothing but the step, so a seed still fixes every bit.

    Keras tells no callback of an exception that ends a training. `gantut.recipes.train` puts the
    values back then; after ``gan.fit`` call ``put_back``.

    Args:
        schedule: From progress in [0, 1] to a multiplier >= 0.
        steps: Length of the training in steps; or
        seconds: its length in seconds.
        clock: A function that returns the seconds so far, such as a `TrainingClock`; time since
            training began if None.
    """

    STATE = ("first_step", "starts")

    def __init__(
        self,
        schedule: Callable[[float], float],
        *,
        steps: int | None = None,
        seconds: float | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(steps, seconds, clock)
        self.schedule = schedule
        self.starts: list[float] = []
        self._annealed: list[tuple[keras.Variable, float]] = []

    def variables(self) -> list[keras.Variable]:
        """The model's variables that are to be set; each kind of schedule says which."""
        raise NotImplementedError

    def on_train_begin(self, logs: Logs = None) -> None:
        """Notes the values that the schedule multiplies."""
        super().on_train_begin(logs)
        self.put_back()
        variables = self.variables()
        if self.fresh:
            self.starts = [float(variable.numpy()) for variable in variables]
        self._annealed = list(zip(variables, self.starts, strict=True))

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Sets the values of the coming execution."""
        progress = min(1.0, self.done() / self.total)
        factor = float(self.schedule(progress))
        if not 0.0 <= factor < math.inf:
            raise ValueError(
                f"the schedule must return a finite number >= 0, got {factor} at {progress:.3f}"
            )
        for variable, start in self._annealed:
            variable.assign(start * factor)

    def on_train_end(self, logs: Logs = None) -> None:
        """Puts the values back."""
        self.put_back()

    def put_back(self) -> None:
        """Gives the variables the values that they had when training began."""
        for variable, start in self._annealed:
            variable.assign(start)
        self._annealed = []


class LearningRateSchedule(Annealed):
    """Sets all optimizers' learning rates by the progress of the training, as `Annealed` says."""

    def variables(self) -> list[keras.Variable]:
        """The learning rates."""
        rates = [optimizer.learning_rate for optimizer in optimizers_of(self.model)]
        if not all(isinstance(rate, keras.Variable) for rate in rates):
            raise TypeError(
                "LearningRateSchedule sets learning rates, but an optimizer has a schedule of its "
                "own; make it with a number"
            )
        return rates


class AnnealNoise(Annealed):
    """Lowers the noise of each `gantut.stabilisers.InstanceNoise` in D, as `Annealed` says.

    Without a schedule the standard deviation falls to 0 along a line, so that D sees more and
    more of the details that the noise hid (Sonderby et al. 2017).
    """

    def __init__(
        self,
        steps: int | None = None,
        *,
        seconds: float | None = None,
        schedule: Callable[[float], float] = lambda progress: 1.0 - progress,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(schedule, steps=steps, seconds=seconds, clock=clock)

    def variables(self) -> list[keras.Variable]:
        """The layers' standard deviations."""
        discriminator = self.model.discriminator
        layers = [x for x in layers_of(discriminator) if isinstance(x, InstanceNoise)]
        if not layers:
            raise ValueError(
                f"there is no noise to anneal: {discriminator.name!r} has no InstanceNoise layer"
            )
        return [layer.stddev for layer in layers]
