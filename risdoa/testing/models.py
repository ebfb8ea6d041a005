"""Checks of covariance models, classical and learned."""

from __future__ import annotations

import cmath
from dataclasses import replace
from itertools import islice

import torch

from risdoa.problem import Problem
from risdoa.testing.cases_scenes import LINE, SQUARE, SURFACE, Scene
from risdoa.testing.checks import check
from risdoa.testing.failures import expect, on
from risdoa.testing.model_calls import (
    NOISY_DB,
    answered,
    difference,
    expect_answer_or_refusal,
    expect_form,
    home_of,
    made,
    problems,
    scaled,
)
from risdoa.testing.purity import (
    expect_global_generators_left_alone,
    expect_inputs_left_alone,
    expect_repeatable,
)
from risdoa.testing.subject import Subject

ALONE = 0.01
"""‖ΔR‖/‖R‖: single precision, and a column of the factor that rounding exchanges for another."""
APART = 1e-4
"""The same where the operations are the same, on numbers of the same shape."""


@check("model")
def shapes_and_semidefinite(subject: Subject) -> None:
    """R has a finite factor (S, N, J) and no negative eigenvalue."""
    for scenes in (1, 3):
        scene = home_of(subject, scenes)
        with on(scene.name):
            expect_form(scene.problem, answered(made(subject), scene.problem))


@check("model")
def supported_or_refused(subject: Subject) -> None:
    """Where supports() is True there is a covariance; where False, at worst an InputError."""
    one_signal = torch.zeros(8, dtype=torch.int64)
    for setting in (LINE, SQUARE, SURFACE):
        for sources in (1, 2):
            scene = setting.scene(sources, snr_db=NOISY_DB)
            shared = setting.scene(sources, snr_db=NOISY_DB, blocks=one_signal)
            with on(scene.name):
                expect_answer_or_refusal(subject, scene)
            with on(f"{scene.name}, one signal for all snapshots"):
                expect_answer_or_refusal(subject, shared)
    for scene in problems():
        with on(scene.name):
            expect_answer_or_refusal(subject, scene)


@check("model")
def any_number_of_snapshots(subject: Subject) -> None:
    """One snapshot or many: there is a covariance, or supports() is False."""
    for snapshots in (1, 2, 5, 16, 33):
        for scene in islice(problems(snapshots=snapshots), 2):
            with on(f"{scene.name}, {snapshots} snapshots"):
                expect_answer_or_refusal(subject, scene)


@check("model")
def an_unknown_number_of_sources(subject: Subject) -> None:
    """A model does without the number of sources, or supports() is False."""
    scene = home_of(subject)
    unknown = replace(scene, problem=replace(scene.problem, sources=None))
    with on(f"{scene.name}, problem.sources = None"):
        expect_answer_or_refusal(subject, unknown)


@check("model")
def a_batch_is_a_loop(subject: Subject) -> None:
    """Scenes together have the covariances that they have alone."""
    scene = home_of(subject, 4)
    model = made(subject)
    with on(scene.name):
        together = answered(model, scene.problem)
        for index in range(4):
            alone = answered(model, scene.select(index).problem)
            off = difference(alone, together.select(torch.tensor([index])))
            expect(off <= ALONE, "the covariance that the scene has alone", f"‖ΔR‖/‖R‖ = {off:.2g}")


@check("model")
def scenes_do_not_leak(subject: Subject) -> None:
    """What is measured in one scene changes nothing in another."""
    expect_no_leak(subject, training=False)


def expect_no_leak(subject: Subject, *, training: bool) -> None:
    """Expect the covariances of three scenes to stay when the fourth is replaced."""
    scene = home_of(subject, 4)
    kept = torch.arange(3)
    results = []
    for problem in (scene.problem, _last_replaced(scene)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # networks in training draw from the global generator
            results.append(answered(made(subject, training=training), problem))
    mode = "in training" if training else "in eval mode"
    with on(f"{scene.name}, the last one replaced, {mode}"):
        off = difference(results[0].select(kept), results[1].select(kept))
        expect(off <= APART, "the same covariances of the others", f"‖ΔR‖/‖R‖ = {off:.2g}")


def _last_replaced(scene: Scene) -> Problem:
    """Return the problem with the first measurements, a hundred times as loud, in the last place.

    They are out of order as well, so that nothing but the energy of a scene is as it was.
    """
    snapshots = scene.problem.snapshots
    values = snapshots.values.clone()
    values[-1] = 100 * values[0].flip(-2)
    return replace(scene.problem, snapshots=replace(snapshots, values=values))


@check("model", unless=("phase-dependent",))
def a_global_phase(subject: Subject) -> None:
    """A phase common to all measurements changes nothing."""
    scene = home_of(subject, 2)
    model = made(subject)
    before = answered(model, scene.problem)
    for angle in (1.0, 2.5, -1.5):
        with on(f"{scene.name}, y turned by {angle:g} rad"):
            turned = answered(model, scaled(scene, cmath.exp(1j * angle)))
            off = difference(before, turned)
            expect(off <= ALONE, "the covariance before", f"‖ΔR‖/‖R‖ = {off:.2g}")


@check("model")
def the_scale_of_the_measurements(subject: Subject) -> None:
    """Loud and soft measurements have finite covariances that are not zero."""
    scene = home_of(subject, 2)
    model = made(subject)
    for factor in (1e-6, 1e-3, 1e3, 1e6):
        with on(f"{scene.name}, y times {factor:g}"):
            problem = scaled(scene, factor)
            expect_form(problem, answered(model, problem))


@check("model")
def both_precisions(subject: Subject) -> None:
    """Measurements may be complex64 or complex128."""
    scene = home_of(subject, 2)
    for dtype in (torch.complex64, torch.complex128):
        with on(f"{scene.name}, {dtype}"):
            problem = scene.problem.to(dtype=dtype)
            expect_form(problem, answered(made(subject), problem))


@check("model")
def inputs_left_alone(subject: Subject) -> None:
    """The problem is as it was before."""
    scene = home_of(subject, 2)
    model = made(subject)
    with on(scene.name):
        expect_inputs_left_alone(lambda: answered(model, scene.problem), scene.problem)


@check("model")
def repeatable(subject: Subject) -> None:
    """The same problem has the same covariance, to the last bit, whatever came in between."""
    scene, other = home_of(subject, 2), home_of(subject, 3)
    model = made(subject)

    def call() -> object:
        found = answered(model, scene.problem)
        answered(model, other.problem)
        return found

    with on(f"{scene.name}, in eval mode"):
        expect_repeatable(call)


@check("model")
def global_generators_left_alone(subject: Subject) -> None:
    """Outside training no global random generator is drawn from or seeded."""
    scene = home_of(subject)
    model = made(subject)
    with on(f"{scene.name}, in eval mode"):
        expect_global_generators_left_alone(lambda: answered(model, scene.problem))
