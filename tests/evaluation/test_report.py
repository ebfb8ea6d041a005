"""Tables, figures and files of a comparison."""

import csv
import json

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from risdoa.errors import InputError
from risdoa.evaluation.breakdown_tables import GOSPA_HEADERS, gospa_tables, range_tables
from risdoa.evaluation.comparison import Setup, compare
from risdoa.evaluation.figures import figures
from risdoa.evaluation.methods import Method, MethodSpec
from risdoa.evaluation.provenance import provenance, scenario_record
from risdoa.evaluation.report import SCHEMA, document, write_report
from risdoa.evaluation.tables import digits, tables
from risdoa.problem import Estimates
from risdoa.registry import Registry
from risdoa.scenarios.digital import Digital
from risdoa.steering.plane_wave import PlaneWave

OPTIONS = {"nx": 4, "ny": 4, "snapshots": 4}


def middle(problem):
    places = problem.region.mean(-1).expand(problem.scenes, int(problem.sources.max()), 3)
    return Estimates.at(places, torch.zeros(problem.scenes))


@pytest.fixture(scope="module")
def setup():
    return Setup(Digital(**OPTIONS), snr_db=(-5.0, 20.0), sources=(1, 2), trials=6, seed=0)


@pytest.fixture(scope="module")
def comparison(setup):
    return compare(
        setup, [Method("middle", middle), Method("flat", middle, ("plane-wave", PlaneWave()))]
    )


@pytest.fixture
def meta(setup, comparison):
    registry = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
    return provenance(
        registry=registry,
        setup=setup,
        comparison=comparison,
        scenario=scenario_record(registry, "digital", OPTIONS),
        specs=[MethodSpec("middle", "sample", ("music",))],
        settings={"digital": {"nx": "4"}},
        command="risdoa compare",
    )


def test_files_agree_with_the_result(comparison, meta, tmp_path):
    paths = write_report(tmp_path / "deep" / "results", comparison, meta, "digital")
    names = ["comparison.csv", "comparison.json", "error_k1.png", "error_k2.png"]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in paths[0].parent.iterdir()) == names
    content = json.loads(paths[1].read_text("utf-8"))
    assert content["schema"] == SCHEMA == "risdoa.compare/1"
    assert content["rows"] == comparison.rows()
    with paths[0].open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == len(comparison.rows()) == 2 * 2 * 2 * 4
    assert float(lines[0]["rmse"]) == content["rows"][0]["rmse"]
    assert {line["unit"] for line in lines} == {"deg", "m"}
    assert all(float(line["median"]) <= float(line["percentile_90"]) for line in lines)
    picture = imread(paths[2])
    assert picture.shape[0] > 300
    assert np.ptp(picture[..., :3]) > 0.5


def test_the_json_says_how_to_repeat_it(meta):
    assert meta["scenario"]["name"] == "risdoa/digital"
    assert meta["scenario"]["options"] == OPTIONS
    assert meta["bound"]["kind"] == "stochastic"
    assert meta["definitions"]["snr"].startswith("mean |noise-free")
    assert set(meta["versions"]) >= {"risdoa", "torch", "numpy", "python", "plugins"}
    assert meta["seed"] == 0
    json.dumps(meta, allow_nan=False)


def test_the_scenario_hash_follows_the_options():
    registry = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
    first = scenario_record(registry, "digital", OPTIONS)
    assert first["hash"] == scenario_record(registry, "digital", {"nx": "4", **OPTIONS})["hash"]
    assert first["hash"] != scenario_record(registry, "digital", {})["hash"]
    assert first["hash"] != scenario_record(registry, "static", OPTIONS)["hash"]


def test_tables_name_the_models_and_hold_the_bound(comparison):
    first, second = tables(comparison, "digital")
    assert "K = 1" in first.title
    assert "K = 2" in second.title
    assert "data: canonical; estimation: canonical, plane-wave" in first.title
    assert [line[0] for line in first.lines[:5]] == [
        "√CRB at -5 dB",
        "middle @canonical",
        "  all sources found",
        "flat @plane-wave",
        "  all sources found",
    ]
    assert first.headers[1:5] == ("az °", "el °", "r m", "pos m")
    assert all(len(line) == len(first.headers) for line in first.lines)


def test_what_is_said_by_range_and_of_unknown_numbers(comparison):
    content = document(comparison, {})
    count = len(comparison.cells)
    assert [row["method"] for row in content["resolution"]] == ["middle", "flat"] * 4
    assert all(row["scenes"]["total"] == 6 for row in content["resolution"])
    assert len(content["gospa"]) == count
    for cell in comparison.cells:
        mine = ("method", "snr_db", "sources")
        rows = [
            row for row in content["range_bins"]
            if tuple(row[name] for name in mine) == (cell.method, cell.snr_db, cell.sources)
        ]  # fmt: skip
        assert sum(row["resolved"]["total"] for row in rows) == 6 * cell.sources
        assert sum(row["resolved"]["hits"] for row in rows) == cell.summary.resolved.hits
        assert all(row["range_low_m"] < row["range_high_m"] for row in rows)
    json.dumps(content, allow_nan=False)


def test_tables_by_range_and_of_gospa(comparison):
    first, second = range_tables(comparison, "digital")
    assert "K = 2" in second.title
    heads = [line[0] for line in first.lines if line[1:] == [None] * 5]
    assert heads[0] == "-5 dB, scenes"
    assert "20 dB, scenes" in heads
    assert [line[0] for line in first.lines[1:7]] == [
        "middle", "  all found", "  median", "flat", "  all found", "  median",
    ]  # fmt: skip
    assert all(len(line) == len(first.headers) for line in first.lines)
    [line, *_] = gospa_tables(comparison, "digital")[0].lines
    assert len(line) == len(GOSPA_HEADERS)
    assert (line[:2], line[-1]) == (["middle", "-5"], "100.0")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.0, "0"), (0.12345, "0.123"), (0.0123, "0.012"), (12.04, "12.0"),
     (123.4, "123"), (4567.8, "4568"), (1.234, "1.23"), (0.00123, ".0012")],
)  # fmt: skip
def test_numbers_take_at_most_five_characters(value, text):
    assert digits(value) == text


def test_a_figure_has_a_panel_a_coordinate_and_the_bound(comparison):
    figure = figures(comparison, "digital")[1]
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "azimuth RMSE (°)", "elevation RMSE (°)", "range RMSE (m)", "outliers (%)",
    ]  # fmt: skip
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["middle", "flat", "√CRB"]


def test_a_file_in_the_way_is_refused(comparison, meta, tmp_path):
    (tmp_path / "results").write_text("precious")
    with pytest.raises(InputError, match="is a file"):
        write_report(tmp_path / "results", comparison, meta, "digital")
