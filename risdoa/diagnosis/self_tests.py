"""The conventions, tested on simulated truth: right data must pass, broken data must be seen.

The field of one source at the elements comes from :func:`risdoa.diagnosis.waves.reference`, not
from a steering model, goes through the scenario's own sensing without noise, and is looked at with
the steering model under test. *Far* sources stand where every model is a plane wave, *near* ones
where the wavefront is bent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import cartesian, from_cartesian, great_circle, unit_vectors
from risdoa.diagnosis.findings import Finding, Status
from risdoa.diagnosis.fits import Fitted, explained_at, fitted, with_values
from risdoa.diagnosis.geometry import plane_axes, shape_of
from risdoa.diagnosis.waves import (
    Converging,
    Turned,
    moved,
    reference,
    reordered,
    transposed_order,
)
from risdoa.frozen import changed
from risdoa.problem import Problem, Truth
from risdoa.scenarios.base import Scenario
from risdoa.scenarios.simulation import source_signals
from risdoa.steering.base import Steering

SCENES = 12
"""Scenes that every test looks at; medians over them are judged."""

FAR = 1e4
"""Range of the far sources over 2D²/λ."""

WRONG_SCALE = 1.1
SNR_DB = 30.0
"""SNR of the scenario's own scenes in the test of its truth."""

DESCRIBED = 0.9
"""Least share of a source that a model explains at its place, without noise."""

LOST = 0.75
"""Largest share, over that at the right place, that counts as lost; a few outputs behind a channel
with one strong path look alike for many places."""

CURVED = 0.01
"""Change in the log-likelihood, over the number of outputs, that makes a curvature observable."""


@dataclass(frozen=True)
class Bench:
    """The scenes of the tests.

    Shapes:
        problem: S scenes of one source, its steering the model under test, its region wide.
        signals: (S, L, 1). far, middle, near: (S, 1, 3) rad, rad, m, in the same directions.
    """

    problem: Problem
    signals: Tensor
    far: Tensor
    middle: Tensor
    near: Tensor

    def data(
        self, positions: Tensor, array: Array | None = None, *, conjugate: bool = False
    ) -> Problem:
        """Return the problem with the data of sources at positions, as ``array`` receives them."""
        steering = reference(array or self.problem.array, positions)
        steering = steering.conj() if conjugate else steering
        field = self.signals @ steering.mT
        return with_values(self.problem, self.problem.snapshots.sensing.forward(field))


def bench(problem: Problem, steering: Steering, generator: torch.Generator) -> Bench:
    """Return the scenes of the tests on the array, sensing and region of a problem.

    Azimuths lie 40 to 50 % of the way from the middle of the region to its edge, elevations 10 to
    20 %: none is near its own mirror image or on the diagonal, and 10 % of scale keep it inside.
    """
    scenes, low, high = problem.scenes, problem.region[:2, 0], problem.region[:2, 1]
    size = (scenes, 1, 2)
    unit = torch.rand(size, generator=generator, dtype=torch.float64) / 10
    unit = unit + torch.tensor([0.4, 0.1], dtype=torch.float64)
    sign = torch.randint(0, 2, size, generator=generator) * 2.0 - 1.0
    angles = (low + high) / 2 + sign * unit * (high - low) / 2
    limit = problem.array.fraunhofer_distance
    low_m, high_m = problem.region[2].tolist()
    ranges = (FAR * max(limit, high_m), limit / 4, max(low_m, min(limit / 12, high_m)))
    places = [torch.cat((angles, torch.full_like(angles[..., :1], r)), -1) for r in ranges]
    region = problem.region.clone()
    region[2] = torch.tensor([min(ranges) / 4, max(ranges)], dtype=region.dtype)
    counts = torch.ones(scenes, dtype=torch.int64)
    told = changed(problem, steering=steering, region=region, sources=counts)
    powers = torch.ones((scenes, 1), dtype=torch.float64)
    snapshots = problem.snapshots
    signals = source_signals(powers, snapshots.count, generator, snapshots.blocks)
    return Bench(told, signals, *places)


