"""MUSIC: peaks of the signal-subspace spectrum, or of the matched one in the measurement domain."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from risdoa.backends.base import BatchedBackend
from risdoa.backends.subspace_scan import Beside
from risdoa.conventions import invert_range
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.grid import Grid, search_grid
from risdoa.problem import Estimates, Problem
from risdoa.scan import MEMORY, EnergyScan, Matched, energy_scan, peaks, steering_vectors

MATCHED_NOTE = "music scanned the matched subspace spectrum of the measurements: no covariance"


class Music(BatchedBackend):
    """Finds sources one after the other as peaks of a spectrum over (φ, θ, 1/r).

    From a covariance: ‖U_sᴴa‖², which equals 1 - ‖U_nᴴa‖² of the noise subspace, with recursive
    projection for the second source on. Without one, or of too small a rank: the matched subspace
    spectrum Σ_b ‖Q(p)ᴴy_b‖²/‖y_b‖² of the measurements, which the notes of the result say.

    ``density`` is the number of grid points per −3 dB half-width, ``zoom`` how often the step
    around a peak is halved.
    """

    def __init__(self, density: float = 1.0, zoom: int = 5) -> None:
        if density <= 0 or zoom < 0:
            raise InputError(f"music needs density > 0 and zoom >= 0, got {density} and {zoom}")
        self.density, self.zoom = density, zoom

    def solve(
        self,
        problem: Problem,
        covariance: Covariance | None,
        start: Estimates | None,
        sources: int,
    ) -> Estimates:
        """Return ``sources`` peaks for every scene; a start is not used."""
        grid = search_grid(problem.array, problem.region, self.density)
        if covariance is None or covariance.width < sources:
            return self._matched(problem, grid, sources)
        basis = covariance.signal_subspace(sources)
        scan = energy_scan(problem.steering, problem.array, grid, sources)
        found = basis.real.new_zeros((problem.scenes, 0, 3))
        for _ in range(sources):
            spent = problem.steering(problem.array, invert_range(found)) if found.numel() else None
            beside = Beside.of(basis, spent)
            peak = self._zoom(problem, beside, _highest(beside, scan, grid), grid)
            found = torch.cat((found, peak.unsqueeze(1)), dim=1)
        steered = problem.steering(problem.array, invert_range(found))
        rest = 1 - Beside(basis).at(steered).mean(-1)
        return Estimates.at(problem.positions(found), rest, scan.notes)

    def _zoom(self, problem: Problem, beside: Beside, peak: Tensor, grid: Grid) -> Tensor:
        """Return peaks refined by searching 3 × 3 × 3 neighbours at ever smaller steps.

        In double precision: near a peak 1 - ‖Uᴴa‖² is lost to cancellation in single.
        """
        steps = grid.steps().to(peak.device)
        low, high = problem.descent_bounds()
        sides = [torch.tensor([0.0, -1.0, 1.0]) if step else torch.zeros(1) for step in steps]
        offsets = torch.cartesian_prod(*sides).to(peak)
        for _ in range(self.zoom):
            steps = steps / 2
            near = (peak.unsqueeze(1) + offsets * steps).clamp(low, high)
            value = beside.at(steering_vectors(problem.steering, problem.array, invert_range(near)))
            peak = torch.take_along_dim(near, value.argmax(-1)[:, None, None], 1).squeeze(1)
        return peak

    def _matched(self, problem: Problem, grid: Grid, sources: int) -> Estimates:
        """Return the peaks of the matched subspace spectrum."""
        matched = Matched.prepare(problem, grid)
        found = matched.points.new_zeros((problem.scenes, 0, 3))
        for _ in range(sources):
            found = torch.cat((found, matched.best(found).unsqueeze(1)), dim=1)
        energy = (problem.snapshots.values.abs() ** 2).sum((-2, -1))
        explained = matched.explained(found)
        notes = (MATCHED_NOTE, *matched.table.notes)
        return Estimates.at(problem.positions(found), 1 - explained / energy, notes)


def _highest(beside: Beside, scan: EnergyScan, grid: Grid) -> Tensor:
    """Return the highest peak of every scene, (S, 3), a few scenes at a time."""
    scenes = torch.arange(len(beside.remaining), device=beside.remaining.device)
    few = max(1, MEMORY // (16 * math.prod(grid.shape)))
    parts = []
    for some in scenes.split(few):
        spectrum = beside.select(some).over(scan.select(some))
        parts.append(peaks(spectrum, grid, 1).places[:, 0])
    return torch.cat(parts)
