"""The diagnosis of a scenario or a recording: facts, cost of the model, tests."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch

from risdoa.diagnosis.cost import (
    Band,
    Cost,
    bands,
    edges,
    model_cost,
    overall,
    recorded_truth,
    scenario_truth,
)
from risdoa.diagnosis.findings import Finding, finite
from risdoa.diagnosis.fits import fitted
from risdoa.diagnosis.geometry import Geometry, geometry, least_range
from risdoa.diagnosis.recorded import recorded_tests, some_scenes, truth_of
from risdoa.diagnosis.self_tests import self_tests
from risdoa.errors import InputError
from risdoa.frozen import changed
from risdoa.problem import Problem
from risdoa.recordings import Recording
from risdoa.scenarios.base import Scenario
from risdoa.steering.base import Steering
from risdoa.steering.spherical import Spherical

SEED = 0
SNR_DB = 10.0
"""SNR at which the bound of a scenario is taken."""

EACH = 12
"""Scenes of a scenario in every range band."""

BEST_DB = -30.0
"""The lowest side lobe that is told."""


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was found about a scenario or a recording.

    Attributes:
        subject: scenario or recording. name: which. steering: the model under test.
        scenes: How many scenes were looked at.
        geometry: The facts of array and region.
        valid_from_m: The range beyond which the phase error of the model is below π/8.
        bands: The cost of the model by range band. overall: over all sources.
        noise: Where the noise power of the bound comes from.
        findings: What the tests found.
    """

    subject: str
    name: str
    steering: str
    scenes: int
    geometry: Geometry
    valid_from_m: float
    bands: tuple[Band, ...]
    overall: Band
    noise: str
    findings: tuple[Finding, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the diagnosis as JSON; a number that is not finite is null."""
        facts = asdict(self.geometry) | {"valid_from_m": finite(self.valid_from_m)}
        return {
            "subject": self.subject,
            "name": self.name,
            "steering": self.steering,
            "scenes": self.scenes,
            "geometry": facts,
            "noise": self.noise,
            "cost": {
                "overall": _band_json(self.overall),
                "bands": [_band_json(band) for band in self.bands],
            },
            "checks": [each.to_json() for each in self.findings],
        }


def diagnose_scenario(
    scenario: Scenario,
    name: str,
    steering: tuple[str, Steering],
    data_steering: Steering,
    sources: int = 1,
) -> Diagnosis:
    """Return the diagnosis of a scenario and a steering model.

    Raises:
        InputError: the scenario cannot make such scenes, or the model does not hold for its array.
    """
    told, model = steering
    generator = torch.Generator().manual_seed(SEED)
    truth = scenario_truth(scenario, generator, EACH, sources, SNR_DB)
    cost = model_cost(truth, model)
    findings = [*_facts(truth.problem, model, cost)]
    findings += self_tests(scenario, model, data_steering, generator)
    noise = f"{SNR_DB:g} dB"
    return _diagnosis("scenario", name, told, model, truth.problem, cost, noise, findings)


def diagnose_recording(
    recording: Recording, name: str, steering: tuple[str, Steering], sources: int | None = None
) -> Diagnosis:
    """Return the diagnosis of a recording and a steering model.

    Raises:
        InputError: the number of sources is not known or impossible, or the model does not hold.
    """
    told, model = steering
    problem = recording.problem(model, sources=sources)
    if problem.sources is None:
        raise InputError(
            "the number of sources is not known: this recording does not say",
            "give it with --sources N",
        )
    truth = truth_of(recording, problem)
    if truth is not None and not bool((truth.mask.sum(-1) == problem.sources).all()):
        truth = None
    chosen = some_scenes(problem)
    problem, truth = problem.select(chosen), None if truth is None else truth.select(chosen)
    fit = fitted(problem)
    exact = fit if isinstance(model, Spherical) else fitted(changed(problem, steering=Spherical()))
    cost = model_cost(recorded_truth(exact), model)
    departs = overall(cost).departs
    findings = [*_facts(problem, model, cost), *recorded_tests(fit, truth, departs=departs)]
    known = problem.snapshots.noise_power is not None
    noise = "the recording's noise power" if known else "what the exact model leaves"
    return _diagnosis("recording", name, told, model, problem, cost, noise, findings)


def _diagnosis(
    subject: str,
    name: str,
    told: str,
    model: Steering,
    problem: Problem,
    cost: Cost,
    noise: str,
    findings: list[Finding],
) -> Diagnosis:
    facts = geometry(problem.array, problem.region)
    reach = least_range(model, problem.array, problem.region)
    parts = tuple(bands(cost, edges(problem.region)))
    return Diagnosis(
        subject, name, told, problem.scenes, facts, reach, parts, overall(cost), noise,
        tuple(findings),
    )  # fmt: skip


def _facts(problem: Problem, model: Steering, cost: Cost) -> Iterator[Finding]:
    """Yield what the geometry and the cost of the model come to."""
    facts = geometry(problem.array, problem.region)
    yield _near_field(facts)
    yield _lobes(facts)
    yield _model(facts, least_range(model, problem.array, problem.region), cost)


def _near_field(facts: Geometry) -> Finding:
    """Return how the region lies to the near field."""
    low, high = facts.region_m
    where = "across" if low < facts.fraunhofer_m < high else "within"
    where = "beyond" if low >= facts.fraunhofer_m else where
    told = (
        f"{facts.shape}, {facts.elements} elements, D = {facts.aperture_m:.3g} m, 2D²/λ = "
        f"{facts.fraunhofer_m:.3g} m; the region ({low:.3g}-{high:.3g} m) lies {where} it"
    )
    values = {"aperture_m": facts.aperture_m, "fraunhofer_m": facts.fraunhofer_m}
    return Finding("near-field", "ok", told, values=values)


def _lobes(facts: Geometry) -> Finding:
    """Return whether a grating lobe lies in the region."""
    level = 10 * math.log10(max(facts.ambiguity, 10 ** (BEST_DB / 10)))
    told = f"spacing {facts.spacing_wavelengths:.3g} λ, highest side lobe {level:.1f} dB"
    values = {"spacing_wavelengths": facts.spacing_wavelengths, "side_lobe_db": level}
    if not facts.grating:
        return Finding("grating-lobes", "ok", told, values=values)
    first, second = (f"({azimuth:.0f}°, {up:.0f}°)" for azimuth, up in facts.ambiguous_deg)
    hint = "narrow the region (--region of risdoa estimate) to one of the lobes"
    told += f": {first} and {second} look alike"
    return Finding("grating-lobes", "warn", told, hint, values)


def _model(facts: Geometry, reach: float, cost: Cost) -> Finding:
    """Return whether the bias of the model stays below √CRB."""
    band = overall(cost)
    ratios = [ratio for ratio in band.worst_ratio if not math.isnan(ratio)]
    worst = max(ratios, default=math.nan)
    values = {"worst_ratio": worst, "valid_from_m": reach}
    low, high = facts.region_m
    inside = "all" if reach <= low else "no part" if reach >= high else f"beyond {reach:.3g} m"
    since = f"from {reach:.3g} m on" if reach else "everywhere"
    bias = f"worst bias {worst:.2g} √CRB" if band.biased else "no bias"
    told = f"{bias}; phase error below π/8 {since} ({inside} of the region)"
    if not worst > 1:
        return Finding("steering-model", "ok", told, values=values)
    hint = "use --steering spherical, or look only where the bands are valid"
    return Finding("steering-model", "warn", told, hint, values)


def _band_json(band: Band) -> dict[str, Any]:
    names = ("azimuth_deg", "elevation_deg", "range_m")
    plain = ("azimuth", "elevation", "range")
    return {
        "low_m": band.low_m,
        "high_m": band.high_m,
        "sources": band.sources,
        "median": dict(zip(names, map(finite, band.median), strict=True)),
        "worst": dict(zip(names, map(finite, band.worst), strict=True)),
        "median_over_sqrt_crb": dict(zip(plain, map(finite, band.median_ratio), strict=True)),
        "worst_over_sqrt_crb": dict(zip(plain, map(finite, band.worst_ratio), strict=True)),
        "valid": band.valid,
    }