def self_tests(
    scenario: Scenario, steering: Steering, data_steering: Steering, generator: torch.Generator
) -> Iterator[Finding]:
    """Yield the findings of every test for a scenario and a steering model.

    Args:
        scenario: Where the array, the sensing and the region come from.
        steering: The model under test.
        data_steering: The model that makes the scenario's own data, for the test of its truth.
        generator: Of everything drawn.
    """
    problem, truth = scenario.sample(SCENES, generator, sources=1, snr_db=SNR_DB)
    yield _truth(truth, data_steering)
    scenes = bench(problem, steering, generator)
    yield mirror(scenes)
    yield phase(scenes)
    yield sign(scenes)
    yield order(scenes)
    yield origin(scenes)
    yield scale(scenes)


def _truth(truth: Truth, steering: Steering) -> Finding:
    """Whether the scenario's own data are those of its truth."""
    problem = changed(truth.problem, steering=steering)
    snapshots = problem.snapshots
    part = snapshots.block_count / (snapshots.count * snapshots.outputs)
    noise = (1 - part) / (1 + 10 ** (SNR_DB / 10))
    left = float((1 - explained_at(problem, truth.positions)).median())
    told = f"data at {SNR_DB:g} dB leave {left:.2e} of their energy at the truth, noise {noise:.2e}"
    hint = "the scenario's data do not belong to its truth: positions, order, sign or origin"
    return _judged("truth", left < 3 * noise, told, hint, left=left, noise=noise)


def mirror(scenes: Bench) -> Finding:
    """Whether the far-field spectrum is low at the mirror image of the source."""
    data = scenes.data(scenes.far)
    at, opposite = scenes.far.clone(), scenes.far.clone()
    if data.array.is_planar:
        opposite[..., :2] = -opposite[..., :2]
    else:
        opposite = from_cartesian(-cartesian(opposite))
    at[..., 2] = opposite[..., 2] = torch.inf
    here, there = (float(explained_at(data, each).median()) for each in (at, opposite))
    told = f"far-field spectrum {here:.4f} at the source, {there:.4f} at (-azimuth, -elevation)"
    hint = "the phases follow exp(+jkρ) or an axis runs the other way: see conventions"
    good = here > DESCRIBED and there < LOST * here
    return _judged("mirror", good, told, hint, at_source=here, at_mirror=there)


def phase(scenes: Bench) -> Finding:
    """Whether a global phase of model and data changes nothing."""
    data = scenes.data(scenes.near)
    turned = with_values(data, data.snapshots.values * torch.polar(*_polar(1.0, 2.0)))
    turned = changed(turned, steering=Turned(data.steering, 1.0))
    before, after = (explained_at(each, scenes.near) for each in (data, turned))
    change = float((before - after).abs().max())
    told = f"a global phase changes the explained share by {change:.1e}"
    hint = "something sees the global phase of a steering vector, which has no meaning"
    return _judged("global-phase", change < 1e-8, told, hint, change=change)


def sign(scenes: Bench) -> Finding:
    """Whether the best 1/r of right data is positive, and of conjugated data is not."""
    right, wrong = (
        signed_range(scenes.data(scenes.near, conjugate=each)) for each in (False, True)
    )
    if right is None or wrong is None:
        told = "the model does not resolve the range here: 1/r has no sign"
        return Finding("sign", "not observable", told)
    truth = float(scenes.near[..., 2].reciprocal().median())
    told = f"best 1/r {right:+.3f} /m (truth {truth:+.3f}), of conjugated data {wrong:+.3f} /m"
    hint = "the model's phases do not follow exp(-jkρ): conjugate the model, or the data"
    values = {"right_per_m": right, "conjugated_per_m": wrong, "truth_per_m": truth}
    return _judged("sign", right > 0 > wrong, told, hint, **values)


def order(scenes: Bench) -> Finding:
    """Whether elements in a wrong order lose correlation at the truth."""
    array = scenes.problem.array
    orders = {"reversed": torch.arange(array.count).flip(0)}
    transposed = transposed_order(array)
    if transposed is not None:
        orders["transposed"] = transposed
    share = float(explained_at(scenes.data(scenes.far), scenes.far).median())
    lost = {
        name: float(
            explained_at(scenes.data(scenes.far, reordered(array, each)), scenes.far).median()
        )
        for name, each in orders.items()
    }
    told = f"share at the truth {share:.4f}, " + ", ".join(
        f"elements {name} {value:.4f}" for name, value in lost.items()
    )
    hint = "the order of the elements differs between positions, codes or data"
    good = share > DESCRIBED and max(lost.values()) < LOST * share
    return _judged("element-order", good, told, hint, right=share, **lost)


