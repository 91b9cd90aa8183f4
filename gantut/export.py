"""Generators outside of Keras: LiteRT files, in full precision or quantised.

LiteRT (until 2024 TensorFlow Lite) runs a network on telephones and single-board computers, without
Python and without TensorFlow. A file holds the network and its weights::

    from gantut import export, load

    export.export_litert(load("fast"), "fast.tflite", "dynamic")
    images = export.LiteRTGenerator("fast.tflite").sample(16, seed=0)
"""

import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut import _check
from gantut._files import atomic_write
from gantut._keras import keras, tf
from gantut.data import check_labels
from gantut.networks import is_conditional
from gantut.sampling import check_inputs

QUANTISATIONS = ("none", "float16", "dynamic", "int8")
"""What `export_litert` can do to the weights, and to what flows between the layers."""


def export_litert(
    generator: keras.Model,
    path: str | os.PathLike[str],
    quantise: str = "none",
    *,
    calibration: int = 256,
) -> Path:
    """Writes a generator as a LiteRT file.

    The four ways differ in how numbers are kept and what is calculated with:

    - ``"none"``: float32 throughout; the file's images are those of Keras up to rounding.
    - ``"float16"``: weights in half precision, which are widened again before use.
    - ``"dynamic"``: weights as 8-bit integers with a scale; what flows between the layers is
      rounded to 8 bits image by image, with a scale from the numbers at hand.
    - ``"int8"``: both in 8 bits, with scales that are settled beforehand by `calibration`; only
      without labels, with which the converter's network draws other images and does not say so.

    Latent vectors go in and images come out as float32 in all of them. TensorFlow's converter
    does it: https://tensorflow.org/lite/performance/post_training_quantization.

    Args:
        generator: A Keras model from latent vectors (batch, latent_dim), or [latents, integer
            labels], to images.
        path: The file to write, ending in ``.tflite``; whole or not at all.
        quantise: One of `QUANTISATIONS`.
        calibration: For ``"int8"``: how many latent vectors, drawn from N(0, I) with seed 0,
            settle the scales.

    Returns:
        The path of the file.

    Raises:
        ValueError: among others, the converter does not take a layer (recurrent ones).
    """
    if not isinstance(generator, keras.Model):
        raise TypeError(f"generator: wanted a Keras model, got {type(generator).__name__}")
    inputs = generator.inputs or []
    kinds = [np.dtype(one.dtype).kind for one in inputs]
    if kinds not in (["f"], ["f", "i"]) or len(inputs[0].shape) != 2:
        raise ValueError(
            "generator: wanted latent vectors (batch, latent_dim), or [latents, integer labels], "
            f"as inputs, got {[(one.dtype, one.shape) for one in inputs]}"
        )
    target = Path(path)
    if target.suffix != ".tflite":
        raise ValueError(f"path must end in .tflite, got {target.name!r}")
    quantise = _check.one_of(quantise, "quantise", QUANTISATIONS)
    calibration = _check.integer(calibration, "calibration", 1)
    if quantise == "int8" and is_conditional(generator):
        raise ValueError(
            f"quantise: 'int8' is for generators without labels, got {generator.name!r}: with them "
            "the converter's network draws other images, and nothing says so"
        )

    try:
        content = _convert(generator, quantise, calibration)
    except Exception as error:  # the converter's own class is private
        raise ValueError(
            f"the converter does not take {generator.name!r}: {str(error).splitlines()[0][:200]}"
        ) from error
    with atomic_write(target) as temporary:
        temporary.write_bytes(content)
    return target


def _convert(generator: keras.Model, quantise: str, calibration: int) -> bytes:
    """The content of the file."""
    z = np.random.default_rng(0).standard_normal(
        (calibration, 1, generator.inputs[0].shape[-1]), dtype=np.float32
    )
    logger = tf.get_logger()
    level = logger.level
    # TensorFlow tells in a notebook which temporary files it writes, and the converter warns that
    # what goes in and comes out stays float32.
    logger.setLevel("WARNING")
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
            generator.export(folder, verbose=False)
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            if quantise != "none":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if quantise == "float16":
                converter.target_spec.supported_types = [tf.float16]
            if quantise == "int8":
                converter.representative_dataset = lambda: ([row] for row in z)
                converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            return converter.convert()
    finally:
        logger.setLevel(level)


