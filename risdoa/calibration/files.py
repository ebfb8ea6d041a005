"""Calibrations on disk: one ``.npz`` of plain arrays, in the layout ``risdoa-calibration/1``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from risdoa.calibration.panel import Calibration
from risdoa.errors import InputError
from risdoa.files import atomic_path
from risdoa.recordings.base import check_file
from risdoa.recordings.checks import FieldChecks, require_finite, scalar
from risdoa.recordings.layout import Fields, reading
from risdoa.recordings.npz import load_archive

FORMAT = "risdoa-calibration/1"

_ARRAYS = {
    "nominal_m": ("real", "N 3"),
    "positions_m": ("real", "N 3"),
    "gains": ("complex", "N"),
    "gains_std": ("real", "N 2"),
    "positions_std_m": ("real", "N 3"),
}
_SCALARS = {
    "wavelength_m": ("fiu", "one real number", float),
    "steering": ("U", "a text", str),
    "scenes": ("iu", "a whole number", int),
    "excess": ("fiu", "one real number", float),
    "iterations": ("iu", "a whole number", int),
    "converged": ("b", "true or false", bool),
}
_KNOWN = ("format", *_ARRAYS, *_SCALARS)


def write_calibration(path: str | os.PathLike[str], calibration: Calibration) -> None:
    """Write a calibration, all of it or nothing; an older file is replaced.

    Raises:
        InputError: ``path`` is not a place where a file can be written.
    """
    content: dict[str, Any] = {"format": FORMAT}
    content |= {name: getattr(calibration, name).detach().cpu().numpy() for name in _ARRAYS}
    content |= {name: getattr(calibration, name) for name in _SCALARS}
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **content)


def read_calibration(path: str | os.PathLike[str]) -> Calibration:
    """Read what :func:`write_calibration` has written.

    Raises:
        InputError: there is no such file, it is damaged, or a field is missing or wrong.
    """
    file = Path(path)
    check_file(file, "calibration")
    loaded = load_archive(file, _KNOWN, FORMAT)
    with reading(file, "write it again with `risdoa calibrate`"):
        return _calibration_of(loaded)


def _calibration_of(loaded: Fields) -> Calibration:
    """Return the calibration in the fields of a file."""
    found = scalar("format", loaded.get("format", ""), "U", "a text")
    if found != FORMAT:
        raise InputError(f"the format must be {FORMAT!r}, got {found or 'none'!r}")
    for name in _KNOWN:
        if name not in loaded:
            raise InputError(f"missing field {name}")
    checks = FieldChecks()
    content: dict[str, Any] = {}
    for name, (kind, shape) in _ARRAYS.items():
        array = checks.array(name, loaded[name], kind, shape)  # type: ignore[arg-type]
        require_finite(name, array)
        content[name] = torch.from_numpy(array)
    for name, (kinds, expected, made) in _SCALARS.items():
        content[name] = made(scalar(name, loaded[name], kinds, expected))
    calibration = Calibration(**content)
    _check_values(calibration)
    return calibration


def _check_values(calibration: Calibration) -> None:
    """Raise an InputError for numbers that no calibration has."""
    calibration.array()
    for name in ("gains_std", "positions_std_m"):
        least = float(getattr(calibration, name).min())
        if least < 0:
            raise InputError(f"{name} must be at least 0, got {least:g}")
    if calibration.scenes < 1:
        raise InputError(f"scenes must be at least 1, got {calibration.scenes}")
