"""What the adapters share: a grid over the region, a spectrum of each scene, its peaks."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import risdoa
from risdoa.backends.base import BatchedBackend
from risdoa.errors import InputError
from risdoa_peers.grid import Grid, cartesian
from risdoa_peers.libraries import library

ALIKE = 1e-3
"""Steering models count as alike if they share all but this part of the energy of a vector."""


class PeerBackend(BatchedBackend):
    """Another library's spectrum over (φ, θ, 1/r); its highest local maxima are the sources.

    The library works on one scene after the other, with spherical waves of its own. The spectrum
    goes no finer than the grid: put ``newton`` or ``nf-mle`` behind it for what lies between.

    Args:
        step_deg: Spacing of the grid in azimuth and elevation, in degrees.
        ranges: Planes of the grid, equally spaced in 1/range.
    """

    peer: ClassVar[str]

    def __init__(self, step_deg: float = 2.0, ranges: int = 16) -> None:
        if not (step_deg > 0 and ranges >= 1):
            raise InputError(
                f"a grid needs step_deg > 0 and ranges >= 1, got {step_deg:g} and {ranges}"
            )
        self.step_deg, self.ranges = step_deg, ranges
        self.module: Any = library(self.peer)

    @abstractmethod
    def prepared(self, array: risdoa.Array, points: NDArray[np.float64]) -> Any:
        """Return the library's own steering vectors or what it makes them from.

        Shapes:
            points: (P, 3) m, in the coordinates of the array.
        """

    @abstractmethod
    def spectrum(
        self, steering: Any, covariance: NDArray[np.complex128], sources: int
    ) -> NDArray[np.float64]:
        """Return the library's spectrum at the points of a prepared steering, high at sources.

        Shapes:
            covariance: (N, N), phases as exp(-jkρ). Returns (P,).
        """

    def solve(
        self,
        problem: risdoa.Problem,
        covariance: risdoa.Covariance | None,
        start: risdoa.Estimates | None,
        sources: int,
    ) -> risdoa.Estimates:
        """Return the highest peaks of every scene; a start is not used."""
        checked = self._checked(problem, covariance, sources)
        grid = Grid.over(problem.region, self.step_deg, self.ranges)
        places = grid.positions()
        self._check_waves(problem, places)
        points = cartesian(places).numpy()
        dense = checked.dense().to(device="cpu", dtype=torch.complex128).numpy()
        found = places.mean(0).repeat(problem.scenes, sources, 1)
        valid = torch.zeros(found.shape[:2], dtype=torch.bool)
        height = torch.zeros(problem.scenes, dtype=torch.float64)
        steering: Any = None
        for scene in range(problem.scenes):
            if steering is None or problem.array.positions.ndim > 2:
                array = problem.select(torch.tensor([scene])).array
                steering = self.prepared(array, points)
            values = torch.from_numpy(self.spectrum(steering, dense[scene], sources))
            peaks = grid.peaks(values, sources)
            found[scene, : len(peaks)], valid[scene, : len(peaks)] = places[peaks], True
            height[scene] = values[peaks].mean()
        device = problem.region.device
        estimates = risdoa.Estimates.at(found.to(device), height.to(device), (self._note(grid),))
        return replace(estimates, valid=valid.to(device))

    def _checked(
        self, problem: risdoa.Problem, covariance: risdoa.Covariance | None, sources: int
    ) -> risdoa.Covariance:
        """Return the covariance, which the library can work on."""
        if covariance is None:
            raise InputError(
                f"{self.peer} needs a covariance, these measurements give none",
                "name a model that makes one from them, or use nf-mle",
            )
        if covariance.width < sources or covariance.elements <= sources:
            raise InputError(
                f"a covariance of width {covariance.width} over {covariance.elements} elements "
                f"does not tell {sources} sources apart",
                "ask for fewer sources, or use more snapshots",
            )
        if problem.array.gains is not None:
            raise InputError(
                f"{self.peer} knows no element gains, this array has some",
                "use music, or divide the measurements by the gains",
            )
        return covariance

    def _check_waves(self, problem: risdoa.Problem, places: Tensor) -> None:
        """Raise an InputError unless the problem's steering is about spherical on the grid."""
        some = places[:: max(1, len(places) // 64)].to(problem.array.positions)
        elements = problem.array.positions.unsqueeze(-2)
        paths = torch.linalg.vector_norm(cartesian(some) - elements, dim=-1)
        phases = -problem.array.wavenumber * paths
        waves = torch.polar(torch.full_like(paths, problem.array.count**-0.5), phases)
        told = problem.steering(problem.array, some)
        alike = float(((told.conj() * waves).sum(-2).abs() ** 2).min())
        if alike < 1 - ALIKE:
            raise InputError(
                f"{self.peer} knows spherical waves alone, the steering model of this problem "
                f"shares as little as {alike:.1%} with them",
                "estimate with spherical steering: --steering spherical, or METHOD@spherical",
            )

    def _note(self, grid: Grid) -> str:
        planes, rows, columns = grid.shape
        return (
            f"{self.peer} searched a grid of {columns} x {rows} x {planes} points in azimuth, "
            "elevation and range"
        )


def loaded(covariance: NDArray[np.complex128], load: float) -> NDArray[np.complex128]:
    """Return R + load·tr(R)/N·I.

    Shapes:
        covariance: (N, N). Returns (N, N).
    """
    count = len(covariance)
    mean = np.trace(covariance).real / count
    result: NDArray[np.complex128] = covariance + load * mean * np.eye(count)
    return result
