"""``risdoa bench scan`` and ``risdoa bench growth``: what they measure, and as commands."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from risdoa.benchmarks.cases import far_field, near_field
from risdoa.benchmarks.growth import Growth, Scaled, Watch, exponents
from risdoa.benchmarks.rates import Rates, fastest
from risdoa.benchmarks.scan import scan_speed, work
from risdoa.benchmarks.threads import threads
from risdoa.conventions import cartesian
from risdoa.errors import InputError
from risdoa.scan import lattice
from risdoa.steering.spherical import Spherical

NEAR = near_field((4, 3), 2, (9, 5, 3), 0)
SMALL = ["--elements", "5x4", "--grid", "21x11x5", "--far-grid", "21x11", "--repeats", "1"]
AGREE = 1e-5
"""Spectra of at most 1, both in single precision."""


def test_the_scan_is_timed_beside_its_reference_and_gives_the_same(cli):
    outcome = cli("bench", "scan", *SMALL, "--sources", "2", "--threads", "1", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    content = json.loads(outcome.out)
    assert content["schema"] == "risdoa.bench-scan/1"
    assert (content["elements"], content["sources"], content["against"]) == ([5, 4], 2, None)
    near, far = content["runs"]
    assert (near["name"], near["points"], far["name"], far["points"]) == ("near", 1155, "far", 231)
    for run in (near, far):
        assert run["difference"] < AGREE
        ratio = run["product"] / (run["seconds"] / run["points"])
        assert run["product_over_scan"] == pytest.approx(ratio)
        limits = (
            run["operations"] / run["rates"]["operations"],
            run["traffic"] / run["rates"]["traffic"],
        )
        assert run["roof"] == pytest.approx(max(limits))
        assert run["peer"] is run["peer_over_scan"] is None


@pytest.mark.parametrize(
    "command", [["scan", *SMALL, "--threads", "1"], ["growth", "--sides", "4,5", "--repeats", "1"]]
)
def test_the_tables_fit(cli, command):
    outcome = cli("bench", *command)
    assert outcome.code == 0
    assert all(len(line) <= 80 for line in outcome.out.splitlines())


@pytest.mark.parametrize(
    "wrong",
    [
        ["--grid", "3x3"],
        ["--grid", "3x0x3"],
        ["--elements", "12"],
        ["--threads", "0"],
        ["--against", "nobody"],
        ["--against", "music"],
        ["--set", "music.zoom=2"],
    ],
)
def test_wrong_use_is_refused(cli, wrong):
    outcome = cli("bench", "scan", *SMALL, *wrong)
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")


class Peer:
    """A library that works on what it is given."""

    def prepared(self, array, points):
        return array, points

    def spectrum(self, steering, covariance, sources):
        _, points = steering
        self.seen = points, covariance, sources
        return np.zeros(len(points))


def test_another_library_gets_the_same_points_and_covariance():
    peer = Peer()
    speed, _ = scan_speed(NEAR, 1, peer)
    assert speed.peer > 0
    assert speed.row()["peer_over_scan"] == pytest.approx(speed.peer / (speed.seconds / 135))
    points, covariance, sources = peer.seen
    np.testing.assert_allclose(points, cartesian(NEAR.grid.positions()).numpy())
    steering = NEAR.steering(NEAR.array, NEAR.places).numpy()
    noise = covariance - steering @ steering.conj().T
    np.testing.assert_allclose(noise, noise[0, 0] * np.eye(12), atol=1e-12)
    assert sources == 2


def test_a_model_that_is_no_polynomial_is_refused():
    case = type(NEAR)("near", NEAR.array, Spherical(), NEAR.grid, NEAR.places)
    with pytest.raises(InputError, match="polynomial"):
        scan_speed(case, 1)


def test_the_far_field_has_one_plane_at_infinity():
    case = far_field((4, 3), 1, (7, 5), 0)
    assert case.grid.shape == (1, 5, 7)
    assert case.grid.inverse_range.tolist() == [0.0]


def test_operations_and_bytes_are_those_of_the_algorithm():
    """4 x 3 elements, 9 azimuths, 5 elevations, 3 planes and 2 fields, term by term."""
    scan = lattice(NEAR.steering, NEAR.array, NEAR.grid)
    padded = 8 * 6
    fourier = 5 * padded * np.log2(padded)
    lags = 4 * 5
    a_plane = 2 * 12 * 6 + 2.5 * fourier + 2 * padded * 4 + 5 * lags * 8 + 5 * 9 * (2 * 4) * 2
    tables = 8 * 3 * 12 + 8 * 5 * 5 + 4 * 5 * 8 * 9
    kept = 8 * 2 * 12 + 8 * 2 * padded + 4 * padded + 8 * lags + 8 * 5 * 4
    operations, traffic = work(scan, 2)
    assert operations == pytest.approx(3 * a_plane)
    assert traffic == pytest.approx(tables + 2 * 3 * kept + 4 * 3 * 5 * 9)
    rates = Rates(operations=1e3, traffic=1e2)
    assert rates.roof(5e3, 1e2) == 5
    assert rates.roof(5e3, 1e3) == 10


def test_parts_take_turns_and_the_first_is_not_timed():
    calls = []
    taken = fastest({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2)
    assert calls == ["a", "b"] * 3
    assert all(0 <= each < 1 for each in taken.values())


def test_what_a_library_brings_works_with_as_many_threads(monkeypatch):
    told = []
    numba = SimpleNamespace(
        get_num_threads=lambda: 7,
        set_num_threads=told.append,
        config=SimpleNamespace(NUMBA_NUM_THREADS=4),
    )
    monkeypatch.setitem(sys.modules, "numba", numba)
    before = torch.get_num_threads()
    with threads(9):
        assert torch.get_num_threads() == 9
        assert told == [4]
    assert told == [4, 7]
    assert torch.get_num_threads() == before


def test_growth_is_measured_and_nothing_is_n_by_n(cli):
    sides = ["--sides", "9,7", "--scenes", "1", "--repeats", "1"]
    outcome = cli("bench", "growth", *sides, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    content = json.loads(outcome.out)
    assert content["schema"] == "risdoa.bench-growth/1"
    assert [each["elements"] for each in content["sizes"]] == [49, 81]
    for each in content["sizes"]:
        assert not each["square"]
        assert each["scan_a_cell"] == pytest.approx(each["scan"] / each["cells"])
        assert each["peak"] > each["largest"] > 0
    assert set(content["exponents"]) >= {"scan_a_cell_over_log", "newton", "nf_mle"}


def test_one_size_has_no_exponent(cli):
    outcome = cli("bench", "growth", "--sides", "4", "--scenes", "1", "--repeats", "1", "--json")
    assert json.loads(outcome.out)["exponents"] == {}


def test_a_power_law_is_found():
    rows = [
        Growth(n, n, 2e-9 * n**1.1 * np.log(n), 3.0 * n, 5.0, n**0.5, 0, 0, square=False)
        for n in (16, 64, 144)
    ]
    found = exponents(rows)
    assert found["scan_a_cell_over_log"] == pytest.approx(0.1)
    assert found["newton"] == pytest.approx(1)
    assert found["nf_mle"] == pytest.approx(0, abs=1e-9)
    assert found["simulated"] == pytest.approx(0.5)


def test_the_region_grows_with_the_aperture():
    small, large = Scaled(12), Scaled(23)
    torch.testing.assert_close(large.region()[2], 4 * small.region()[2])
    torch.testing.assert_close(large.region()[:2], small.region()[:2])


def test_the_watch_sees_an_array_of_n_by_n():
    for shape, square in (((3, 7), False), ((7, 7), True), ((2, 7, 3, 7), True)):
        watch = Watch(7)
        with watch:
            torch.zeros(shape, dtype=torch.float64) + 1
        assert watch.square is square
        assert watch.largest == 8 * np.prod(shape)
