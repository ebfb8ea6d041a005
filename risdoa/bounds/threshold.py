"""The threshold of one source: where outliers decide, of which a Cramér–Rao bound says nothing.

The method of interval errors. At the maximum of the likelihood stands the true cell, the main lobe
about the truth, with the errors of the bound, or a wrong one, with the distance to it:

    MSE = (1 - P)·CRB + Σ_j P_j e_j²,

P_j the probability that the likelihood is greatest in the wrong cell j. Cells share the outputs
behind a surface, so that they do not err independently: P_j is counted over draws of the noise, of
the likelihood with the noise power known, on a grid of cells as wide as the −3 dB half-width.
Between the points of the grid a parabola along each axis leads to the maximum. Without a signal
every one of J + 1 cells is as likely: P = J/(J + 1), the no-information limit.
Source: Rife & Boorstyn (1974), Athley (2005).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from risdoa.bounds.cramer_rao import deterministic, stochastic
from risdoa.bounds.scenes import noise_of
from risdoa.conventions import RAD_PER_DEG, great_circle, invert_range
from risdoa.errors import InputError
from risdoa.grid import Grid, search_grid
from risdoa.problem import Problem, Truth

DENSITY = 1.0
"""Cells per −3 dB half-width."""
MAIN_LOBE = 0.5
"""A cell with |a_0ᴴa_j|² above this belongs to the true one."""
OUTLIER = 5 * RAD_PER_DEG
POWERS_DB = (-12.0, 9.0, 2.0)
"""From, to (left out) and step of the powers over the true one among which is the estimate."""
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
    truth: Truth, generator: torch.Generator, kind: Kind = "conditional", draws: int = 20
) -> Prediction:
    """Return what interval errors predict for one source in every scene.

    Args:
        truth: One source a scene, with its power and signals, and noise power.
        generator: Draws the noise, ``draws`` times a scene.
        kind: The likelihood: conditional, or stochastic with the noise power known.
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
    grid = search_grid(truth.problem.array, truth.problem.region, DENSITY)
    snapshots = truth.problem.snapshots
    tried = 2 * len(_steps(kind)) * (draws + snapshots.count)
    each = (2 * snapshots.count * snapshots.outputs + tried) * (math.prod(grid.shape) + 1)
    scenes = torch.arange(len(truth.mask), device=truth.mask.device)
    parts = [
        _predicted(truth.select(some), bound[some, 0], grid, generator, kind, draws)
        for some in scenes.split(max(1, AT_ONCE // each))
    ]
    return Prediction(*(torch.cat(values) for values in zip(*parts, strict=True)))


def _predicted(
    truth: Truth,
    bound: Tensor,
    grid: Grid,
    generator: torch.Generator,
    kind: Kind,
    draws: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the fields of a prediction for some scenes."""
    place = truth.positions[:, :1].double()
    cells = grid.points().to(place.device)
    others = invert_range(cells).expand(len(place), -1, -1)
    near = _main_lobe(truth.problem, place, others)
    values = _likelihoods(truth, others[0], generator, kind, draws)
    winner, wrong = _winners(values, near, grid.shape)
    errors, far = _squares(place, others), great_circle(place, others) > OUTLIER
    unclear = torch.where(near.unsqueeze(-1), torch.zeros_like(errors), errors)
    nothing = unclear.sum(1) / (1 + (~near).sum(-1, keepdim=True))
    variances = bound.diagonal(dim1=-2, dim2=-1)
    floor = torch.cat((variances, variances[:, 2:] / place[:, 0, 2:] ** 4), dim=-1)
    floor = floor * floor.new_tensor([RAD_PER_DEG**-2, RAD_PER_DEG**-2, 1, 1])
    inside = torch.minimum(floor, nothing).unsqueeze(1)
    apart = torch.take_along_dim(errors, winner.unsqueeze(-1), dim=1)
    mean = torch.where(wrong.unsqueeze(-1), apart, inside).mean(1)
    outliers = (wrong & torch.take_along_dim(far, winner, dim=1)).to(floor.dtype).mean(1)
    return outliers, mean, nothing, floor


def _main_lobe(problem: Problem, place: Tensor, others: Tensor) -> Tensor:
    """Return which cells belong to the true one, (S, J) bool."""
    steering = problem.steering(problem.array, torch.cat((place, others), dim=1))
    match = (steering[..., :1].conj() * steering[..., 1:]).sum(-2)
    return match.abs().square() > MAIN_LOBE


def _likelihoods(
    truth: Truth, cells: Tensor, generator: torch.Generator, kind: Kind, draws: int
) -> Tensor:
    """Return the log-likelihood at the truth and in every cell, for draws of the noise.

    Conditional: Σ_l |b_lᴴy_l|²/(‖b_l‖²σ²), b_l = G_l a. Stochastic: every term times q_l/(1 + q_l),
    less log(1 + q_l), with q_l = p ‖b_l‖²/σ², the greatest over powers p.

    Shapes:
        cells: (J, 3) rad, rad, m. Returns (S, D, 1 + J), in single precision.
    """
    problem = truth.problem.to(dtype=torch.complex64)
    places = cells.expand(len(truth.mask), -1, -1)
    places = torch.cat((truth.positions[:, :1].to(places.dtype), places), dim=1)
    steering = problem.steering(problem.array, places).to(torch.complex64)
    seen = problem.snapshots.sensing.observe(steering)
    energy, noise = seen.abs().square().sum(-2), noise_of(problem).float()[:, None, None]
    powers = truth.powers[:, :1, None].float() * _steps(kind).to(energy).view(-1, 1, 1, 1)
    ratios = powers * energy / noise
    weights, level = 1 / (energy * noise).expand_as(ratios), torch.zeros_like(ratios)
    if kind == "stochastic":
        weights, level = weights * ratios / (1 + ratios), torch.log1p(ratios)
    values = _drawn(truth, seen[..., 0], noise, generator, draws)
    total = torch.zeros((len(ratios), *values.shape[:2], seen.shape[-1]), device=seen.device)
    for snapshot, value in enumerate(values.unbind(2)):
        own = snapshot % seen.shape[1]
        match = (value @ seen[:, own].conj()).abs().square()
        total += match * weights[:, :, own].unsqueeze(2) - level[:, :, own].unsqueeze(2)
    return total.amax(0)


def _steps(kind: Kind) -> Tensor:
    """Return the powers that are tried, over the true one; the conditional likelihood has none."""
    levels = torch.arange(*POWERS_DB) if kind == "stochastic" else torch.zeros(1)
    return 10 ** (levels / 10)


def _drawn(
    truth: Truth, seen: Tensor, noise: Tensor, generator: torch.Generator, draws: int
) -> Tensor:
    """Return the snapshots for draws of the noise.

    Shapes:
        seen: (S, L or 1, M), G_l a at the truth. noise: (S, 1, 1). Returns (S, D, L, M) complex64.
    """
    if truth.signals is None:
        raise InputError("a threshold needs the realised source signals")
    clean = (truth.signals[..., :1].to(seen) * seen).unsqueeze(1)
    shape = (len(clean), draws, *clean.shape[2:], 2)
    parts = torch.randn(shape, generator=generator, device=generator.device).to(clean.device)
    drawn: Tensor = clean + (noise.unsqueeze(1) / 2).sqrt() * torch.view_as_complex(parts)
    return drawn


def _winners(values: Tensor, near: Tensor, shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Return the best wrong cell of every draw, and whether it is better than the true one.

    Shapes:
        values: (S, D, 1 + J), at the truth and in every cell. near: (S, J) bool, the true cell.
        Returns (S, D) int64 indices into J, and (S, D) bool.
    """
    home = torch.maximum(_peak(values[..., 1:], near, shape)[1], values[..., 0])
    winner, height = _peak(values[..., 1:], ~near, shape)
    return winner, height > home


def _peak(values: Tensor, allowed: Tensor, shape: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """Return the highest of the allowed points of a grid, and how high it is between the points.

    A parabola through the neighbours along an axis adds (f₊ - f₋)²/(8 (2f - f₊ - f₋)).
    """
    top, index = values.masked_fill(~allowed.unsqueeze(1), -math.inf).max(-1)
    height = top
    for axis, place in enumerate(torch.unravel_index(index, shape)):
        stride = math.prod(shape[axis + 1 :])
        sides = [(index + step).clamp(0, values.shape[-1] - 1) for step in (-stride, stride)]
        before, after = (values.gather(-1, side.unsqueeze(-1)).squeeze(-1) for side in sides)
        fall = 2 * top - before - after
        inside = (place > 0) & (place < shape[axis] - 1) & (fall > 0)
        inside &= (top >= before) & (top >= after)
        height = height + torch.where(inside, (after - before) ** 2 / (8 * fall), 0.0)
    return index, height


def _squares(place: Tensor, others: Tensor) -> Tensor:
    """Return the squared distance to every cell, (S, J, 4) in deg², deg², m² and 1/m²."""
    angles = (others - place)[..., :2] / RAD_PER_DEG
    ranges = (others - place)[..., 2:]
    inverse = others[..., 2:].reciprocal() - place[..., 2:].reciprocal()
    return torch.cat((angles, ranges, inverse), dim=-1).square()
