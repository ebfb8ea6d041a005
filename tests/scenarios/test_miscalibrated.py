"""Data from hardware that differs from what estimators are told, one difference at a time."""

from __future__ import annotations

import math

import pytest
import torch

from risdoa.errors import InputError
from risdoa.scenarios.canonical import Canonical
from risdoa.scenarios.few_snapshots import FewSnapshots
from risdoa.scenarios.miscalibrated import Miscalibrated, quantised
from risdoa.scenarios.simulation import mean_power
from risdoa.scenarios.unknown_sources import UnknownSources
from risdoa.steering.canonical import Canonical as CanonicalSteering
from risdoa.steering.spherical import Spherical

PERFECT = {
    "gain_db": 0.0,
    "phase_deg": 0.0,
    "position": 0.0,
    "missing": 0.0,
    "bits": (3, 3),
    "channel_db": None,
    "direct_db": None,
}


def source():
    return torch.Generator().manual_seed(0)


def residual(scenario, sensing=None, steering=None):
    """Return how much of noise-free data of one source the told model does not explain, (S,).

    The source signals are fitted, so that only the direction of G_l a counts.
    """
    problem, truth = scenario.sample(64, source(), sources=1, snr_db=200.0)
    model = steering or CanonicalSteering()
    vectors = model(problem.array, truth.positions)
    seen = (sensing or problem.snapshots.sensing).observe(vectors).squeeze(-1)
    seen = seen / seen.norm(dim=-1, keepdim=True)
    values = problem.snapshots.values
    along = (seen.conj() * values).sum(-1, keepdim=True) * seen
    return mean_power(values - along) / mean_power(values)


def test_perfect_hardware_is_the_canonical_scenario():
    assert residual(Miscalibrated(**PERFECT)).max() < 1e-12


@pytest.mark.parametrize(
    ("change", "low", "high"),
    [
        # to first order the field is off by the variance of its element errors
        ({"gain_db": 0.5}, 0.5, 1.5),
        ({"phase_deg": 5.0}, 0.5, 1.5),
        ({"missing": 0.02}, 0.5, 1.5),
        ({"channel_db": (-20.0, -20.0)}, 0.5, 1.5),
        ({"direct_db": -20.0}, 0.5, 1.5),
        ({"position": 0.01}, 0.1, 1.5),
    ],
)
def test_each_error_costs_what_it_should(change, low, high):
    expected = {
        "gain_db": (0.5 * math.log(10) / 20) ** 2,
        "phase_deg": math.radians(5) ** 2,
        "missing": 0.02,
        "channel_db": 1e-2,
        "direct_db": 1e-2,
        "position": (2 * math.pi * 0.01) ** 2,
    }[next(iter(change))]
    found = float(residual(Miscalibrated(**PERFECT | change)).mean())
    assert low * expected < found < high * expected


def test_codes_of_fewer_bits_cost_nothing_where_they_are_known():
    assert residual(Miscalibrated(**PERFECT | {"bits": (1, 1)})).max() < 1e-12
    unknown = Miscalibrated(**PERFECT | {"bits": (1, 1), "codes_known": False})
    assert residual(unknown).mean() > 0.1


@pytest.mark.parametrize(("bits", "phases"), [(1, 2), (2, 4), (3, 8)])
def test_codes_have_as_many_phases_as_their_bits_allow(bits, phases):
    scenario = Miscalibrated(**PERFECT | {"bits": (bits, bits)})
    codes = scenario.sample(4, source())[0].snapshots.sensing.codes
    levels = (codes.angle() / (2 * math.pi / phases)).round().remainder(phases)
    assert levels.unique().numel() == phases
    torch.testing.assert_close(codes, torch.exp(2j * math.pi * levels / phases))


def test_halves_are_rounded_alike():
    eighths = torch.exp(1j * math.pi / 4 * torch.arange(8, dtype=torch.float64))[None, None]
    found = quantised(eighths, torch.tensor([2])).angle() / (math.pi / 2)
    assert found.round().remainder(4).flatten().tolist() == [0, 1, 1, 2, 2, 3, 3, 0]


