"""A training in a folder: its networks, and its state in one file, whole or not at all."""

import contextlib
import json
import math
import re
import sys
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np

from gantut._files import Npz, atomic_write, describe
from gantut._keras import keras, layers_of, tf

State: TypeAlias = dict[str, keras.Variable]

_META = "meta"  # the name of the array beside the variables


class OtherTrainingError(ValueError):
    """A saved state is whole, but of other networks, or of a training with other settings."""


class DamagedError(ValueError):
    """A saved state cannot be read."""


def numbered(groups: Mapping[str, Iterable[keras.Variable]]) -> State:
    """Variables by the name of their group and their number in it: "generator/002"."""
    return {f"{key}/{i:03d}": v for key, group in groups.items() for i, v in enumerate(group)}


def save_training(
    folder: Path, networks: Mapping[str, keras.Model], state: State, *, overwrite: bool
) -> None:
    """Writes networks as Keras files by their names, and variables to ``state.npz``."""
    if not overwrite and (folder / "state.npz").exists():
        raise FileExistsError(f"{folder} holds a saved training already; pass overwrite=True")
    # What cannot be had again comes first.
    write_state(folder / "state.npz", state)
    for name, model in networks.items():
        if odd := [layer.name for layer in layers_of(model) if not _opens_again(layer)]:
            warnings.warn(
                f"{name}.keras will open only where someone tells Keras of {', '.join(odd)}: "
                "functions and classes that are not registered are no part of the file",
                stacklevel=3,
            )
        with atomic_write(folder / f"{name}.keras") as temporary:
            try:
                model.save(temporary)
            except RuntimeError as error:  # what HDF5 says where the disk is full
                raise OSError(f"cannot write {name}.keras in {str(folder)!r}: {error}") from error


def _opens_again(layer: keras.layers.Layer) -> bool:
    kind = type(layer)
    if kind.__module__.startswith("keras."):
        return not isinstance(layer, keras.layers.Lambda)
    return keras.saving.get_registered_name(kind) != kind.__name__


def write_state(path: Path, state: State, meta: Any = None) -> None:
    """Writes variables by name to an npz file, with ``meta`` as JSON beside them."""
    arrays: Any = {name: np.asarray(value) for name, value in state.items()}
    if meta is not None:
        arrays[_META] = np.frombuffer(json.dumps(meta, default=float).encode(), np.uint8)
    with atomic_write(path) as temporary:
        np.savez(temporary, **arrays)


def read_meta(path: Path) -> dict[str, Any]:
    """What `write_state` kept beside the variables; DamagedError where it cannot be read."""
    with _naming(path), path.open("rb") as file, Npz(file) as archive:
        (length,), _ = archive.header(_META)
        if length > path.stat().st_size:  # we compress nothing
            raise ValueError("a record that is longer than the file")
        return json.loads(archive[_META].tobytes())


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Says of a file that cannot be understood which it is."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise DamagedError(f"{path} is damaged: {error}") from error


def read_state(path: Path, state: State) -> None:
    """Assigns to variables what `save_training` wrote, or nothing if it does not fit.

    Names, shapes and dtypes are compared before any array is read, so that a file from elsewhere
    takes no more memory than the variables.

    Raises:
        FileNotFoundError: there is no such file.
        OtherTrainingError: it has other names, shapes or dtypes.
        DamagedError: it cannot be read.
    """
    with path.open("rb") as file:
        with _naming(path):
            archive = Npz(file)
            there = {name: archive.header(name) for name in archive.files if name != _META}
        for name in sorted(state.keys() ^ there.keys()):
            place = "the file" if name in there else "this model"
            raise OtherTrainingError(
                f"{path} belongs to other networks or optimizers: {name!r} is only in {place}"
            )
        for name, variable in state.items():
            shape, dtype = there[name]
            found = f"shape {shape} of dtype {dtype.name}"
            here = f"shape {tuple(variable.shape)} of dtype {tf.as_dtype(variable.dtype).name}"
            if found != here:
                raise OtherTrainingError(
                    f"{path} belongs to other networks: {name!r} has {found} there and {here} here"
                )
        with _naming(path):
            saved = {name: archive[name] for name in state}
    for name, variable in state.items():
        variable.assign(saved[name])


# --- Networks from elsewhere -------------------------------------------------------------------

_MAXIMUM_CONFIG = 2**24  # bytes of the longest description of a network that is read

