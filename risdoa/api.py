"""The library in one call: ``risdoa.estimate``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from risdoa.calibration import Calibration, read_calibration
from risdoa.checkpoints import find_weights, read_checkpoint
from risdoa.conventions import RAD_PER_DEG
from risdoa.counting import count_sources, estimated
from risdoa.errors import InputError
from risdoa.pipeline import Settings, build_chain
from risdoa.problem import Estimates, Problem
from risdoa.reading import read_recording
from risdoa.recordings import Recording
from risdoa.registry import Registry, options_of
from risdoa.result import Result

__all__ = ["DEFAULT_CHAIN", "Method", "Result", "estimate", "run"]

DEFAULT_CHAIN = "nf-mle"
"""Maximum likelihood of the measurements: it searches globally, and needs no covariance."""

LEARNED_CHAIN = "music,newton,nf-mle"
"""Where a learned model gives a covariance to start from."""


@dataclass(frozen=True)
class Method:
    """What estimates: names and options of the plugins, and where learned weights are.

    Without ``backend``, ``nf-mle`` alone, or ``music,newton,nf-mle`` behind the model of a
    checkpoint; without ``model``, none for the former and ``sample`` for a chain that is given.
    """

    backend: str | Sequence[str] | None = None
    steering: str = "spherical"
    model: str | None = None
    checkpoint: Path | None = None
    settings: Settings | None = None

    @property
    def chain(self) -> tuple[str, ...]:
        """The names of the backends, in order."""
        if self.backend is None:
            behind = self.checkpoint is not None or self.model not in {None, "none"}
            names: str | Sequence[str] = LEARNED_CHAIN if behind else DEFAULT_CHAIN
        else:
            names = self.backend
        return tuple(names.split(",") if isinstance(names, str) else names)

    @property
    def covariance(self) -> str:
        """The name of the covariance model, or none."""
        return self.model or ("none" if self.backend is None else "sample")

    def label(self) -> str:
        """Return the method in a line: model, chain and steering model."""
        return f"{self.covariance}:{','.join(self.chain)}@{self.steering}"


def estimate(
    source: str | os.PathLike[str] | Recording | ArrayLike,
    *,
    positions_m: ArrayLike | None = None,
    wavelength_m: float | None = None,
    sources: int | Literal["auto"] | None = None,
    region_deg_m: ArrayLike | None = None,
    method: Method | None = None,
    calibration: Calibration | str | os.PathLike[str] | None = None,
    reader: str | None = None,
    registry: Registry | None = None,
    **choices: Any,
) -> Result:
    """Estimate where the sources are, in a file or in arrays.

    Args:
        source: A recording or its path, or complex snapshots (S, L, M), (L, M) or (M,) with phases
            that follow exp(-jkρ); snapshots need ``positions_m`` and ``wavelength_m``.
        positions_m: Element positions (N, 3) in metres.
        wavelength_m: The wavelength in metres.
        sources: The number of sources of every scene, in place of the recording's own; ``"auto"``
            counts them (:func:`risdoa.counting.count_sources`).
        region_deg_m: Where to look, (3, 2) [deg, deg, m], in place of the recording's own.
        method: What estimates; by default ``nf-mle`` with spherical steering.
        calibration: Of this array, or the path of one: gains and places of its elements.
        reader: What reads the file; by default the reader for its suffix.
        registry: Where plugins come from; by default what is installed.
        choices: Single fields of :class:`Method`, such as ``backend="music"``.

    Returns:
        A result that prints as a table, plots itself and turns into JSON.

    Raises:
        InputError: if something is missing, damaged, unknown or impossible.
    """
    chosen = _with_its_model(replace(method or Method(), **choices))
    registry = registry or Registry.discover()
    if isinstance(source, str | os.PathLike):
        settings = chosen.settings
        source = read_recording(source, reader=reader, settings=settings, registry=registry)
    recording = _recording(source, positions_m, wavelength_m)
    region = None if region_deg_m is None else _region(region_deg_m)
    options = options_of(chosen.settings or {}, "steering", chosen.steering)
    steering = registry.create("steering", chosen.steering, **options)
    auto = sources == "auto"
    problem = recording.problem(steering, region, None if sources == "auto" else sources)
    if problem.sources is None and not auto:
        raise InputError(
            "the number of sources is not known: this recording does not say",
            "give it with --sources N or --sources auto (in Python: sources=N)",
        )
    problem, notes = _calibrated(problem, calibration, chosen.steering)
    problem, estimates = (
        _counted(problem, chosen, registry) if auto else (problem, run(problem, chosen, registry))
    )
    made, told = recording.steering, chosen.steering.rpartition("/")[2]
    if made and made != told:
        notes = (*notes, f"data made with {made} steering, estimated with {told}")
    estimates = replace(estimates, notes=(*estimates.notes, *notes))
    return Result(problem, estimates, recording, chosen.label())


def run(problem: Problem, method: Method, registry: Registry) -> Estimates:
    """Return the estimates of a method for a problem."""
    method = _with_its_model(method)
    chain = build_chain(
        registry,
        model=method.covariance,
        chain=method.chain,
        settings=method.settings,
        checkpoint=method.checkpoint,
    )
    return chain(problem)


def _with_its_model(method: Method) -> Method:
    """Return the method with the model that its checkpoint holds, where none is named."""
    if method.checkpoint is None or method.model is not None:
        return method
    return replace(method, model=read_checkpoint(find_weights(method.checkpoint))[1].model)


def _calibrated(
    problem: Problem, calibration: Calibration | str | os.PathLike[str] | None, steering: str
) -> tuple[Problem, tuple[str, ...]]:
    """Return the problem with the calibrated array, and what the user should know of it."""
    if calibration is None:
        return problem, ()
    if not isinstance(calibration, Calibration):
        calibration = read_calibration(calibration)
    notes = [f"the array is as calibrated from {calibration.scenes} scenes"]
    made, told = calibration.steering, steering.rpartition("/")[2]
    if made and made != told:
        notes.append(f"calibrated with {made} steering, estimated with {told}")
    return calibration.applied(problem), tuple(notes)


def _counted(problem: Problem, method: Method, registry: Registry) -> tuple[Problem, Estimates]:
    """Return the problem with the sources counted, and its estimates: none where there are none."""
    counts = count_sources(problem)
    estimates = estimated(problem, counts, lambda told: run(told, method, registry))
    empty = int((counts == 0).sum())
    if empty:
        note = f"no source found above the noise in {empty} of {len(counts)} scenes"
        estimates = replace(estimates, notes=(*estimates.notes, note))
    return replace(problem, sources=counts.clamp_min(1)), estimates


def _recording(
    source: Recording | ArrayLike, positions_m: ArrayLike | None, wavelength_m: float | None
) -> Recording:
    if isinstance(source, Recording):
        return source
    if positions_m is None or wavelength_m is None:
        raise InputError(
            "snapshots in an array need positions_m and wavelength_m",
            "call estimate(snapshots, positions_m=…, wavelength_m=…, sources=…)",
        )
    values = np.asarray(source)
    if not 1 <= values.ndim <= 3:
        raise InputError(f"snapshots must be (S, L, M), (L, M) or (M,), got {values.shape}")
    return Recording(
        positions_m=np.asarray(positions_m),
        wavelength_m=wavelength_m,
        snapshots=values.reshape((1,) * (3 - values.ndim) + values.shape),
    )


def _region(region_deg_m: ArrayLike) -> Tensor:
    """Return a region in radians and metres; the problem checks its values."""
    region = np.asarray(region_deg_m, dtype=np.float64)
    if region.shape != (3, 2):
        raise InputError(f"region_deg_m must be (3, 2), got {region.shape}")
    scale = np.array([[RAD_PER_DEG], [RAD_PER_DEG], [1.0]])
    return torch.from_numpy(region * scale)
