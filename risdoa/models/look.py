"""What physics knows of every cell before and between the judgements of a network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.conventions import invert_range
from risdoa.grid import Grid
from risdoa.models.anchors import offsets_of, shifted
from risdoa.models.atoms import Atoms
from risdoa.models.cells import halved, pooled, volumes
from risdoa.models.evidence import Places, beside, nearest_atom, of_atoms
from risdoa.models.maps import at_unit_power, bounded_grid
from risdoa.problem import Problem
from risdoa.scan import Gain, Matched, likelihood_gain, peaks

VIEWS = 4
FIRST_MAPS = VIEWS + 4 + 3 + 3
ROUND_MAPS = 2 * VIEWS + 3
NATS = 8.0
"""Evidence from which on a peak is hardly noise."""
WEAK = 1e-4
"""Least power of an atom at first, over that of the strongest."""


@dataclass(frozen=True)
class Look:
    """What is known of every scene before the network, in units of the root mean square of y.

    Of the points of :func:`halved` in a cell the place with the most posterior mass counts.

    Shapes:
        prior: (P,), log of the share of every cell in the region. scale: (S,), of y. places: (S, P)
        of them. norms: (S, P), the mean power at an output of a unit source at the place. evidence:
        (S, P), log of the mean likelihood ratio in the cell, with all power, 1, as noise. excess:
        (S, P), that at the place less that. powers: (S, P), at the place. offsets: (S, 3, P), from
        the grid point to the place, in units of the local spacing.
    """

    grid: Grid
    prior: Tensor
    scale: Tensor
    places: Places
    norms: Tensor
    evidence: Tensor
    excess: Tensor
    powers: Tensor
    offsets: Tensor

    @classmethod
    @torch.no_grad()
    def at(cls, problem: Problem) -> Look:
        """Look at the measurements in single precision, without a graph."""
        problem, scale = at_unit_power(problem)
        with torch.autocast(scale.device.type, enabled=False):
            grid = bounded_grid(problem)
            return cls._through(Matched.prepare(problem, halved(grid)), grid, scale)

    @classmethod
    def _through(cls, matched: Matched, grid: Grid, scale: Tensor) -> Look:
        problem = matched.problem
        none = scale.new_zeros((problem.scenes, 0))
        known = none.unsqueeze(-1).expand(-1, -1, 3), none
        found = likelihood_gain(matched, *known, noise=torch.ones_like(scale))
        share = volumes(grid).log().to(scale)
        prior = pooled(grid, share.unsqueeze(0))[0].squeeze(0)
        mass, best = pooled(grid, found.value + share)
        evidence = (mass - prior).clamp_min(0)
        search = matched.points[best]
        return cls(
            grid,
            prior,
            scale,
            Places(problem, search.to(scale), matched.norms_at(best)),
            matched.mean_norms(best),
            evidence,
            torch.take_along_dim(found.value, best, 1) - evidence,
            torch.take_along_dim(found.powers, best, 1),
            offsets_of(grid, search).to(scale).mT,
        )

    def maps(self) -> Tensor:
        """Return views of the evidence, the share of y it explains, norms, and where that is."""
        points = self.grid.points().to(self.norms)
        inverse = points[:, 2] / points[:, 2].max().clamp_min(torch.finfo(points.dtype).tiny)
        where = torch.stack((torch.sin(points[:, 0]), torch.sin(points[:, 1]), inverse))
        relative = self.norms / self.norms.mean(-1, keepdim=True)
        prior = (self.prior - self.prior.max()).expand_as(self.norms) / 3
        own = (_log(self.powers * self.norms), _log(relative), self.excess / 3, prior)
        maps = torch.stack((*_views(self.evidence), *own), dim=1)
        return torch.cat((maps, 2 * self.offsets, where.expand(len(maps), -1, -1)), dim=1)

    def offsets_at(self, judged: Tensor, index: Tensor) -> Tensor:
        """Return the offsets at grid points, those read beside the cell's own, (S, J, 3)."""
        index = index.unsqueeze(1)
        read = torch.tanh(torch.take_along_dim(judged[:, 1:4], index, -1))
        return (torch.take_along_dim(self.offsets, index, -1) + read).mT

    @torch.no_grad()
    def again(self, judged: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Return further maps and the evidence beside the others, for atoms where logits peak.

        At the point of an atom the higher of the evidence at the cell's place and where the atom is
        counts, and the power of the atom.

        Shapes:
            judged: (S, 5, P). Returns (S, ROUND_MAPS, P) and (S, P).
        """
        with torch.autocast(judged.device.type, enabled=False):
            index = peaks(judged[:, 0], self.grid, count).points
            places = shifted(self.grid, index, self.offsets_at(judged, index), self.places.problem)
            search, atoms = invert_range(places), Atoms.at(self.places.problem, places)
            half = torch.full_like(self.scale, 0.5)
            strengths = atoms.fitted(self._first_powers(index), half)
            nearest, apart = nearest_atom(self.grid, self.places.search, search)
            everything, without = beside(self.places, atoms, strengths, nearest)
            own = of_atoms(strengths)
            without = Gain(
                without.value.scatter_reduce(1, index, own.value, "amax"),
                without.powers.scatter_reduce(1, index, own.powers, "amax", include_self=False),
            )
            shares = strengths.powers * torch.take_along_dim(self.norms, index, 1)
            bumps = ((-apart / 2).exp() * shares.unsqueeze(-1)).sum(1)
            noise = _log(strengths.noise).unsqueeze(-1).expand_as(bumps)
            others = (_log(without.powers * self.norms), bumps, noise)
            maps = (*_views(without.value), *_views(everything.value), *others)
            return torch.stack(maps, dim=1), without.value

    def _first_powers(self, index: Tensor) -> Tensor:
        """Return the powers that atoms start from: half of what each would have alone.

        A peak that stands in for one that is missing starts as a weak one.
        """
        powers = torch.take_along_dim(self.powers, index, 1) / 2
        again = (index.unsqueeze(2) == index.unsqueeze(1)).tril(-1).any(-1)
        powers = torch.where(again, WEAK * powers, powers)
        floor = torch.finfo(powers.dtype).tiny ** 0.5
        return torch.maximum(powers, WEAK * powers.amax(-1, keepdim=True)).clamp_min(floor)

    def select(self, scenes: Tensor) -> Look:
        """Return the chosen scenes."""
        rest = (self.norms, self.evidence, self.excess, self.powers, self.offsets)
        places, chosen = self.places.select(scenes), (each[scenes] for each in rest)
        return Look(self.grid, self.prior, self.scale[scenes], places, *chosen)


def _views(evidence: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return four views of evidence: in decades, relative, saturated, and as a posterior."""
    top = evidence.amax(-1, keepdim=True)
    relative = evidence / top.clamp_min(1e-3)
    posterior = ((evidence - top) / 4).exp()
    return torch.log1p(evidence) / 3, relative, torch.tanh(evidence / NATS), posterior


def _log(share: Tensor) -> Tensor:
    return torch.log(share + 0.01) / 3
