"""What holds for every learned model by construction, whatever its weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from risdoa.arrays import Array
from risdoa.covariance import Covariance
from risdoa.losses.gt_projection import GtProjection
from risdoa.losses.nmse import Nmse
from risdoa.models.anchors import grid_spacing
from risdoa.models.hybrid import Hybrid
from risdoa.models.learned import BATCH
from risdoa.models.maps import MOST_POINTS, bounded_grid
from risdoa.models.sample import Sample
from risdoa.models.unfolded import Unfolded
from risdoa.problem import Problem
from risdoa.scenarios.canonical import Canonical
from risdoa.scenarios.digital import Digital
from risdoa.scenarios.static import Static
from risdoa.sensing import Direct, RisCoded
from risdoa.snapshots import Snapshots
from risdoa.steering.spherical import Spherical
from tests.models.small import HYBRID, UNFOLDED, drawn


@pytest.fixture(params=["hybrid", "unfolded"])
def network(request):
    """Make a small network with fixed, not too small weights."""

    def make(**options):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            if request.param == "hybrid":
                model = Hybrid(**HYBRID | options)
                readings = [model.head.reading]
            else:
                model = Unfolded(**UNFOLDED | options)
                readings = [model.first.reading, model.further.reading]
            for reading in readings:
                for parameter in reading.parameters():
                    torch.nn.init.normal_(parameter, std=0.3)
        return model.eval()

    return make


def close(first: Covariance, second: Covariance, tolerance=1e-4):
    first, second = first.dense(), second.dense()
    torch.testing.assert_close(
        first, second, rtol=tolerance, atol=tolerance * float(first.abs().max())
    )


@pytest.mark.parametrize(
    ("scenario", "options"),
    [
        (Canonical, {}),
        (Canonical, {"nx": 7, "ny": 3, "outputs": 5, "snapshots": 9}),
        (Canonical, {"nx": 1, "ny": 6, "snapshots": 1}),
        (Canonical, {"outputs": 1, "sources": 1}),
        (Static, {}),
        (Digital, {"nx": 3, "snapshots": 4}),
    ],
)
@torch.no_grad()
def test_any_array_and_any_number_of_snapshots_give_a_covariance(network, scenario, options):
    problem, _ = drawn(scenario=scenario, **options)
    covariance = network()(problem)
    dense = covariance.dense()
    assert dense.shape == (5, problem.array.count, problem.array.count)
    assert dense.dtype == torch.complex64
    assert bool(dense.isfinite().all())
    torch.testing.assert_close(dense, dense.mH)
    values = torch.linalg.eigvalsh(dense.to(torch.complex128))
    assert bool((values >= -1e-5 * values[:, -1:]).all())
    assert bool((values[:, -1] > 0).all())


@torch.no_grad()
def test_a_three_dimensional_array_of_its_own_in_every_scene(network):
    generator = torch.Generator().manual_seed(0)
    points = torch.randn((3, 6, 3), dtype=torch.float64, generator=generator)
    values = torch.randn((3, 2, 6), dtype=torch.complex128, generator=generator)
    array = Array(points, 1.0)
    region = torch.tensor([[-3.1, 3.1], [-1.5, 1.5], [2.0, 20.0]], dtype=torch.float64)
    problem = Problem(Snapshots(values, Direct()), array, Spherical(), region)
    assert bool(network()(problem).factor.isfinite().all())
    assert len(bounded_grid(problem).points()) <= MOST_POINTS


@torch.no_grad()
def test_fixed_coordinates_stay_fixed(network):
    problem, _ = drawn()
    region = problem.region.clone()
    region[1], region[2] = 0.1, 3.0
    narrow = replace(problem, region=region)
    grid = bounded_grid(narrow)
    assert grid.shape[:2] == (1, 1)
    assert float(grid_spacing(grid)[:, 1:].abs().max()) == 0
    assert bool(network()(narrow).factor.isfinite().all())


@torch.no_grad()
def test_the_phase_of_the_data_plays_no_part_and_their_scale_is_passed_on(network):
    problem, _ = drawn()
    model = network()
    values = problem.snapshots.values
    for factor in (1j, 1e-9, 3e5):
        changed = replace(problem, snapshots=replace(problem.snapshots, values=values * factor))
        expected = model(problem).scaled(torch.full((5,), abs(factor) ** 2))
        close(model(changed), expected, 1e-3)


@torch.no_grad()
def test_the_order_of_the_snapshots_plays_no_part(network):
    problem, _ = drawn()
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    sensing = problem.snapshots.sensing
    snapshots = Snapshots(
        problem.snapshots.values[:, order], RisCoded(sensing.channel, sensing.codes[:, order])
    )
    model = network()
    close(model(replace(problem, snapshots=snapshots)), model(problem))


@torch.no_grad()
def test_scenes_do_not_leak_into_each_other(network):
    problem, _ = drawn()
    model = network()
    together = model(problem)
    for scene in range(5):
        close(model(problem.select(torch.tensor([scene]))), together.select(torch.tensor([scene])))


@torch.no_grad()
def test_many_scenes_are_worked_on_in_batches(network):
    problem, _ = drawn(count=2 * BATCH + 1)
    model = network()
    close(model(problem), model.predict(problem))


@torch.no_grad()
def test_silent_snapshots_give_a_finite_covariance(network):
    problem, _ = drawn()
    silent = torch.zeros_like(problem.snapshots.values)
    factor = network()(replace(problem, snapshots=replace(problem.snapshots, values=silent))).factor
    assert bool(factor.isfinite().all())


@pytest.mark.parametrize("amp", [False, True])
def test_every_parameter_gets_a_finite_gradient(network, amp):
    problem, truth = drawn()
    truth = truth.to(dtype=torch.complex64)
    model = network().train()
    with torch.autocast("cpu", torch.bfloat16, enabled=amp):
        covariance = model(problem)
    assert covariance.factor.dtype == torch.complex64
    (Nmse()(covariance, truth) + GtProjection()(covariance, truth)).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert float(parameter.grad.abs().max()) > 0, name


@torch.no_grad()
def test_blend_and_shrinkage_act_at_inference_alone(network):
    problem, _ = drawn(count=2, nx=3, ny=3, outputs=4)
    plain, mixed = network(), network(beta=0.6, shrinkage=0.1)
    close(mixed.predict(problem), plain.predict(problem))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        trained = mixed.train()(problem)
        torch.manual_seed(0)
        close(trained, plain.train().predict(problem))
    plain.eval()
    sample = Sample()(problem)
    expected = plain.predict(problem).blended(sample, 0.6).shrunk(0.1)
    close(mixed.eval()(problem), expected)
    assert float(mixed(problem).trace()[0]) == pytest.approx(problem.array.count, rel=1e-4)


@torch.no_grad()
def test_blending_is_left_out_where_there_is_no_classical_covariance(network):
    problem, _ = drawn(scenario=Static)
    assert not Sample().supports(problem)
    close(network(beta=0.5)(problem), network()(problem))
