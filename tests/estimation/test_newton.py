"""Newton on the MUSIC null spectrum, and on the measurements where there is no covariance."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from risdoa.arrays import Array
from risdoa.backends.music import Music
from risdoa.backends.music_objective import null_spectrum
from risdoa.backends.newton import MATCHED_NOTE, Newton
from risdoa.conventions import invert_range
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.models.sample import Sample
from risdoa.problem import Estimates
from risdoa.steering.canonical import Canonical
from risdoa.steering.spherical import Spherical
from tests.draws import generator, normal
from tests.estimation.matching import errors, remarks
from tests.estimation.scenes import SHARING, region_with, scene

models = pytest.mark.parametrize(
    "model", [Canonical(), Spherical()], ids=["canonical", "spherical"]
)
counts = pytest.mark.parametrize("sources", [1, 2, 3])


@models
def test_the_objective_and_its_derivatives(model):
    known = scene(1, scenes=3, direct=True, steering=model)
    basis = Covariance(normal((3, 36, 4), 1)).signal_subspace(2)
    shift = torch.randn((3, 3), dtype=torch.float64, generator=generator(2)) * 0.1
    search = invert_range(known.truth.positions[:, 0]) + shift
    found = null_spectrum(known.problem, basis, search)

    def value(at, u):
        a = model(known.problem.array, invert_range(at)[None])[:, 0]
        rest = a - u @ (u.mH @ a)
        return (rest.abs() ** 2).sum()

    for s in range(3):
        at, u = search[s], basis[s]
        torch.testing.assert_close(found.cost[s], value(at, u), rtol=1e-12, atol=0)
        gradient = torch.autograd.functional.jacobian(lambda x, u=u: value(x, u), at)
        torch.testing.assert_close(found.gradient[s], gradient, rtol=1e-9, atol=1e-10)
        hessian = torch.autograd.functional.hessian(lambda x, u=u: value(x, u), at)
        values = torch.linalg.eigvalsh(found.curvature[s])
        assert float(values.min()) > 0
        if float(torch.linalg.eigvalsh(hessian).min()) > 0:
            torch.testing.assert_close(found.curvature[s], hessian, rtol=1e-7, atol=1e-8)


@models
def test_near_the_source_the_curvature_is_the_hessian(model):
    known = scene(1, direct=True, steering=model)
    basis = known.truth.covariance.signal_subspace(1)
    search = invert_range(known.truth.positions[:, 0]) + 0.01

    def value(at):
        a = model(known.problem.array, invert_range(at)[None])[:, 0]
        return (a - basis[0] @ (basis[0].mH @ a)).abs().square().sum()

    hessian = torch.autograd.functional.hessian(value, search[0])
    assert float(torch.linalg.eigvalsh(hessian).min()) > 0
    found = null_spectrum(known.problem, basis, search).curvature[0]
    torch.testing.assert_close(found, hessian, rtol=1e-7, atol=1e-8)


@counts
@models
def test_sources_of_a_known_covariance_are_found_exactly(sources, model):
    known = scene(sources, scenes=2, steering=model)
    start = Music()(known.problem, known.truth.covariance, None)
    found = Newton()(known.problem, known.truth.covariance, start)
    # the null spectrum is quadratic: a cost of 1e-21 leaves 1e-10/curvature
    assert float(errors(found.positions, known.truth.positions).max()) < 1e-6
    assert bool(found.converged.all())
    assert remarks(found) == ()
    alone = Newton()(known.problem, known.truth.covariance, None)
    assert float(errors(alone.positions, known.truth.positions).max()) < 1e-6


@pytest.mark.parametrize("labels", SHARING.values(), ids=SHARING.keys())
@pytest.mark.parametrize("sources", [1, 2])  # of three, greedy peaks may lie off their valleys
def test_without_a_covariance_the_measurements_are_refined_and_the_notes_say_so(labels, sources):
    known = scene(sources, blocks=labels, outputs=12)
    start = Music()(known.problem, None, None)
    found = Newton()(known.problem, None, start)
    assert float(errors(found.positions, known.truth.positions)) < 1e-6
    assert found.notes == (*start.notes, MATCHED_NOTE)


def test_a_refinement_never_goes_up():
    known = scene(2, scenes=4, direct=True, snr_db=0.0)
    covariance = Sample()(known.problem)
    start = Music()(known.problem, covariance, None)
    found = Newton()(known.problem, covariance, start)
    assert bool((found.objective <= start.objective + 1e-12).all())


def test_starts_that_are_not_valid_stay_as_they_are():
    known = scene(2, scenes=2, direct=True)
    places = known.truth.positions + torch.tensor([0.02, 0.02, 0.1])
    start = replace(
        Estimates.at(places, torch.zeros(2)),
        valid=torch.tensor([[True, False], [True, True]]),
    )
    found = Newton()(known.problem, known.truth.covariance, start)
    assert torch.equal(found.valid, start.valid)
    torch.testing.assert_close(found.positions[0, 1], places[0, 1], rtol=1e-12, atol=0)
    moved = (found.positions - known.truth.positions)[start.valid].abs()
    assert float(moved.max()) < 1e-5


def test_estimates_stay_in_the_region_and_fixed_coordinates_at_their_value():
    # the sources stand at -0.5 and 0.45 rad
    region = region_with(azimuth=(-0.2, 0.2), range=(3.8, 3.8))
    for direct in (True, False):
        known = scene(2, region=region, direct=direct)
        covariance = Sample()(known.problem) if direct else None
        found = Newton()(known.problem, covariance, None)
        assert bool((found.positions[..., 0].abs() <= 0.2 + 1e-12).all())
        assert found.positions[..., 2].flatten().tolist() == [3.8, 3.8]
        assert bool(found.converged.all())


def test_a_seam_is_crossed():
    points = torch.randn((16, 3), dtype=torch.float64, generator=generator(3)) * 0.15
    array = Array(points, 0.3)
    region = array.default_region()
    region[2] = 2.0
    there = torch.tensor([[[-3.1, 0.1, 2.0]]], dtype=torch.float64)
    known = scene(1, places=there, direct=True, array=array, region=region)
    start = Estimates.at(torch.tensor([[[3.1, 0.1, 2.0]]], dtype=torch.float64), torch.zeros(1))
    found = Newton()(known.problem, known.truth.covariance, start)
    torch.testing.assert_close(found.positions, there, rtol=0, atol=1e-6)


def test_scenes_of_different_numbers_of_sources_are_as_one_by_one():
    known = scene(3, scenes=3, direct=True, snr_db=20.0)
    problem = replace(known.problem, sources=torch.tensor([3, 1, 2]))
    covariance = Sample()(problem)
    together = Newton()(problem, covariance, None)
    assert together.valid.sum(-1).tolist() == [3, 1, 2]
    for s, sources in enumerate([3, 1, 2]):
        index = torch.tensor([s])
        alone = Newton()(problem.select(index), covariance.select(index), None)
        torch.testing.assert_close(
            together.positions[s, :sources], alone.positions[0], rtol=0, atol=1e-9
        )


def test_impossible_options_are_refused():
    with pytest.raises(InputError, match="newton needs"):
        Newton(iterations=0)
