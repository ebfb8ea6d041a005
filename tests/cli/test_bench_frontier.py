"""``risdoa bench frontier``: from the command line."""

from __future__ import annotations

import json

import pytest
import torch

from risdoa.benchmarks.threads import threads
from risdoa.checkpoints import Metadata, save_checkpoint
from risdoa.models.hybrid import Hybrid
from risdoa.pipeline import Chain

SMALL = [f"--set=canonical.{name}" for name in ("nx=4", "ny=4", "outputs=4", "snapshots=4")]
CALL = ["bench", "frontier", *SMALL, "--points", "1:20,2:10", "--trials", "3"]
PAIR = ["--method", "net=pretrained:music", "--method", "omp=none:omp"]


def test_every_point_has_its_methods_and_gaps(cli, tmp_path):
    call = [*CALL, *PAIR, "--out", str(tmp_path), "--json"]
    outcome = cli(*call)
    assert (outcome.code, outcome.err) == (0, "")
    content = json.loads(outcome.out)
    assert content["schema"] == "risdoa.bench-frontier/1"
    assert [(p["sources"], p["snr_db"]) for p in content["points"]] == [(1, 20.0), (2, 10.0)]
    for point in content["points"]:
        assert [each["method"] for each in point["methods"]] == ["net", "omp"]
        assert [(gap["learned"], gap["classical"]) for gap in point["gaps"]] == [("net", "omp")]
        assert 0 <= point["likeliest"]["outlier_rate"] <= 1
    assert cli(*call).out == outcome.out
    assert cli(*call, "--seed", "1").code == 2


def test_every_method_runs_on_one_thread(cli, monkeypatch):
    seen, call = [], Chain.__call__

    def counted(chain, problem):
        seen.append(torch.get_num_threads())
        return call(chain, problem)

    monkeypatch.setattr(Chain, "__call__", counted)
    with threads(2):
        assert cli(*CALL, *PAIR).code == 0
    assert seen == [1] * 4


def test_the_table_fits_and_says_what_it_says(cli):
    outcome = cli(*CALL, *PAIR)
    assert outcome.code == 0
    assert all(len(line) <= 80 for line in outcome.out.splitlines())
    assert "data: canonical; estimation: canonical" in outcome.out
    assert "likeliest" in outcome.out


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--points", "1"], "is not K:DB"),
        (["--points", "0:10"], "at least 1"),
        (["--points", "1:nan"], "finite"),
        (["--points", "1:10,9:10"], "impossible number of sources 9"),
        (["--method", "reference=none:omp"], "cannot be called"),
        (["--method", "likeliest=none:omp"], "cannot be called"),
        (["--method", "none:omp@spherical"], "another steering model"),
        (["--method", "none:nf-mle[zoom=1]"], "no option"),
        (["--scenario", "path-loss", "--points", "2:10", "--trials", "1", *PAIR], "equal powers"),
        (["--out", f"{__file__}/folder"], "is a file"),
        (["--scenario", "unknown-sources", "--points", "2:10", *PAIR], "does not"),
    ],
)
def test_wrong_use_is_refused_before_the_work(cli, wrong, says, monkeypatch):
    monkeypatch.setattr("risdoa.pipeline.Chain.__call__", None)
    outcome = cli("bench", "frontier", *wrong)
    assert outcome.code == 2
    assert "--debug" not in outcome.err
    assert outcome.err.startswith("error: ")
    assert says in outcome.err


def test_chunks_of_other_weights_do_not_go_on(cli, tmp_path):
    run = tmp_path / "best.safetensors"
    call = [*CALL, "--method", f"net=hybrid#{run}:music", "--out", tmp_path / "out"]
    sizes = {"channels": 4, "width": 4, "depth": 1, "layers": 1, "heads": 1, "anchors": 2}
    names = {"model": "hybrid", "qualified": "risdoa/hybrid", "steering": "canonical"}
    metadata = Metadata(**names, scenario="canonical", options=sizes, metrics={})
    net = Hybrid(**sizes)
    save_checkpoint(run, net, metadata)
    assert cli(*call).code == cli(*call).code == 0
    with torch.no_grad():
        next(net.parameters()).add_(1)
    save_checkpoint(run, net, metadata)
    outcome = cli(*call)
    assert outcome.code == 2
    assert "another setup" in outcome.err
