"""Every scenario draws what it says, and the truth it tells is the truth of the data."""

import numpy as np
import pytest
import torch

from risdoa.errors import InputError
from risdoa.scenarios.base import Scenario
from risdoa.scenarios.canonical import Canonical
from risdoa.scenarios.canonical_sep10 import CanonicalSep10
from risdoa.scenarios.digital import Digital
from risdoa.scenarios.path_loss import PathLoss
from risdoa.scenarios.spherical_data import SphericalData
from risdoa.scenarios.static import Static
from risdoa.sensing import Direct, RisCoded
from risdoa.steering.canonical import Canonical as CanonicalSteering
from risdoa.steering.spherical import Spherical

ALL = [Canonical, CanonicalSep10, PathLoss, Static, Digital, SphericalData]
SMALL = {"nx": 4, "ny": 4, "snapshots": 6}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def noise_free(scenario: Scenario, truth):
    """Return G A s with the model that makes the data."""
    problem = truth.problem
    model = Spherical() if scenario.data_model == "spherical" else CanonicalSteering()
    field = truth.signals @ model(problem.array, truth.positions).transpose(-1, -2)
    return problem.snapshots.sensing.forward(field)


@pytest.mark.parametrize("kind", ALL)
def test_shapes_types_and_models(kind):
    scenario = kind(**SMALL)
    problem, truth = scenario.sample(7, generator(), sources=2, snr_db=10)
    outputs = 16
    assert problem.snapshots.values.shape == (7, 6, outputs)
    assert problem.snapshots.values.dtype == torch.complex128
    assert truth.positions.shape == (7, 2, 3)
    assert truth.signals.shape == (7, 6, 2)
    assert problem.snapshots.noise_power.shape == (7,)
    assert problem.sources.tolist() == [2] * 7
    models = {"canonical": CanonicalSteering, "spherical": Spherical}
    assert type(problem.steering) is models[scenario.estimation_model] is CanonicalSteering
    assert type(scenario.data_steering()) is models[scenario.data_model]


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 17.5])
def test_realised_snr_is_the_one_asked_for(kind, snr_db):
    scenario = kind(**SMALL)
    problem, truth = scenario.sample(300, generator(1), snr_db=snr_db)
    clean = noise_free(scenario, truth)
    noise = problem.snapshots.values - clean
    power = problem.snapshots.noise_power
    snr = clean.abs().square().mean((-2, -1)) / power
    torch.testing.assert_close(10 * snr.log10(), torch.full((300,), snr_db, dtype=torch.float64))
    whitened = noise / power.sqrt()[:, None, None]
    # |n|²/σ² has mean 1 and variance 1: five standard errors.
    assert abs(float(whitened.abs().square().mean()) - 1) < 5 / whitened.numel() ** 0.5
    assert abs(complex((whitened**2).mean())) < 5 * (2 / whitened.numel()) ** 0.5


def test_drawn_quantities_cover_their_ranges():
    problem, truth = Canonical(**SMALL).sample(2000, generator(2))
    region = Canonical().region()
    torch.testing.assert_close(
        region[:2].rad2deg(), torch.tensor([[-60.0, 60], [-30, 30]]).double()
    )
    drawn = truth.positions[truth.mask]
    assert bool((drawn >= region[:, 0]).all())
    assert bool((drawn <= region[:, 1]).all())
    unit = (drawn - region[:, 0]) / (region[:, 1] - region[:, 0])
    # A uniform number has variance 1/12: five standard errors for the mean.
    assert float((unit.mean(0) - 0.5).abs().max()) < 5 * (12 * len(unit)) ** -0.5
    assert set(problem.sources.tolist()) == {1, 2, 3}
    assert bool((truth.mask.sum(-1) == problem.sources).all())
    scenario = Canonical(**SMALL)
    clean = noise_free(scenario, truth).abs().square().mean((-2, -1))
    snr_db = 10 * (clean / problem.snapshots.noise_power).log10()
    assert -5 <= float(snr_db.min()) < -4
    assert 19 < float(snr_db.max()) <= 20


def test_masked_sources_are_silent():
    _, truth = Canonical(**SMALL).sample(50, generator(3))
    silent = truth.signals.abs().sum(1)[~truth.mask]
    assert bool((silent == 0).all())
    assert bool((truth.powers[~truth.mask] == 0).all())
    assert bool((truth.powers[truth.mask] == 1).all())


def test_signals_are_fresh_circular_and_of_the_power_stated():
    _, truth = Canonical(**SMALL).sample(3000, generator(4), sources=1)
    signals = truth.signals
    assert abs(float(signals.abs().square().mean()) - 1) < 5 / signals.numel() ** 0.5
    lagged = (signals[:, 1:] * signals[:, :-1].conj()).mean()
    assert abs(complex(lagged)) < 5 / signals.numel() ** 0.5


