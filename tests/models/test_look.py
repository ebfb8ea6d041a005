"""What is known before the network, against loops over cells; and what the network does with it."""

from __future__ import annotations

import math

import pytest
import torch

from risdoa.conventions import invert_range
from risdoa.grid import Grid
from risdoa.models import look as looks
from risdoa.models.anchors import grid_spacing, shifted
from risdoa.models.cells import halved, volumes
from risdoa.models.evidence import nearest_atom, of_atoms
from risdoa.models.look import FIRST_MAPS, Look
from risdoa.models.unfolded import DEEP, Judge
from risdoa.scan import Matched, likelihood_gain
from risdoa.scenarios.canonical import Canonical
from risdoa.scenarios.digital import Digital
from risdoa.scenarios.static import Static
from tests.models.small import drawn

SCENARIOS = [Canonical, Static, Digital]


def looked_at(scenario=Canonical, sources=2):
    problem, _ = drawn(3, 5, scenario, sources)
    return Look.at(problem)


def cells(grid):
    """Return the nearest grid point of every point of the finer grid, along all axes at once."""
    steps = torch.where(grid.steps() > 0, grid.steps(), 1.0)
    off = (halved(grid).points()[:, None] - grid.points()) / steps
    return off.square().sum(-1).argmin(1)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_cell_knows_its_mass_and_its_best_place(scenario):
    look = looked_at(scenario)
    problem, finer = look.places.problem, halved(look.grid)
    matched = Matched.prepare(problem, finer)
    none = torch.zeros(3, 0)
    found = likelihood_gain(matched, none.unsqueeze(-1).expand(-1, -1, 3), none, torch.ones(3))
    share, cell = volumes(look.grid).float(), cells(look.grid)
    for point in range(0, len(look.prior), 7):
        members = torch.nonzero(cell == point).flatten()
        assert float(look.prior[point].exp()) == pytest.approx(
            float(share[members].sum()), rel=1e-4
        )
        for scene in range(3):
            value = found.value[scene, members]
            weight = share[members] / share[members].sum()
            mass = float((value + weight.log()).logsumexp(0))
            best = members[(value + weight.log()).argmax()]
            assert float(look.evidence[scene, point]) == pytest.approx(mass, rel=1e-3, abs=1e-3)
            torch.testing.assert_close(
                look.places.search[scene, point], matched.points[best].float()
            )
            assert float(look.powers[scene, point]) == float(found.powers[scene, best])
            own = look.evidence[scene, point] + look.excess[scene, point]
            assert float(own) == pytest.approx(float(found.value[scene, best]), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_norms_are_those_at_the_best_places(scenario):
    look = looked_at(scenario)
    problem = look.places.problem
    steering = problem.steering(problem.array, invert_range(look.places.search))
    seen = problem.snapshots.sensing.observe(steering)
    power = seen.abs().square().expand(3, problem.snapshots.count, -1, -1)
    torch.testing.assert_close(look.norms, power.mean((1, 2)), rtol=1e-3, atol=1e-6)
    total = look.places.norms.sum(1) * (problem.snapshots.block_count / look.places.norms.shape[1])
    torch.testing.assert_close(total, power.sum((1, 2)), rtol=1e-3, atol=1e-5)


def test_offsets_lead_to_the_best_places():
    look = looked_at()
    spacing = grid_spacing(look.grid).float()
    there = look.grid.points().float() + look.offsets.mT * spacing
    torch.testing.assert_close(there, look.places.search, rtol=1e-4, atol=1e-5)


def judged(look, peaks):
    """Return what a network might have read: peaks of the density, and offsets of its own."""
    values = torch.zeros(3, 5, look.norms.shape[1])
    values[:, 0, peaks] = torch.arange(len(peaks), 0, -1).float() + 1
    values[:, 1:4] = 0.2
    return values


def test_atoms_stand_where_they_are_judged_to_be(monkeypatch):
    look, seen, real = looked_at(), [], looks.Atoms.at

    def watched(problem, places):
        seen.append((places, real(problem, places)))
        return seen[-1][1]

    monkeypatch.setattr(looks.Atoms, "at", watched)
    _, evidence = look.again(judged(look, [0, len(look.prior) - 1]), 2)
    (places, atoms), *_ = seen
    index = torch.tensor([[0, len(look.prior) - 1]]).expand(3, -1)
    offsets = look.offsets.gather(2, index.unsqueeze(1).expand(-1, 3, -1)) + math.tanh(0.2)
    there = shifted(look.grid, index, offsets.mT, look.places.problem)
    torch.testing.assert_close(places, there)
    own = of_atoms(atoms.fitted(look._first_powers(index), torch.full((3,), 0.5)))
    assert bool((evidence.gather(1, index) >= own.value - 1e-3).all())


def test_a_peak_that_stands_in_does_not_hide_the_real_one():
    look = looked_at(sources=1)
    strongest = int(look.evidence[0].argmax())
    apart = (look.grid.points() - look.grid.points()[strongest]) / look.grid.steps()
    values = judged(look, [strongest])
    values[:, 0] = -apart.square().sum(-1).float()
    assert bool((looks.peaks(values[:, 0], look.grid, 4).points == strongest).all())
    alone, _ = look.again(values, 1)
    several, _ = look.again(values, 4)
    heard = 2 * looks.VIEWS
    expected = float(alone[0, heard, strongest])
    assert float(several[0, heard, strongest]) == pytest.approx(expected, rel=0.02)


def test_on_a_full_circle_the_nearest_atom_may_lie_over_the_seam():
    turn = torch.arange(8, dtype=torch.float64) * math.tau / 8 - math.pi
    lone = torch.zeros(1, dtype=torch.float64)
    grid = Grid(turn, lone, lone, full_circle=True)
    places = torch.tensor([[[-math.pi + 0.02, 0, 0]]])
    atoms = torch.tensor([[[2.2, 0, 0], [math.pi - 0.02, 0, 0]]])
    nearest, apart = nearest_atom(grid, places, atoms)
    assert int(nearest) == 1
    assert float(apart[0, 1, 0]) == pytest.approx((0.04 / (math.tau / 8)) ** 2, rel=1e-3)


def judge():
    look = looked_at()
    made = Judge(FIRST_MAPS, 8, 1)
    torch.nn.init.zeros_(made.reading.weight)
    return look, made


@torch.no_grad()
def test_what_physics_says_alone_is_where_the_judge_starts():
    look, made = judge()
    read = made(look.maps(), look.evidence, look.prior, look.grid)
    below = look.evidence - look.evidence.amax(-1, keepdim=True)
    expected = 2 * torch.log1p(look.evidence) + below.clamp_min(-DEEP) + look.prior
    torch.testing.assert_close(read[:, 0], expected)


@torch.no_grad()
def test_the_judge_may_keep_what_was_judged_before():
    look, made = judge()
    made.reading.bias[6] = 40.0
    before = torch.randn(3, 1, len(look.prior), generator=torch.Generator().manual_seed(1))
    read = made(look.maps(), look.evidence, look.prior, look.grid, before)
    torch.testing.assert_close(read[:, :1], before - before.amax(-1, keepdim=True))
