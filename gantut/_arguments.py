"""An error that a wrong argument causes somewhere inside is told as what it is, by its name.

Functions look themselves at ranges and shapes that they know to be wrong. What no one thought of
ends in an AttributeError, an error of a TensorFlow operation or a message about something else:
`check_public`, at the end of a module, makes its public functions say then which argument is not
what its annotation wants, or, if all are of the right kind, what was given. Nothing is looked at
where nothing goes wrong. The first error stays as the cause.
"""

import collections.abc
import dataclasses
import functools
import inspect
import numbers
import operator
import os
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gantut._fetch import describe

Test = Callable[[Any], bool]


def check_public(namespace: dict[str, Any], leave: tuple[str, ...] = ()) -> None:
    """Makes the public functions and classes of a module name the argument that an error is about.

    Args:
        namespace: The module's ``globals()``. Its functions are replaced in place, those without
            parameters left alone.
        leave: The names of further ones to leave alone.
    """
    module = namespace["__name__"]
    for name, value in list(namespace.items()):
        if name.startswith("_") or name in leave or getattr(value, "__module__", None) != module:
            continue
        if hasattr(value, "ag_artifact"):
            continue  # by an earlier call
        if inspect.isfunction(value) and inspect.signature(value).parameters:
            namespace[name] = _checked(value)
        elif inspect.isclass(value) and inspect.isfunction(vars(value).get("__init__")):
            type.__setattr__(value, "__init__", _checked(vars(value)["__init__"]))


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(function)

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            explained = _explain(error, function, signature, args, kwargs)
            if explained is None:
                raise
            raise explained from error

    checked.__signature__ = signature  # type: ignore[attr-defined]
    # What AutoGraph looks for: this is not to be translated, as the body of a Keras step is not.
    checked.ag_artifact = None  # type: ignore[attr-defined]
    return checked


_ELSEWHERE = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError)
_FIRST = "_gantut_first"


