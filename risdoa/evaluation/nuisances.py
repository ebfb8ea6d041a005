"""What a bound needs besides positions, estimated at the true ones where a recording lacks it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from risdoa import likelihood
from risdoa.conventions import invert_range
from risdoa.minimise import minimise
from risdoa.problem import Truth

LEAST_POWER = 1e-9
"""Least power of a source and of the noise, over the mean power of the outputs."""


def completed(truth: Truth) -> tuple[Truth, tuple[str, ...]]:
    """Return a truth with signals, powers and noise power, and notes on what was estimated.

    Signals by least squares; the noise power, where it is not known, from what they leave; powers
    by maximum likelihood, in the stochastic model where every snapshot has a signal of its own. All
    at the true positions.
    """
    notes = ["the signals and powers of the sources are estimated at the true positions"]
    snapshots = truth.problem.snapshots
    if snapshots.noise_power is None:
        notes.append("the noise power is estimated at the true positions")
    signals = snapshots.values.new_zeros((*snapshots.values.shape[:2], truth.mask.shape[1]))
    powers = torch.zeros_like(truth.powers)
    noise = torch.zeros_like(truth.powers[:, 0])
    counts = truth.mask.sum(-1)
    for count in counts[counts > 0].unique().tolist():
        index = torch.nonzero(counts == count).squeeze(-1)
        found = _estimated(truth.select(index), count)
        signals[index, :, :count], powers[index, :count], noise[index] = found
    told = replace(snapshots, noise_power=noise)
    problem = replace(truth.problem, snapshots=told)
    return Truth.of(truth.positions, truth.mask, powers, problem, signals), tuple(notes)


def _estimated(truth: Truth, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return signals (S, L, K), powers (S, K) and noise power (S,) of scenes with K sources."""
    problem = truth.problem.to(dtype=torch.complex128)
    stats = likelihood.grams(problem, invert_range(truth.positions[:, :count].double()))
    stacked = likelihood.block_sums(stats)
    inner, moments = stacked.gram[..., :count, :count], stacked.moments[..., :count]
    each = torch.linalg.lstsq(inner.expand(*moments.shape, -1), moments.unsqueeze(-1)).solution
    signals = each.squeeze(-1)[:, stats.blocks]
    total = stats.snapshots * stats.outputs
    noise = problem.snapshots.noise_power
    if noise is None:
        freedom = max(1, total - count * stacked.snapshots)
        noise = likelihood.conditional(stats).cost / freedom
    least = LEAST_POWER * stats.energy.sum(-1) / total
    noise = torch.maximum(noise.expand(problem.scenes), least)
    powers = torch.maximum(signals.abs().square().mean(1), least[:, None])
    if problem.snapshots.fresh:
        held = problem.snapshots.noise_power is not None
        powers, noise = _most_likely(stats, powers, noise, held)
    return signals, powers, noise


def _most_likely(
    stats: likelihood.Grams, powers: Tensor, noise: Tensor, held: bool
) -> tuple[Tensor, Tensor]:
    """Return powers and noise power of greatest likelihood, the latter ``held`` if known."""
    count = powers.shape[1]
    places = powers.new_zeros((len(powers), 3 * count))
    first = torch.cat((places, powers.log(), noise.log()[:, None]), dim=-1)
    room = torch.cat((places, torch.full_like(powers, 20.0)), dim=-1)
    room = torch.cat((room, torch.full_like(room[:, :1], 0.0 if held else 7.0)), dim=-1)

    def evaluate(point: Tensor, index: Tensor) -> likelihood.Evaluation:
        some = replace(
            stats,
            gram=stats.gram if len(stats.gram) == 1 else stats.gram[index],
            moments=stats.moments[index],
            energy=stats.energy[index],
        )
        values = point[:, 3 * count :].exp()
        return likelihood.stochastic(some, values[:, :-1], values[:, -1])

    end = minimise(evaluate, first, first - room, first + room, scale=float(stats.outputs)).point
    values = end[:, 3 * count :].exp()
    return values[:, :-1], values[:, -1]
