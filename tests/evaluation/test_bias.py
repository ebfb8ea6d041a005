"""The bias at fixed places: none with the exact model, the predicted one without."""

from __future__ import annotations

import torch

from risdoa.backends.nf_mle import NfMle
from risdoa.evaluation.bias import DIRECTIONS, Setting, biases, polished
from risdoa.frozen import changed
from risdoa.problem import Estimates
from risdoa.scenarios.spherical_data import SphericalData
from risdoa.steering.canonical import Canonical
from risdoa.steering.spherical import Spherical


def setting(snr_db=30.0, draws=6, exact=None):
    scenario = SphericalData(nx=8, ny=8)
    return Setting(scenario, exact or Spherical(), Canonical(), NfMle(), snr_db, draws, 3)


def test_polishing_takes_the_bias_that_is_predicted_for_the_approximation():
    steps = []
    cells = biases(setting(), (2.0,), lambda *step: steps.append(step))
    assert [cell.place for cell in cells] == [(*direction, 2.0) for direction in DIRECTIONS]
    assert steps[-1] == (5, 5)
    for cell in cells:
        assert cell.outliers == 0
        # Means of six draws: five standard errors of √CRB/√6.
        assert cell.worst() < 5 / 6**0.5
        # Medians of what codes and noise spread by some √CRB, against a bias of up to forty.
        off = (cell.approximate - cell.predicted) / cell.sqrt_crb
        assert float(off[[0, 1, 3]].abs().max()) < 4
    biased = torch.stack([(cell.approximate / cell.sqrt_crb).abs() for cell in cells])
    assert float(biased[1:, 0].min()) > 5


def test_near_the_array_a_search_mends_what_the_first_one_missed():
    scenario = SphericalData(nx=8, ny=8)
    problem, truth = scenario.sample(6, torch.Generator().manual_seed(2), sources=1, snr_db=25.0)
    exact = changed(problem, steering=Spherical())
    astray = torch.stack((-truth.positions[..., 0], -truth.positions[..., 1],
                          torch.full_like(truth.positions[..., 0], 1.0)), dim=-1)  # fmt: skip
    first = Estimates.at(astray, torch.zeros(6))
    found = polished(exact, first, NfMle())
    assert float((found.positions - truth.positions)[..., :2].abs().max()) < 0.05
    far = Estimates.at(astray * torch.tensor([1.0, 1.0, 8.0]), torch.zeros(6))
    alone = NfMle(search=False)(exact, None, far).positions
    assert torch.equal(polished(exact, far, NfMle()).positions, alone)


def test_a_row_has_every_figure_by_name():
    [cell] = biases(setting(draws=2, exact=Canonical()), (4.0,))[:1]
    row = cell.row()
    assert (row["azimuth_deg"], row["elevation_deg"], row["range_m"]) == cell.place
    assert row["draws"] == 2
    names = ["azimuth_deg", "elevation_deg", "range_m", "inverse_range_per_m"]
    for figure in ("polished", "approximate", "predicted", "sqrt_crb"):
        assert list(row[figure]) == names
    # One model throughout: nothing is predicted, and polishing changes nothing.
    assert float((cell.predicted / cell.sqrt_crb).abs().max()) < 1e-3
