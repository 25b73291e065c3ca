"""What a pickle may build beside plain data: arrays of numbers out of bytes. A function is only a name here.

Source: numpy's `ndarray.__reduce__` and `__reduce_ex__`, `dtype.__reduce__`; Lib/pickle.py, where `_codecs.encode` and
`bytes` stand for bytes in a pickle of protocol 2.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_MOST_AXES, _LONGEST_CODE = 8, 8
_DTYPE = re.compile(r"[iu][1248]|f[248]|b1")
_FUNCTIONS = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): "reconstruct" for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): "frombuffer" for core in ("core", "_core")},
    **{(builtins, name): "bytes" for builtins in ("__builtin__", "builtins") for name in ("bytes", "bytearray")},
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",
}


class RefusedError(Exception):
    """The pickle holds what is not read; says what."""


class Located(bytes):
    """Bytes, and where in the file they lie; `start` is None where the file holds them in another form."""

    start: int | None = None


@dataclass
class Array:
    """An array of numbers.

    Attributes:
        values: The numbers, read-only; None while it is being built.
        start: Where in the file the first one lies, where all of them lie there in C order.
    """

    values: npt.NDArray[Any] | None = None
    start: int | None = None


@dataclass
class Kind:
    """A numpy type of numbers, such as `u1`, and its byte order."""

    code: str
    order: str = "="


@dataclass(frozen=True)
class Function:
    """A function that a pickle may name; calling it is `called`."""

    name: str


def function(module: str, name: str) -> Function:
    """Return the function of that name.

    Raises:
        RefusedError: It is none of those that build an array.
    """
    if (module, name) not in _FUNCTIONS:
        raise RefusedError(f"the pickle names {module[:60]}.{name[:60]}, which is none of what builds an array")
    return Function(_FUNCTIONS[module, name])


def called(made: Any, arguments: Any) -> Any:
    """Return what a function that a pickle calls would make of its arguments.

    Raises:
        RefusedError: It is no function, or is called in another way than arrays need.
    """
    name = made.name if isinstance(made, Function) else "what is no function"
    match (name, arguments):
        case "reconstruct", (Function("ndarray"), (0,), b"b" | "b"):
            return Array()
        case "dtype", (code, *_):
            return _kind(_text(code))
        case "encode", (str() as text, "latin1" | "latin-1"):
            return Located(text.encode("latin-1"))
        case "bytes", ():
            return Located()
        case "bytes", (Located() as content,):
            return content
        case "frombuffer", (content, kind, shape, order):
            return filled(Array(), content, kind, shape, fortran=_text(order) == "F")
    raise RefusedError(f"the pickle calls {name} in a way that builds no array")


def _text(value: Any) -> str:
    """Return a short text, which Python 2 keeps as bytes; nothing for anything else."""
    if not isinstance(value, str | bytes) or len(value) > _LONGEST_CODE:
        return ""
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _kind(code: str) -> Kind:
    if not _DTYPE.fullmatch(code):
        raise RefusedError("the pickle holds an array of other things than numbers")
    return Kind(code)


def built(made: Any, state: Any) -> None:
    """Give an object what its `__setstate__` would be given.

    Raises:
        RefusedError: It is no array and no type of numbers.
    """
    match (made, state):
        case Kind(), (int(), order, None, None, None, *_) if _text(order) in ("<", ">", "|", "="):
            made.order = _text(order)
        case Array(values=None), (int(), shape, kind, fortran, content):
            filled(made, content, kind, shape, fortran=bool(fortran))
        case _:
            raise RefusedError("the pickle builds an object that is no array of numbers")


def filled(made: Array, content: Any, kind: Any, shape: Any, *, fortran: bool) -> Array:
    """Return an array, filled from bytes; nothing is copied.

    Raises:
        RefusedError: The parts are of other kinds, or do not fit each other.
    """
    if not isinstance(content, Located) or not isinstance(kind, Kind) or not isinstance(shape, tuple):
        raise RefusedError("the pickle holds an array that is not made of bytes")
    if len(shape) > _MOST_AXES or not all(type(side) is int and 0 <= side <= len(content) for side in shape):
        raise RefusedError("the pickle holds an array of an impossible shape")
    dtype = np.dtype(kind.order.replace("|", "=") + kind.code)
    if math.prod(shape) * dtype.itemsize != len(content):
        raise RefusedError(f"the pickle holds an array of {shape} with {len(content):,} bytes")
    made.values = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
    made.start = None if fortran else content.start
    return made
