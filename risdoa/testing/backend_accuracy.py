"""Checks of backends: exact without noise, honest with it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from risdoa import bounds
from risdoa.conventions import COORDINATES
from risdoa.covariance import Covariance
from risdoa.problem import Estimates
from risdoa.scenarios.draws import complex_normal
from risdoa.testing.backend_calls import (
    EXACT,
    NOISY_DB,
    attempted,
    expect_at_truth,
    expect_form,
    expect_recovered,
    expect_same,
    home_of,
    settings_of,
    small_of,
    solve,
    tolerance_of,
)
from risdoa.testing.cases_scenes import (
    BLIND,
    SEPARABLE,
    Scene,
    Setting,
    deviation,
    generator,
    in_order,
)
from risdoa.testing.checks import check
from risdoa.testing.failures import expect, on
from risdoa.testing.subject import Subject

TRIALS = 200
EFFICIENCY = (0.8, 1.3)
"""RMSE over √CRB. 200 normal errors leave ± 5 %, 8 snapshots another 10 % (signals are estimated);
5 sigma below, so that chance does not fail what meets the bound, and no more above."""
HONEST = (0.5, 2.0)
"""True errors over told ones: from 8 snapshots bars are good to some 20 %, a wrong unit is not."""


@check("backend", unless=("snapshots-only",))
def exact_from_a_covariance(subject: Subject) -> None:
    """From a covariance without noise every source is found, for all K that it takes."""
    expect_recovered(subject, settings_of(subject))


@check("backend", traits=("snapshots-only",))
def exact_from_the_measurements(subject: Subject) -> None:
    """From measurements without noise every source is found, for all K that it takes."""
    expect_recovered(subject, settings_of(subject))


@check("backend", unless=("needs-covariance", "snapshots-only"))
def one_source_without_a_covariance(subject: Subject) -> None:
    """Where there is no covariance, one source is found from the measurements."""
    expect_recovered(subject, settings_of(subject), covariance=False, most=1)


@check("backend", unless=("far-field",))
def the_steering_model_of_the_problem(subject: Subject) -> None:
    """The waves are those of problem.steering: canonical ones, say, instead of spherical ones."""
    _, square, surface = SEPARABLE
    for setting in (square, surface):
        scene = setting.scene(1)
        with on(scene.name):
            found = attempted(subject, setting, scene)
            if found is not None:
                expect_at_truth(setting, scene, found, tolerance_of(subject))


@check("backend")
def the_order_of_the_sources(subject: Subject) -> None:
    """In which order sources stand in the data does not matter."""
    for setting in small_of(subject):
        for sources in (2, 3):
            for shift in range(1, sources):
                places = setting.places[:sources].roll(shift, 0)
                scene = setting.scene(sources, places=places)
                with on(f"{scene.name}, their order turned by {shift}"):
                    found = attempted(subject, setting, scene)
                    if found is not None:
                        expect_at_truth(setting, scene, found, tolerance_of(subject, sources))


@check("backend", unless=("snapshots-only",))
def the_factor_of_the_covariance(subject: Subject) -> None:
    """Only R = FFᴴ matters: F may have empty columns or be turned by any unitary matrix."""
    for setting in small_of(subject):
        for sources in (1, 2):
            scene = setting.scene(sources, snr_db=NOISY_DB)
            factor = scene.covariance.factor
            wider = torch.cat((torch.zeros_like(factor[..., :2]), factor), dim=-1)
            drawn = complex_normal((wider.shape[-1], wider.shape[-1]), generator(1))
            before = attempted(subject, setting, scene)
            for what, same in (
                ("behind two empty columns", wider),
                ("turned", wider @ torch.linalg.qr(drawn)[0]),
            ):
                with on(f"{scene.name}, factor {what}"):
                    if before is not None:
                        changed = replace(scene, covariance=Covariance(same))
                        expect_same(setting, before, solve(subject, setting, changed), EXACT)


@check("backend", unless=("snapshots-only",))
def a_covariance_in_single_precision(subject: Subject) -> None:
    """A covariance without noise may be complex64, as networks predict it."""
    for setting in small_of(subject):
        for sources in (1, 2):
            scene = setting.scene(sources)
            single = Covariance(scene.covariance.factor.to(torch.complex64))
            with on(f"{scene.name}, a factor in complex64"):
                found = attempted(subject, setting, replace(scene, covariance=single))
                if found is not None:
                    expect_at_truth(setting, scene, found, tolerance_of(subject, sources))


@check("backend")
def the_scale_of_the_data(subject: Subject) -> None:
    """Measurements and covariance may be as loud or soft as they like, each for itself."""
    factors = [(1e4, 1e8), (1e-4, 1e-8)]
    if "snapshots-only" not in subject.traits:
        factors += [(1.0, 1e4), (1.0, 1e-4)]
    for setting in settings_of(subject):
        scene = setting.scene(1, snr_db=NOISY_DB)
        before = attempted(subject, setting, scene)
        for data, covariance in factors:
            with on(f"{scene.name}, y times {data:g}, R times {covariance:g}"):
                if before is not None:
                    found = solve(subject, setting, _louder(scene, data, covariance))
                    expect_same(setting, before, found, tolerance_of(subject))


def _louder(scene: Scene, data: float, covariance: float) -> Scene:
    """Return the scene with y times ``data`` and R times ``covariance``."""
    snapshots = scene.problem.snapshots
    noise = snapshots.noise_power
    louder = replace(
        snapshots,
        values=snapshots.values * data,
        noise_power=None if noise is None else noise * data**2,
    )
    factor = torch.tensor([covariance], dtype=torch.float64).expand(scene.problem.scenes)
    return replace(
        scene,
        problem=replace(scene.problem, snapshots=louder),
        covariance=scene.covariance.scaled(factor),
    )


@check("backend")
def the_mirror_image(subject: Subject) -> None:
    """A source at (φ, θ) is not taken for one at (−φ, −θ), nor the other way round."""
    for setting in small_of(subject):
        for sign in (1.0, -1.0):
            places = setting.places[:1] * torch.tensor([sign, sign, 1.0])
            mirror = places * torch.tensor([-1.0, -1.0, 1.0])
            scene = setting.scene(1, places=places)
            with on(f"{scene.name} at azimuth {float(places[0, 0]):g} rad"):
                found = attempted(subject, setting, scene)
                if found is not None:
                    there = float(deviation(setting, found.positions, places[None]))
                    image = float(deviation(setting, found.positions, mirror[None]))
                    expect(
                        there < image,
                        "an estimate nearer to the source than to its mirror image",
                        f"{there:.3g} half-widths from the source, {image:.3g} from the image",
                    )


@check("backend", traits=("efficient",))
def meets_the_bound(subject: Subject) -> None:
    """At 20 dB errors are those of the Cramér–Rao bound: not above it, and not below."""
    setting = home_of(subject)
    for sources in (1, 2):
        scene = trials(setting, sources)
        with on(scene.name):
            found = attempted(subject, setting, scene)
            if found is None and sources > 1:
                continue
            expect_form(scene, found)
            assert found is not None
            off, _ = _errors(setting, scene, found)
            bound = bounds.deterministic(scene.truth).diagonal(dim1=-2, dim2=-1)
            for axis in _free(scene):
                ratio = float((off[..., axis] ** 2 / bound[..., axis]).mean().sqrt())
                expect(
                    EFFICIENCY[0] <= ratio <= EFFICIENCY[1],
                    f"RMSE/√CRB in {COORDINATES[axis]} from {EFFICIENCY[0]} to {EFFICIENCY[1]}",
                    f"{ratio:.3g}",
                )


@check("backend", traits=("error-bars",))
def error_bars_are_honest(subject: Subject) -> None:
    """At 20 dB half of the errors are within 0.67 of the told standard deviations."""
    setting = home_of(subject)
    for sources in (1, 2):
        scene = trials(setting, sources)
        with on(scene.name):
            found = attempted(subject, setting, scene)
            if found is None and sources > 1:
                continue
            expect_form(scene, found)
            assert found is not None
            expect(found.error_covariance is not None, "an error_covariance", "None")
            off, told = _errors(setting, scene, found)
            for axis in _free(scene):
                pulls = off[..., axis].abs() / told[..., axis].clamp_min(1e-300)
                ratio = float(pulls.median()) / 0.6745  # the median of |x|, x ~ N(0, 1)
                expect(
                    HONEST[0] <= ratio <= HONEST[1],
                    f"true over told errors in {COORDINATES[axis]} from {HONEST[0]} to {HONEST[1]}",
                    f"{ratio:.3g}",
                )


def trials(setting: Setting, sources: int) -> Scene:
    """Return the scenes whose errors are compared with the bound and with the error bars."""
    places = setting.jittered(sources, TRIALS, seed=3)
    return setting.scene(sources, scenes=TRIALS, places=places, snr_db=NOISY_DB, seed=4)


def _free(scene: Scene) -> list[int]:
    return [axis for axis, free in enumerate(scene.problem.free.tolist()) if free]


def _errors(setting: Setting, scene: Scene, found: Estimates) -> tuple[Tensor, Tensor]:
    """Return the errors and the told standard deviations of every source, (S, K, 3) each.

    What is not valid counts as one half-width off, not as missing.
    """
    places = scene.truth.positions
    index = in_order(setting, found.positions, places)
    off = torch.take_along_dim(found.positions.to(torch.float64), index.unsqueeze(-1), 1) - places
    valid = torch.take_along_dim(found.valid, index, 1)
    missed = torch.where(setting.widths.isfinite(), setting.widths, 0.0).expand_as(off)
    off = torch.where(valid.unsqueeze(-1), off, missed)
    errors = found.error_covariance
    if errors is None:
        return off, torch.zeros_like(off)
    variances = errors.to(torch.float64).diagonal(dim1=-2, dim2=-1).clamp_min(0)
    return off, torch.take_along_dim(variances.sqrt(), index.unsqueeze(-1), 1)


@check("backend", traits=("error-bars",))
def what_is_not_observable(subject: Subject) -> None:
    """Where the steering model is blind to range, the range is flagged as unobservable."""
    scene = BLIND.scene(1, snr_db=NOISY_DB)
    with on(scene.name):
        found = attempted(subject, BLIND, scene)
        if found is not None:
            expect_form(scene, found)
            flags = found.unobservable[0][found.valid[0]].tolist()
            expect(flags == [[False, False, True]], "the range alone unobservable", flags)
