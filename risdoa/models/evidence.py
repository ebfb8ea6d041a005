"""What the measurements say about a source at every point of a grid: log-likelihoods, not energies.

A source of power γ at grid point g raises the log-likelihood of y_b ~ CN(0, R_b) by

    Σ_b γ|m_b|²/(1 + γh_b) - log(1 + γh_b),    m_b = b_gᴴR_b⁻¹y_b,    h_b = b_gᴴR_b⁻¹b_g,

with b_g = G_l a(p_g), stacked over the snapshots of a block b that share their source signals; the
largest value over γ is the evidence for g, :func:`risdoa.scan.likelihood_gain` where no source is
known yet. For one source of that power, in noise of a known power
and with a flat prior, it is the logarithm of the posterior of its place, up to a constant.
"""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.grid import Grid
from risdoa.models.atoms import Atoms, Strengths
from risdoa.scan import Gain, Matched
from risdoa.scan.base import MEMORY, power
from risdoa.scan.gain import joined

LEFT = 1e-4
"""Least share of a vector that is left beside the atoms: rounding may leave less than nothing."""


def beside(
    matched: Matched, atoms: Atoms, strengths: Strengths, nearest: Tensor
) -> tuple[Gain, Gain]:
    """Return the evidence beside all atoms, and beside all but the one nearest to every point.

    With c = B_bᴴb_g and u = Tᵀc̄, all for R_b with every atom,

        σ²m = b_gᴴy - c̄ᵀTBᴴy,    σ²h = ‖b_g‖² - cᴴTc,

    and without atom j, by the identity of Sherman and Morrison,

        σ²m_{-j} = σ²m + u_j (TBᴴy)_j/T_jj,    σ²h_{-j} = σ²h + |u_j|²/T_jj,

    so that one scan of 1 + J fields a block leaves out every atom in turn (Tipping and Faul, 2003).

    Shapes:
        nearest: (S, P) int, the atom nearest to every grid point.
    """
    parts = []
    for scenes in torch.arange(len(nearest), device=nearest.device).split(_at_once(matched, atoms)):
        found = matched.correlate(atoms.fields[scenes], scenes).flatten(-2)
        own, cross = found[:, :, 0], found[:, :, 1:]
        spread, signals = strengths.spread[scenes], strengths.signals[scenes].unsqueeze(-1)
        mixed = spread.mT @ cross
        heard = own - (cross * signals).sum(2)
        shared = (mixed.real * cross.real + mixed.imag * cross.imag).sum(2)
        norms = matched.norms_of(scenes).flatten(-2)
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


def nearest_atom(grid: Grid, points: Tensor, search: Tensor) -> tuple[Tensor, Tensor]:
    """Return the nearest atom to every grid point, and the squared distances in grid steps.

    Shapes:
        points: (P, 3), search: (S, J, 3) in (φ, θ, w). Returns (S, P) int and (S, J, P).
    """
    steps = grid.steps().to(points)
    steps = torch.where(steps > 0, steps, 1.0)
    apart = ((points - search.unsqueeze(-2)) / steps).square().sum(-1)
    return apart.argmin(1), apart


def _gain(heard: Tensor, room: Tensor, sigma: Tensor) -> Gain:
    """Return the evidence from σ²m_b and σ²h_b, (S, B, P) each."""
    fit = power(heard) / sigma**2
    return Gain.of(fit.unsqueeze(1), (room / sigma).unsqueeze(1))


def _picked(values: Tensor, here: Tensor) -> Tensor:
    """Return the values (S, B, J) of the atoms (S, B, 1, P), as (S, B, P)."""
    return torch.take_along_dim(values.unsqueeze(-1), here, 2).squeeze(2)


def _at_once(matched: Matched, atoms: Atoms) -> int:
    fields = atoms.fields.shape[1] * atoms.fields.shape[2]
    return max(1, MEMORY // (8 * fields * matched.table.rows * matched.table.columns))
