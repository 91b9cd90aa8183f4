"""gantut: generative adversarial networks in Keras 3, small enough to read and tested throughout.

Nothing heavy is imported until it is used: ``import gantut`` does not import TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Where each public name lives; __getattr__ below imports the module on first use.
_EXPORTS = {
    "GAN": "gan",
    "evaluate": "evaluation",
    "load": "pretrained",
    "load_fashion_mnist": "data",
    "load_images": "data",
    "load_mnist": "data",
}
_MODULES = {
    "applications",
    "callbacks",
    "checks",
    "cli",
    "data",
    "diagnosis",
    "distribution",
    "dynamics",
    "evaluation",
    "export",
    "gan",
    "judge",
    "losses",
    "metrics",
    "networks",
    "optimizers",
    "plotting",
    "pretrained",
    "recipes",
    "stabilisers",
    "results",
    "toys",
    "vae",
}

__all__ = ["__version__", *sorted(_EXPORTS), *sorted(_MODULES)]

if TYPE_CHECKING:
    from gantut.data import load_fashion_mnist as load_fashion_mnist
    from gantut.data import load_images as load_images
    from gantut.data import load_mnist as load_mnist
    from gantut.evaluation import evaluate as evaluate
    from gantut.gan import GAN as GAN
    from gantut.pretrained import load as load


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(importlib.import_module(f"gantut.{_EXPORTS[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"gantut.{name}")
    raise AttributeError(f"module 'gantut' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
