"""Sets of sources under trial, and what the data alone say about their powers and the noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.frozen import changed
from risdoa.likelihood import block_sums, grams
from risdoa.problem import Problem

WEAKEST = 1e-4
"""Least power of a source, over that of the strongest, that a descent starts from."""


@dataclass(frozen=True)
class Trial:
    """Sets of sources under trial: C sets for each of S scenes, one scene after the other.

    Shapes:
        search: (S·C, K, 3) in (φ, θ, w). powers: (S·C, K). noise, cost: (S·C,).
    """

    search: Tensor
    powers: Tensor
    noise: Tensor
    cost: Tensor

    @property
    def sources(self) -> int:
        """The number of sources K."""
        return self.search.shape[1]

    def rows(self, rows: Tensor) -> Trial:
        """Return the chosen sets."""
        return Trial(self.search[rows], self.powers[rows], self.noise[rows], self.cost[rows])

    def only(self, sources: list[int]) -> Trial:
        """Return the sets with the chosen sources alone, in that order."""
        return Trial(self.search[:, sources], self.powers[:, sources], self.noise, self.cost)

    def where(self, choice: Tensor, other: Trial) -> Trial:
        """Return this where ``choice`` (S·C,) holds, and the other elsewhere."""
        return Trial(
            torch.where(choice[:, None, None], self.search, other.search),
            torch.where(choice[:, None], self.powers, other.powers),
            torch.where(choice, self.noise, other.noise),
            torch.where(choice, self.cost, other.cost),
        )

    def replaced(self, rows: Tensor, others: Trial) -> Trial:
        """Return the sets with some replaced by others, where those cost less."""
        better = others.cost < self.cost[rows]
        choice = torch.arange(len(self.cost), device=rows.device)
        choice = choice.index_copy(0, rows[better], len(choice) + torch.nonzero(better).squeeze(-1))
        both = zip(
            (self.search, self.powers, self.noise, self.cost),
            (others.search, others.powers, others.noise, others.cost),
            strict=True,
        )
        return Trial(*(torch.cat(pair)[choice] for pair in both))

    def in_order(self) -> Trial:
        """Return the sets with their sources in the order of azimuth, whatever found them first."""
        order = self.search[..., 0].argsort(dim=-1, stable=True)
        search = torch.take_along_dim(self.search, order.unsqueeze(-1), 1)
        return Trial(search, torch.take_along_dim(self.powers, order, 1), self.noise, self.cost)

    def repeated(self, scenes: int, apart: Tensor) -> Tensor:
        """Return the sets all of whose sources lie within ``apart`` (3,) of a better set's, (S·C,).

        Of equally good sets the first counts as the better one. The order of the sources does not
        matter: two sources found one after the other are those found the other way round.
        """
        cost = self.cost.unflatten(0, (scenes, -1))
        places = self.in_order().search.unflatten(0, (scenes, -1)) / apart
        close = ((places.unsqueeze(2) - places.unsqueeze(1)).abs() < 1).all(-1).all(-1)
        other, own = cost.unsqueeze(1), cost.unsqueeze(2)
        earlier = torch.ones_like(close).tril(-1)
        found: Tensor = (close & ((other < own) | ((other == own) & earlier))).any(-1).flatten()
        return found

    def best(self, scenes: int, count: int, apart: Tensor | None = None) -> Trial:
        """Return the ``count`` sets of lowest cost of every scene.

        Those that repeat a better one, see :meth:`repeated`, come last.
        """
        cost = self.cost
        if count > 1 and apart is not None:
            cost = torch.where(self.repeated(scenes, apart), torch.inf, cost)
        cost = cost.unflatten(0, (scenes, -1))
        leading = cost.argsort(dim=-1, stable=True)[:, :count]
        offset = torch.arange(scenes, device=cost.device)[:, None] * cost.shape[1]
        return self.rows((leading + offset).flatten())


def noise_alone(problem: Problem) -> Trial:
    """Return the trial of one set without any source a scene: all power is noise."""
    mean = mean_power(problem)
    none = mean.new_zeros((problem.scenes, 0))
    return Trial(none.unsqueeze(-1).expand(-1, -1, 3), none, mean, torch.full_like(mean, torch.inf))


def trial_at(problem: Problem, search: Tensor) -> Trial:
    """Return the trial of one set of sources a scene, with powers and noise by moments.

    From ŝ_l = (BᴴB + μI)⁻¹Bᴴy_l: p = mean |ŝ|², σ² = mean residual over the degrees of freedom.

    Shapes:
        search: (S, K, 3) in (φ, θ, w).
    """
    stats = block_sums(grams(problem, search))
    count = search.shape[1]
    gram, moments = stats.gram[..., :count, :count], stats.moments[..., :count]
    scale = gram.diagonal(dim1=-2, dim2=-1).real.mean(-1)[..., None, None]
    eye = torch.eye(count, dtype=gram.dtype, device=gram.device)
    signals = torch.linalg.solve(gram + 1e-3 * scale * eye, moments.unsqueeze(-1)).squeeze(-1)
    powers = (signals.abs() ** 2).mean(1)
    left = stats.energy.sum(-1) - (moments.conj() * signals).sum((-2, -1)).real
    total = outputs_of(problem)
    mean = mean_power(problem)
    freedom = max(total - count * stats.snapshots, total // 2, 1)
    noise = (left / freedom).clamp_min(1e-12 * mean).clamp_min(1e-300)
    return Trial(search, not_too_weak(powers), noise, torch.full_like(noise, torch.inf))


def not_too_weak(powers: Tensor) -> Tensor:
    """Return powers of which none is below a small part of the strongest, nor 0."""
    return torch.maximum(powers, WEAKEST * powers.amax(-1, keepdim=True).clamp_min(1e-290))


def normalised(problem: Problem) -> tuple[Problem, Tensor]:
    """Return the problem with a mean output power of 1 in every scene, and what it was, (S,)."""
    mean = mean_power(problem)
    snapshots, noise = problem.snapshots, problem.snapshots.noise_power
    values = snapshots.values / mean.sqrt()[:, None, None]
    noise = None if noise is None else noise / mean
    return changed(problem, snapshots=changed(snapshots, values=values, noise_power=noise)), mean


def mean_power(problem: Problem) -> Tensor:
    """Return the mean output power of every scene, (S,)."""
    values = problem.snapshots.values
    return (values.real**2 + values.imag**2).mean((-2, -1)).to(torch.float64).clamp_min(1e-300)


def outputs_of(problem: Problem) -> int:
    """Return L·M, the number of measurements of a scene."""
    return problem.snapshots.count * problem.snapshots.outputs
