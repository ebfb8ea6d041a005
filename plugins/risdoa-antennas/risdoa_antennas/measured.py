"""What was measured of an array: a coupling matrix, patterns, boresights, in one file."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from risdoa.errors import InputError
from risdoa_antennas.coupling import check_condition
from risdoa_antennas.table import TablePattern

_DAMAGED = (
    AttributeError,
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy raises for files that are no complete archives of plain numbers."""

FIELDS = ("coupling", "pattern", "azimuth_deg", "elevation_deg", "boresight")


@dataclass(frozen=True)
class Measured:
    """What a file holds, None where it does not.

    Shapes:
        coupling: (N, N) complex128. boresight: (N, 3) unit vectors.
    """

    coupling: Tensor | None = None
    pattern: TablePattern | None = None
    boresight: Tensor | None = None

    def elements(self) -> int | None:
        """Return the number of elements that the file is for, None for any."""
        parts = (self.coupling, self.boresight)
        counts = [part.shape[0] for part in parts if part is not None]
        if self.pattern is not None and len(self.pattern.coefficients) > 1:
            counts.append(len(self.pattern.coefficients))
        if len(set(counts)) > 1:
            raise InputError(f"the parts of a response are for {sorted(set(counts))} elements")
        return counts[0] if counts else None


def read_measured(path: Path) -> Measured:
    """Return what a .npz file holds of coupling, pattern with its two axes, and boresight.

    Raises:
        InputError: if the file cannot be read, or holds something else.
    """
    fields = _arrays(path)
    unknown = sorted(fields.keys() - set(FIELDS))
    if unknown or not fields.keys() & {"coupling", "pattern", "boresight"}:
        raise InputError(
            f"{path} holds {', '.join(sorted(fields)) or 'nothing'}, not a response",
            f"a response holds some of {', '.join(FIELDS)}",
        )
    coupling = _coupling(fields["coupling"]) if "coupling" in fields else None
    boresight = _boresight(fields["boresight"]) if "boresight" in fields else None
    return Measured(coupling, _pattern(fields), boresight)


def _arrays(path: Path) -> dict[str, NDArray[np.complex128]]:
    """Return every array of a file, complex and finite."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name], np.complex128) for name in archive.files}
    except _DAMAGED as error:
        raise InputError(
            f"{path} cannot be read as a response: {error}",
            "write it with numpy.savez(path, coupling=…)",
        ) from error
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise InputError(f"{name} in {path} must be finite, got NaN or infinity")
    return arrays


def _coupling(values: NDArray[np.complex128]) -> Tensor:
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise InputError(
            f"coupling must be (N, N) for the N elements of the array, got {values.shape}"
        )
    matrix = torch.from_numpy(values)
    check_condition(matrix)
    return matrix


def _boresight(values: NDArray[np.complex128]) -> Tensor:
    axes = torch.from_numpy(values.real)
    if axes.ndim != 2 or axes.shape[1] != 3 or not bool((axes.abs().amax(-1) > 0).all()):
        raise InputError(
            f"boresight must be (N, 3), a vector other than 0 an element, got {values.shape}"
        )
    norms: Tensor = torch.linalg.vector_norm(axes, dim=-1, keepdim=True)
    return axes / norms


def _pattern(fields: dict[str, NDArray[np.complex128]]) -> TablePattern | None:
    parts = [name for name in ("pattern", "azimuth_deg", "elevation_deg") if name in fields]
    if not parts:
        return None
    if len(parts) < 3:
        raise InputError(
            f"a pattern needs pattern, azimuth_deg and elevation_deg, got {', '.join(parts)}"
        )
    axes = [np.atleast_1d(fields[name].real) for name in parts[1:]]
    return TablePattern(fields["pattern"], *axes)
