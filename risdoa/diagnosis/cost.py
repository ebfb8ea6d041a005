"""What a steering model costs: its pseudo-true bias against the exact spherical wave.

The pseudo-true positions (:mod:`risdoa.bounds.pseudo_true`) on spherical data are where an
estimator with the model ends as the noise vanishes. Their distance from the truth is held against
√CRB of the exact model at the noise of the scene.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from risdoa import bounds
from risdoa.bounds.pseudo_true import around, misinformed, signals_of
from risdoa.conventions import to_degrees
from risdoa.diagnosis.fits import Fitted, conditional, fitted
from risdoa.evaluation.metrics import Scores
from risdoa.frozen import changed
from risdoa.problem import Estimates, Problem, Truth
from risdoa.scenarios.base import Scenario
from risdoa.scenarios.simulation import mean_power, simulate
from risdoa.steering.base import Steering
from risdoa.steering.spherical import Spherical

BANDS = 4
"""Range bands of a region, equal in log r."""

ROUNDING = 1e-6
"""Bias over √CRB that counts as none."""


@dataclass(frozen=True)
class Cost:
    """The biases of a model, source by source.

    Shapes:
        ranges: (P,) m, of the sources. bias: (P, 3) deg, deg, m, signed; NaN for a
        coordinate that is fixed or that the model does not have. crb: (P, 3), √CRB in the same
        units, of the exact model.
    """

    ranges: Tensor
    bias: Tensor
    crb: Tensor

    def ratio(self) -> Tensor:
        """Return |bias|/√CRB, (P, 3)."""
        return self.bias.abs() / self.crb


@dataclass(frozen=True)
class Band:
    """The cost within a range band.

    Attributes:
        low_m, high_m: The band.
        sources: How many sources stand in it.
        median, worst: |bias| in azimuth °, elevation ° and range m.
        median_ratio, worst_ratio: The same over √CRB.
    """

    low_m: float
    high_m: float
    sources: int
    median: tuple[float, ...]
    worst: tuple[float, ...]
    median_ratio: tuple[float, ...]
    worst_ratio: tuple[float, ...]

    @property
    def valid(self) -> bool:
        """Whether the median bias is below √CRB in every coordinate that is estimated."""
        return all(not ratio > 1 for ratio in self.median_ratio)

    @property
    def biased(self) -> bool:
        """Whether there is a bias at all, beyond rounding."""
        return any(ratio > ROUNDING for ratio in self.worst_ratio)

    @property
    def departs(self) -> bool:
        """Whether a bias is above √CRB somewhere."""
        return any(ratio > 1 for ratio in self.worst_ratio)


def edges(region: Tensor) -> list[float]:
    """Return the bounds of the range bands of a region in m; one band where the range is fixed."""
    low, high = region[2].tolist()
    if high <= low:
        return [low, high]
    return torch.logspace(math.log10(low), math.log10(high), BANDS + 1).tolist()


def bands(cost: Cost, limits: Sequence[float]) -> list[Band]:
    """Return the cost by range band, those without a source left out."""
    inner = torch.tensor(limits[1:-1], dtype=torch.float64)
    index = torch.bucketize(cost.ranges, inner)
    return [
        _band(cost, index == number, limits[number], limits[number + 1])
        for number in range(len(limits) - 1)
        if bool((index == number).any())
    ]


def overall(cost: Cost) -> Band:
    """Return the cost over all sources."""
    everyone = torch.ones_like(cost.ranges, dtype=torch.bool)
    return _band(cost, everyone, float(cost.ranges.min()), float(cost.ranges.max()))


def scenario_truth(
    scenario: Scenario, generator: torch.Generator, each: int, sources: int, snr_db: float
) -> Truth:
    """Return spherical scenes of a scenario, ``each`` in every range band, fresh noise and signals.

    Sensing, array and directions are the scenario's; ranges are log-uniform within the bands.
    """
    problem, drawn = scenario.sample(4 * each, generator, sources=sources, snr_db=snr_db)
    limits = edges(problem.region)
    scenes = torch.arange(each * (len(limits) - 1))
    problem, drawn = problem.select(scenes), drawn.select(scenes)
    low = torch.tensor(limits[:-1], dtype=torch.float64).repeat_interleave(each)[:, None]
    high = torch.tensor(limits[1:], dtype=torch.float64).repeat_interleave(each)[:, None]
    unit = torch.rand(drawn.mask.shape, generator=generator, dtype=torch.float64)
    ranges = low * (high / low) ** unit
    places = torch.cat((drawn.positions[..., :2], ranges.unsqueeze(-1)), dim=-1)
    snapshots, signals = simulate(
        positions=places,
        powers=drawn.powers,
        array=problem.array,
        steering=Spherical(),
        sensing=problem.snapshots.sensing,
        snr_db=torch.full((len(scenes),), snr_db, dtype=torch.float64),
        snapshots=problem.snapshots.count,
        generator=generator,
        blocks=problem.snapshots.blocks,
    )
    exact = replace(problem, snapshots=snapshots, steering=Spherical())
    return Truth.of(places, drawn.mask, drawn.powers, exact, signals)


def recorded_truth(fit: Fitted) -> Truth:
    """Return a fit as if it were the truth: its places, signals and noise power.

    Where the noise power is not known it is what the fit leaves, over the degrees of freedom.
    """
    problem, mask = fit.problem, fit.estimates.valid
    steering = problem.steering(problem.array, fit.positions) * mask.unsqueeze(-2)
    seen = problem.snapshots.sensing.to(None, torch.complex128).observe(steering)
    signals = _signals(problem, seen, mask)
    powers = (signals.abs() ** 2).mean(1) * mask
    noise = problem.snapshots.noise_power
    if noise is None:
        outputs = problem.snapshots.count * problem.snapshots.outputs
        used = problem.snapshots.block_count * mask.sum(-1)
        left = (1 - fit.share).clamp_min(1e-12) * mean_power(problem.snapshots.values) * outputs
        noise = left / (outputs - used).clamp_min(1)
    known = changed(problem, snapshots=replace(problem.snapshots, noise_power=noise))
    return Truth.of(fit.positions, mask, powers, known, signals)


def model_cost(truth: Truth, steering: Steering) -> Cost:
    """Return the pseudo-true bias of a model at a truth whose problem has the exact model."""
    problem = truth.problem
    positions, seen = _ends(truth, steering)
    scores = Scores.of(truth, Estimates.at(positions, positions.new_zeros(problem.scenes)))
    bound = bounds.stochastic if problem.snapshots.fresh else bounds.deterministic
    crb = to_degrees(bound(truth).diagonal(dim1=-2, dim2=-1).clamp_min(0).sqrt())
    bias = torch.where(seen, scores.errors[..., :3], torch.nan)
    return Cost(truth.positions[..., 2][truth.mask], bias[truth.mask], crb[truth.mask])


def _ends(truth: Truth, steering: Steering) -> tuple[Tensor, Tensor]:
    """Return where estimates end without noise, (S, K, 3), and which coordinates they have, (3,).

    With too few outputs for every signal those of the stochastic likelihood, else the pseudo-true
    ones.
    """
    problem = truth.problem
    if conditional(problem):
        found = bounds.pseudo_true(truth, steering)
        return found.positions, found.seen
    told = misinformed(truth, signals_of(truth), steering)
    estimates = fitted(changed(told, region=around(told)), truth.positions).estimates
    return estimates.positions, problem.free & ~estimates.unobservable.flatten(0, 1).all(0)


def _signals(problem: Problem, seen: Tensor, mask: Tensor) -> Tensor:
    """Return the least-squares signals of every block, (S, L, K), 0 where there is no source."""
    snapshots = problem.snapshots
    seen = seen.expand(problem.scenes, snapshots.count, -1, -1)
    values = snapshots.values.to(seen.dtype).unsqueeze(-1)
    blocks = snapshots.block_index
    signals = values.new_zeros((problem.scenes, snapshots.count, seen.shape[-1]))
    for block in range(snapshots.block_count):
        rows = torch.nonzero(blocks == block).squeeze(-1)
        stacked, outputs = seen[:, rows].flatten(1, 2), values[:, rows].flatten(1, 2)
        solved = torch.linalg.pinv(stacked) @ outputs
        signals[:, rows] = solved.mT.expand(-1, len(rows), -1)
    return signals * mask.unsqueeze(1)


def _band(cost: Cost, chosen: Tensor, low: float, high: float) -> Band:
    bias, ratio = cost.bias[chosen].abs(), cost.ratio()[chosen]
    return Band(
        low,
        high,
        int(chosen.sum()),
        tuple(bias.quantile(0.5, dim=0).tolist()),
        tuple(bias.amax(0).tolist()),
        tuple(ratio.quantile(0.5, dim=0).tolist()),
        tuple(ratio.amax(0).tolist()),
    )
