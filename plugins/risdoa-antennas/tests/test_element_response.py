"""The model against its formula, its derivatives against differentiation, and what it refuses."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from risdoa_antennas.element_response import ElementResponse

import risdoa
from risdoa.errors import InputError

BASES = ("spherical", "canonical", "plane-wave")


def naive(array, azimuth, elevation, distance, neighbour, exponent, floor):
    """Return the steering vector of one position, element by element."""
    points, wavenumber = array.positions.numpy(), array.wavenumber
    towards = np.array(
        [
            math.sin(azimuth) * math.cos(elevation),
            math.sin(elevation),
            math.cos(azimuth) * math.cos(elevation),
        ]
    )
    knee = 2 * floor / (1 - floor**2)
    received = []
    for point in points:
        path = distance * towards - point
        cosine = path[2] / np.linalg.norm(path)
        level = (cosine + math.hypot(cosine, knee)) / (1 + math.hypot(1, knee))
        phase = -wavenumber * (np.linalg.norm(path) - distance)
        received.append(level**exponent * np.exp(1j * phase))
    apart = [[np.linalg.norm(a - b) for b in points] for a in points]
    nearest = min(d for row in apart for d in row if d > 0)
    outputs = []
    for n, row in enumerate(apart):
        total = received[n]
        for m, d in enumerate(row):
            if m != n:
                phase = -wavenumber * (d - nearest)
                total += neighbour * nearest / d * np.exp(1j * phase) * received[m]
        outputs.append(total)
    return np.array(outputs) / np.linalg.norm(outputs)


def test_it_equals_its_formula(array):
    model = ElementResponse(exponent=1.4, floor=0.05, coupling_db=-13.0, coupling_deg=70.0)
    neighbour = 10 ** (-13 / 20) * np.exp(1j * math.radians(70))
    for place in ((0.3, -0.4, 0.8), (-1.2, 0.2, 5.0), (2.0, 0.1, 0.6)):
        found = model(array, torch.tensor([place], dtype=torch.float64))[:, 0].numpy()
        expected = naive(array, *place, neighbour, 1.4, 0.05)
        np.testing.assert_allclose(found, expected, atol=1e-13)


@pytest.mark.parametrize("base", BASES)
def test_isotropic_elements_without_coupling_are_the_base(base, array, positions):
    model = ElementResponse(base=base, exponent=0, coupling_db=None)
    expected = risdoa.Registry.discover({}).create("steering", base)(array, positions)
    torch.testing.assert_close(model(array, positions), expected)


def expect_derivatives(model, array, positions):
    """Compare the closed form with forward differentiation of the call, which must be finite."""
    positions = positions.clamp(max=1e3)
    steering, slopes = model.derivatives(array, positions)
    expected, differentiated = risdoa.Steering.derivatives(model, array, positions)
    torch.testing.assert_close(steering, expected)
    scale = float(differentiated.abs().max())
    torch.testing.assert_close(slopes, differentiated, rtol=0, atol=1e-11 * scale)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("exponent", [0.0, 0.3, 2.0])
def test_derivatives_are_those_of_the_call(base, exponent, array, positions):
    model = ElementResponse(base=base, exponent=exponent, coupling_db=-12.0, coupling_deg=40.0)
    expect_derivatives(model, array, positions)


def test_derivatives_reach_plane_waves(array, positions):
    waves = positions.clone()
    waves[..., 2] = torch.inf
    nearly = waves.clamp(max=1e6)
    for model in (ElementResponse(), ElementResponse(base="canonical", exponent=2)):
        for found, expected in zip(
            model.derivatives(array, waves), model.derivatives(array, nearly), strict=True
        ):
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_derivatives_with_a_measured_response(array, positions, response, measured_fields):
    axes = np.random.default_rng(1).standard_normal((12, 3))
    axes[:, 2] += 4
    expect_derivatives(ElementResponse(response=response(**measured_fields)), array, positions)
    expect_derivatives(ElementResponse(response=response(boresight=axes)), array, positions)


def test_scenes_may_have_arrays_and_gains_of_their_own(array, positions):
    random = torch.Generator().manual_seed(2)
    moved = array.positions + 0.02 * torch.randn(3, 12, 3, generator=random).double()
    gains = torch.randn(3, 12, dtype=torch.complex128, generator=random)
    scenes = risdoa.Array(moved, 0.3, gains)
    model = ElementResponse(coupling_db=-15.0)
    expect_derivatives(model, scenes, positions)
    for scene in range(3):
        alone = model(risdoa.Array(moved[scene], 0.3, gains[scene]), positions[scene])
        torch.testing.assert_close(model(scenes, positions)[scene], alone)


def test_single_precision_follows_double_precision(array, positions, response, measured_fields):
    for model in (ElementResponse(), ElementResponse(response=response(**measured_fields))):
        for single, double in zip(
            model.derivatives(array, positions.float()),
            model.derivatives(array, positions),
            strict=True,
        ):
            assert single.dtype == torch.complex64
            torch.testing.assert_close(single, double.to(single), rtol=0, atol=2e-5)


def test_elements_near_the_source_see_it_in_directions_of_their_own(array):
    near = torch.tensor([[0.0, 0.0, 0.3]], dtype=torch.float64)
    seen = ElementResponse(exponent=3, coupling_db=None)(array, near)[:, 0].abs()
    radius = torch.linalg.vector_norm(array.positions, dim=-1)
    assert torch.equal(seen.argsort(stable=True), (-radius).argsort(stable=True))
    far = torch.tensor([[0.0, 0.0, torch.inf]], dtype=torch.float64)
    torch.testing.assert_close(
        ElementResponse(exponent=3, coupling_db=None)(array, far).abs(),
        torch.full((12, 1), 12**-0.5, dtype=torch.float64),
    )


def test_a_far_field_base_stays_blind_to_range(array, positions):
    model = ElementResponse(base="plane-wave", exponent=2)
    assert float(model.derivatives(array, positions)[1][..., 2].abs().max()) == 0
    nearer = positions * torch.tensor([1.0, 1.0, 0.5])
    torch.testing.assert_close(model(array, nearer), model(array, positions))


def test_coupling_is_symmetric_and_falls_with_distance(array):
    model = ElementResponse(coupling_db=-20.0, coupling_deg=90.0)
    coupling = model.coupling(array)
    torch.testing.assert_close(coupling, coupling.mT)
    torch.testing.assert_close(coupling.diagonal(), torch.ones(12, dtype=torch.complex128))
    assert complex(coupling[0, 1]) == pytest.approx(0.1j)
    assert complex(coupling[0, 4]) == pytest.approx(0.1j)
    assert complex(coupling[0, 2]) == pytest.approx(0.05j * np.exp(-1j * math.pi))
    turn = np.exp(-1j * math.pi * (math.sqrt(2) - 1))
    assert complex(coupling[0, 5]) == pytest.approx(0.1j / math.sqrt(2) * turn)


def test_coupling_follows_the_array(array):
    model = ElementResponse()
    first = model.coupling(array)
    wider = risdoa.Array.planar(4, 3, wavelength=0.3, spacing=0.7)
    longer = risdoa.Array(array.positions, 0.4)
    for other in (wider, longer):
        assert float((model.coupling(other) - first).abs().max()) > 1e-3
    torch.testing.assert_close(model.coupling(array), first)


def test_a_single_element_couples_with_nothing(positions):
    alone = risdoa.Array.planar(1, 1)
    assert torch.equal(ElementResponse().coupling(alone), torch.ones(1, 1).to(torch.complex128))
    torch.testing.assert_close(
        ElementResponse()(alone, positions).abs(), torch.ones(3, 1, 2, dtype=torch.float64)
    )


def test_measured_coupling_takes_the_place_of_the_model(array, response, measured_fields):
    coupling = measured_fields["coupling"]
    model = ElementResponse(exponent=0, response=response(coupling=coupling))
    place = torch.tensor([[0.2, 0.1, 3.0]], dtype=torch.float64)
    ideal = risdoa.Registry.discover({}).create("steering", "spherical")(array, place)
    expected = torch.from_numpy(coupling) @ ideal
    torch.testing.assert_close(model(array, place), expected / torch.linalg.norm(expected))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"coupling_db": 1.0}, "at most 0 dB"),
        ({"exponent": -1.0}, "exponent >= 0"),
        ({"floor": 0.0}, "0 < floor < 1"),
        ({"base": "element-response"}, "its own base"),
        ({"base": "risdoa-antennas/element-response"}, "its own base"),
        ({"base": "sphericl"}, "sphericl"),
        ({"response": "nowhere.npz"}, "cannot be read"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(InputError, match=words) as refusal:
        ElementResponse(**options)
    assert refusal.value.hint


def test_elements_in_one_place_are_refused(array, positions):
    doubled = risdoa.Array(torch.cat((array.positions, array.positions[:1])), 0.3)
    with pytest.raises(InputError, match="one place"):
        ElementResponse()(doubled, positions)
    ElementResponse(coupling_db=None)(doubled, positions)


def test_a_coupling_that_loses_directions_is_refused(array, positions):
    with pytest.raises(InputError, match="condition number"):
        ElementResponse(coupling_db=0.0)(risdoa.Array.linear(2), positions)
    ElementResponse(coupling_db=-1.0)(risdoa.Array.linear(2), positions)


def azimuth(finished):
    """Return what `risdoa estimate --json` found in one scene with one source."""
    assert finished.returncode == 0, finished.stderr
    [scene] = json.loads(finished.stdout)["scenes"]
    [source] = scene["sources"]
    return source["azimuth_deg"]


@pytest.mark.slow
def test_the_command_line_sets_its_options(tmp_path):
    def command(*words):
        return subprocess.run(
            [sys.executable, "-m", "risdoa", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    sizes = ("--set", "digital.nx=4", "--set", "digital.ny=4", "--sources", "1", "--snr", "20")
    made = command("simulate", "--scenario", "digital", *sizes, "--scenes", "1", "--out", "s.npz")
    assert made.returncode == 0, made.stderr
    estimate = ("estimate", "s.npz", "--json", "--steering")
    options = ("exponent=0", "coupling_db=none", "base=canonical")
    settings = [f"--set=element-response.{option}" for option in options]
    expected, same, other = (
        azimuth(command(*estimate, *words))
        for words in (
            ("canonical",),
            ("element-response", *settings),
            ("element-response", "--set", "element-response.coupling_db=-10"),
        )
    )
    assert same == pytest.approx(expected, abs=1e-6)
    assert other != pytest.approx(expected, abs=1e-2)
    wrong = command(*estimate, "element-response", "--set", "element-response.floor=2")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("error: a pattern needs")
