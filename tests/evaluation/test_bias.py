"""The bias at fixed places: none with the exact model, the predicted one without."""

from __future__ import annotations

import torch

from risdoa.backends.nf_mle import NfMle
from risdoa.evaluation import bias
from risdoa.evaluation.bias import DIRECTIONS, BiasCell, Setting, biases
from risdoa.evaluation.journal import Journal
from risdoa.scenarios.spherical_data import SphericalData
from risdoa.steering.canonical import Canonical
from risdoa.steering.spherical import Spherical


def setting(snr_db=30.0, draws=6, exact=None):
    scenario = SphericalData(nx=8, ny=8)
    return Setting(scenario, exact or Spherical(), Canonical(), NfMle(), snr_db, draws, 3)


def test_polishing_takes_the_bias_that_is_predicted_for_the_approximation():
    steps = []
    cells = biases(setting(), (2.0,), Journal(None, {}), lambda *step: steps.append(step))
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


def test_a_row_has_every_figure_by_name():
    [cell] = biases(setting(draws=2, exact=Canonical()), (4.0,), Journal(None, {}))[:1]
    row = cell.row()
    assert (row["azimuth_deg"], row["elevation_deg"], row["range_m"]) == cell.place
    assert row["draws"] == 2
    names = ["azimuth_deg", "elevation_deg", "range_m", "inverse_range_per_m"]
    for figure in ("polished", "approximate", "predicted", "sqrt_crb"):
        assert list(row[figure]) == names
    # One model throughout: nothing is predicted, and polishing changes nothing.
    assert float((cell.predicted / cell.sqrt_crb).abs().max()) < 1e-3


def test_finished_places_are_not_measured_again(tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    small, path = setting(draws=1), tmp_path / "bias.jsonl"
    whole = biases(small, (2.0, 4.0), Journal(None, {}))
    biases(small, (2.0,), Journal(path, {}))
    gone_on = biases(small, (2.0, 4.0), Journal(path, {}))
    assert [cell.row() for cell in gone_on] == [cell.row() for cell in whole]
    monkeypatch.setattr(bias, "_cell", stop)
    assert biases(small, (2.0, 4.0), Journal(path, {}))


def test_a_place_comes_back_from_its_row():
    figures = torch.arange(16, dtype=torch.float64).reshape(4, 4)
    figures[0] = torch.nan
    row = BiasCell((30.0, 15.0, 0.5), 7, 7, *figures).row()
    assert row["polished"]["range_m"] is None
    assert BiasCell.from_row(row).row() == row
