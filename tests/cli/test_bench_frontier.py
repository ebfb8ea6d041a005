"""``risdoa bench frontier``: from the command line."""

from __future__ import annotations

import json

import pytest

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
        (["--method", "reference=none:omp"], "cannot be called"),
        (["--method", "none:omp@spherical"], "another steering model"),
        (["--method", "none:nf-mle[zoom=1]"], "no option"),
        (["--scenario", "path-loss", "--points", "2:10", "--trials", "1", *PAIR], "equal powers"),
    ],
)
def test_wrong_use_is_refused(cli, wrong, says):
    outcome = cli("bench", "frontier", *wrong)
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert says in outcome.err
