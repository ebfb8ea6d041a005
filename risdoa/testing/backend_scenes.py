"""Checks of backends: scenes are kept apart, and nothing but the input decides."""

from __future__ import annotations

from dataclasses import replace

import torch

from risdoa.covariance import Covariance
from risdoa.problem import Estimates
from risdoa.testing.backend_calls import (
    EXACT,
    NOISY_DB,
    attempted,
    expect_form,
    expect_same,
    home_of,
    narrow,
    settings_of,
    solve,
    tolerance_of,
)
from risdoa.testing.cases_scenes import Scene, near_truth
from risdoa.testing.checks import check
from risdoa.testing.failures import on
from risdoa.testing.purity import (
    expect_global_generators_left_alone,
    expect_inputs_left_alone,
    expect_repeatable,
)
from risdoa.testing.subject import Subject


@check("backend")
def a_batch_is_a_loop(subject: Subject) -> None:
    """Scenes of different numbers of sources are answered together as one by one."""
    for setting in settings_of(subject):
        sources = (2, 1, 2)
        if attempted(subject, setting, setting.scene(2)) is None:
            sources = (1, 1, 1)
        places = setting.jittered(max(sources), 3)
        scene = setting.scene(max(sources), scenes=3, places=places, snr_db=NOISY_DB)
        scene = scene.with_sources(*sources)
        with on(f"{scene.name} with {list(sources)} sources"):
            together = attempted(subject, setting, scene)
            if together is None:
                continue
            expect_form(scene, together)
            for index in range(3):
                alone = solve(subject, setting, scene.select(index))
                expect_same(setting, alone, _row(together, index), EXACT)


@check("backend")
def scenes_do_not_leak(subject: Subject) -> None:
    """What is measured in one scene changes nothing in another."""
    for setting in settings_of(subject):
        places = setting.jittered(1, 2)
        one = setting.scene(1, scenes=2, places=places, snr_db=NOISY_DB)
        other = setting.scene(1, scenes=2, places=places.flip(0), snr_db=NOISY_DB, seed=1)
        values = torch.cat((one.problem.snapshots.values[:1], other.problem.snapshots.values[1:]))
        factor = torch.cat((one.covariance.factor[:1], other.covariance.factor[1:]))
        snapshots = replace(one.problem.snapshots, values=values)
        changed = replace(
            one,
            problem=replace(one.problem, snapshots=snapshots),
            covariance=Covariance(factor),
        )
        with on(f"{one.name}, the second one replaced"):
            before = attempted(subject, setting, one)
            if before is not None:
                after = solve(subject, setting, changed)
                expect_same(setting, _row(before, 0), _row(after, 0), EXACT)


@check("backend")
def answers_without_a_graph(subject: Subject) -> None:
    """With torch.no_grad() or without, the answer is the same, and no graph hangs on it."""
    setting = home_of(subject)
    scene = setting.scene(1, snr_db=NOISY_DB)
    factor = scene.covariance.factor.clone().requires_grad_()
    scene = replace(scene, covariance=Covariance(factor))
    with on(f"{scene.name}, a covariance with a graph"):
        found = solve(subject, setting, scene)
        expect_form(scene, found)
        with on("under torch.no_grad()"), torch.no_grad():
            expect_same(setting, found, solve(subject, setting, scene), EXACT)


@check("backend")
def inputs_left_alone(subject: Subject) -> None:
    """Problem, covariance and start are as they were before."""
    setting = home_of(subject)
    scene = setting.scene(1, scenes=2, snr_db=NOISY_DB)
    start = near_truth(setting, scene)
    backend = subject.make()
    with on(scene.name):
        expect_inputs_left_alone(
            lambda: backend(scene.problem, scene.covariance, start),
            scene.problem,
            scene.covariance,
            start,
        )


@check("backend")
def repeatable(subject: Subject) -> None:
    """The same input gives the same output, to the last bit, whatever came in between."""
    setting = home_of(subject)
    backend = subject.make()
    for sources in (1, 2):
        scene, other = setting.scene(1, snr_db=NOISY_DB), setting.scene(1, seed=5)
        asked = narrow(scene).with_sources(sources) if sources > 1 else scene
        if attempted(subject, setting, asked) is None:
            continue

        def call(asked: Scene = asked, other: Scene = other) -> Estimates:
            found = solve(subject, setting, asked, backend=backend)
            solve(subject, setting, other, backend=backend)
            return found

        with on(f"{scene.name}, asked for {sources}"):
            expect_repeatable(call)


@check("backend")
def global_generators_left_alone(subject: Subject) -> None:
    """No global random generator is drawn from or seeded."""
    setting = home_of(subject)
    for sources in (1, 2):
        scene = setting.scene(1, snr_db=NOISY_DB)
        asked = narrow(scene).with_sources(sources) if sources > 1 else scene
        with on(f"{scene.name}, asked for {sources}"):
            expect_global_generators_left_alone(
                lambda asked=asked: attempted(subject, setting, asked)  # type: ignore[misc]
            )


@check("backend")
def nothing_is_made_up(subject: Subject) -> None:
    """Four copies of a scene get the same answer, found or not; nothing missing is drawn."""
    setting = home_of(subject)
    for sources in (1, 2, 3):
        scene = setting.scene(1, snr_db=NOISY_DB).select(0, 0, 0, 0)
        # a zero column: of rank 1, though wide enough for as many sources
        empty = torch.zeros_like(scene.covariance.factor[..., :1])
        factor = torch.cat((scene.covariance.factor[..., :1], empty, empty), -1)
        asked = replace(scene, covariance=Covariance(factor)).with_sources(sources)
        with on(f"4 copies of {scene.name}, covariance of rank 1, asked for {sources}"):
            found = attempted(subject, setting, asked)
            if found is None:
                continue
            for copy in range(1, 4):
                first, other = _row(found, 0), _row(found, copy)
                expect_same(setting, first, other, tolerance_of(subject))


def _row(found: Estimates, scene: int) -> Estimates:
    return found.select(torch.tensor([scene]))
