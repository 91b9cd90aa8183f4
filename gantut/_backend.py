"""Keras and TensorFlow, imported once, with a clear error where Keras runs on another backend."""

import os
from typing import Any

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

__all__ = ["full_precision", "keras", "tf"]


def full_precision(x: Any) -> Any:
    """The tensor in float32 where it has 16 bits, as what layers compute in a mixed precision."""
    return tf.cast(x, tf.float32) if x.dtype in (tf.float16, tf.bfloat16) else x