# Where the classes lie of which networks consist: no layer that runs code, or reads files.
_PLAIN = re.compile(
    r"gantut\..*|keras\.src\.(layers\.(activations|attention|convolutional|merging|normalization"
    r"|pooling|regularization|reshaping|preprocessing\.(category_encoding|rescaling)"
    r"|core\.(dense|embedding|identity|input_layer))"
    r"|models\.(functional|sequential)|ops|initializers|regularizers|constraints|dtype_policies)\..*"
)
_VALUES = ("__keras_tensor__", "__tensor__", "__slice__", "__ellipsis__")
_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}


def load_model(path: Path) -> keras.Model:
    """Opens a network that may come from elsewhere, if it consists of plain layers only.

    What is refused could run code or read another file, or would take more memory to open than the
    file has bytes; how much the network takes to run is the file's to say.

    Raises:
        ValueError: the file is damaged, or holds more than plain layers of Keras and gantut.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
            if members.keys() != _MEMBERS or any(m.compress_type for m in members.values()):
                raise ValueError(f"wanted {sorted(_MEMBERS)}, not compressed, as Keras writes them")
            if members["config.json"].file_size > _MAXIMUM_CONFIG:
                raise ValueError(f"config.json is longer than {_MAXIMUM_CONFIG:,} bytes")
            config = json.loads(archive.read("config.json"))
            _check_config(config)
            with archive.open("model.weights.h5") as weights, h5py.File(weights) as file:
                _check_weights(file)
        # In a graph, which is never run, weights have shapes and take no memory. Those of layers
        # that lead nowhere are made as well.
        with tf.Graph().as_default() as graph:
            keras.saving.deserialize_keras_object({**config, "compile_config": None})
        made = [op for op in graph.get_operations() if op.type == "VarHandleOp"]
        sizes = [math.prod(d.size for d in op.get_attr("shape").dim) for op in made]
        if sum(sizes) > path.stat().st_size:
            raise ValueError(
                f"its layers have {sum(sizes):,} weights, more than the file has bytes"
            )
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        cause: BaseException = error
        while inner := cause.__cause__ or cause.__context__:
            cause = inner
        text = f"{str(path)!r} cannot be read as a Keras model: {describe(cause)}"
        raise ValueError(text) from error


def _check_config(part: Any) -> None:
    """Refuses a description that names anything but plain layers and what belongs to them."""
    if isinstance(part, dict):
        if "class_name" in part and part["class_name"] not in _VALUES:
            kind = _named_class(part)
            if not isinstance(kind, type) or not _PLAIN.fullmatch(f"{kind.__module__}."):
                raise ValueError(
                    f"it asks for {part['class_name']!r} of {part.get('module')!r}; only files "
                    "of plain layers are opened"
                )
        for call in part.get("inbound_nodes", []):
            if not _has_tensor([call["args"], call["kwargs"]]):
                # What is computed of constants would be computed now, at whatever size.
                raise ValueError(f"{part.get('name')!r} is called on no tensor of the network")
    for inner in _parts(part):
        _check_config(inner)


def _has_tensor(part: Any) -> bool:
    if isinstance(part, dict) and "class_name" in part:
        return bool(part["class_name"] == "__keras_tensor__")
    return any(map(_has_tensor, _parts(part)))


def _parts(part: Any) -> Iterable[Any]:
    if isinstance(part, dict):
        return part.values()
    return part if isinstance(part, list) else ()


def _named_class(part: Mapping[str, Any]) -> Any:
    """The class that Keras takes for a part of a description; None where it has another way."""
    registered = keras.saving.get_registered_object(part.get("registered_name"))
    if registered is not None:
        return registered
    name, module = part["class_name"], part.get("module")
    if not (isinstance(name, str) and name.isidentifier() and isinstance(module, str)):
        return None
    # Nothing is imported here: what is not there yet is none of the plain classes.
    place: Any = sys.modules.get(module)
    if place is None and module.startswith("keras."):
        place = getattr(keras, module.removeprefix("keras."), None)
    return getattr(place, name, None)


def _check_weights(group: h5py.Group) -> None:
    """Refuses what would be read from other files, or take more memory than is stored."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"weights {name!r} are a link")
        item = group[name]
        if isinstance(item, h5py.Group):
            _check_weights(item)
        elif item.external or item.is_virtual or item.nbytes > item.id.get_storage_size():
            raise ValueError(f"weights {name!r} are not stored as they are in the file")
