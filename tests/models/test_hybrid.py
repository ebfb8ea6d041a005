"""The hybrid network: its maps and its size."""

from __future__ import annotations

import pytest
import torch

from risdoa.errors import InputError
from risdoa.losses.nmse import Nmse
from risdoa.models.hybrid import Hybrid
from risdoa.models.maps import Maps
from risdoa.scenarios.canonical import Canonical
from tests.models.small import HYBRID, drawn


@torch.no_grad()
def test_maps_find_a_lone_source_and_its_power():
    problem, truth = Canonical().sample(
        20, torch.Generator().manual_seed(0), sources=1, snr_db=20.0
    )
    maps = Maps.of(problem)
    best = maps.energy.mean(1).argmax(-1)
    peak = problem.steering(problem.array, maps.grid.positions()[best][:, None])
    match = (peak.mH @ truth.steering_matrix()).abs().flatten()
    assert float(match.median()) > 0.8
    power = torch.take_along_dim(maps.power, best[:, None], 1).flatten() * maps.scale**2
    assert 0.5 < float(power.median()) < 1.5


def test_an_untrained_network_passes_gradients_to_its_backbone():
    problem, truth = drawn()
    model = Hybrid(**HYBRID)
    Nmse()(model(problem), truth.to(dtype=torch.complex64)).sum().backward()
    assert all(float(one.grad.abs().max()) > 0 for one in model.backbone.parameters())


def test_has_at_most_a_million_parameters_in_backbone_and_head():
    model = Hybrid()
    assert [name for name, _ in model.named_children()] == ["backbone", "head"]
    assert 1e5 < sum(parameter.numel() for parameter in model.parameters()) <= 1e6


@pytest.mark.parametrize(
    "options",
    [{"width": 15}, {"channels": 6}, {"anchors": 0}, {"beta": 1.5}, {"shrinkage": 1.0}],
)
def test_impossible_options_are_refused(options):
    with pytest.raises(InputError):
        Hybrid(**HYBRID | options)
