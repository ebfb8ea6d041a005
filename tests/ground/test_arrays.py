"""Where the elements are."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from risdoa.arrays import Array
from risdoa.errors import InputError
from risdoa.testing.strategies import arrays
from tests.draws import normal

NAN = float("nan")


@given(nx=st.integers(1, 9), ny=st.integers(1, 9), wavelength=st.floats(0.01, 3.0))
def test_planar_elements_run_fastest_along_x_from_the_centre(nx, ny, wavelength):
    array = Array.planar(nx, ny, wavelength)
    step = wavelength / 2
    for iy in range(ny):
        for ix in range(nx):
            found = array.positions[iy * nx + ix].tolist()
            expected = [(ix - (nx - 1) / 2) * step, (iy - (ny - 1) / 2) * step, 0.0]
            assert found == pytest.approx(expected, rel=1e-15, abs=1e-15)


def test_even_arrays_stand_at_half_integers():
    x = Array.planar(12, 12, 2.0).positions[:12, 0]
    assert x.tolist() == [-5.5, -4.5, -3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5]


@given(array=arrays(planar=True))
def test_constructed_arrays_are_centred_and_in_the_plane(array):
    assert array.is_planar
    centre = array.positions.mean(0)
    assert float(centre.abs().max()) < 1e-14 * array.diameter  # rounding of a mean


@given(count=st.integers(2, 12), spacing=st.floats(0.1, 2.0))
def test_neighbours_on_a_circle_are_spacing_apart(count, spacing):
    array = Array.circular(count, 0.3, spacing)
    gaps = array.positions - array.positions.roll(1, 0)
    torch.testing.assert_close(
        torch.linalg.vector_norm(gaps, dim=-1),
        torch.full((count,), spacing * 0.3, dtype=torch.float64),
        rtol=1e-12,  # the chord of a polygon, through a sine
        atol=0,
    )


def test_a_linear_array_lies_along_x():
    array = Array.linear(5, 0.2, spacing=0.25)
    assert array.positions[:, 1:].abs().max() == 0
    assert array.positions[:, 0].tolist() == pytest.approx([-0.1, -0.05, 0, 0.05, 0.1], abs=1e-17)


def test_sizes_of_the_canonical_surface():
    array = Array.planar(12, 12, 0.3)
    assert array.count == 144
    assert array.diameter == pytest.approx(11 * 0.15 * math.sqrt(2), rel=1e-12)
    assert array.diameter == pytest.approx(2.33, abs=0.005)  # physics of the scenario, in 3 digits
    assert array.fraunhofer_distance == pytest.approx(36.3, abs=0.05)
    assert array.wavenumber == pytest.approx(2 * math.pi / 0.3)


def test_the_default_region_depends_on_whether_the_array_is_flat():
    flat = Array.planar(4, 4, 0.3)
    deep = Array(flat.positions + torch.eye(3, dtype=torch.float64)[2] * 0.01, 0.3)
    assert flat.default_region()[:2].rad2deg().tolist() == [
        pytest.approx([-60, 60]),
        pytest.approx([-30, 30]),
    ]
    assert deep.default_region()[:2].rad2deg().tolist() == [
        pytest.approx([-180, 180]),
        pytest.approx([-90, 90]),
    ]
    bounds = flat.default_region()[2].tolist()
    assert bounds == pytest.approx([0.2 * flat.diameter, flat.fraunhofer_distance])


@pytest.mark.parametrize(
    "arguments",
    [
        (torch.zeros(3), 0.3),
        (torch.zeros(4, 2), 0.3),
        (torch.zeros(0, 3), 0.3),
        (torch.zeros(4, 3, dtype=torch.int64), 0.3),
        (torch.full((4, 3), NAN), 0.3),
        (torch.zeros(4, 3), 0.0),
        (torch.zeros(4, 3), -1.0),
        (torch.zeros(4, 3), NAN),
        (torch.zeros(4, 3), 0.3, torch.ones(3, dtype=torch.complex128)),
        (torch.zeros(2, 4, 3), 0.3, torch.ones(3, 4, dtype=torch.complex128)),
        (torch.zeros(4, 3), 0.3, torch.full((4,), NAN)),
        (torch.zeros(4, 3), 0.3, torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 0]])),
    ],
)
def test_impossible_arrays_are_refused(arguments):
    with pytest.raises(InputError):
        Array(*arguments)


@pytest.mark.parametrize(
    "build", [lambda: Array.planar(0, 3), lambda: Array.linear(0), lambda: Array.circular(1)]
)
def test_impossible_sizes_are_refused(build):
    with pytest.raises(InputError):
        build()


def test_precision_reaches_positions_and_gains():
    array = Array(Array.linear(4).positions, 1.0, normal((4,), 0)).to(dtype=torch.float32)
    assert array.positions.dtype == torch.float32
    assert array.gains is not None
    assert array.gains.dtype == torch.complex64


def test_selecting_scenes_keeps_what_is_shared():
    shared = Array.linear(4)
    assert shared.select(torch.tensor([2, 0])) == shared
    points = torch.randn((3, 4, 3), generator=torch.Generator().manual_seed(1))
    own = Array(points, 1.0, normal((3, 4), 2))
    picked = own.select(torch.tensor([2, 0]))
    assert torch.equal(picked.positions, points[[2, 0]])
    assert own.gains is not None
    assert picked.gains is not None
    assert torch.equal(picked.gains, own.gains[[2, 0]])


def test_how_many_scenes_an_array_is_for():
    points = torch.randn((3, 4, 3), generator=torch.Generator().manual_seed(1))
    assert Array(points[0], 1.0).scenes is None
    assert Array(points[0], 1.0, normal((4,), 2)).scenes is None
    assert Array(points[0], 1.0, normal((2, 4), 2)).scenes == 2
    assert Array(points, 1.0, normal((4,), 2)).scenes == 3
    assert Array(points, 1.0, normal((3, 4), 2)).scenes == 3


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_diameter_and_spacing_do_not_depend_on_the_memory(monkeypatch, rows):
    points = torch.randn((2, 7, 3), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr("risdoa.arrays.ROWS", rows)
    apart = (points.unsqueeze(1) - points.unsqueeze(2)).norm(dim=-1)
    assert Array(points, 1.0).diameter == pytest.approx(float(apart.max()), rel=1e-12)
    others = apart[:, ~torch.eye(7, dtype=torch.bool)].reshape(2, 7, 6)
    assert Array(points, 1.0).spacing == pytest.approx(float(others.amin(-1).max()), rel=1e-12)


def test_the_spacing_is_that_of_the_loneliest_element():
    line = Array.linear(5, 0.3).positions
    line[-1, 0] += 0.1
    assert Array(line, 0.3).spacing == pytest.approx(0.25)
    assert Array.linear(1, 0.3).spacing == 0.0
    assert Array(torch.zeros(3, 3), 0.3).spacing == 0.0
    single = Array.planar(30, 30, 0.3).to(dtype=torch.float32)
    assert single.spacing == pytest.approx(0.15, rel=1e-5)
