"""Reading the layout ``risdoa-recording/1`` from a MATLAB file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risdoa.errors import InputError
from risdoa.recordings.base import Reader, check_file
from risdoa.recordings.layout import KNOWN, Fields, reading, recording_of
from risdoa.recordings.mat5 import DAMAGED, variables
from risdoa.recordings.recording import TEXTS, Recording

Numbers = NDArray[Any]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_VECTORS = ("noise_power", "sources", "source_block")
_WHOLE = ("sources", "source_block")
_LARGEST = 2.0**53
"""Below it every double that is a whole number is the one that was meant."""


class Matlab(Reader):
    """Reads what MATLAB's ``save`` writes, up to version 7: the fields as variables of their names.

    MATLAB has no vectors, no whole numbers by default, and drops axes of length 1 at the end. So

    - a row or a column is a vector, a 1 × 1 matrix a number, an empty one an absent field;
    - whole numbers may be doubles, a truth value a logical or a double;
    - snapshots and truth with two axes are those of one scene, or, where the array has one output
      alone, S × L snapshots.
    """

    def __call__(self, path: Path) -> Recording:
        """Return the recording; see :meth:`Reader.__call__`."""
        check_file(path)
        loaded = _load(path)
        with reading(path):
            return recording_of(_restored(loaded))


def _load(path: Path) -> dict[str, Numbers]:
    """Return every variable that the layout knows, as MATLAB stores it.

    Raises:
        InputError: it is damaged, or of version 7.3.
    """
    content = path.read_bytes()
    if content.startswith((_HDF5, b"MATLAB 7.3")) or content[512:].startswith(_HDF5):
        raise InputError(
            f"{path} is a MATLAB file of version 7.3 (HDF5), which cannot be read",
            "save it in MATLAB with save(..., '-v7')",
        )
    try:
        return variables(content, KNOWN)
    except DAMAGED as error:
        raise InputError(
            f"{path} is truncated, damaged, or not a MATLAB file ({error})",
            "save it again in MATLAB with save(..., '-v7')",
        ) from error


def _restored(loaded: Fields) -> dict[str, Numbers]:
    """Return the fields in the shapes and types of the layout."""
    fields = {name: value for name, value in loaded.items() if value.size}
    for name in {"format", *TEXTS} & fields.keys():
        fields[name] = _squeezed(fields[name])
    if "wavelength_m" in fields:
        fields["wavelength_m"] = _squeezed(fields["wavelength_m"])
    if "static_sources" in fields:
        fields["static_sources"] = _truth_value(_squeezed(fields["static_sources"]))
    for name in set(_VECTORS) & fields.keys():
        fields[name] = _vector(fields[name])
    for name in set(_WHOLE) & fields.keys():
        fields[name] = _whole(fields[name])
    if "truth_deg_m" in fields and fields["truth_deg_m"].ndim == 2:
        fields["truth_deg_m"] = fields["truth_deg_m"][None]
    if "snapshots" in fields and fields["snapshots"].ndim == 2:
        single = _outputs(fields) == 1
        values = fields["snapshots"]
        fields["snapshots"] = values[..., None] if single else values[None]
    return fields


def _outputs(fields: Fields) -> int | None:
    """Return the number of outputs that channel or positions tell."""
    told = fields.get("channel", fields.get("positions_m"))
    return None if told is None or told.ndim < 2 else int(told.shape[-2])


def _squeezed(value: Numbers) -> Numbers:
    """Return a single value without axes, anything else as it is."""
    return value.reshape(()) if value.size == 1 else value


def _vector(value: Numbers) -> Numbers:
    """Return a row or a column as a vector, anything else as it is."""
    return value.reshape(-1) if value.ndim == 2 and 1 in value.shape else value


def _whole(value: Numbers) -> Numbers:
    """Return doubles that are whole numbers as such, anything else as it is."""
    if value.dtype.kind != "f" or not (np.abs(value) < _LARGEST).all() or (value % 1).any():
        return value
    return value.astype(np.int64)


def _truth_value(value: Numbers) -> Numbers:
    """Return 0 or 1 as a truth value, anything else as it is."""
    number = value.dtype.kind in "iuf" and value.ndim == 0 and value.item() in {0, 1}
    return value.astype(bool) if number else value
