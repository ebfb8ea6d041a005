"""Checks of backends: what goes in, what comes out, and how scenes are kept apart."""

from __future__ import annotations

from dataclasses import replace

import torch

from risdoa.testing.backend_calls import (
    NOISY_DB,
    attempted,
    expect_at_truth,
    expect_form,
    expect_inside,
    home_of,
    narrow,
    settings_of,
    small_of,
    solve,
    tolerance_of,
)
from risdoa.testing.cases_scenes import Scene, Setting, near_truth
from risdoa.testing.checks import check
from risdoa.testing.failures import expect, on
from risdoa.testing.refusals import expect_refusal
from risdoa.testing.subject import Subject


@check("backend")
def shapes_and_types(subject: Subject) -> None:
    """Estimates have the shapes and types of the contract, with or without a covariance."""
    for setting in settings_of(subject):
        for scene, given in _every_use(setting):
            with on(f"{scene.name}, {'with' if given else 'without'} a covariance"):
                found = attempted(subject, setting, scene, covariance=given)
                if found is not None:
                    expect_form(scene, found)
                    expect_inside(scene, found)


def _every_use(setting: Setting) -> list[tuple[Scene, bool]]:
    """Return scenes of one or more sources, and whether to give a covariance, once with a load."""
    static = torch.zeros(8, dtype=torch.int64)
    shared = setting.scene(1, blocks=static, snr_db=NOISY_DB)
    plain = setting.scene(1)
    loaded = replace(plain, covariance=plain.covariance.shrunk(0.1))
    return [
        (plain, True),
        (replace(loaded, name=f"{plain.name}, R shrunk"), True),
        (setting.scene(2, scenes=3, snr_db=NOISY_DB).with_sources(2, 1, 2), True),
        (plain, False),
        (replace(shared, name=f"{shared.name}, one signal for all snapshots"), False),
    ]


@check("backend")
def every_scene_is_answered(subject: Subject) -> None:
    """There is one row for every scene, and one source at least where nothing is wrong."""
    setting = home_of(subject)
    for count in (1, 5):
        scene = setting.scene(1, scenes=count)
        with on(scene.name):
            found = solve(subject, setting, scene)
            expect_form(scene, found)
            expect(bool(found.valid.any(-1).all()), "a valid source a scene", found.valid.tolist())


@check("backend")
def an_unknown_number_of_sources(subject: Subject) -> None:
    """Where the number of sources is not given they are counted, or an InputError says so."""
    for setting in small_of(subject):
        known = setting.scene(1, snr_db=NOISY_DB)
        scene = replace(known, problem=replace(known.problem, sources=None))
        with on(f"{scene.name}, problem.sources = None"):
            found = attempted(subject, setting, scene)
            if found is not None:
                expect_form(scene, found)
                expect_inside(scene, found)


@check("backend")
def more_sources_than_there_are(subject: Subject) -> None:
    """Asked for more sources than there are, it says so or answers inside the region."""
    for setting in small_of(subject):
        for snr_db in (200.0, NOISY_DB):
            scene = setting.scene(1, snr_db=snr_db)
            for sources in (2, min(scene.problem.most_sources(), 4)):
                asked = narrow(scene).with_sources(sources)
                with on(f"{scene.name}, covariance of rank 1, asked for {sources}"):
                    found = attempted(subject, setting, asked)
                    if found is not None:
                        expect_form(asked, found)
                        expect_inside(asked, found)


@check("backend", traits=("needs-covariance",))
def a_missing_covariance_is_refused(subject: Subject) -> None:
    """Without the covariance that it needs there is an InputError."""
    setting = home_of(subject)
    scene = setting.scene(1)
    with on(f"{scene.name}, covariance = None"):
        expect_refusal(lambda: solve(subject, setting, scene, covariance=False))


@check("backend", traits=("needs-start",))
def a_missing_start_is_refused(subject: Subject) -> None:
    """Without the start that it needs there is an InputError."""
    scene = home_of(subject).scene(1)
    with on(f"{scene.name}, start = None"):
        expect_refusal(lambda: subject.make()(scene.problem, scene.covariance, None))


@check("backend")
def a_start_that_lacks_sources(subject: Subject) -> None:
    """A start of which some sources are not valid is taken as any other."""
    setting = home_of(subject)
    for sources, valid in ((1, [False]), (2, [True, False]), (2, [False, True])):
        scene = setting.scene(sources, snr_db=NOISY_DB)
        if attempted(subject, setting, scene) is None:
            continue
        start = replace(near_truth(setting, scene), valid=torch.tensor([valid]))
        with on(f"{scene.name}, start with valid = {valid}"):
            found = attempted(subject, setting, scene, start=start)
            expect(found is not None, "estimates, as with a complete start", "an InputError")
            assert found is not None
            expect_form(scene, found)
            expect_inside(scene, found)


@check("backend")
def stays_in_the_region(subject: Subject) -> None:
    """Positions lie in the region, even where the sources do not, and may lie on its edge."""
    for setting in small_of(subject):
        places = setting.places[:1]
        for name, low, high in (("off the source", 0.1, 0.3), ("ending at the source", -0.3, 0.0)):
            region = setting.region.clone()
            region[0] = places[0, 0] + torch.tensor([low, high])
            moved = replace(setting, region=region)
            scene = moved.scene(1)
            with on(f"{scene.name}, azimuths {name}"):
                found = attempted(subject, moved, scene)
                if found is not None:
                    expect_form(scene, found)
                    expect_inside(scene, found)
                    if high == 0:
                        expect_at_truth(moved, scene, found, tolerance_of(subject))


@check("backend")
def fixed_coordinates_keep_their_value(subject: Subject) -> None:
    """A coordinate that equal bounds fix is returned as it is, to the last bit."""
    square = home_of(subject)
    for axes in ((2,), (1, 2), (0, 1), (0, 1, 2)):
        region = square.region.clone()
        # a quarter of a half-width beside the source, where a search would go if it could
        start = near_truth(square, square.scene(1)).positions[0, 0]
        for axis in axes:
            region[axis] = start[axis]
        setting = replace(square, region=region)
        scene = setting.scene(1)
        fixed = " and ".join(("azimuth", "elevation", "range")[axis] for axis in axes)
        with on(f"{scene.name}, {fixed} fixed"):
            found = attempted(subject, setting, scene)
            if found is not None:
                expect_form(scene, found)
                expect_inside(scene, found)
