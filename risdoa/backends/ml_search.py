"""The global search of a likelihood: insert, descend, keep the best, take out and insert anew."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.backends.ml_fits import Fit, Trial, noise_alone, not_too_weak
from risdoa.problem import Problem
from risdoa.scan import Matched, Peaks, neighbours, peaks

GLANCE, STEPS = 2, 4
"""Steps of the descents of all tries, and then of the more promising ones."""
SHARE = 3
"""One of so many tries is descended further."""
DOUBT, CERTAIN = 0.8, 30.0
"""Where the next best place is worth less than this part of the best, or so much less in
log-likelihood, a source stays."""
HOPELESS = 60.0
"""A place that is worth so much less in log-likelihood than another is not tried."""
PREPARED = 512 * 2**20
"""Bytes that the sensing of a batch may take, laid out for many products."""
NEW_NOISE = 0.1
"""Least share of the noise power that a new source leaves."""


@dataclass(frozen=True)
class Effort:
    """How hard a search tries.

    Attributes:
        first: Peaks tried for the first source.
        further: Peaks tried for a further source beside each set of sources kept.
        anew: Peaks tried where a source was taken out.
        kept: Sets of sources kept on the way, and half of them once all are inserted.
        sweeps: How often every source is taken out and inserted anew.
        around: Whether the grid points next to the highest peak are tried as well: two maxima may
            lie closer to each other than the grid shows.
    """

    first: int
    further: int
    anew: int
    kept: int
    sweeps: int
    around: bool = True

    @classmethod
    def of(cls, starts: int, kept: int, sweeps: int) -> Effort:
        """Return the effort of so many peaks for the first source, and fewer for the others."""
        return cls(starts, -(-starts // 2), -(-3 * starts // 4), kept, sweeps)


QUICK = Effort(first=1, further=1, anew=6, kept=1, sweeps=3, around=False)
"""What is enough for most scenes at high SNR."""


def search(fit: Fit, problem: Problem, matched: Matched, sources: int, effort: Effort) -> Trial:
    """Return the best set of sources found for every scene.

    Sources are inserted one after the other at the highest peaks of what a further source is worth
    to the likelihood; every set is descended jointly for a few steps, and the best are kept. Then
    every source in turn is taken out and inserted anew beside the others, and stays where that is
    better. The first pass tries one peak; scenes in which another place remains nearly as good are
    searched again with all of the effort. All in single precision: the last descent is the
    caller's.
    """
    problem = problem.to(dtype=torch.complex64).prepared(PREPARED)
    found = _inserted_all(fit, problem, matched, sources, QUICK)
    found, doubt = _until_settled(
        fit, problem, matched, found, QUICK.sweeps if effort.sweeps else 0
    )
    if not len(doubt):
        return found
    part = problem.select(doubt)
    matched = matched.select(doubt, part)
    trial = _inserted_all(fit, part, matched, sources, effort)
    trial = trial.best(len(doubt), -(-effort.kept // 2), _steps(matched) / 2)
    for _ in range(effort.sweeps):
        trial = _swept(fit, part, matched, trial, effort)[0]
    return found.replaced(doubt, trial.best(len(doubt), 1))


def _inserted_all(
    fit: Fit, problem: Problem, matched: Matched, sources: int, effort: Effort
) -> Trial:
    """Return the sets kept after all sources were inserted one after the other."""
    trial = noise_alone(problem)
    for number in range(sources):
        tries = effort.further if number else effort.first
        found, gain = _places(fit, matched, trial, tries)
        tried = _tried(found, gain, matched, effort, fit.unit(problem, trial))
        grown = _inserted(matched, trial, tried, gain, new=True)
        trial = _descended(fit, problem, matched, grown, problem.scenes)
        trial = trial.best(problem.scenes, effort.kept, _steps(matched) / 2)
    return trial


def _until_settled(
    fit: Fit, problem: Problem, matched: Matched, trial: Trial, sweeps: int
) -> tuple[Trial, Tensor]:
    """Return the sets after sweeps until no source moves, and the scenes that are in doubt still.

    Where a sweep moves a source, the scene has another one, as long as there are any left.
    """
    doubt = torch.ones_like(trial.cost, dtype=torch.bool)
    scenes = torch.arange(len(doubt), device=doubt.device)
    for _ in range(sweeps):
        part, before = problem.select(scenes), trial.rows(scenes)
        after, unsure = _swept(fit, part, matched.select(scenes, part), before, QUICK)
        trial, doubt = trial.replaced(scenes, after), doubt.index_copy(0, scenes, unsure)
        moved = _steps_apart(matched, before.search, after.search).amax(-1) > 1
        scenes = scenes[unsure & moved]
        if not len(scenes):
            break
    return trial, torch.nonzero(doubt).squeeze(-1)


def _swept(
    fit: Fit, problem: Problem, matched: Matched, trial: Trial, effort: Effort
) -> tuple[Trial, Tensor]:
    """Return the sets with every source inserted anew where that is better.

    And whether a scene had any source that might have belonged elsewhere, (S,).
    """
    doubt = torch.zeros(problem.scenes, dtype=torch.bool, device=trial.cost.device)
    for source in range(trial.sources):
        trial, scenes = _anew(fit, problem, matched, trial, source, effort)
        doubt[scenes] = True
    return trial, doubt


def _descended(fit: Fit, problem: Problem, matched: Matched, trial: Trial, groups: int) -> Trial:
    """Return the more promising of the sets in every group after the full descent.

    All descend a little; a share of them goes on, of which no two lead to one place.
    """
    size = len(trial.search) // groups
    first = fit.descended(problem, trial, GLANCE)
    first = first.best(groups, max(1, size // SHARE), _steps(matched) / 2)
    return fit.descended(problem, first, STEPS)


def _places(
    fit: Fit, matched: Matched, beside: Trial, tries: int
) -> tuple[Peaks, tuple[Tensor, Tensor]]:
    """Return the best places for a further source, and its gain and power everywhere, (S·C, P)."""
    gain, powers = fit.gain(matched, beside)
    return peaks(gain, matched.grid, tries), (gain, powers)


def _tried(
    found: Peaks, scanned: tuple[Tensor, Tensor], matched: Matched, effort: Effort, unit: Tensor
) -> Peaks:
    """Return the places to try: the peaks, and with ``around`` the neighbours of the highest.

    As many as are hopeful in any of the sets: a place worth less than another by ``HOPELESS`` in
    log-likelihood will not overtake it.
    """
    if effort.around:
        index = neighbours(matched.grid, found.points[:, :1])
        points = matched.points[index].to(found.places)
        heights = torch.take_along_dim(scanned[0], index, 1)
        pairs = ((found.places, points), (found.heights, heights), (found.points, index))
        found = Peaks(*(torch.cat(pair, dim=1) for pair in pairs))
    order = found.heights.argsort(dim=1, descending=True, stable=True)
    ranked = torch.take_along_dim(found.heights, order, 1)
    hopeful = (ranked[:, :1] - ranked <= HOPELESS * unit.to(ranked).unsqueeze(1)).sum(1)
    order = order[:, : int(hopeful.max())]
    places = torch.take_along_dim(found.places, order.unsqueeze(-1), 1)
    others = (torch.take_along_dim(each, order, 1) for each in (found.heights, found.points))
    return Peaks(places, *others)


def _inserted(
    matched: Matched, beside: Trial, found: Peaks, scanned: tuple[Tensor, Tensor], *, new: bool
) -> Trial:
    """Return every set with a source more, at each of the places.

    A ``new`` source takes the power that it explains out of the noise; one that was taken out
    before had done so already.
    """
    index, places = found.points, found.places
    powers = torch.take_along_dim(scanned[1], index, 1).to(beside.powers.dtype)
    count, tries = index.shape
    rows = torch.arange(count, device=index.device).repeat_interleave(tries)
    repeated = beside.rows(rows)
    noise = repeated.noise
    if new:
        sets = count // matched.problem.scenes
        explained = powers * matched.mean_norms(index.unflatten(0, (-1, sets))).flatten(0, 1)
        noise = torch.maximum(noise - explained.flatten(), NEW_NOISE * noise)
    return Trial(
        torch.cat((repeated.search, places.reshape(-1, 1, 3)), dim=1),
        not_too_weak(torch.cat((repeated.powers, powers.reshape(-1, 1)), dim=1)),
        noise,
        repeated.cost,
    )


def _anew(
    fit: Fit, problem: Problem, matched: Matched, trial: Trial, source: int, effort: Effort
) -> tuple[Trial, Tensor]:
    """Return the sets with one source inserted anew where that is better, and the scenes tried.

    Scenes in which no other place comes near to what the source itself is worth are left alone.
    """
    others = trial.only([each for each in range(trial.sources) if each != source])
    found, scanned = _places(fit, matched, others, effort.anew)
    unit = fit.unit(problem, trial)
    scenes = _in_doubt(found, matched, trial.search[:, source], unit)
    if not len(scenes):
        return trial, scenes
    sets = len(trial.search) // problem.scenes
    rows = (scenes[:, None] * sets + torch.arange(sets, device=scenes.device)).flatten()
    here = (scanned[0][rows], scanned[1][rows])
    chosen = Peaks(found.places[rows], found.heights[rows], found.points[rows])
    tried = _tried(chosen, here, matched, effort, unit[rows])
    grown = _inserted(matched, others.rows(rows), tried, here, new=False)
    part = problem.select(scenes)
    moved = _descended(fit, part, matched, grown, len(rows)).best(len(rows), 1)
    last = trial.sources - 1
    order = [last if each == source else each - (each > source) for each in range(last + 1)]
    return trial.replaced(rows, moved.only(order)), scenes


def _in_doubt(found: Peaks, matched: Matched, place: Tensor, unit: Tensor) -> Tensor:
    """Return the scenes in which a source may belong elsewhere, by index.

    Where the highest peak is the source itself and the next is worth much less, the source stays.

    Shapes:
        place: (S·C, 3) in (φ, θ, w). unit: (S·C,), what is worth one unit of log-likelihood.
    """
    off = _steps_apart(matched, found.places[:, 0], place)
    stand_in = found.points == found.points[:, :1]
    best = found.heights[:, 0]
    next_best = torch.where(stand_in, -torch.inf, found.heights).amax(-1)
    less = (next_best < DOUBT * best) | (best - next_best > CERTAIN * unit)
    clear = (off < 1.5) & less
    return torch.nonzero(~clear.unflatten(0, (matched.problem.scenes, -1)).all(-1)).squeeze(-1)


def _steps_apart(matched: Matched, one: Tensor, other: Tensor) -> Tensor:
    """Return the largest distance of places (…, 3) along an axis of the grid, in its steps."""
    return ((one - other) / _steps(matched)).abs().amax(-1)


def _steps(matched: Matched) -> Tensor:
    """Return the steps of the grid, (3,), infinite along an axis of one point."""
    steps = matched.grid.steps().to(matched.points)
    return torch.where(steps > 0, steps, torch.inf)
