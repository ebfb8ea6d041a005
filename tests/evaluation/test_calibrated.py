"""What calibration is worth, and what is told to a method."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from risdoa.backends.nf_mle import NfMle
from risdoa.calibration import calibrate
from risdoa.errors import InputError
from risdoa.evaluation.calibrated import found, told, with_calibration, worth
from risdoa.evaluation.comparison import Setup
from risdoa.evaluation.methods import Method
from risdoa.pipeline import Chain
from risdoa.scenarios.miscalibrated import Miscalibrated
from tests.calibration.scenes import scenario, scenes

MLE = Method("ml", Chain(None, [NfMle()]))


def test_methods_are_told_another_array_under_a_label_of_their_own():
    made = scenario()
    calibration = calibrate(scenes(made, 6, 20.0))
    seen = []
    method = Method("ml", lambda problem: seen.append(problem.array))
    problem = scenes(made, 2, 20.0).problem
    for each in with_calibration([method], calibration):
        each.estimate(problem)
    assert [each.label for each in with_calibration([method], calibration)] == [
        "ml",
        "ml calibrated",
    ]
    told(method, made.panel_array(3), "true").estimate(problem)
    assert seen[0] is problem.array
    assert torch.equal(seen[1].gains, calibration.gains)
    assert torch.equal(seen[2].gains, made.panel_array(3).gains)


def test_a_method_cannot_be_called_as_another_that_is_calibrated():
    calibration = calibrate(scenes(scenario(), 6, 20.0))
    methods = [replace(MLE, label=label) for label in ("a", "a calibrated")]
    with pytest.raises(InputError, match="two methods are labelled 'a calibrated'"):
        with_calibration(methods, calibration)


def test_calibrations_come_from_scenes_of_their_own_and_a_panel(monkeypatch):
    seeds, sample = [], Miscalibrated.sample

    def counted(made, count, generator, **asked):
        seeds.append(generator.initial_seed())
        return sample(made, count, generator, **asked)

    monkeypatch.setattr(Miscalibrated, "sample", counted)
    first, second = (found(scenario(), 6, 20.0, seed) for seed in (0, 1))
    assert not torch.equal(first[0].gains, second[0].gains)
    for sources in (1, 2, 3):
        list(Setup(scenario(), (20.0,), (sources,), 100, 0).chunks(20.0, sources))
    assert len(set(seeds)) == len(seeds) == 8
    with pytest.raises(InputError, match="drawn anew"):
        found(scenario(panel=None), 6, 20.0, 0)


@pytest.mark.statistical
def test_a_calibrated_array_halves_the_errors_at_least():
    made = scenario(nx=8, ny=8, position=0.02)
    setup = Setup(made, (30.0,), (1,), 60, 0)
    calibrations = found(made, 40, 20.0, 0)
    cells = {cell.told: cell for cell in worth(setup, MLE, calibrations, None)}
    assert list(cells) == ["as planned", "gains", "and places", "as it is"]
    assert cells["as planned"].gain == (1.0, 1.0, 1.0)
    assert min(cells["and places"].gain) > 2
    assert max(cells["and places"].rmse) < max(cells["gains"].rmse)
    assert cells["as it is"].outliers <= 1


def test_places_are_looked_for_second_and_where_they_are_off():
    made = scenario()
    gains, places = found(made, 6, 20.0, 0)
    assert torch.equal(gains.gains, places.gains)
    assert not places.positions_std_m.any()
    gains, places = found(scenario(position=0.02), 6, 20.0, 0)
    assert not gains.positions_std_m.any()
    assert bool((places.positions_std_m[:, :2] > 0).all())


def test_the_command(cli):
    small = [f"--set=miscalibrated.{name}=6" for name in ("nx", "ny")]
    words = ["bench", "calibration", "--snr", "30", "--trials", "4", "--scenes", "8", *small]
    outcome = cli(*words)
    assert (outcome.code, outcome.err) == (0, "")
    assert max(map(len, outcome.out.splitlines())) <= 80
    content = json.loads(cli(*words, "--json").out)
    assert content["schema"] == "risdoa.bench-calibration/1"
    assert [row["told"] for row in content["rows"]] == [
        "as planned",
        "gains",
        "and places",
        "as it is",
    ]
    first = content["rows"][0]["rmse"]
    for row in content["rows"]:
        for name, rmse in row["rmse"].items():
            assert row["gain"][name] == pytest.approx(first[name] / rmse)


def test_the_models_are_said(cli):
    small = [f"--set=miscalibrated.{name}" for name in ("nx=4", "ny=4", "position=0")]
    words = ["--snr", "30", "--trials", "2", "--scenes", "8", "--set=miscalibrated.waves=spherical"]
    outcome = cli("bench", "calibration", *words, *small)
    assert "data: spherical, miscalibrated; estimation: canonical" in " ".join(outcome.out.split())
    content = json.loads(cli("bench", "calibration", *words, *small, "--json").out)
    models = [content[f"{name}_model"] for name in ("data", "estimation")]
    assert models == ["spherical, miscalibrated", "canonical"]


@pytest.mark.parametrize(
    "more",
    [
        ["--set=miscalibrated.panel=none"],
        ["--scenes", "1", "--set=miscalibrated.snapshots=1"],
        ["--set=miscalibrated.waves=spherical"],
        ["--method", "none:nf-mle@spherical"],
    ],
)
def test_what_cannot_be_calibrated_is_refused_before_the_work(more, cli, monkeypatch):
    monkeypatch.setattr("risdoa.pipeline.Chain.__call__", None)
    outcome = cli("bench", "calibration", "--trials", "2", *more)
    assert outcome.code == 2
    assert "--debug" not in outcome.err
    assert len(outcome.err.splitlines()) == 2
