"""Checks of scenarios: what they draw, from which generator, and how it fits together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from risdoa.errors import InputError
from risdoa.problem import Problem, Truth
from risdoa.registry import Registry
from risdoa.scenarios.simulation import mean_power
from risdoa.steering.base import Steering
from risdoa.testing.cases_scenes import NOISELESS_DB, counted, generator
from risdoa.testing.checks import check
from risdoa.testing.failures import expect, on
from risdoa.testing.purity import expect_global_generators_left_alone, expect_repeatable, tensors_of
from risdoa.testing.refusals import answer_of, expect_refusal
from risdoa.testing.subject import Subject

ROUNDING = 1e-9
"""Relative: what double precision leaves of sums over some thousand numbers."""
CHANCE = 6.0
"""Standard deviations; more than chance ever brings, and 3 dB are far more."""


@dataclass(frozen=True)
class Drawn:
    """Scenes of one number of sources, and what to call them in a failure."""

    name: str
    sources: int
    problem: Problem
    truth: Truth


def draw(
    subject: Subject,
    count: int,
    *,
    seed: int = 0,
    sources: int | None = None,
    snr_db: float | None = None,
) -> tuple[Problem, Truth]:
    """Return scenes of a fresh scenario."""
    drawn: tuple[Problem, Truth] = subject.make().sample(
        count, generator(seed), sources=sources, snr_db=snr_db
    )
    return drawn


def of_every_count(subject: Subject, count: int, snr_db: float | None = None) -> Iterator[Drawn]:
    """Yield scenes of every number of sources up to 5 that a scenario makes."""
    for sources in range(1, 6):
        name = f"{counted(count, 'scene')}, sources={sources}, snr_db={snr_db}"
        with on(name):
            call = partial(draw, subject, count, sources=sources, snr_db=snr_db)
            found = answer_of(call, "scenes or an InputError")
        if not isinstance(found, InputError):
            yield Drawn(name, sources, *found)


@check("scenario")
def shapes_and_types(subject: Subject) -> None:
    """There are as many scenes as asked for, in double precision, with a truth that fits."""
    for count in (1, 2, 5):
        with on(counted(count, "scene")):
            drawn: object = draw(subject, count)
            right = isinstance(drawn, tuple) and len(drawn) == 2
            expect(right, "a problem and its truth", type(drawn).__name__)
            problem, truth = draw(subject, count)
            expect(isinstance(problem, Problem), "a risdoa.Problem", type(problem).__name__)
            expect(isinstance(truth, Truth), "a risdoa.Truth", type(truth).__name__)
            expect(problem.scenes == count, f"{count} scenes", problem.scenes)
            _expect_truth_shapes(problem, truth)
            _expect_double(problem, truth)


def _expect_truth_shapes(problem: Problem, truth: Truth) -> None:
    scenes, length = problem.scenes, problem.snapshots.count
    sources = truth.mask.shape[-1]
    shapes = {
        "positions": (scenes, sources, 3),
        "mask": (scenes, sources),
        "powers": (scenes, sources),
        "signals": (scenes, length, sources),
    }
    for name, shape in shapes.items():
        value = getattr(truth, name)
        if value is not None:
            expect(tuple(value.shape) == shape, f"truth.{name} {shape}", tuple(value.shape))
    expect(truth.mask.dtype == torch.bool, "truth.mask as torch.bool", truth.mask.dtype)


def _expect_double(problem: Problem, truth: Truth) -> None:
    """Expect every tensor of real or complex numbers in double precision and finite."""
    named = {f"problem.{name}": value for name, value in tensors_of(problem).items()}
    named |= {f"truth.{name}": value for name, value in tensors_of(truth).items()}
    for name, value in named.items():
        if value.is_floating_point() or value.is_complex():
            double = value.dtype in {torch.float64, torch.complex128}
            expect(double, f"{name} in double precision", value.dtype)
            expect(bool(value.isfinite().all()), f"finite {name}", "NaN or infinity")


@check("scenario")
def repeatable(subject: Subject) -> None:
    """A generator with the same seed gives the same scenes, whatever the global ones do."""
    with on("3 scenes, seed 0"):
        expect_repeatable(lambda: draw(subject, 3))


@check("scenario")
def global_generators_left_alone(subject: Subject) -> None:
    """Every random number comes from the generator that is given."""
    with on("2 scenes"):
        expect_global_generators_left_alone(lambda: draw(subject, 2))


@check("scenario")
def scenes_differ(subject: Subject) -> None:
    """Another seed, another call and another place in the batch give other scenes."""
    scenario, source = subject.make(), generator(0)
    with on("2 scenes, twice from one generator"):
        first, second = (_values(scenario.sample(2, source)) for _ in range(2))
        expect(not torch.equal(first, second), "other scenes the second time", "the same ones")
        expect(not torch.equal(first[0], first[1]), "two different scenes", "one of them twice")
    with on("2 scenes, seeds 0 and 1"):
        other = _values(draw(subject, 2, seed=1))
        expect(not torch.equal(first, other), "other scenes from another seed", "the same ones")


def _values(drawn: tuple[Problem, Truth]) -> Tensor:
    return drawn[0].snapshots.values


@check("scenario")
def as_many_sources_as_asked_for(subject: Subject) -> None:
    """With ``sources=K`` every scene has K sources, and the problem is told how many it has."""
    made = []
    for count in (1, 3):
        for drawn in of_every_count(subject, count):
            made.append(drawn.sources)
            with on(drawn.name):
                found, asked = drawn.truth.mask.sum(-1).tolist(), [drawn.sources] * count
                expect(found == asked, f"{counted(drawn.sources, 'source')} a scene", found)
                _expect_counts(drawn.problem, drawn.truth)
    with on("sources=1, 2, 3, 4 and 5"):
        expect(made, "scenes of some number of sources", "an InputError for all")
    with on("6 scenes, numbers of sources drawn"):
        _expect_counts(*draw(subject, 6))


def _expect_counts(problem: Problem, truth: Truth) -> None:
    """Expect the problem's numbers of sources to be those of the mask, sources before gaps."""
    told, there = problem.sources, truth.mask.sum(-1)
    if told is not None:
        expect(torch.equal(told, there), f"problem.sources {there.tolist()}", told.tolist())
    place = torch.arange(truth.mask.shape[-1])
    leading = bool((truth.mask == (place < there[:, None])).all())
    expect(leading, "a mask with the sources before the gaps", truth.mask.tolist())
    silent = bool((truth.powers[~truth.mask] == 0).all())
    heard = bool((truth.powers[truth.mask] > 0).all())
    expect(silent and heard, "powers > 0 of sources, 0 of gaps", truth.powers.tolist())


