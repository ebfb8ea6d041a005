"""Monte Carlo comparison: the same scenes for every method, beside the bound."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from risdoa import bounds
from risdoa.counting import count_sources, estimated
from risdoa.errors import InputError
from risdoa.evaluation.gospa import Gospa
from risdoa.evaluation.methods import Method
from risdoa.evaluation.metrics import Deviation, Reference, Scores, Summary, summarise
from risdoa.evaluation.range_bins import BINS, RangeBin, bin_edges, by_range
from risdoa.problem import Problem, Truth
from risdoa.scenarios.base import Scenario
from risdoa.steering.base import Steering

CHUNK = 50
"""Scenes drawn from one seed; part of what a seed means, so never a matter of memory."""

Progress = Callable[[int, int], None]
BoundKind = Literal["auto", "stochastic", "deterministic"]


@dataclass(frozen=True)
class Setup:
    """Everything that decides which scenes are drawn."""

    scenario: Scenario
    snr_db: tuple[float, ...]
    sources: tuple[int, ...]
    trials: int
    seed: int
    data_steering: Steering | None = None
    """The model that makes the data, for the bound; None is the problem's own."""
    bound: BoundKind = "auto"
    """*auto*: stochastic for fresh source signals, deterministic where snapshots share them."""
    range_bins: tuple[float, ...] = (BINS,)
    """Edges in m, or one number: so many bins uniform in 1/r; see :func:`bin_edges`."""

    def __post_init__(self) -> None:
        """Refuse an empty comparison."""
        if not self.snr_db or not self.sources or self.trials < 1:
            raise InputError("a comparison needs an SNR, a number of sources and a trial")

    def tried(self, snr_db: float, sources: int) -> tuple[Problem, Truth]:
        """Return one scene of a point, to see before the work whether there can be such scenes.

        Raises:
            InputError: the scenario makes none.
        """
        return self.scenario.sample(1, torch.Generator(), sources=sources, snr_db=snr_db)

    def chunks(self, snr_db: float, sources: int) -> Iterator[tuple[Problem, Truth]]:
        """Yield the scenes of one point, ``CHUNK`` at a time; more trials begin with the same."""
        for index in range(-(-self.trials // CHUNK)):
            generator = torch.Generator().manual_seed(point_seed(self.seed, snr_db, sources, index))
            problem, truth = self.scenario.sample(CHUNK, generator, sources=sources, snr_db=snr_db)
            keep = torch.arange(min(CHUNK, self.trials - index * CHUNK))
            yield problem.select(keep), truth.select(keep)


@dataclass(frozen=True)
class Cell:
    """One method at one SNR and number of sources."""

    method: str
    snr_db: float
    sources: int
    summary: Summary
    seconds: float
    data_model: str
    estimation_model: str
    gospa: dict[str, float]
    bins: tuple[RangeBin, ...]
    notes: tuple[str, ...] = ()

    def rows(self) -> list[dict[str, object]]:
        """Return one row a coordinate and one of the position, as ``risdoa.compare/1`` has it."""
        azimuth, elevation, distance, _, space = self.summary.deviations
        ratios = (*self.summary.efficiencies(), space.efficiency)
        pairs = zip((azimuth, elevation, distance, space), ratios, strict=True)
        return [self._row(deviation, efficiency) for deviation, efficiency in pairs]

    def _row(self, deviation: Deviation, efficiency: float | None) -> dict[str, object]:
        return {
            **self._point(),
            "coordinate": deviation.coordinate,
            "rmse": deviation.rmse,
            "rmse_inliers": deviation.rmse_inliers,
            "sqrt_crb": deviation.sqrt_crb,
            "efficiency": efficiency,
            "outlier_rate": self.summary.outlier_rate,
            "data_model": self.data_model,
            "estimation_model": self.estimation_model,
        }

    def resolution_row(self) -> dict[str, object]:
        """Return how many scenes were resolved, and how many sources."""
        scenes, sources = self.summary.resolved_scenes, self.summary.resolved
        return self._point() | {"scenes": asdict(scenes), "true_sources": asdict(sources)}

    def bin_rows(self) -> list[dict[str, object]]:
        """Return one row a range bin."""
        return [self._point() | each.row() for each in self.bins]

    def gospa_row(self) -> dict[str, object]:
        """Return GOSPA with its parts."""
        return self._point() | self.gospa

    def _point(self) -> dict[str, object]:
        return {
            "method": self.method,
            "snr_db": self.snr_db,
            "sources": self.sources,
            "trials": self.summary.trials,
        }


@dataclass(frozen=True)
class Floor:
    """What the bound says at one SNR and number of sources, over the sources off the edges.

    Attributes:
        sqrt_crb: azimuth and elevation in deg, range in m, inverse range in 1/m, and the position
            error bound in m; None if no source is far enough from the region's edges.
    """

    snr_db: float
    sources: int
    sqrt_crb: tuple[float, ...] | None
    counted: int


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison."""

    cells: tuple[Cell, ...]
    floors: tuple[Floor, ...]
    bound: str
    bound_model: str
    trials: int = 0
    labels: tuple[str, ...] = field(default=())
    told_sources: bool = True
    """Whether estimators were told the number of sources."""

    def rows(self) -> list[dict[str, object]]:
        """Return the rows of every cell."""
        return [row for cell in self.cells for row in cell.rows()]


def compare(
    setup: Setup, methods: Sequence[Method], progress: Progress | None = None
) -> Comparison:
    """Run every method on the same scenes and score it.

    Args:
        setup: Which scenes.
        methods: What to run on them.
        progress: Called with the number of scenes done and to do, all methods together.

    Raises:
        InputError: the scenario cannot make such scenes, or a method cannot be run on them.
    """
    points = [(snr_db, sources) for sources in setup.sources for snr_db in setup.snr_db]
    tries = [setup.tried(*point)[0] for point in points]
    edges = bin_edges(tries[0].region, setup.range_bins)
    total, done = len(points) * setup.trials * len(methods), 0
    cells: list[Cell] = []
    floors: list[Floor] = []
    names = ("", "")
    for snr_db, sources in points:
        tallies = [_Tally(method) for method in methods]
        references: list[Reference] = []
        for problem, truth in setup.chunks(snr_db, sources):
            reference, names = _reference(truth, setup)
            references.append(reference)
            counts = count_sources(problem) if problem.sources is None else None
            for tally in tallies:
                tally.run(problem, truth, counts)
                done += problem.scenes
                if progress is not None:
                    progress(done, total)
        joined = Reference.join(references)
        floors.append(_floor(snr_db, sources, joined))
        point = (snr_db, sources)
        cells += [tally.cell(point, joined, setup.scenario, edges) for tally in tallies]
    labels = tuple(method.label for method in methods)
    told = all(problem.sources is not None for problem in tries)
    return Comparison(tuple(cells), tuple(floors), *names, setup.trials, labels, told)


def point_seed(seed: int, snr_db: float, sources: int, chunk: int) -> int:
    """Return the seed of a chunk of scenes, whatever else is compared in the same run."""
    words = [seed, int(np.float64(snr_db + 0.0).view(np.uint64)), sources, chunk]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> np.uint64(1))


class _Tally:
    """What one method did at one point, chunk by chunk."""

    def __init__(self, method: Method) -> None:
        self.method = method
        self.scores: list[Scores] = []
        self.gospa: list[Gospa] = []
        self.seconds = 0.0
        self.notes: dict[str, None] = {}

    def run(self, problem: Problem, truth: Truth, counts: Tensor | None) -> None:
        """Estimate and score one chunk; of so many sources where the problem does not say."""
        if self.method.steering is not None:
            problem = replace(problem, steering=self.method.steering[1])
        started = time.perf_counter()
        if counts is None:
            estimates = self.method.estimate(problem)
        else:
            estimates = estimated(problem, counts, self.method.estimate)
        self.seconds += time.perf_counter() - started
        self.scores.append(Scores.of(truth, estimates))
        self.gospa.append(Gospa.of(truth, estimates))
        self.notes |= dict.fromkeys(estimates.notes)

    def cell(
        self,
        point: tuple[float, int],
        reference: Reference,
        scenario: Scenario,
        edges: Sequence[float],
    ) -> Cell:
        """Return the figures of all chunks, at an SNR and a number of sources."""
        scores = Scores.join(self.scores)
        told = self.method.steering
        return Cell(
            self.method.label,
            *point,
            summarise(scores, reference),
            self.seconds,
            scenario.data_label,
            scenario.estimation_model if told is None else told[0],
            Gospa.join(self.gospa).figures(),
            by_range(scores, reference, edges),
            tuple(self.notes),
        )


def _reference(truth: Truth, setup: Setup) -> tuple[Reference, tuple[str, str]]:
    """Return the reference of a chunk, the bound's name and the steering model it holds for."""
    model = setup.scenario.estimation_model
    if setup.data_steering is not None:
        model = setup.scenario.data_model
        truth = replace(truth, problem=replace(truth.problem, steering=setup.data_steering))
    name = setup.bound
    if name == "auto":
        name = "stochastic" if truth.problem.snapshots.fresh else "deterministic"
    bound = bounds.stochastic(truth) if name == "stochastic" else bounds.deterministic(truth)
    return Reference.of(truth, bound), (name, model)


def _floor(snr_db: float, sources: int, reference: Reference) -> Floor:
    """Return √(mean CRB) over the sources off the edges, whatever the methods found."""
    counted = reference.interior
    number = int(counted.sum())
    levels = reference.variances[counted].mean(0).sqrt().tolist() if number else None
    return Floor(snr_db, sources, None if levels is None else tuple(levels), number)
