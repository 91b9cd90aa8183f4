"""What GANs are used for: one module for each application, each the code of a chapter."""

import importlib
import pkgutil
from types import ModuleType

MODULES = {m.name for m in pkgutil.iter_modules(__path__)}

__all__ = sorted(MODULES)


def __getattr__(name: str) -> ModuleType:
    if name in MODULES:
        return importlib.import_module(f"gantut.applications.{name}")
    raise AttributeError(f"module 'gantut.applications' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
