"""The threshold of one source: where outliers decide, of which a Cramér–Rao bound says nothing.

The method of interval errors. The region falls into cells as wide as the array's −3 dB widths. At
the maximum of the likelihood stands the true cell, with the errors of the bound, or a wrong one,
with the distance to it. Given the signal that the true position shows, x_l = u_0ᴴy_l, another cell
shows u_jᴴy_l = ρ_jl* x_l + √(1-|ρ_jl|²) n_l, ρ_jl = u_0ᴴu_j, n_l ~ CN(0, σ²), and wins over it
with a probability F̄_j(x); cells err independently given x, so that

    P(outlier) = E_x[1 - Π_j (1 - F̄_j(x))],   MSE = (1 - P)·CRB + Σ_j P_j e_j².

Without a signal every one of J + 1 cells is as likely: P = J/(J + 1), the no-information limit.
Source: Rife & Boorstyn (1974), Athley (2005).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from risdoa import likelihood
from risdoa.bounds.cramer_rao import deterministic, stochastic
from risdoa.bounds.scenes import noise_of
from risdoa.conventions import RAD_PER_DEG, great_circle, invert_range
from risdoa.errors import InputError
from risdoa.grid import search_grid
from risdoa.problem import Problem, Truth

DENSITY = 0.5
"""Cells per −3 dB half-width: one for each full width."""
MAIN_LOBE = 0.5
"""A cell with |a_0ᴴa_j|² above this belongs to the true one."""
OUTLIER = 5 * RAD_PER_DEG
AT_ONCE = 2**26
"""Complex numbers that the cells of some scenes may take in memory."""

Kind = Literal["conditional", "stochastic"]


@dataclass(frozen=True)
class Prediction:
    """What interval errors predict for maximum likelihood, scene by scene.

    Shapes:
        outliers: (S,) probability of an estimate more than 5° off.
        mean_square: (S, 4), of azimuth and elevation [deg²], range [m²], inverse range [1/m²].
        no_information: (S, 4), the same without a signal: every cell is as likely.
        bound: (S, 4), the Cramér–Rao bound.
    """

    outliers: Tensor
    mean_square: Tensor
    no_information: Tensor
    bound: Tensor


def threshold(
    truth: Truth, generator: torch.Generator, kind: Kind = "conditional", draws: int = 40
) -> Prediction:
    """Return what interval errors predict for one source in every scene.

    Args:
        truth: One source a scene, with its power and signals, and noise power.
        generator: Draws the noise, ``draws`` times a scene.
        kind: The likelihood: conditional, or stochastic with power and noise known.
        draws: How many.

    Raises:
        InputError: for other than one source, signals that snapshots share or that are not
            known, or no noise power.
    """
    if not bool((truth.mask.sum(-1) == 1).all()) or not bool(truth.mask[:, 0].all()):
        raise InputError("a threshold is predicted for one source, got another number of sources")
    if not truth.problem.snapshots.fresh:
        raise InputError(
            "a threshold is predicted for a fresh source signal in every snapshot",
            "snapshots that share a signal have none",
        )
    bound = stochastic(truth) if kind == "stochastic" else deterministic(truth)
    cells = search_grid(truth.problem.array, truth.problem.region, DENSITY).points()
    cells = cells.to(truth.positions.device)
    snapshots = truth.problem.snapshots
    each = snapshots.count * snapshots.outputs * 4 * (len(cells) + 1)
    scenes = torch.arange(len(truth.mask), device=cells.device)
    parts = [
        _predicted(truth.select(some), bound[some, 0], cells, generator, kind, draws)
        for some in scenes.split(max(1, AT_ONCE // each))
    ]
    return Prediction(*(torch.cat(values) for values in zip(*parts, strict=True)))


def _predicted(
    truth: Truth,
    bound: Tensor,
    cells: Tensor,
    generator: torch.Generator,
    kind: Kind,
    draws: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the fields of a prediction for some scenes."""
    place = truth.positions[:, :1].double()
    others = invert_range(cells).expand(len(place), -1, -1)
    near = _main_lobe(truth.problem, place, others)
    chances = _chances(truth, cells, near, generator, kind, draws)
    errors = _squares(place, others)
    unclear = torch.where(near.unsqueeze(-1), torch.zeros_like(errors), errors)
    wrong, far = chances.sum(-1, keepdim=True), great_circle(place, others) > OUTLIER
    nothing = unclear.sum(1) / (1 + (~near).sum(-1, keepdim=True))
    variances = bound.diagonal(dim1=-2, dim2=-1)
    floor = torch.cat((variances, variances[:, 2:] / place[:, 0, 2:] ** 4), dim=-1)
    floor = floor * floor.new_tensor([RAD_PER_DEG**-2, RAD_PER_DEG**-2, 1, 1])
    inside = torch.minimum(floor, nothing)
    mean = (1 - wrong) * inside + (chances.unsqueeze(-1) * unclear).sum(1)
    return (chances * far).sum(-1), mean, nothing, floor


