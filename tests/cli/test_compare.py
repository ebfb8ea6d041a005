"""``risdoa compare``: a table, JSON and files, from the command line."""

from __future__ import annotations

import json
import re

import pytest

SMALL = ["--set", "digital.nx=4", "--set", "digital.ny=4", "--set", "digital.snapshots=4"]
QUICK = ["--scenario", "digital", "--trials", "3", "--snr", "20", *SMALL]
MLE = ["--method", "mle=sample:nf-mle"]
KEYS = [
    "method", "snr_db", "sources", "trials", "coordinate", "rmse", "rmse_inliers", "sqrt_crb",
    "efficiency", "outlier_rate", "data_model", "estimation_model",
]  # fmt: skip


def test_json_holds_a_row_a_coordinate(cli):
    outcome = cli("compare", *QUICK, *MLE, "--sources", "1,2", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    content = json.loads(outcome.out)
    assert content["schema"] == "risdoa.compare/1"
    assert [list(row) for row in content["rows"]] == [KEYS] * 8
    assert [row["coordinate"] for row in content["rows"][:4]] == [
        "azimuth", "elevation", "range", "position",
    ]  # fmt: skip
    assert {row["sources"] for row in content["rows"]} == {1, 2}
    assert content["meta"]["bound"]["kind"] == "stochastic"
    assert content["meta"]["scenario"]["options"]["nx"] == 4


def test_the_command_in_the_json_repeats_the_comparison(cli):
    first = json.loads(cli("compare", *QUICK, *MLE, "--json", "--seed", 7).out)
    command = first["meta"]["command"].split()
    assert command[:2] == ["risdoa", "compare"]
    again = json.loads(cli(*command[1:], "--json").out)
    assert again == first


def test_the_table_fits_and_names_models_and_bound(cli):
    outcome = cli("compare", *QUICK)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "data: canonical; estimation: canonical" in outcome.out
    assert re.search(r"^sample:music,newton +", outcome.out, re.MULTILINE)
    assert "√CRB" in outcome.out


def test_resolution_by_range_is_printed_where_it_is_asked_for(cli):
    outcome = cli("compare", *QUICK, *MLE, "--range-bins", "0.5,2,10")
    assert outcome.code == 0
    assert "resolved % (95 %)" in outcome.out
    assert re.search(r"^2-10 m, \d", outcome.out, re.MULTILINE)
    assert max(map(len, outcome.out.splitlines())) <= 80
    rows = json.loads(cli("compare", *QUICK, *MLE, "--range-bins", "1", "--json").out)["range_bins"]
    assert [(row["range_low_m"], row["range_high_m"]) for row in rows] == [(0.5, 10.0)]
    assert rows[0]["resolved"]["total"] == 3


def test_gospa_is_printed_where_the_number_of_sources_is_not_told(cli):
    small = ["--set", "unknown-sources.nx=6", "--set", "unknown-sources.ny=6"]
    points = ["--trials", 4, "--snr", 20, "--sources", "1", *small]
    outcome = cli("compare", "--scenario", "unknown-sources", *points, *MLE)
    assert outcome.code == 0
    assert "GOSPA with c = 2 half-widths" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80
    content = json.loads(
        cli("compare", "--scenario", "unknown-sources", *points, *MLE, "--json").out
    )
    [row] = content["gospa"]
    assert row["gospa"] ** 2 == pytest.approx(row["localisation"] + row["missed"] + row["false"])
    assert "GOSPA" not in cli("compare", *QUICK, *MLE).out


def test_the_table_says_when_the_estimator_is_told_another_model(cli):
    small = [word.replace("digital", "spherical-data") for word in SMALL]
    outcome = cli(
        "compare", "--scenario", "spherical-data", "--trials", 2, "--snr", 20, *MLE, *small
    )
    assert outcome.code == 0
    assert "data: spherical; estimation: canonical" in outcome.out


def test_a_method_may_choose_its_steering_and_options(cli):
    text = "mle=sample:nf-mle@plane-wave"
    outcome = cli("compare", *QUICK, "--method", text, "--set", "nf-mle.iterations=5", "--json")
    content = json.loads(outcome.out)
    assert {row["estimation_model"] for row in content["rows"]} == {"plane-wave"}
    assert content["meta"]["settings"]["nf-mle"] == {"iterations": "5"}


def test_files_are_written_and_named_on_stderr(cli, tmp_path):
    out = tmp_path / "results"
    outcome = cli("compare", *QUICK, *MLE, "--out", out, "--json")
    assert outcome.code == 0
    names = ["comparison.csv", "comparison.json", "error_k1.png"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert outcome.err.splitlines() == [f"wrote {out / name}" for name in names]
    assert (
        json.loads((out / "comparison.json").read_text())["rows"]
        == (json.loads(outcome.out)["rows"])
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--method", "sample"], "is not [LABEL=]MODEL"),
        (["--method", "sampl:music"], "sample"),
        (["--method", "sample:musik"], "music"),
        (["--method", "sample:music@spheric"], "spherical"),
        (["--method", "hybrid:music"], "checkpoint"),
        (["--method", "hybrid#nowhere:music"], "no run nowhere"),
        (["--method", "sample:music", "--method", "sample:music"], "labelled"),
        (["--scenario", "digitl"], "digital"),
        (["--sources", "0"], "below 1"),
        (["--sources", "1,9"], "impossible number of sources 9"),
        (["--snr", "loud"], "not a number"),
        (["--snr", "nan"], "not finite"),
        (["--trials", "0"], "trials"),
        (["--set", "hybrid.width=3"], "hybrid"),
        (["--set", "none.width=3"], "does not use 'none'"),
        (["--out", "README.md"], "is a file"),
        (["--out", "README.md/below"], "is a file"),
        (["--range-bins", "2,1"], "ascending"),
        (["--range-bins", "0.5"], "whole number"),
    ],
)
def test_wrong_requests_end_in_two_lines_and_code_2(arguments, words, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("a file")
    outcome = cli("compare", "--trials", "1", "--snr", "20", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.err
    lines = outcome.err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["error", "hint"]
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