@check("scenario")
def sources_stand_in_the_region(subject: Subject) -> None:
    """True positions are radians and metres within the region of the problem."""
    for count in (1, 16):
        with on(counted(count, "scene")):
            problem, truth = draw(subject, count)
            region, places = problem.region, truth.positions[truth.mask]
            inside = (places >= region[:, 0] - ROUNDING) & (places <= region[:, 1] + ROUNDING)
            wrong = places[~inside.all(-1)][:1].tolist()
            expect(not wrong, f"positions in the region {region.tolist()}", wrong)


@check("scenario")
def the_covariance_is_that_of_the_truth(subject: Subject) -> None:
    """The true covariance is A P Aᴴ at the true positions, by the steering model of the problem."""
    with on("4 scenes"):
        _, truth = draw(subject, 4)
        factor = truth.steering_matrix() * truth.powers.sqrt().unsqueeze(-2)
        expected, came = factor @ factor.mH, truth.covariance.dense()
        off = float((came - expected).abs().max() / expected.abs().max())
        expect(off <= ROUNDING, "the covariance A P Aᴴ", f"one that is off by {off:.2g} of it")


@check("scenario")
def the_steering_models_are_the_named_ones(subject: Subject) -> None:
    """The problem's steering model is the one that ``estimation_model`` names."""
    scenario = subject.make()
    problem, truth = scenario.sample(1, generator(0))
    with on("1 scene"):
        for field in ("data_model", "estimation_model"):
            name = getattr(scenario, field)
            expect(isinstance(name, str) and name, f"{field}, a name", repr(name))
        model = _steering(scenario.estimation_model)
        if model is not None:
            expected = model(problem.array, truth.positions)
            off = float((problem.steering(problem.array, truth.positions) - expected).abs().max())
            told = scenario.estimation_model
            expect(off <= ROUNDING, f"vectors of {told} from problem.steering", f"off by {off:.2g}")


