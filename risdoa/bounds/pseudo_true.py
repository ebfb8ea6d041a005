"""Where maximum likelihood that is told a wrong steering model ends without noise.

The *pseudo-true* positions minimise C(p; y) = Σ_b ‖Π_b⊥(p) y_b‖² at the noise-free y. C has many
minima, and below some ten wavelengths the lowest is often not the one next to the truth, so the
search is global: from the truth, at several ranges, and then every source in turn is taken out and
put where a scan over the region, and what lies around it, finds it to explain most.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from risdoa import likelihood
from risdoa.bounds.scenes import by_count
from risdoa.conventions import RAD_PER_DEG, invert_range, unit_vectors
from risdoa.errors import InputError
from risdoa.frozen import changed
from risdoa.grid import search_grid
from risdoa.minimise import minimise
from risdoa.problem import Problem, Truth
from risdoa.scan import Matched, peaks
from risdoa.steering.base import Steering

RANGES = (1.0, 0.6, 1.6)
"""The first descents start at the truth, its 1/r multiplied by each of these."""
PEAKS = 12
"""Places tried for a source that was taken out."""
GLANCE, KEPT = 8, 3
"""Steps that all tries descend, and how many of them go on."""
SWEEPS = 2
"""How often every source is taken out; one source alone only once."""
MARGIN = 15 * RAD_PER_DEG
"""By how much the scan goes beyond the region, whose edges play no part."""
AT_ONCE = 50
"""Scenes worked on at once, which bounds the memory."""
STEPS, TOLERANCE = 100, 1e-8
"""Most steps of a descent, and what it may leave of the cost."""


@dataclass(frozen=True)
class PseudoTrue:
    """Where an estimator with a wrong model ends, in the order of the true sources.

    Shapes:
        positions: (S, K, 3) rad, rad, m; NaN where masked. seen: (3,) bool, the coordinates that
        are free and that the model has.
    """

    positions: Tensor
    seen: Tensor


def pseudo_true(truth: Truth, steering: Steering) -> PseudoTrue:
    """Return the pseudo-true positions of conditional likelihood.

    ``truth.problem.steering`` makes the data, ``steering`` is what the estimator is told.

    Raises:
        InputError: if the signals are not known.
    """

    def found(part: Truth, index: Tensor, count: int) -> Tensor:
        told = misinformed(part, signals_of(truth)[index][..., :count], steering)
        start = invert_range(part.positions.double())
        parts = torch.arange(len(index), device=index.device).split(AT_ONCE)
        ends = [lowest(told.select(scenes), start[scenes]) for scenes in parts]
        return invert_range(torch.cat(ends)).unsqueeze(-1)

    positions = by_count(truth, found, columns=1).squeeze(-1)
    return PseudoTrue(positions, seen(truth, steering))


def signals_of(truth: Truth) -> Tensor:
    """Return the signals, (S, L, K) complex128.

    Raises:
        InputError: if they are not known.
    """
    if truth.signals is None:
        raise InputError("the bias of a wrong model needs the realised source signals")
    return truth.signals.to(torch.complex128)


def misinformed(truth: Truth, signals: Tensor, steering: Steering) -> Problem:
    """Return the problem that is told ``steering`` of noise-free data by the truth's own model.

    Shapes:
        signals: (S, L, K).
    """
    problem = truth.problem.to(dtype=torch.complex128)
    field = signals @ problem.steering(problem.array, truth.positions.double()).mT
    clean = problem.snapshots.sensing.forward(field)
    snapshots = replace(problem.snapshots, values=clean)
    return changed(problem, snapshots=snapshots, steering=steering)


def seen(truth: Truth, steering: Steering) -> Tensor:
    """Return which coordinates are free and change the steering vectors, (3,) bool."""
    problem = truth.problem
    slopes = steering.derivatives(problem.array, truth.positions.double())[1]
    return problem.free & (slopes.abs().flatten(0, -2).amax(0) > 0)


def lowest(problem: Problem, start: Tensor) -> Tensor:
    """Return the lowest minimum of C that was found, in (φ, θ, w).

    Shapes:
        start: (S, K, 3), the truth. Returns (S, K, 3).
    """
    scaled = torch.ones_like(start).unsqueeze(1).repeat(1, len(RANGES), 1, 1)
    scaled[..., 2] = start.new_tensor(RANGES)[:, None]
    scaled = torch.where(problem.free, scaled, torch.ones_like(scaled))
    matched = Matched.prepare(problem, search_grid(problem.array, around(problem)))
    ends = [_rearranged(problem, matched, start.unsqueeze(1) * scaled)]
    if start.shape[1] > 1:
        ends.append(_rearranged(problem, matched, _pursued(matched, start).unsqueeze(1)))
    search, costs = (torch.stack(each, dim=1) for each in zip(*ends, strict=True))
    best = costs.argmin(-1)[:, None, None, None]
    return _ordered(torch.take_along_dim(search, best, 1).squeeze(1), start)


def _pursued(matched: Matched, truth: Tensor) -> Tensor:
    """Return sources found one beside the other; fixed coordinates are those of the truth."""
    found = truth[:, :0]
    for source in range(truth.shape[1]):
        place = peaks(matched.spectrum(found), matched.grid, 1).places
        place = torch.where(matched.problem.free, place, truth[:, source : source + 1])
        found = torch.cat((found, place), dim=1)
    return found


def _rearranged(problem: Problem, matched: Matched, tries: Tensor) -> tuple[Tensor, Tensor]:
    """Return the best of the tries after every source was put where it explains most, and C.

    Shapes:
        tries: (S, C, K, 3). Returns (S, K, 3) and (S,).
    """
    search, least = _descended(problem, tries)
    sources = tries.shape[2]
    for source in list(range(sources)) * (SWEEPS if sources > 1 else 1):
        others = [each for each in range(sources) if each != source]
        places = peaks(matched.spectrum(search[:, others]), matched.grid, PEAKS).places
        tries = search.unsqueeze(1).repeat(1, PEAKS, 1, 1)
        tries[:, :, source] = torch.where(problem.free, places, search[:, None, source])
        moved, less = _descended(problem, tries)
        better = less < least
        search = torch.where(better[:, None, None], moved, search)
        least = torch.where(better, less, least)
    return search, least


def cost(problem: Problem, search: Tensor) -> likelihood.Evaluation:
    """Return C and its gradient for sets of sources (S·C, K, 3), C for each of the S scenes."""
    return likelihood.conditional(likelihood.grams(problem, search))


def _descended(problem: Problem, tries: Tensor) -> tuple[Tensor, Tensor]:
    """Return the best end of descents from sets of sources, and its cost.

    All descend a little; only the best go on.

    Shapes:
        tries: (S, C, K, 3). Returns (S, K, 3) and (S,).
    """
    if tries.shape[1] > KEPT:
        tries, least = _minima(problem, tries, GLANCE)
        best = least.argsort(-1)[:, :KEPT]
        tries = torch.take_along_dim(tries, best[..., None, None], 1)
    ends, least = _minima(problem, tries, STEPS)
    lowest, best = least.min(-1)
    return torch.take_along_dim(ends, best[:, None, None, None], 1).squeeze(1), lowest


def _minima(problem: Problem, tries: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Return the ends of descents, (S, C, K, 3), and their costs, (S, C)."""
    scenes, sets, sources = tries.shape[:3]
    first = tries.flatten(0, 1).flatten(1)
    side = math.pi if problem.full_circle else math.pi / 2
    far = first.new_tensor([side, side, 1e6]).repeat(sources)
    near = first.new_tensor([-side, -side, 1e-6]).repeat(sources)
    held = ~problem.free.repeat(sources)

    def evaluate(point: Tensor, index: Tensor) -> likelihood.Evaluation:
        search = point.unflatten(1, (sources, 3))
        whole = len(index) == scenes * sets
        return cost(problem if whole else problem.select(index // sets), search)

    lower, upper = torch.where(held, first, near), torch.where(held, first, far)
    end = minimise(evaluate, first, lower, upper, steps, TOLERANCE)
    return end.point.view_as(tries), end.cost.view(scenes, sets)


def around(problem: Problem) -> Tensor:
    """Return the region with room beyond its edges; fixed coordinates stay fixed."""
    region, free = problem.region.clone(), problem.free
    if not problem.full_circle:
        for axis in (0, 1):
            if free[axis] and float(region[axis].abs().max()) < math.pi / 2:
                room = region.new_tensor([-MARGIN, MARGIN])
                region[axis] = (region[axis] + room).clamp(-math.pi / 2, math.pi / 2)
    if free[2]:
        region[2] = region[2] * region.new_tensor([0.5, 4.0])
    return region


def _ordered(search: Tensor, truth: Tensor) -> Tensor:
    """Return the sources in the order that brings them next to those of the truth, (S, K, 3)."""
    found, places = unit_vectors(search), unit_vectors(truth)
    orders = torch.tensor(list(itertools.permutations(range(search.shape[1]))))
    match = torch.stack([(found[:, order] * places).sum((-2, -1)) for order in orders.unbind()])
    best = orders.to(search.device)[match.argmax(0)]
    return torch.take_along_dim(search, best.unsqueeze(-1), 1)
