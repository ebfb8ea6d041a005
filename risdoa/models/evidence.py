"""What the measurements say about a source at many places: log-likelihoods, not energies.

A source of power γ at place g raises the log-likelihood of y_b ~ CN(0, R_b) by

    Σ_b γ|m_b|²/(1 + γh_b) - log(1 + γh_b),    m_b = b_gᴴR_b⁻¹y_b,    h_b = b_gᴴR_b⁻¹b_g,

with b_g = G_l a(p_g), stacked over the snapshots of a block b that share their source signals; the
largest value over γ is the evidence for g, :func:`risdoa.scan.likelihood_gain` where no source is
known yet. For one source of that power, in noise of a known power and with a flat prior, it is the
logarithm of the posterior of its place, up to a constant.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.conventions import invert_range, short_way
from risdoa.grid import Grid
from risdoa.models.atoms import Atoms, Strengths
from risdoa.problem import Problem
from risdoa.scan import Gain
from risdoa.scan.base import MEMORY, power
from risdoa.scan.gain import joined
from risdoa.scan.table import steering_vectors

LEFT = 1e-4
"""Least share of a vector that is left beside the atoms: rounding may leave less than nothing."""
UNHEARD = 1e-6
"""Least share of an atom's power that shows: of less, rounding leaves nothing."""


@dataclass(frozen=True)
class Places:
    """Positions of every scene's own, and what a source at each of them is to the measurements.

    Shapes:
        search: (S, P, 3) in (φ, θ, w). norms: (S, B or 1, P), Σ_{l in b} ‖G_l a‖².
    """

    problem: Problem
    search: Tensor
    norms: Tensor

    def correlate(self, fields: Tensor, scenes: Tensor) -> Tensor:
        """Return aᴴx of fields (S', B, X, N) of the chosen scenes, (S', B, X, P)."""
        array, places = self.problem.array.select(scenes), invert_range(self.search[scenes])
        steering = steering_vectors(self.problem.steering, array, places).to(fields)
        products: Tensor = fields.flatten(1, 2) @ steering.conj()
        apart: Tensor = products.unflatten(1, fields.shape[1:3])
        return apart

    def select(self, scenes: Tensor) -> Places:
        """Return those of the chosen scenes."""
        return Places(self.problem.select(scenes), self.search[scenes], self.norms[scenes])


def beside(
    places: Places, atoms: Atoms, strengths: Strengths, nearest: Tensor
) -> tuple[Gain, Gain]:
    """Return the evidence beside all atoms, and beside all but the one nearest to every place.

    With c = B_bᴴb_g and u = Tᵀc̄, all for R_b with every atom,

        σ²m = b_gᴴy - c̄ᵀTBᴴy,    σ²h = ‖b_g‖² - cᴴTc,

    and without atom j, by the identity of Sherman and Morrison,

        σ²m_{-j} = σ²m + u_j (TBᴴy)_j/T_jj,    σ²h_{-j} = σ²h + |u_j|²/T_jj,

    so that 1 + J fields a block leave out every atom in turn (Tipping and Faul, 2003).

    Shapes:
        nearest: (S, P) int, the atom nearest to every place.
    """
    parts = []
    for scenes in torch.arange(len(nearest), device=nearest.device).split(_at_once(places, atoms)):
        found = places.correlate(atoms.fields[scenes], scenes)
        own, cross = found[:, :, 0], found[:, :, 1:]
        spread, signals = strengths.spread[scenes], strengths.signals[scenes].unsqueeze(-1)
        mixed = spread.mT @ cross
        heard = own - (cross * signals).sum(2)
        shared = (mixed.real * cross.real + mixed.imag * cross.imag).sum(2)
        norms = places.norms[scenes]
        room = torch.maximum(norms - shared, LEFT * norms)
        here = nearest[scenes][:, None, None].expand(-1, mixed.shape[1], -1, -1)
        mine = torch.take_along_dim(mixed, here, 2).squeeze(2)
        variance = _picked(strengths.variances[scenes], here)
        heard_without = heard + mine * _picked(signals.squeeze(-1), here) / variance
        room_without = room + power(mine) / variance
        sigma = strengths.noise[scenes][:, None, None]
        parts.append((_gain(heard, room, sigma), _gain(heard_without, room_without, sigma)))
    everything, without = zip(*parts, strict=True)
    return joined(everything), joined(without)


def of_atoms(strengths: Strengths) -> Gain:
    """Return the evidence for every atom where it is, beside all others, (S, J).

    As above at b_g = b_j, where u_j = 1 - σ²T_jj/γ_j and what is left is simple:

        σ²m_{-j} = (TBᴴy)_j/T_jj,    σ²h_{-j} = (1 - σ²T_jj/γ_j)/T_jj.
    """
    sigma = strengths.noise[:, None, None]
    share = (1 - sigma * strengths.variances / strengths.powers.unsqueeze(1)).clamp_min(UNHEARD)
    heard = strengths.signals / strengths.variances
    return _gain(heard, share / strengths.variances, sigma)


def nearest_atom(grid: Grid, places: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
    """Return the nearest atom to every place, and the squared distances in grid steps.

    On a full circle the shorter way round counts.

    Shapes:
        places: (S, P, 3), search: (S, J, 3) in (φ, θ, w). Returns (S, P) int and (S, J, P).
    """
    steps = grid.steps().to(places)
    steps = torch.where(steps > 0, steps, 1.0)
    off = places.unsqueeze(1) - search.unsqueeze(2)
    if grid.full_circle:
        off[..., 0] = short_way(off[..., 0])
    apart = (off / steps).square().sum(-1)
    return apart.argmin(1), apart


def _gain(heard: Tensor, room: Tensor, sigma: Tensor) -> Gain:
    """Return the evidence from σ²m_b and σ²h_b, (S, B, P) each."""
    fit = power(heard) / sigma**2
    return Gain.of(fit.unsqueeze(1), (room / sigma).unsqueeze(1))


def _picked(values: Tensor, here: Tensor) -> Tensor:
    """Return the values (S, B, J) of the atoms (S, B, 1, P), as (S, B, P)."""
    return torch.take_along_dim(values.unsqueeze(-1), here, 2).squeeze(2)


def _at_once(places: Places, atoms: Atoms) -> int:
    fields, elements = atoms.fields.flatten(1, 2).shape[1:]
    return max(1, MEMORY // (8 * max(fields, elements) * places.search.shape[1]))
