"""gantut: generative adversarial networks in Keras 3, small enough to read and tested throughout.

The house, from the ground up; nothing imports what is named below it:

    the game      losses, optimizers, networks, gan, vae, stabilisers, distribution, clustered
    data          data, sampling
    measuring     metrics, judge, evaluation, dynamics, checks
    training      callbacks, diagnosis, recipes, toys
    uses          applications (one module for each chapter on one), export, pretrained
    on the page   plotting, results (recorded results of long runs), exercises
    commands      runs (a training in a folder), cli

`CONTRIBUTING.md` draws it, and says where something new goes. Nothing heavy is imported until it is
used: ``import gantut`` does not import TensorFlow.
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Where each public name lives; __getattr__ below imports the module on first use.
EXPORTS = {
    "GAN": "gan",
    "evaluate": "evaluation",
    "load": "pretrained",
    "load_fashion_mnist": "data",
    "load_images": "data",
    "load_mnist": "data",
}
MODULES = {m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")}

__all__ = ["__version__", *sorted(EXPORTS), *sorted(MODULES)]

if TYPE_CHECKING:
    from gantut.data import load_fashion_mnist as load_fashion_mnist
    from gantut.data import load_images as load_images
    from gantut.data import load_mnist as load_mnist
    from gantut.evaluation import evaluate as evaluate
    from gantut.gan import GAN as GAN
    from gantut.pretrained import load as load


def __getattr__(name: str) -> Any:
    if name in EXPORTS:
        return getattr(importlib.import_module(f"gantut.{EXPORTS[name]}"), name)
    if name in MODULES:
        return importlib.import_module(f"gantut.{name}")
    raise AttributeError(f"module 'gantut' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
