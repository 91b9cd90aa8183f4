"""A run: a training in a folder, its record, and what it is measured by.

A folder holds ``run.json``, from which the networks are built again; ``state.npz``, their weights;
the same networks for others as Keras files; the history, pictures, metrics; and, until the training
is finished, checkpoints.

- ``folder``: the files, the lock, and the run that is replaced
- ``images``: the data that was named, and samples beside it
- ``training``: the training, from the networks to the exit status
"""

from gantut.runs.folder import FILES, UsageError, locked, open_run, tell, user_input
from gantut.runs.images import load_data, load_data_again, measure
from gantut.runs.training import Training

__all__ = [
    "FILES",
    "Training",
    "UsageError",
    "load_data",
    "load_data_again",
    "locked",
    "measure",
    "open_run",
    "tell",
    "user_input",
]
