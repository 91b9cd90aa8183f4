"""Callbacks for the training of a :class:`gantut.GAN`: pictures, history, schedules and stops.

Each works in any ``gan.fit(..., callbacks=[...])``; :func:`gantut.recipes.train` puts them
together. Keras calls them between executions of the compiled graph, that is once every
``steps_per_execution`` steps. Steps are counted by the GAN itself, also over a restored training.
Those that write files end the training with an OSError where they cannot.

- ``parts``: what the callbacks share, such as what they must remember
- ``clock``: seconds of training, a limit of time, and a bar
- ``schedules``: learning rates and noise by the progress of the training
- ``history``: losses over the training
- ``pictures``: samples on the way
- ``divergence``: the way back from a loss that is not finite, and where it was lost
- ``checkpoints``: a training that goes on in another process
"""

from gantut._state import OtherTrainingError
from gantut.callbacks.checkpoints import Checkpoints
from gantut.callbacks.clock import ProgressBar, TimeLimit, TrainingClock
from gantut.callbacks.divergence import StopOnDivergence
from gantut.callbacks.history import COLUMNS, HistoryWriter
from gantut.callbacks.parts import Resumable
from gantut.callbacks.pictures import SampleGrid
from gantut.callbacks.schedules import Annealed, AnnealNoise, LearningRateSchedule

__all__ = [
    "COLUMNS",
    "AnnealNoise",
    "Annealed",
    "Checkpoints",
    "HistoryWriter",
    "LearningRateSchedule",
    "OtherTrainingError",
    "ProgressBar",
    "Resumable",
    "SampleGrid",
    "StopOnDivergence",
    "TimeLimit",
    "TrainingClock",
]