def origin(scenes: Bench) -> Finding:
    """Whether the model has its origin in the middle, and half an element is seen by a truth."""
    array = scenes.problem.array
    step = array.spacing / 2
    extents = array.positions.flatten(0, -2).std(0, correction=0)
    shift = torch.where(extents > 1e-6 * array.wavelength, step, 0.0).to(torch.float64)
    right = fitted(scenes.data(scenes.middle), scenes.middle)
    share = float(right.share.median())
    if share < DESCRIBED:
        told = f"the model explains {share:.2f} of a near source alone"
        return Finding("origin", "not observable", told)
    wrong = fitted(scenes.data(scenes.middle, moved(array, shift)), scenes.middle)
    expected = great_circle(from_cartesian(cartesian(scenes.middle) - shift), scenes.middle)
    off, seen, should = (
        float(torch.rad2deg(angle).median())
        for angle in (
            great_circle(right.positions, scenes.middle),
            great_circle(wrong.positions, right.positions),
            expected,
        )
    )
    share = float(wrong.share.median())
    told = (
        f"{off:.3f}° from the truth; half an element moves the source by {seen:.3f}° (geometry: "
        f"{should:.3f}°) and leaves the share at {share:.4f}, so that only a truth shows it"
    )
    hint = "the array must be centred where the truth is counted from: half-integers for even sizes"
    good = off < should / 2 and abs(seen - should) < 0.3 * should
    values = {"off_deg": off, "moved_deg": seen, "expected_deg": should, "share": share}
    return _judged("origin", good, told, hint, **values)


def scale(scenes: Bench) -> Finding:
    """Whether the model has the right scale, and a spacing 10 % wrong is seen by a truth."""
    array = scenes.problem.array
    if shape_of(array) == "three-dimensional":
        told = "a wrong scale of an array in space is no other direction"
        return Finding("scale", "not observable", told)
    still = torch.zeros(3, dtype=torch.float64)
    right, wrong = (
        fitted(scenes.data(scenes.far, moved(array, still, factor)), scenes.far)
        for factor in (1.0, WRONG_SCALE)
    )
    before, after = (_sines_over(each.positions, scenes.far, array) for each in (right, wrong))
    share = float(wrong.share.median())
    told = (
        f"sines {before:.3f} x the truth; {after:.3f} x with elements {WRONG_SCALE:g} x as far "
        f"apart, which leaves the share at {share:.4f}, so that only a truth shows it"
    )
    hint = "positions or wavelength are in another unit than the model takes them for"
    good = abs(before - 1) < 0.02 and abs(after - WRONG_SCALE) < 0.02
    return _judged("scale", good, told, hint, right=before, scaled=after, share=share)


def _sines_over(found: Tensor, truth: Tensor, array: Array) -> float:
    """Return by how much the direction cosines along the array are larger than the true ones."""
    along = plane_axes(array).T
    seen, known = (unit_vectors(each) @ along for each in (found, truth))
    return float((seen * known).sum() / (known * known).sum())


def signed_range(problem: Problem) -> float | None:
    """Return the median best 1/r in 1/m over both signs, None where the data do not tell them."""
    diverging = fitted(problem)
    converging = fitted(replace(problem, steering=Converging(problem.steering)))
    gain = diverging.evidence - converging.evidence
    outputs = problem.snapshots.count * problem.snapshots.outputs
    if float(gain.abs().median()) < CURVED * outputs:
        return None
    best = torch.where(gain > 0, _inverse(diverging), -_inverse(converging))
    return float(best.median())


def _inverse(fit: Fitted) -> Tensor:
    """Return 1/r of the first source of every scene, (S,)."""
    return fit.positions[:, 0, 2].reciprocal()


def _polar(radius: float, angle: float) -> tuple[Tensor, Tensor]:
    return torch.tensor(radius, dtype=torch.float64), torch.tensor(angle, dtype=torch.float64)


def _judged(check: str, good: bool, told: str, hint: str, **values: float) -> Finding:
    """Return what was measured, with the hint only where it is wrong."""
    status: Status = "ok" if good else "fail"
    return Finding(check, status, told, "" if good else hint, values)
