"""The numbers and texts in a MATLAB file of version 5 to 7.

A file is a header and a list of elements, each a type, a size and that many bytes; a variable is an
element of elements: flags, dimensions, name, real part, imaginary part. ``scipy.io.loadmat`` reads
more, but some damaged files end the process in it; here they end in a ``ValueError``.

Source: MathWorks, MAT-File Format.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER = 128

DAMAGED = (ValueError, struct.error, zlib.error, OverflowError, MemoryError)
"""What :func:`variables` raises for a damaged file."""

_NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_CLASSES = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
_ENCODINGS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_TEXT = 4
_COMPLEX, _LOGICAL = 0x0800, 0x0200
_PEEK = 4096
"""Bytes of a compressed variable that hold its name."""


@dataclass(frozen=True)
class Variable:
    """What stands before the data of a variable, and the data."""

    kind: int
    flags: int
    shape: tuple[int, ...]
    name: str
    data: memoryview


def variables(content: bytes, names: Collection[str]) -> dict[str, NDArray[Any]]:
    """Return the named variables, as MATLAB stores them.

    Numbers come in the type of their class, logicals as bool, a text as an array of its rows, and
    everything else (cells, structures, sparse matrices) as an object without content.

    Raises:
        ValueError: or another of ``DAMAGED``: this is no complete file of this format.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[126:HEADER])
    if order is None or struct.unpack_from(order + "H", content, 124)[0] != 0x0100:
        raise ValueError("it has no header of version 5")
    found = {}
    for variable in _variables(memoryview(content)[HEADER:], order, names):
        found[variable.name] = _value(variable, order)
    return found


def _variables(view: memoryview, order: str, names: Collection[str]) -> Iterator[Variable]:
    """Yield the named variables among some elements."""
    for kind, data in _elements(view, order):
        if kind == _COMPRESSED:
            start = memoryview(zlib.decompressobj().decompress(data, _PEEK))
            if _variable(start[8:], order).name in names:
                yield from _variables(memoryview(zlib.decompress(data)), order, names)
        elif kind == _MATRIX and len(data):
            variable = _variable(data, order)
            if variable.name in names:
                yield variable


def _elements(view: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yield type and bytes of every element."""
    while len(view):
        kind, data, view = _element(view, order)
        yield kind, data


def _element(view: memoryview, order: str) -> tuple[int, memoryview, memoryview]:
    """Return type and bytes of the first element, and what comes after it.

    Raises:
        ValueError: It goes on behind the end.
    """
    kind, size = struct.unpack_from(order + "II", view) if len(view) >= 8 else (0, len(view))
    begin = 8
    if kind >> 16:  # at most four bytes stand in the tag itself
        kind, size, begin = kind & 0xFFFF, kind >> 16, 4
        end = begin + 4
    else:
        end = begin + size + (0 if kind == _COMPRESSED else -size % 8)
    if begin + size > min(len(view), end):
        raise ValueError("it ends in the middle of an element")
    return kind, view[begin : begin + size], view[end:]


def _variable(view: memoryview, order: str) -> Variable:
    """Return what stands at the beginning of a variable.

    Raises:
        ValueError: A dimension is negative.
    """
    _, head, view = _element(view, order)
    _, sizes, view = _element(view, order)
    _, name, view = _element(view, order)
    (flags,) = struct.unpack_from(order + "I", head)
    shape = tuple(np.frombuffer(sizes, dtype=order + "i4").tolist())
    if any(size < 0 for size in shape):
        raise ValueError(f"a variable has the dimensions {shape}")
    return Variable(flags & 0xFF, flags, shape, bytes(name).decode("latin-1"), view)


def _value(variable: Variable, order: str) -> NDArray[Any]:
    """Return the content of a variable."""
    if variable.kind == _TEXT:
        return _text(variable, order)
    if variable.kind not in _CLASSES:
        return np.empty((), dtype=object)
    real, rest = _part(variable, variable.data, order)
    if variable.flags & _COMPLEX:
        imaginary, _ = _part(variable, rest, order)
        values = np.empty(real.shape, np.result_type(real, np.complex64))
        values.real, values.imag = real, imaginary
        return values
    if variable.flags & _LOGICAL:
        real = real.astype(bool)
    return real


def _part(variable: Variable, view: memoryview, order: str) -> tuple[NDArray[Any], memoryview]:
    """Return the real or the imaginary part of a variable, and what comes after it.

    Raises:
        ValueError: It does not hold as many numbers as the dimensions say.
    """
    kind, data, rest = _element(view, order)
    if kind not in _NUMBERS:
        raise ValueError(f"a variable holds data of type {kind}")
    values = np.frombuffer(data, dtype=order + _NUMBERS[kind])
    if values.size != math.prod(variable.shape):
        raise ValueError(f"{values.size} numbers where the dimensions are {variable.shape}")
    with np.errstate(all="ignore"):  # a class that cannot hold its numbers is damage too
        numbers = values.astype(_CLASSES[variable.kind])
    return numbers.reshape(variable.shape, order="F"), rest


def _text(variable: Variable, order: str) -> NDArray[Any]:
    """Return the rows of a text.

    Raises:
        ValueError: It does not hold as many characters as the dimensions say.
    """
    kind, data, _ = _element(variable.data, order)
    if kind not in _ENCODINGS:
        raise ValueError(f"a text holds data of type {kind}")
    wide = "" if kind in {1, 2, 16} else {"<": "-le", ">": "-be"}[order]
    text = bytes(data).decode(_ENCODINGS[kind] + wide)
    if len(variable.shape) == 2 and variable.shape[0] <= 1:
        return np.array([text] if text else [], dtype=str)
    if len(text) != math.prod(variable.shape):
        raise ValueError(f"{len(text)} characters where the dimensions are {variable.shape}")
    rows = np.array(list(text), dtype=str).reshape((*variable.shape[:1], -1), order="F")
    return np.array(["".join(row) for row in rows], dtype=str)