class LiteRTGenerator:
    """A generator from a LiteRT file, with which one samples as with any other.

    `gantut.evaluate` and `gantut.evaluation.quick_frechet` take it as it is.

    Args:
        path: A file that `export_litert` wrote.
        threads: Processor threads for a call.

    Attributes:
        latent_dim: Length of a latent vector.
        image_shape: Of one image, such as (28, 28, 1).
        conditional: Whether it takes labels.
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int = 1) -> None:
        threads = _check.integer(threads, "threads", 1)
        name = Path(path).name
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            Interpreter = tf.lite.Interpreter
        try:
            # TensorFlow warns that its interpreter moves to that package.
            with warnings.catch_warnings(action="ignore"):
                self._network = Interpreter(
                    model_content=Path(path).read_bytes(), num_threads=threads
                )
        except ValueError as error:
            raise ValueError(f"{name} holds no LiteRT network: {error}") from error
        inputs = self._network.get_input_details()
        outputs = self._network.get_output_details()
        latents = [one for one in inputs if np.dtype(one["dtype"]).kind == "f"]
        labels = [one for one in inputs if np.dtype(one["dtype"]).kind == "i"]
        if [len(one["shape"]) for one in latents] != [2] or len(labels) > 1 or len(outputs) != 1:
            raise ValueError(
                f"{name}: wanted a network from latent vectors (and labels) to images, got inputs "
                f"{[(one['dtype'].__name__, tuple(one['shape'])) for one in inputs]}"
            )
        self._latents: Any = latents[0]
        self._labels: Any = labels[0] if labels else None
        self._output = outputs[0]["index"]
        self.latent_dim = int(self._latents["shape"][1])
        self.image_shape = tuple(int(n) for n in outputs[0]["shape"][1:])
        self.conditional = bool(labels)
        self._rows = 0

    def __call__(
        self, z: npt.ArrayLike, labels: npt.ArrayLike | None = None, *, batch_size: int = 500
    ) -> npt.NDArray[np.float32]:
        """What the generator makes of given latent vectors.

        Args:
            z: Latent vectors (n, latent_dim), n >= 1.
            labels: One label for all, or integers (n,), for a conditional generator.
            batch_size: Images made at a time; bounds the memory.

        Returns:
            Images (n, height, width, channels) in [-1, 1].
        """
        latents = check_inputs(z, labels, self.latent_dim, self.conditional)
        classes = None if labels is None else check_labels(labels, len(latents), None)
        batch_size = _check.integer(batch_size, "batch_size", 1)
        made = []
        for start in range(0, len(latents), batch_size):
            part = slice(start, start + batch_size)
            given = [(self._latents, latents[part])]
            if classes is not None:
                column = classes[part].astype(self._labels["dtype"])
                given.append((self._labels, column.reshape(-1, *self._labels["shape"][1:])))
            if len(latents[part]) != self._rows:
                for entry, values in given:
                    self._network.resize_tensor_input(entry["index"], values.shape)
                self._network.allocate_tensors()
                self._rows = len(latents[part])
            for entry, values in given:
                self._network.set_tensor(entry["index"], values)
            self._network.invoke()
            made.append(self._network.get_tensor(self._output))
        return np.concatenate(made)

    def sample(
        self, n: int, labels: npt.ArrayLike | None = None, *, seed: int | None = None
    ) -> npt.NDArray[np.float32]:
        """Draws n images, from the same latent vectors as `gantut.sampling.sample` with that seed.

        The labels and the images are those of a call.
        """
        n = _check.integer(n, "n", 1)
        rng = np.random.default_rng() if seed is None else _check.rng(seed)
        z = rng.standard_normal((n, self.latent_dim), dtype=np.float32)
        return self(z, labels)
