"""Keras and TensorFlow, imported once, with a clear error where Keras runs on another backend."""

import os

_ADVICE = (
    "gantut trains with TensorFlow's GradientTape, so Keras must run on the TensorFlow backend: "
    'set KERAS_BACKEND=tensorflow (or "backend": "tensorflow" in ~/.keras/keras.json) '
    "before Python starts."
)

_wanted = os.environ.get("KERAS_BACKEND", "tensorflow")
if _wanted != "tensorflow":
    raise ImportError(f"KERAS_BACKEND is {_wanted!r}. {_ADVICE}")

try:
    import keras
except ImportError as error:  # the settings name a backend that is not installed
    raise ImportError(f"Keras cannot be imported ({error}). {_ADVICE}") from error

if keras.config.backend() != "tensorflow":
    raise ImportError(f"Keras runs on the backend {keras.config.backend()!r}. {_ADVICE}")

import tensorflow as tf  # noqa: E402

__all__ = ["keras", "tf"]
