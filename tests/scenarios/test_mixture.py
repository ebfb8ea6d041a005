"""Scenes of several scenarios: each by its weight, joined where they can be."""

from __future__ import annotations

import pytest
import torch

from risdoa.errors import InputError, UnknownNameError
from risdoa.scenarios.canonical import Canonical
from risdoa.scenarios.joining import joined, kind_of
from risdoa.scenarios.mixture import Mixture
from risdoa.scenarios.path_loss import PathLoss
from risdoa.steering.canonical import Canonical as CanonicalSteering


@pytest.fixture(autouse=True)
def no_third_parties(monkeypatch):
    monkeypatch.setenv("RISDOA_PLUGINS_ALLOW", "")


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def test_members_that_agree_share_a_problem():
    mixture = Mixture()
    sizes = sorted(len(group) for group in mixture.groups)
    assert sizes == [1, 1, 1, 3]
    assert sum(weight for group in mixture.groups for weight, _ in group) == pytest.approx(1)
    assert mixture.data_label == "canonical + spherical + canonical, miscalibrated"
    assert (mixture.data_model, mixture.estimation_model) == ("canonical + spherical", "canonical")


def test_every_kind_comes_as_often_as_its_weight_says():
    mixture = Mixture()
    few = static = untold = 0
    for seed in range(300):
        problem, _ = mixture.sample(1, source(seed))
        few += problem.snapshots.count == 4
        static += not problem.snapshots.fresh
        untold += problem.sources is None
    for found in (few, static, untold):
        assert 10 <= found <= 55  # 30 expected of 300; 4.5 standard deviations


def test_members_of_a_group_come_by_weight_and_in_random_order():
    mixture = Mixture(("canonical=1", "path-loss=3"))
    assert len(mixture.groups) == 1
    _, truth = mixture.sample(400, source())
    plain = truth.powers[:, 0] == 1
    assert 0.17 < float(plain.double().mean()) < 0.33
    changes = int((plain[1:] != plain[:-1]).sum())
    assert 100 < changes < 200  # one change if they stood one behind the other


def test_joined_scenes_are_those_of_the_parts():
    parts = [
        Canonical().sample(3, source(1), sources=1)[1],
        PathLoss().sample(2, source(2), sources=3)[1],
    ]
    truth = joined(parts)
    assert truth.mask.sum(-1).tolist() == [1, 1, 1, 3, 3]
    assert truth.problem.sources.tolist() == [1, 1, 1, 3, 3]
    for first, part in ((0, parts[0]), (3, parts[1])):
        place = torch.arange(first, first + part.problem.scenes)
        found, count = truth.select(place), part.mask.shape[1]
        assert torch.equal(found.problem.snapshots.values, part.problem.snapshots.values)
        assert torch.equal(found.problem.snapshots.noise_power, part.problem.snapshots.noise_power)
        assert torch.equal(found.positions[:, :count], part.positions)
        assert torch.equal(found.powers[:, :count], part.powers)
        assert torch.equal(found.signals[..., :count], part.signals)
        torch.testing.assert_close(found.covariance.dense(), part.covariance.dense())
        field = found.signals @ CanonicalSteering()(found.problem.array, found.positions).transpose(
            -1, -2
        )
        clean = found.problem.snapshots.sensing.forward(field)
        noise = (found.problem.snapshots.values - clean).abs().square().mean((1, 2))
        torch.testing.assert_close(noise, found.problem.snapshots.noise_power, rtol=0.4, atol=0.0)


def test_what_differs_is_not_joined():
    first = kind_of(Canonical().sample(1, source())[0])
    assert first == kind_of(PathLoss().sample(2, source())[0])
    for other in (Canonical(snapshots=8), Canonical(nx=10), Canonical(outputs=8)):
        assert kind_of(other.sample(1, source())[0]) != first


def test_signals_are_left_out_where_data_differ():
    mixed = Mixture(("canonical", "miscalibrated"))
    assert mixed.sample(64, source())[1].signals is None
    assert Mixture(("canonical", "path-loss")).sample(64, source())[1].signals is not None


def test_options_reach_the_members():
    mixture = Mixture(("canonical", "static"), {"canonical": {"snapshots": 3}})
    found = {mixture.sample(1, source(seed))[0].snapshots.count for seed in range(20)}
    assert found == {3, 16}


@pytest.mark.parametrize(
    ("members", "options"),
    [
        ((), {}),
        (("canonical=0",), {}),
        (("canonical=much",), {}),
        (("canonical", "canonical=2"), {}),
        (("mixture",), {}),
        (("=1",), {}),
        (("nowhere",), {}),
        (("canonical",), {"static": {"snapshots": 2}}),
        (("canonical",), {"canonical": {"snapshot": 2}}),
    ],
)
def test_mixtures_that_cannot_be_are_refused(members, options):
    with pytest.raises((InputError, UnknownNameError)) as caught:
        Mixture(members, options)
    assert caught.value.hint