def _main_lobe(problem: Problem, place: Tensor, others: Tensor) -> Tensor:
    """Return which cells belong to the true one, (S, J) bool."""
    steering = problem.steering(problem.array, torch.cat((place, others), dim=1))
    match = (steering[..., :1].conj() * steering[..., 1:]).sum(-2)
    return match.abs().square() > MAIN_LOBE


def _chances(
    truth: Truth, cells: Tensor, near: Tensor, generator: torch.Generator, kind: Kind, draws: int
) -> Tensor:
    """Return the probability that the likelihood is greatest in each wrong cell, (S, J)."""
    problem = truth.problem.to(dtype=torch.complex128)
    search = cells.expand(len(near), -1, -1)
    search = torch.cat((invert_range(truth.positions[:, :1].double()), search), dim=1)
    seen = likelihood.observed(problem, search)[..., : search.shape[1]]
    seen = seen.expand(-1, problem.snapshots.count, -1, -1)
    norms = torch.linalg.vector_norm(seen, dim=-2)
    units = seen / norms.unsqueeze(-2)
    match = (units[..., :1].conj() * units[..., 1:]).sum(-2).abs().square()
    noise = noise_of(problem)[:, None, None]
    ratios = truth.powers[:, :1, None] * norms.square() / noise
    gains = ratios / (1 + ratios) if kind == "stochastic" else torch.ones_like(ratios)
    shift = torch.log1p(ratios) if kind == "stochastic" else torch.zeros_like(ratios)
    energy = _energies(truth, norms[..., 0] / noise[..., 0].sqrt(), generator, draws)
    shift = shift[..., 1:].sum(1) - shift[..., 0].sum(1, keepdim=True)
    level = (energy * gains[..., 0].unsqueeze(1)).sum(-1, keepdim=True) + shift.unsqueeze(1)
    beats = _tail(energy, match, gains[..., 1:], level)
    return _shares(torch.where(near.unsqueeze(1), torch.zeros_like(beats), beats))


def _energies(truth: Truth, scale: Tensor, generator: torch.Generator, draws: int) -> Tensor:
    """Return |x_l|² = |‖b_l‖ s_l/σ + n_l|² for draws of the noise, (S, D, L)."""
    if truth.signals is None:
        raise InputError("a threshold needs the realised source signals")
    clean = (truth.signals[..., 0] * scale).unsqueeze(1)
    shape = (len(scale), draws, scale.shape[-1], 2)
    parts = torch.randn(shape, dtype=scale.dtype, generator=generator, device=generator.device)
    noise = torch.view_as_complex(parts).to(scale.device) / math.sqrt(2)
    energy: Tensor = (clean + noise).abs().square()
    return energy


def _tail(energy: Tensor, match: Tensor, gains: Tensor, level: Tensor) -> Tensor:
    """Return P(Σ_l g_l |√m_l x_l + √(1-m_l) n_l|² > level), noise of power 1, by a gamma law.

    The law has the mean Σ g (m|x|² + 1 - m) and the variance Σ g² (2 (1-m) m|x|² + (1-m)²) of the
    sum.

    Shapes:
        energy: (S, D, L), |x|². match, gains: (S, L, J). level: (S, D, J). Returns (S, D, J).
    """
    rest = 1 - match
    mean = energy @ (gains * match) + (gains * rest).sum(1, keepdim=True)
    spread = gains.square() * rest
    variance = energy @ (2 * spread * match) + (spread * rest).sum(1, keepdim=True)
    rate = mean / variance.clamp_min(1e-300)
    tail: Tensor = torch.special.gammaincc(mean * rate, (level * rate).clamp_min(0))
    return tail


def _shares(beats: Tensor) -> Tensor:
    """Return the probability that each cell is the outlier, from P(it beats the truth | x).

    1 - Π(1 - F̄_j) is shared out in proportion to -log(1 - F̄_j).

    Shapes:
        beats: (S, D, J). Returns (S, J), the mean over draws.
    """
    hazard = -torch.log1p(-beats.clamp_max(1 - 1e-12))
    total = hazard.sum(-1, keepdim=True)
    shares: Tensor = (hazard * (-torch.expm1(-total) / total.clamp_min(1e-300))).mean(1)
    return shares


def _squares(place: Tensor, others: Tensor) -> Tensor:
    """Return the squared distance to every cell, (S, J, 4) in deg², deg², m² and 1/m²."""
    angles = (others - place)[..., :2] / RAD_PER_DEG
    ranges = (others - place)[..., 2:]
    inverse = others[..., 2:].reciprocal() - place[..., 2:].reciprocal()
    return torch.cat((angles, ranges, inverse), dim=-1).square()
