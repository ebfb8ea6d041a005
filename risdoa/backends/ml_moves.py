"""What a search changes about a set of sources: one is inserted, or split, and all descend."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.backends.ml_fits import Fit
from risdoa.backends.ml_places import Places, steps
from risdoa.backends.ml_trial import Trial, not_too_weak
from risdoa.problem import Problem
from risdoa.scan import Matched

GLANCE, STEPS = 2, 4
"""Steps of the descents of all tries, and then of the more promising ones."""
SHARE = 3
"""One of so many tries is descended further."""
NEW_NOISE = 0.1
"""Least share of the noise power that a new source leaves."""


def inserted(matched: Matched, beside: Trial, at: Places, *, new: bool) -> Trial:
    """Return every set with a source more, at each of the places.

    A ``new`` source takes the power that it explains out of the noise; one that was taken out
    before had done so already.
    """
    places, powers = at.found.places, at.powers_found().to(beside.powers.dtype)
    count, tries = powers.shape
    rows = torch.arange(count, device=powers.device).repeat_interleave(tries)
    repeated = beside.rows(rows)
    noise = repeated.noise
    if new:
        sets = count // matched.problem.scenes
        norms = matched.mean_norms(at.found.points.unflatten(0, (-1, sets))).flatten(0, 1)
        noise = torch.maximum(noise - (powers * norms).flatten(), NEW_NOISE * noise)
    return Trial(
        torch.cat((repeated.search, places.reshape(-1, 1, 3)), dim=1),
        not_too_weak(torch.cat((repeated.powers, powers.reshape(-1, 1)), dim=1)),
        noise,
        repeated.cost,
    )


def split(matched: Matched, trial: Trial) -> Trial:
    """Return every set with each source in turn split in two, a grid step apart along each axis.

    One source between two that are close stands for both of them, and no peak beside it shows the
    second.
    """
    sides = torch.diag(steps(matched))
    sides = sides[sides.isfinite().all(-1)].to(trial.search) / 2
    count, known = trial.powers.shape
    ways = known * len(sides)
    rows = torch.arange(count, device=sides.device).repeat_interleave(ways)
    source = torch.arange(known, device=sides.device).repeat_interleave(len(sides)).repeat(count)
    whole, each = trial.rows(rows), torch.arange(len(rows), device=sides.device)
    shift, halves = sides.repeat(count * known, 1), whole.powers.clone()
    halves[each, source] /= 2
    one, other = whole.search.clone(), whole.search[each, source] - shift
    one[each, source] += shift
    return Trial(
        torch.cat((one, other.unsqueeze(1)), dim=1),
        torch.cat((halves, halves[each, source].unsqueeze(1)), dim=1),
        whole.noise,
        whole.cost,
    )


def joined(one: Trial, other: Trial, groups: int) -> Trial:
    """Return the sets of two trials, group by group."""
    sizes = [len(each.cost) // groups for each in (one, other)]

    def both(*parts: Tensor) -> Tensor:
        """Return the sets of both, those of a group beside each other."""
        pairs = zip(parts, sizes, strict=True)
        grouped = torch.cat([part.unflatten(0, (groups, size)) for part, size in pairs], dim=1)
        return grouped.flatten(0, 1)

    return Trial(
        both(one.search, other.search),
        both(one.powers, other.powers),
        both(one.noise, other.noise),
        both(one.cost, other.cost),
    )


def descended(fit: Fit, problem: Problem, matched: Matched, trial: Trial, groups: int) -> Trial:
    """Return the more promising of the sets in every group after the full descent.

    All descend a little; a share of them goes on, of which no two lead to one place.
    """
    size = len(trial.search) // groups
    if size == 1:
        return fit.descended(problem, trial, GLANCE + STEPS)
    first = fit.descended(problem, trial, GLANCE)
    first = first.best(groups, max(1, size // SHARE), apart(matched))
    return fit.descended(problem, first, STEPS)


def apart(matched: Matched) -> Tensor:
    """Return how close in (φ, θ, w) sets count as one, (3,)."""
    return steps(matched) / 2
