"""What GANs are used for: one module for each application, each the code of a chapter."""

import importlib
from typing import Any

_MODULES = {
    "anomaly",
    "augmentation",
    "conditional",
    "faces",
    "image_to_image",
    "motion",
    "restoration",
    "sound",
    "summaries",
    "tabular",
    "text",
    "translation",
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"gantut.applications.{name}")
    raise AttributeError(f"module 'gantut.applications' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