def _steering(name: str) -> Steering | None:
    """Return the steering model of a name, or None if nothing here has it."""
    registry = Registry.discover()
    found = answer_of(lambda: registry.create("steering", name))
    return None if isinstance(found, InputError) else found


@check("scenario")
def the_signals_make_the_data(subject: Subject) -> None:
    """Where the signals are known, the data are those of ``data_model``, and noise."""
    model = _steering(subject.make().data_model)
    for drawn in of_every_count(subject, 2, NOISELESS_DB):
        problem, truth = drawn.problem, drawn.truth
        if truth.signals is not None and model is not None:
            with on(drawn.name):
                clean = _clean(problem, truth, model)
                rest = mean_power(problem.snapshots.values - clean) / mean_power(clean)
                off = float(rest.max().sqrt())
                expect(off <= ROUNDING, "y_l = G_l A s_l", f"{off:.2g} of it besides")


def _clean(problem: Problem, truth: Truth, model: Steering) -> Tensor:
    """Return G_l A s_l, (S, L, M)."""
    assert truth.signals is not None
    steering = model(problem.array, truth.positions)
    return problem.snapshots.sensing.forward(truth.signals @ steering.transpose(-1, -2))


@check("scenario")
def the_snr_is_the_one_asked_for(subject: Subject) -> None:
    """σ² = mean|noise-free y|²/10^(SNR/10) over a scene, and the noise has that power."""
    model = _steering(subject.make().data_model)
    for snr_db in (-10.0, 0.0, 20.0):
        for drawn in of_every_count(subject, 16, snr_db):
            problem, truth = drawn.problem, drawn.truth
            if problem.snapshots.noise_power is not None:
                with on(drawn.name):
                    if truth.signals is not None and model is not None:
                        _expect_noise(problem, truth, model, snr_db)
                    _expect_level(problem, snr_db)


def _expect_noise(problem: Problem, truth: Truth, model: Steering, snr_db: float) -> None:
    """Expect the told noise power by the definition, and as much noise in the data."""
    clean, told = _clean(problem, truth, model), problem.snapshots.noise_power
    assert told is not None
    level = 10 * torch.log10(mean_power(clean) / told)
    wrong = float((level - snr_db).abs().max())
    expect(
        wrong <= 1e-6,
        f"mean|noise-free y|²/noise_power of {snr_db:g} dB in every scene",
        f"{float(level[0]):.4g} dB",
    )
    share = mean_power(problem.snapshots.values - clean) / told
    deviation = clean[0].numel() ** -0.5
    off = float((share - 1).abs().max())
    expect(
        off <= CHANCE * deviation,
        "noise of the power that noise_power tells",
        f"{10 * torch.log10(share[(share - 1).abs().argmax()]):.3g} dB off",
    )


def _expect_level(problem: Problem, snr_db: float) -> None:
    """Expect the power of the data to be (1 + SNR)σ², over all scenes together."""
    told = problem.snapshots.noise_power
    assert told is not None
    ratio = 10 ** (snr_db / 10)
    # cross terms of signal and noise beside the noise itself: 2 SNR + 1 over the number of outputs
    count = problem.snapshots.values.numel()
    deviation = ((2 * ratio + 1) / count) ** 0.5 / (ratio + 1)
    level = (mean_power(problem.snapshots.values) / told).mean() / (ratio + 1)
    expect(
        abs(float(level) - 1) <= CHANCE * deviation,
        f"data of the power (1 + SNR)·noise_power at {snr_db:g} dB",
        f"{10 * float(torch.log10(level)):.3g} dB off",
    )


@check("scenario")
def what_is_impossible_is_refused(subject: Subject) -> None:
    """No scenes, no or a million sources, an SNR that is no number: an InputError says so."""
    impossible = (
        (0, None, None),
        (-1, None, None),
        (1, 0, None),
        (1, -1, None),
        (1, 10**6, None),
        (1, None, float("nan")),
        (1, None, float("inf")),
    )
    for count, sources, snr_db in impossible:
        with on(f"sample({count}, …, sources={sources}, snr_db={snr_db})"):
            expect_refusal(partial(draw, subject, count, sources=sources, snr_db=snr_db))
