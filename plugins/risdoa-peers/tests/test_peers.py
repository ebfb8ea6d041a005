"""Positions without noise, agreement with risdoa's own MUSIC, and what is refused."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from risdoa_peers.grid import Grid

import risdoa
from risdoa.errors import InputError, PluginLoadError

CELL = torch.tensor([math.radians(2.0), math.radians(2.0), (1 / 0.5 - 1 / 10) / 15])
"""Spacing of the default grid in azimuth, elevation and 1/range, at most."""

ONE = (20.0, -12.0, 1.5)
TWO = (-30.0, 8.0, 0.9)


def search(positions):
    """Return (φ, θ, 1/r) of positions, the sources in the order of their azimuth."""
    ordered = positions[positions[:, 0].argsort()]
    return torch.cat((ordered[:, :2], ordered[:, 2:].reciprocal()), -1)


def expect_within_a_cell(found, wanted):
    off = (search(found) - search(wanted)).abs() / CELL
    assert float(off.max()) <= 1, off


@pytest.mark.parametrize("places", [(ONE,), (TWO,), (ONE, TWO)], ids=["one", "other", "both"])
def test_sources_without_noise_are_found_within_a_cell(backend, scene, places):
    given = scene(*places)
    found = backend(given.problem, given.covariance, None)
    assert bool(found.valid.all())
    assert not bool(found.unobservable.any())
    expect_within_a_cell(found.positions[0], given.places)


MIRRORS = ((-1, 1), (1, -1), (-1, -1))


@pytest.mark.parametrize("signs", MIRRORS)
def test_a_mirrored_source_is_found_at_its_mirrored_place(backend, scene, signs):
    mirrored = scene((ONE[0] * signs[0], ONE[1] * signs[1], ONE[2]))
    expect_within_a_cell(
        backend(mirrored.problem, mirrored.covariance, None).positions[0], mirrored.places
    )


def test_the_same_places_as_risdoas_own_music(backend, registry, scene):
    given = scene(ONE, TWO)
    own = registry.create("backend", "music")(given.problem, given.covariance, None)
    found = backend(given.problem, given.covariance, None)
    expect_within_a_cell(found.positions[0], own.positions[0])


def test_arrays_out_of_the_plane_and_of_their_own(backend, scene):
    drawn = torch.Generator().manual_seed(4)
    scenes = [
        scene(ONE, TWO, array=risdoa.Array(torch.randn(20, 3, generator=drawn).double() / 3, 0.3))
        for _ in range(2)
    ]
    points = torch.stack([each.problem.array.positions for each in scenes])
    values = torch.cat([each.problem.snapshots.values for each in scenes])
    problem = replace(
        scenes[0].problem,
        array=risdoa.Array(points, 0.3),
        snapshots=risdoa.Snapshots(values, risdoa.Direct()),
        sources=torch.tensor([2, 2]),
    )
    factor = torch.cat([each.covariance.factor for each in scenes])
    found = backend(problem, risdoa.Covariance(factor), None)
    for positions in found.positions:
        expect_within_a_cell(positions, scenes[0].places)


def test_a_finer_grid_comes_nearer(registry, name, scene):
    given = scene(ONE)
    region = given.problem.region.clone()
    region[0], region[1] = torch.tensor([0.1, 0.6]), torch.tensor([-0.4, 0.0])
    fine = registry.create("backend", name, step_deg="0.5", ranges="46")
    found = fine(replace(given.problem, region=region), given.covariance, None)
    off = (search(found.positions[0]) - search(given.places)).abs()
    assert bool((off <= CELL * torch.tensor([1 / 4, 1 / 4, 1 / 3])).all())
    assert "59 x 47 x 46 points" in found.notes[0]


@pytest.mark.parametrize(("half", "peaks"), [(math.pi, 1), (3.1, 2)])
def test_the_ends_of_a_full_circle_are_neighbours(half, peaks):
    region = torch.tensor([[-half, half], [0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    grid = Grid.over(region, step_deg=2.0, ranges=1)
    bump = torch.cos(grid.positions()[:, 0] - math.radians(180.7))
    assert len(grid.peaks(bump, 3)) == peaks


def test_sources_that_show_no_peak_are_missing(registry, name, scene):
    given = scene(ONE, TWO)
    region = given.problem.region.clone()
    region[0, 0] = region[1, 0] = 0.2  # a corner in which neither is
    coarse = registry.create("backend", name, step_deg=60, ranges=1)
    found = coarse(replace(given.problem, region=region), given.covariance, None)
    assert found.valid.sum() == 1
    assert bool(found.positions.isfinite().all())


def test_the_start_for_a_finer_backend(registry, backend, scene):
    given = scene(ONE, TWO)
    coarse = backend(given.problem, given.covariance, None)
    found = registry.create("backend", "newton")(given.problem, given.covariance, coarse)
    assert float((search(found.positions[0]) - search(given.places)).abs().max()) < 1e-6


def test_what_the_libraries_do_not_know_is_refused(backend, scene):
    given = scene(ONE)
    gains = torch.ones(30, dtype=torch.complex128)
    weighted = replace(given.problem.array, gains=gains)
    for words, problem, covariance in (
        ("needs a covariance", given.problem, None),
        ("no element gains", replace(given.problem, array=weighted), given.covariance),
        ("spherical waves alone", scene(ONE, steering="canonical").problem, given.covariance),
        ("spherical waves alone", scene(ONE, steering="plane-wave").problem, given.covariance),
        ("tell 2 sources", scene(ONE, TWO).problem, given.covariance),
    ):
        with pytest.raises(InputError, match=words) as refusal:
            backend(problem, covariance, None)
        assert refusal.value.hint


@pytest.mark.parametrize("options", [{"step_deg": 0.0}, {"ranges": 0}])
def test_wrong_grids_are_refused(registry, name, options):
    with pytest.raises(InputError, match="step_deg > 0 and ranges >= 1"):
        registry.create("backend", name, **options)


def test_wrong_loads_are_refused(registry):
    for name in ("acoular-music", "acoular-capon"):
        with pytest.raises(InputError, match="load must be positive"):
            registry.create("backend", name, load=0)


def test_a_missing_library_is_said_to_be_missing(registry, name, monkeypatch):
    wanted = name.partition("-")[0]
    monkeypatch.setitem(sys.modules, wanted, None)
    with pytest.raises(PluginLoadError, match=f"{wanted} cannot be imported") as refusal:
        registry.create("backend", name)
    assert refusal.value.hint == f"pip install 'risdoa-peers[{wanted}]'"
    assert refusal.value.exit_code == 4


def test_listing_imports_no_library():
    code = (
        "import sys, risdoa; names = risdoa.Registry.discover({}).names('backend');"
        "print('acoular-music' in names, {'acoular', 'pyroomacoustics', 'torch'} & {*sys.modules})"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert finished.stdout == "True set()\n"