def test_the_told_array_and_the_true_one():
    scenario = Miscalibrated(gain_db=1.0, missing=0.9)
    nominal = scenario.array()
    real = scenario.real_array(50, nominal, source())
    assert real.positions.shape == (50, 144, 3)
    assert not real.positions[..., 2].any()
    assert (real.gains.abs() > 0).any(-1).all()
    share = float((real.gains.abs() == 0).double().mean())
    assert share == pytest.approx(0.9, abs=0.02)
    problem, truth = scenario.sample(2, source())
    assert problem.array.gains is None
    assert torch.equal(problem.array.positions, nominal.positions)
    assert truth.signals is None


def test_one_element_is_always_heard():
    scenario = Miscalibrated(nx=2, ny=1, snapshots=1, outputs=2, codes="random", missing=0.99)
    heard = scenario.real_array(200, scenario.array(), source()).gains.abs() > 0
    assert heard.any(-1).all()


def test_one_panel_for_all_scenes():
    scenario = Miscalibrated(**PERFECT | {"phase_deg": 10.0, "position": 0.02, "panel": 7})
    panel = scenario.panel_array(7)
    assert panel.gains.shape == (144,)
    assert torch.equal(scenario.real_array(5, scenario.array(), source()).gains, panel.gains)
    assert not torch.equal(scenario.panel_array(8).gains, panel.gains)
    assert residual(scenario).mean() > 1e-3
    problem, truth = scenario.sample(64, source(), sources=1, snr_db=200.0)
    seen = problem.snapshots.sensing.observe(CanonicalSteering()(panel, truth.positions))
    seen = seen.squeeze(-1) / seen.squeeze(-1).norm(dim=-1, keepdim=True)
    values = problem.snapshots.values
    along = (seen.conj() * values).sum(-1, keepdim=True) * seen
    assert (mean_power(values - along) / mean_power(values)).max() < 1e-12
    assert problem.array.gains is None


def test_the_panel_leaves_sources_channels_and_codes_alone():
    one, other = (
        Miscalibrated(**PERFECT | {"gain_db": 1.0, "panel": seed}).sample(3, source())
        for seed in (1, 2)
    )
    assert torch.equal(one[1].positions, other[1].positions)
    assert torch.equal(one[0].snapshots.sensing.codes, other[0].snapshots.sensing.codes)
    assert torch.equal(one[0].snapshots.sensing.channel, other[0].snapshots.sensing.channel)
    assert not torch.equal(one[0].snapshots.values, other[0].snapshots.values)


def test_spherical_waves_beside_it():
    scenario = Miscalibrated(**PERFECT | {"waves": "spherical"})
    assert (scenario.data_model, scenario.estimation_model) == ("spherical", "canonical")
    assert residual(scenario, steering=Spherical()).max() < 1e-12
    assert residual(scenario).mean() > 1e-3
    moved = Miscalibrated(position=0.1, waves="spherical")
    assert moved.real_array(1, moved.array(), source()).positions[..., 2].any()
    assert Miscalibrated().data_model == "canonical"
    assert Miscalibrated().data_label == "canonical, miscalibrated"


@pytest.mark.parametrize(
    "wrong",
    [
        {"gain_db": -1.0},
        {"missing": 1.0},
        {"bits": (0, 3)},
        {"bits": (3, 2)},
        {"bits": (1, 4)},
        {"channel_db": (-10.0, -30.0)},
        {"nx": 0},
        {"panel": -1},
    ],
)
def test_errors_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError):
        Miscalibrated(**wrong)


def test_few_snapshots_and_untold_sources():
    assert FewSnapshots().sample(3, source())[0].snapshots.count == 4
    told = Canonical().sample(3, source())
    untold = UnknownSources().sample(3, source())
    assert untold[0].sources is None
    assert untold[1].problem is untold[0]
    assert torch.equal(untold[0].snapshots.values, told[0].snapshots.values)
    assert torch.equal(untold[1].mask, told[1].mask)
