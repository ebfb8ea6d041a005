"""Checks of the fields of a recording: type, shape, sizes that agree, finite numbers."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from risdoa.errors import InputError

Kind = Literal["real", "complex", "number", "integer"]

_DTYPES: dict[Kind, tuple[str, Any]] = {
    "real": ("fiu", np.float64),
    "complex": ("c", np.complex128),
    "number": ("cfiu", np.complex128),
    "integer": ("iu", np.int64),
}

_MEANINGS = {
    "S": "scenes",
    "L": "snapshots",
    "M": "outputs",
    "N": "elements",
}


class FieldChecks:
    """Checks fields one after another; the first to use a size decides it for the others.

    Shapes are written ``"S L M"``: letters are sizes, numbers must match.
    """

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}

    def array(self, name: str, value: object, kind: Kind, *shapes: str) -> NDArray[Any]:
        """Return a field in double precision, of one of the shapes, without copying if it fits.

        Raises:
            InputError: it has another type or shape, is empty, or disagrees with a field before.
        """
        array = np.asarray(value)
        kinds, dtype = _DTYPES[kind]
        if array.dtype.kind not in kinds:
            raise InputError(
                f"{name} must hold {kind} numbers, got {array.dtype.name}", _hint(name, shapes)
            )
        for shape in shapes:
            if array.ndim == len(shape.split()) and self._fits(array, shape):
                return np.ascontiguousarray(array, dtype)
        raise InputError(
            f"{name} must be {self._expected(shapes)}, got {_tuple(array.shape)}",
            _hint(name, shapes),
        )

    def _fits(self, array: NDArray[Any], shape: str) -> bool:
        """Bind the sizes of a shape if all agree."""
        letters = shape.split()
        known = {**self.sizes, **{letter: int(letter) for letter in letters if letter.isdigit()}}
        for letter, size in zip(letters, array.shape, strict=True):
            if size == 0 or known.setdefault(letter, size) != size:
                return False
        self.sizes |= {letter: known[letter] for letter in letters if letter in _MEANINGS}
        return True

    def _expected(self, shapes: tuple[str, ...]) -> str:
        """Return the shapes as a text, with the sizes that are known."""
        texts = [_tuple(shape.split()) for shape in shapes]
        letters = sorted({letter for shape in shapes for letter in shape.split()})
        known = [f"{letter} = {self.sizes[letter]}" for letter in letters if letter in self.sizes]
        return " or ".join(texts) + (f" with {', '.join(known)}" if known else "")


def require_finite(name: str, array: NDArray[Any]) -> None:
    """Raise an InputError that counts the numbers that are NaN or infinite."""
    damaged = array.size - int(np.isfinite(array).sum())
    if damaged:
        raise InputError(
            f"{name} must be finite, got {damaged} NaN or infinite of {array.size} numbers",
            "remove or repair the damaged entries",
        )


def scalar(name: str, value: object, kinds: str, expected: str) -> Any:
    """Return a single value of one of the dtype kinds as a Python object.

    Raises:
        InputError: it is something else.
    """
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in kinds:
        raise InputError(
            f"{name} must be {expected}, got {array.dtype.name} {_tuple(array.shape)}",
            "docs/recordings.md describes every field",
        )
    return array.reshape(()).item()


def _tuple(parts: Any) -> str:
    """Return (a, b, c) without quotes."""
    inside = ", ".join(str(part) for part in parts)
    return f"({inside},)" if len(parts) == 1 else f"({inside})"


def _hint(name: str, shapes: tuple[str, ...]) -> str:
    """Return what a field is, letter by letter."""
    letters = dict.fromkeys(letter for shape in shapes for letter in shape.split())
    texts = [f"{letter} {_MEANINGS[letter]}" for letter in letters if letter in _MEANINGS]
    return f"{name}: {', '.join(texts)}" if texts else "docs/recordings.md describes every field"