def _explain(
    error: Exception,
    function: Callable[..., Any],
    signature: inspect.Signature,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Exception | None:
    """A better error in the place of this one; None if it is good as it is, or no one's fault."""
    kind = type(error)
    ours = kind in (ValueError, TypeError) or (
        kind.__module__.startswith("numpy") and isinstance(error, ValueError | TypeError)
    )
    if not (ours or isinstance(error, _ELSEWHERE) or _is_tensorflows(error)):
        return None
    names = [name for name in signature.parameters if name != "self"]
    if ours and any(re.search(rf"\b{re.escape(name)}\b", str(error)) for name in names):
        return None
    try:
        given = dict(signature.bind(*args, **kwargs).arguments)
    except TypeError:
        return None  # Python's own message names what is missing or too much
    given.pop("self", None)
    if ours and any(_is_text(value) and str(value) in str(error) for value in given.values()):
        return None  # a file, or a name, is as good
    explained = _wrong_kind(function, signature, given)
    if explained is None:
        what = ", ".join(f"{name}={_show(value)}" for name, value in given.items())
        kind = TypeError if isinstance(error, TypeError) else ValueError
        # A function that calls another one tells the first error of all with its own arguments.
        first = getattr(error, _FIRST, None) or (str(error) if ours else describe(error))
        explained = kind(f"{first} (given {what})")
        setattr(explained, _FIRST, first)
    return explained


def _is_text(value: Any) -> bool:
    return isinstance(value, str | os.PathLike) and len(str(value)) > 2


def _is_tensorflows(error: Exception) -> bool:
    return type(error).__module__.startswith("tensorflow")


def _wrong_kind(
    function: Callable[..., Any], signature: inspect.Signature, given: Mapping[str, Any]
) -> Exception | None:
    """An error for the first argument that cannot be what its annotation says."""
    hints = _hints(function)
    for name, value in given.items():
        parameter = signature.parameters[name]
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if value is parameter.default or (found := _test(hints.get(name, Any))) is None:
            continue
        test, wanted = found
        if not test(value):
            return TypeError(f"{name} must be {wanted}, got {_show(value)}")
        if name == "seed" and _is_integer(value) and value < 0:
            return ValueError(f"seed must be an integer >= 0, got {value}")
    return None


def _show(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size > 4:
        return f"{value.dtype} of shape {value.shape}"
    text = " ".join(repr(value).split())
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except NameError:  # an annotation that only type checkers can resolve
        return {k: v for k, v in function.__annotations__.items() if not isinstance(v, str)}


def _is_integer(value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return False
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def _is_number(value: Any) -> bool:
    if isinstance(value, bool | np.bool_ | str | bytes):
        return False
    if isinstance(value, numbers.Real):
        return True
    array = _as_array(value)
    return array is not None and array.ndim == 0 and array.dtype.kind in "iuf"


def _as_array(value: Any) -> Any:
    try:
        return np.asarray(value)
    except Exception:  # rows of different lengths, or a tensor of a graph
        return None


def _is_array(value: Any) -> bool:
    if value is None or isinstance(value, str | bytes | dict | set):
        return False
    array = _as_array(value)
    return array is None or array.dtype.kind in "biuf" or array.size == 0


_PLAIN: dict[Any, tuple[Test, str]] = {
    int: (_is_integer, "an integer"),
    float: (_is_number, "a number"),
    bool: (lambda value: isinstance(value, bool | np.bool_), "True or False"),
    str: (lambda value: isinstance(value, str), "a text"),
    type(None): (lambda value: value is None, "None"),
    np.ndarray: (_is_array, "an array of numbers"),
}


def _test(hint: Any) -> tuple[Test, str] | None:
    """How to tell whether a value can be what the annotation says, and what that is in words."""
    for kind, found in _PLAIN.items():  # not by hash, which some annotations do not have
        if hint is kind:
            return found
    origin = typing.get_origin(hint)
    if _is_array_like(hint):
        if type(None) not in typing.get_args(hint):
            return _PLAIN[np.ndarray]
        return lambda value: value is None or _is_array(value), "an array of numbers or None"
    if origin in (typing.Union, types.UnionType):
        parts = [_test(part) for part in typing.get_args(hint)]
        if any(part is None for part in parts):
            return None
        known = [part for part in parts if part is not None]
        tests = [test for test, _ in known]
        return (
            lambda value: any(test(value) for test in tests),
            " or ".join(dict.fromkeys(wanted for _, wanted in known)),
        )
    if origin is np.ndarray:
        return _PLAIN[np.ndarray]
    if origin is collections.abc.Callable:
        return callable, "a function"
    if origin is tuple:
        return lambda value: isinstance(value, tuple | list | np.ndarray), "a tuple"
    if inspect.isclass(origin) and issubclass(origin, collections.abc.Iterable):
        wanted = {"Mapping": "a mapping", "dict": "a mapping", "Sequence": "a sequence"}.get(
            origin.__name__, "a series"
        )
        kind = collections.abc.Mapping if wanted == "a mapping" else collections.abc.Iterable
        texts = typing.get_args(hint)[:1] == (str,) or wanted == "a mapping"

        def is_series(value: Any) -> bool:
            if isinstance(value, str | bytes) and not (texts and isinstance(value, str)):
                return False
            if wanted != "a mapping" and isinstance(value, collections.abc.Mapping):
                return False
            return isinstance(value, kind) or hasattr(value, "__array__")

        return is_series, wanted
    if inspect.isclass(hint) and (
        issubclass(hint, tuple) or dataclasses.is_dataclass(hint) or hint.__module__ == "pathlib"
    ):
        return lambda value: isinstance(value, hint), f"a {hint.__name__}"
    return None


def _is_array_like(hint: Any) -> bool:
    """Whether it is NumPy's ArrayLike, which newer versions name and older ones spell out."""
    if repr(hint) == "ArrayLike":
        return True
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return False
    parts = set(typing.get_args(npt.ArrayLike))
    return bool(parts) and parts <= set(typing.get_args(hint))