def test_same_seed_same_scenes_and_no_global_state():
    before = torch.get_rng_state()
    first, _ = Canonical(**SMALL).sample(5, generator(7))
    again, _ = Canonical(**SMALL).sample(5, generator(7))
    other, _ = Canonical(**SMALL).sample(5, generator(8))
    assert torch.equal(first.snapshots.values, again.snapshots.values)
    assert not torch.equal(first.snapshots.values, other.snapshots.values)
    assert torch.equal(before, torch.get_rng_state())


def test_channel_and_codes_are_new_in_every_scene():
    sensing = Canonical(**SMALL).sample(4, generator(9))[0].snapshots.sensing
    assert isinstance(sensing, RisCoded)
    assert not torch.allclose(sensing.channel[0], sensing.channel[1])
    assert not torch.allclose(sensing.codes[0], sensing.codes[1])


def test_separation_floor_holds_and_the_plain_scenario_has_none():
    def smallest(scenario):
        _, truth = scenario.sample(300, generator(10), sources=3)
        angles = truth.positions[..., :2].numpy()
        azimuth, elevation = angles[..., 0], angles[..., 1]
        unit = np.stack(
            (
                np.sin(azimuth) * np.cos(elevation),
                np.sin(elevation),
                np.cos(azimuth) * np.cos(elevation),
            ),
            -1,
        )
        cosine = np.einsum("skc,sjc->skj", unit, unit)[:, *np.triu_indices(3, 1)]
        return np.degrees(np.arccos(cosine.max()))

    assert smallest(CanonicalSep10(**SMALL)) >= 10
    assert smallest(Canonical(**SMALL)) < 5


def test_path_loss_falls_with_the_square_of_the_range():
    _, truth = PathLoss(**SMALL).sample(2000, generator(11), sources=2)
    torch.testing.assert_close(truth.powers, truth.positions[..., 2] ** -2)
    near = truth.positions[..., 2].argmin(-1, keepdim=True)
    power = truth.signals.abs().square().mean(1)
    assert float(power.gather(1, near).mean()) > float(power.gather(1, 1 - near).mean())


def test_static_sources_share_one_signal():
    problem, truth = Static(**SMALL).sample(5, generator(12), sources=2)
    assert problem.snapshots.block_count == 1
    assert not problem.snapshots.fresh
    assert bool((truth.signals == truth.signals[:, :1]).all())


def test_digital_reads_the_array_directly():
    problem, _ = Digital(nx=3, ny=5, snapshots=4).sample(2, generator(13), sources=1)
    assert isinstance(problem.snapshots.sensing, Direct)
    assert problem.snapshots.outputs == problem.array.count == 15


def test_spherical_data_differ_from_what_the_estimator_is_told():
    scenario = SphericalData()
    problem, truth = scenario.sample(3, generator(14), sources=1, snr_db=200)
    values = problem.snapshots.values
    clean = noise_free(scenario, truth)
    torch.testing.assert_close(values, clean, rtol=1e-8, atol=1e-8)
    told = truth.signals @ truth.steering_matrix().transpose(-1, -2)
    assert not torch.allclose(values, problem.snapshots.sensing.forward(told), rtol=1e-2)


def test_truth_covariance_is_a_p_ah():
    _, truth = PathLoss(**SMALL).sample(3, generator(15))
    steering = truth.steering_matrix().numpy()
    expected = np.einsum("snk,sk,smk->snm", steering, truth.powers.numpy(), steering.conj())
    np.testing.assert_allclose(truth.covariance.dense().numpy(), expected, atol=1e-12)


def test_default_scene_is_the_one_of_the_definition():
    scenario = Canonical()
    problem, _ = scenario.sample(1, generator(16))
    assert problem.array.count == 144
    assert problem.array.wavelength == 0.3
    assert problem.array.diameter == pytest.approx(0.15 * 11 * 2**0.5)
    assert problem.snapshots.values.shape == (1, 16, 16)


@pytest.mark.parametrize(
    "request_",
    [
        {"count": 0},
        {"count": 1, "sources": 0},
        {"count": 1, "sources": 6},
        {"count": 1, "snr_db": float("nan")},
    ],
)
def test_impossible_requests_are_refused(request_):
    options = {name: value for name, value in request_.items() if name != "count"}
    with pytest.raises(InputError):
        Canonical(**SMALL).sample(request_["count"], generator(), **options)


@pytest.mark.parametrize(
    "options", [{"nx": 0}, {"snapshots": 0}, {"codes": "other"}, {"nx": 2, "ny": 2}]
)
def test_impossible_options_are_refused(options):
    with pytest.raises(InputError):
        Canonical(**options)
    if "nx" in options and options["nx"] == 0:
        with pytest.raises(InputError):
            Digital(**options)
