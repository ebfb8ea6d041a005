"""What a method makes of recordings: errors against their truth beside the error bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch

from risdoa.api import Method, estimate
from risdoa.conventions import COORDINATES
from risdoa.evaluation.metrics import Scores
from risdoa.registry import Registry
from risdoa.result import Result

UNITS = ("deg", "deg", "m")


@dataclass(frozen=True)
class Measured:
    """One coordinate of one recording, over the sources found.

    Attributes:
        median, worst: Of the absolute error; None without a truth.
        std: The median of the standard deviations that the estimates carry; None without any.
        unobservable: Sources of which the data do not tell this coordinate.
    """

    file: str
    scenes: int
    sources: int
    coordinate: str
    unit: str
    median: float | None
    worst: float | None
    std: float | None
    unobservable: int

    def row(self) -> dict[str, object]:
        """Return one row of ``risdoa.recordings/1``."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def measured(file: Path, method: Method, registry: Registry) -> list[Measured]:
    """Return what is found in one recording, a row for every coordinate that is free.

    Raises:
        InputError: The file cannot be read, or does not say how many sources there are.
    """
    result = estimate(file, method=method, registry=registry)
    free = torch.nonzero(result.problem.free).flatten().tolist()
    return [_row(file.name, result, axis) for axis in free]


def _row(name: str, result: Result, axis: int) -> Measured:
    valid, std = result.estimates.valid, result.std_deg_m()
    errors = _errors(result, axis)
    return Measured(
        file=name,
        scenes=result.problem.scenes,
        sources=int(valid.sum()),
        coordinate=COORDINATES[axis],
        unit=UNITS[axis],
        median=_quantile(errors, 0.5),
        worst=_quantile(errors, 1.0),
        std=None if std is None else _quantile(std[..., axis][valid].tolist(), 0.5),
        unobservable=int((result.estimates.unobservable[..., axis] & valid).sum()),
    )


def _errors(result: Result, axis: int) -> list[float]:
    """Return the absolute errors of one coordinate, none without a truth."""
    if result.recording.truth_deg_m is None:
        return []
    scores = Scores.of(result.recording.truth(result.problem), result.estimates)
    errors = scores.errors[..., axis][scores.found].abs()
    known: list[float] = errors[errors.isfinite()].tolist()
    return known


def _quantile(values: Sequence[float], share: float) -> float | None:
    """Return a quantile, None of nothing."""
    return float(torch.tensor(values).double().quantile(share)) if values else None
