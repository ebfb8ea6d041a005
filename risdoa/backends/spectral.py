"""What bartlett and mvdr share: the peaks of a spectrum of the covariance."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from risdoa.backends.base import BatchedBackend
from risdoa.backends.music_objective import null_minimum
from risdoa.backends.omp import pursued
from risdoa.conventions import invert_range
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.grid import Grid, search_grid
from risdoa.problem import Estimates, Problem
from risdoa.scan import MEMORY, Apart, EnergyScan, Scale, energy_scan

LOBES = 2.0
"""A peak must be 3 dB above what the side lobes of higher ones bring to its place."""
TRIES = 4
"""Peaks looked at for every source that is asked for."""
SMALLEST = 1e-12
"""Eigenvalues that are smaller, over the largest, are rounding."""


@dataclass(frozen=True)
class Form:
    """q(p) = Σ_k c_k |v_kᴴa(p)|² of eigenvectors v_k and weights c_k from 0 to 1.

    Shapes:
        vectors: (S, N, J) complex128, orthonormal or 0. weights: (S, J) float64.
    """

    vectors: Tensor
    weights: Tensor

    def select(self, scenes: Tensor) -> Form:
        """Return the forms of the chosen scenes."""
        return Form(self.vectors[scenes], self.weights[scenes])

    def fields(self) -> Tensor:
        """Return X with q = ‖Xᴴa‖², (S, N, J)."""
        return self.vectors * self.weights.sqrt().unsqueeze(-2)

    def at(self, steering: Tensor) -> Tensor:
        """Return q at steering vectors (S, N, P), (S, P)."""
        product = self.fields().mH @ steering
        return (product.real**2 + product.imag**2).sum(-2)


class SpectralBackend(BatchedBackend):
    """Finds the peaks of a spectrum that rises with a form q(p) of the covariance.

    The grid has ``density`` points per −3 dB half-width. Peaks are taken from the highest down,
    each with all within a half-width and with its ridge along range. Those that the side lobes of
    higher ones explain are passed over. Each is refined by damped Newton steps on 1 - q in double
    precision. Where there are fewer peaks than sources, the missing ones are not valid and the
    notes say so. Without a covariance the measurements are searched as ``omp`` does.
    """

    name: str

    def __init__(self, density: float = 2.0, iterations: int = 30) -> None:
        if density <= 0 or iterations < 1:
            raise InputError(
                f"{self.name} needs density > 0 and iterations >= 1, got {density} and {iterations}"
            )
        self.density, self.iterations = density, iterations

    @abstractmethod
    def weights(self, eigenvalues: Tensor, covariance: Covariance) -> Tensor:
        """Return the weights c_k of the eigenvectors of FFᴴ, from 0 to 1, (S, J)."""

    def spectrum(self, form: Tensor) -> Tensor:
        """Return the spectrum for values of q, rising with q."""
        return form

    def solve(
        self,
        problem: Problem,
        covariance: Covariance | None,
        start: Estimates | None,
        sources: int,
    ) -> Estimates:
        """Return up to ``sources`` valid peaks for every scene; a start is not used."""
        if covariance is None:
            grid = search_grid(problem.array, problem.region)
            found = pursued(problem, grid, sources, self.iterations)
            note = f"{self.name} searched the measurements as omp does: no covariance"
            return replace(found, notes=(note, *found.notes))
        vectors, eigenvalues = eigen(covariance)
        form = Form(vectors, self.weights(eigenvalues, covariance))
        grid = search_grid(problem.array, problem.region, self.density)
        scan = energy_scan(problem.steering, problem.array, grid, form.weights.shape[-1])
        search, valid = self._scan(problem, form, scan, grid, sources)
        end = null_minimum(problem, form.vectors, search, self.iterations, form.weights)
        search = end.point.view_as(search)
        valid = valid & ~_merged(Scale(problem.array, problem.region), search, valid)
        cost = torch.where(valid, end.cost.view_as(valid), 0).sum(-1) / valid.sum(-1)
        notes = scan.notes if bool(valid.all()) else (unresolved_note(self.name), *scan.notes)
        return replace(
            Estimates.at(problem.positions(search), cost, notes),
            valid=valid,
            converged=(end.converged.view_as(valid) | ~valid).all(-1),
            iterations=end.iterations.view_as(valid).amax(-1),
        )

    def _scan(
        self, problem: Problem, form: Form, scan: EnergyScan, grid: Grid, sources: int
    ) -> tuple[Tensor, Tensor]:
        """Return the peaks between the points of the grid, and which there are, a few scenes each.

        Shapes:
            Returns (S, K, 3) in (φ, θ, w) and (S, K).
        """
        fields = form.fields()
        scale = Scale(problem.array, problem.region)
        scenes = torch.arange(problem.scenes, device=problem.region.device)
        parts = []
        for chunk in scenes.split(max(1, MEMORY // (16 * math.prod(grid.shape)))):
            part = form.select(chunk)
            spectrum = self.spectrum(scan.select(chunk).energies(fields[chunk]))
            apart = Apart(spectrum, grid, scale)
            parts.append(_peaks(problem.select(chunk), part, apart, sources))
        places, valid = zip(*parts, strict=True)
        return torch.cat(places), torch.cat(valid)


def unresolved_note(name: str) -> str:
    """Return the note for scenes with fewer peaks than sources."""
    return f"{name} tells fewer peaks apart than there are sources: the missing are not valid"


def eigen(covariance: Covariance) -> tuple[Tensor, Tensor]:
    """Return eigenvectors and eigenvalues of FFᴴ from the smaller of its two products.

    Shapes:
        Returns (S, N, J') complex128, columns of 0 where the eigenvalue is, and (S, J') float64.
    """
    factor = covariance.factor.to(torch.complex128)
    wide = covariance.width > covariance.elements
    product = factor @ factor.mH if wide else factor.mH @ factor
    eigenvalues, vectors = torch.linalg.eigh(product)
    eigenvalues = eigenvalues.clamp_min(0)
    kept = eigenvalues > SMALLEST * eigenvalues[:, -1:]
    eigenvalues = torch.where(kept, eigenvalues, 0)
    if not wide:
        vectors = factor @ vectors * torch.where(kept, eigenvalues.rsqrt(), 0).unsqueeze(-2)
    return vectors, eigenvalues


def _peaks(problem: Problem, form: Form, apart: Apart, sources: int) -> tuple[Tensor, Tensor]:
    """Return the peaks that are no side lobes of higher ones, (S, K, 3), and which there are.

    A source of form q_i at p_i alone would bring q_i |a_iᴴa|² to another place. Scenes that have
    their peaks are left alone once they are half of those at work.
    """
    at_work = torch.arange(problem.scenes, device=problem.region.device)
    places = form.weights.new_zeros((problem.scenes, sources, 3))
    heights = form.weights.new_zeros((problem.scenes, sources))
    steered = form.vectors.new_zeros((problem.scenes, problem.array.count, sources))
    count = torch.zeros_like(at_work)
    for number in range(TRIES * sources):
        found, there = apart.take()
        array = problem.array.select(at_work)
        steering = problem.steering(array, invert_range(found.places))
        height = form.at(steering).squeeze(1)
        reached = (steered[at_work].mH @ steering).squeeze(-1).abs() ** 2
        lobes = (heights[at_work] * reached).sum(-1)
        taken = there & (count[at_work] < sources) & (height > LOBES * lobes)
        if not number:
            # the first one counts even where nothing stands out, and stands in for what is missing
            taken, places = torch.ones_like(taken), found.places.expand_as(places).clone()
        rows = at_work[taken]
        slots = count[rows]
        places[rows, slots] = found.places[taken, 0]
        heights[rows, slots] = height[taken]
        steered[rows, :, slots] = steering[taken, :, 0]
        count[rows] += 1
        more = torch.nonzero(there & (count[at_work] < sources)).squeeze(-1)
        if not len(more):
            break
        if 2 * len(more) <= len(at_work):
            at_work, form = at_work[more], form.select(more)
            apart.keep(more)
    return places, torch.arange(sources, device=count.device) < count[:, None]


def _merged(scale: Scale, search: Tensor, valid: Tensor) -> Tensor:
    """Return which peaks ended within a half-width of one before them, (S, K)."""
    same = scale.close(search.unsqueeze(2), search.unsqueeze(1)) & valid.unsqueeze(1)
    return same.tril(-1).any(-1)
