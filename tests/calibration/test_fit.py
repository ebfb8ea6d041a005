"""Gains and places of the elements, from scenes whose sources are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from risdoa.arrays import Array
from risdoa.calibration import Prior, calibrate
from risdoa.calibration.fit import Fit
from risdoa.calibration.normal import Panel, Sums
from risdoa.errors import InputError
from risdoa.frozen import changed
from risdoa.problem import Problem, Truth
from risdoa.scenarios.digital import Digital
from risdoa.scenarios.simulation import simulate
from risdoa.sensing import Direct
from risdoa.snapshots import Snapshots
from risdoa.steering.spherical import Spherical
from tests import oracles
from tests.calibration.scenes import NOISELESS, in_gauge, off, scenario, scenes

KNOWN = Prior(1.0, 10.0, 0.02)


def directly_read(gains, count=4, seed=0, sources=1, blocks=None, snr_db=NOISELESS):
    """Return scenes of a line of elements with gains, told a line without."""
    nominal = Array.linear(len(gains), 0.3)
    region = Digital(2, 2).region()
    generator = torch.Generator().manual_seed(seed)
    unit = torch.rand(count, sources, 3, dtype=torch.float64, generator=generator)
    positions = region[:, 0] + (region[:, 1] - region[:, 0]) * unit
    powers = torch.ones(count, sources, dtype=torch.float64)
    snapshots, _ = simulate(
        positions=positions,
        powers=powers,
        array=changed(nominal, gains=gains),
        steering=Spherical(),
        sensing=Direct(),
        snr_db=torch.full((count,), snr_db, dtype=torch.float64),
        snapshots=6,
        generator=generator,
        blocks=blocks,
    )
    problem = Problem(snapshots, nominal, Spherical(), region)
    return Truth.of(positions, powers > 0, powers, problem)


@pytest.mark.parametrize("sources", [1, 2])
def test_gains_are_found_exactly_without_noise(sources):
    made = scenario()
    found = calibrate(scenes(made, 6, NOISELESS, sources=sources))
    gains, places = off(found, made)
    assert gains.abs().max() < 1e-9
    assert not places.any()
    assert found.converged
    assert found.scenes == 6


def test_places_are_found_exactly_without_noise():
    made = scenario(position=0.02)
    found = calibrate(scenes(made, 12, NOISELESS), Prior(position=0.02))
    gains, places = off(found, made)
    assert gains.abs().max() < 1e-6
    assert places.abs().max() < 1e-6
    assert not found.positions_m[:, 2].any()


@pytest.mark.parametrize("blocks", [None, torch.tensor([0, 0, 1, 1, 2, 2])])
def test_an_array_that_is_read_directly_with_gains_far_from_equal(blocks):
    generator = torch.Generator().manual_seed(1)
    gains = torch.randn(8, dtype=torch.complex128, generator=generator)
    gains[2] = 0
    found = calibrate(directly_read(gains, blocks=blocks))
    torch.testing.assert_close(found.gains, in_gauge(gains), rtol=0, atol=1e-9)
    assert found.gains_std.max() < 1e-9


def test_the_gauge():
    gains = calibrate(scenes(scenario(), 6, 20.0)).gains
    assert gains.sum().real > 0
    assert abs(gains.sum().imag) < 1e-9
    assert float(gains.abs().square().mean()) == pytest.approx(1, abs=1e-9)


def test_scenes_of_other_shapes_and_units_add_up():
    made, longer = scenario(), scenario(snapshots=8, outputs=20)
    first, second = scenes(made, 4, 20.0), scenes(longer, 4, 20.0, seed=6)
    scaled = replace(second.problem.snapshots, values=1e-9 * second.problem.snapshots.values)
    second = changed(second, problem=changed(second.problem, snapshots=scaled))
    both = calibrate([first, second])
    assert both.scenes == 8
    alone = [calibrate(each).gains_std.square().reciprocal().sum() for each in (first, second)]
    assert float(both.gains_std.square().reciprocal().sum()) == pytest.approx(
        float(sum(alone)), rel=0.1
    )


def test_the_order_of_the_sources_and_absent_ones_play_no_part():
    truth = scenes(scenario(), 6, 20.0, sources=2)
    padded = torch.full_like(truth.positions[:, :1], 0.3)
    every = torch.cat((padded, truth.positions.flip(1)), dim=1)
    mask = torch.tensor([False, True, True]).expand(6, 3)
    other = Truth.of(every, mask, mask.double(), truth.problem)
    torch.testing.assert_close(calibrate(other).gains, calibrate(truth).gains)


def test_the_normal_equations_are_those_of_dense_matrices():
    """Against derivatives by differences of dense forward maps, signals projected out."""
    made = scenario(nx=2, ny=2, outputs=3, snapshots=4, position=0.02)
    truth = scenes(made, 2, 10.0, sources=2)
    real = made.panel_array(3)
    offsets = (real.positions - made.array().positions) / 0.3
    sums = Sums.of([truth], Panel(real.gains, offsets), [0, 1], 1.0)
    start = np.concatenate([real.gains.real, real.gains.imag, offsets[:, 0], offsets[:, 1]])
    snapshots = truth.problem.snapshots
    expected = {"held": 0, "lost": 0, "gradient": 0}
    for scene in range(2):
        matrices = oracles.coded_matrices(
            snapshots.sensing.channel[scene].numpy(), snapshots.sensing.codes[scene].numpy()
        )
        places = truth.positions[scene].numpy()
        values = snapshots.values[scene].numpy()

        def columns(theta, places=places):
            elements = made.array().positions.numpy().copy()
            elements[:, :2] += 0.3 * theta[8:].reshape(2, 4).T
            waves = [oracles.seed_steering(*place, elements, 0.3) for place in places]
            return (theta[:4] + 1j * theta[4:8])[:, None] * np.stack(waves, axis=1)

        each = [
            oracles.calibration_part(matrices[step], columns, start, values[step])
            for step in range(4)
        ]
        power = sum(part["power"] for part in each)
        weight = 2 * (4 * 3 - 4 * 2) / power
        for name, value in expected.items():
            expected[name] = value + weight * sum(part[name] for part in each)
    for name, value in expected.items():
        np.testing.assert_allclose(
            getattr(sums, name), value, rtol=1e-6, atol=1e-4 * abs(value).max()
        )


def test_standard_deviations_are_those_of_the_inverse_of_the_normal_equations():
    """Of gains far from real, along and across each; the pseudo-inverse leaves the gauge out."""
    truth, prior = scenes(scenario(phase_deg=60.0, position=0.02), 12, 20.0), Prior(position=0.02)
    found, fit = calibrate(truth, prior), Fit.of([truth], prior)
    panel = Panel(found.gains, (found.positions_m - found.nominal_m) / found.wavelength_m)
    sums = fit.sums(panel)
    covariance = np.linalg.pinv((sums.held - sums.lost + fit.precision.diag()).numpy())
    for element, phase in enumerate(found.gains.angle().tolist()):
        turn = np.array([[np.cos(phase), np.sin(phase)], [-np.sin(phase), np.cos(phase)]])
        own = covariance[element:32:16, element:32:16]
        std = np.sqrt((turn @ own @ turn.T).diagonal())
        np.testing.assert_allclose(found.gains_std[element], std, rtol=1e-6)
        places = 0.3 * np.sqrt(covariance.diagonal()[32 + element :: 16])
        np.testing.assert_allclose(found.positions_std_m[element, :2], places, rtol=1e-6)


@pytest.mark.statistical
@pytest.mark.parametrize("prior", [Prior(), KNOWN])
def test_standard_deviations_are_those_of_the_errors(prior):
    errors, places = [], []
    for seed in range(20):
        made = scenario(position=0.02 if prior.position else 0.0, panel=seed)
        found = calibrate(scenes(made, 12, 15.0, seed=seed), prior)
        gains, moved = off(found, made)
        turned = gains * torch.exp(-1j * found.gains.angle())
        parts = torch.stack((turned.real, turned.imag), dim=-1)
        errors.append(parts / found.gains_std)
        if prior.position:
            places.append((0.3 * moved / found.positions_std_m)[:, :2])
    every = torch.stack(errors)
    assert 0.9 < float(every.square().mean().sqrt()) < 1.1
    assert 0.92 < float((every.abs() < 1.96).double().mean()) < 0.98
    if places:
        assert 0.85 < float(torch.stack(places).square().mean().sqrt()) < 1.15


def test_the_residual_tells_noise_from_a_wrong_model():
    right = calibrate(scenes(scenario(), 20, 20.0))
    wrong = calibrate(scenes(scenario(channel_db=(-10.0, -10.0)), 20, 20.0))
    assert right.excess == pytest.approx(1.0, abs=0.1)
    assert wrong.excess > 5


def test_rounding_is_no_residual_where_there_is_no_noise():
    assert calibrate(scenes(scenario(), 6, NOISELESS)).excess < 1.5


def test_one_noise_power_for_all_scenes_or_none_in_some():
    first, second = scenes(scenario(), 8, 20.0), scenes(scenario(), 8, 20.0, seed=6)
    snapshots = first.problem.snapshots
    for power in (snapshots.noise_power.mean(), None):
        other = replace(snapshots, noise_power=power)
        both = [changed(first, problem=changed(first.problem, snapshots=other)), second]
        assert calibrate(both).excess == pytest.approx(1.0, abs=0.3)


def test_what_the_prior_tells_takes_no_degrees_of_freedom_from_the_residual():
    """62 unknowns beside 96 real measurements, of which the prior tells the most."""
    ratios = []
    for seed in range(8):
        made = scenario(position=0.02, outputs=4, snapshots=4, panel=seed)
        ratios.append(calibrate(scenes(made, 4, 10.0, seed=seed), KNOWN).excess)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.2)


def test_a_prior_counts_where_data_are_few():
    made = scenario(position=0.02)
    few = scenes(made, 2, -5.0)
    alone, told = (calibrate(few, prior) for prior in (Prior(position=0.02), KNOWN))
    assert off(told, made)[0].norm() < 0.7 * off(alone, made)[0].norm()
    assert bool((told.gains_std[:, 1] < 1.1 * np.radians(10)).all())


def refused(words, truths, prior=None):
    with pytest.raises(InputError) as error:
        calibrate(truths, prior)
    assert words in error.value.message


def test_too_few_measurements_are_refused():
    refused("too few measurements", scenes(scenario(snapshots=1), 1, 20.0))
    refused("too few measurements", scenes(scenario(snapshots=2), 1, 20.0), KNOWN)
    refused("too few measurements", scenes(scenario(outputs=2), 50, 20.0, sources=2))
    refused("got none", [])


def test_elements_that_no_scene_shows_are_refused():
    truth = scenes(scenario(), 6, 20.0)
    sensing = truth.problem.snapshots.sensing
    channel = sensing.channel.clone()
    channel[..., 5] = 0
    snapshots = replace(truth.problem.snapshots, sensing=replace(sensing, channel=channel))
    blind = changed(truth, problem=changed(truth.problem, snapshots=snapshots))
    refused("do not determine", blind)
    known = [np.log(10) / 20, np.radians(10)]
    np.testing.assert_allclose(calibrate(blind, KNOWN).gains_std[5], known, rtol=0.1)


def test_signals_that_cannot_be_told_are_refused():
    """Two sources at one place, a scene without a channel, and more sources than its outputs."""
    words, truth = "signals of a scene cannot be told", scenes(scenario(), 6, 20.0, sources=2)
    together = truth.positions.clone()
    together[2, 1] = together[2, 0]
    refused(words, changed(truth, positions=together))
    snapshots = truth.problem.snapshots
    channel = snapshots.sensing.channel.clone()
    channel[3] = 0
    blocks = torch.tensor([0] + [1] * 15)
    short = replace(snapshots.sensing, channel=snapshots.sensing.channel[:, :1])
    for wrong in (
        replace(snapshots, sensing=replace(snapshots.sensing, channel=channel)),
        Snapshots(snapshots.values[..., :1], short, blocks, snapshots.noise_power),
    ):
        refused(words, changed(truth, problem=changed(truth.problem, snapshots=wrong)))


class Coupled(Spherical):
    """Every element hears a tenth of the next one as well, behind its gain."""

    def __call__(self, array, positions):
        own = super().__call__(array, positions)
        every = own + 0.1 * own.roll(1, dims=-2)
        return every / torch.linalg.vector_norm(every, dim=-2, keepdim=True)


def test_steering_models_with_coupling_are_refused():
    """Their gains stand in front of the coupling, those that are looked for behind it."""
    truth = scenes(scenario(), 6, 20.0)
    refused("couple", changed(truth, problem=changed(truth.problem, steering=Coupled())))


def test_other_arrays_are_refused():
    first = scenes(scenario(), 6, 20.0)
    refused("one array", [first, scenes(scenario(nx=5), 6, 20.0)])
    array = first.problem.array
    for name, wrong in (
        ("one array", changed(array, positions=1.01 * array.positions)),
        ("one array", changed(array, wavelength=0.31)),
        ("equal elements", changed(array, gains=torch.ones(16, dtype=torch.complex128))),
    ):
        refused(name, [first, changed(first, problem=changed(first.problem, array=wrong))])


@pytest.mark.parametrize(
    "wrong",
    [
        {"gain_db": 0.0},
        {"gain_db": 1e-200},
        {"gain_db": float("nan")},
        {"phase_deg": -1.0},
        {"phase_deg": 1e-9},
        {"phase_deg": float("nan")},
        {"position": -0.1},
        {"position": 1e-200},
        {"position": float("inf")},
        {"position": float("nan")},
    ],
)
def test_priors_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError) as error:
        Prior(**{"phase_deg": 10.0} | wrong)
    assert error.value.hint


@pytest.mark.parametrize("phase_deg", [45.0, float("inf")])
def test_amplitudes_are_not_known_without_phases(phase_deg):
    """To first order the amplitude is the real part, from which a phase of 45° takes 3 dB."""
    with pytest.raises(InputError, match="only with phases"):
        Prior(gain_db=1.0, phase_deg=phase_deg)
    assert Prior(phase_deg=phase_deg).gain_db == float("inf")


def test_the_smallest_prior_holds_the_gains():
    found = calibrate(scenes(scenario(), 6, 20.0), Prior(1e-6, 1e-6))
    assert (found.gains - 1).abs().max() < 1e-6
