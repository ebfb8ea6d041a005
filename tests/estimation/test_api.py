"""``risdoa.estimate`` on files and arrays, and what its result shows."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import risdoa
from risdoa.api import Method
from risdoa.conventions import cartesian, to_degrees
from risdoa.errors import InputError, UnknownNameError
from risdoa.recordings import Recording, recording_from, write_recording
from risdoa.registry import Registry
from risdoa.result import ROWS
from risdoa.steering.plane_wave import PlaneWave
from tests.estimation.scenes import region_with, scene

KEYS = ["azimuth_deg", "elevation_deg", "range_m"]
REGION_DEG_M = [[-57.3, 57.3], [-28.6, 28.6], [0.5, 10.0]]


@pytest.fixture(scope="module")
def registry():
    return Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})


@pytest.fixture(scope="module")
def direct():
    """Two scenes of two sources read directly, as the arrays that a user has."""
    known = scene(2, scenes=2, direct=True, snr_db=30.0)
    array = known.problem.array
    given = {
        "positions_m": array.positions.numpy(),
        "wavelength_m": array.wavelength,
        "region_deg_m": REGION_DEG_M,
    }
    return known, known.problem.snapshots.values.numpy(), given


def close_to_the_truth(result, known, scenes=slice(None)):
    truth = to_degrees(known.truth.positions)[scenes]
    found = result.positions_deg_m()
    for s in range(len(found)):
        for place in truth[s]:
            # 30 dB and 36 elements: hundredths of a degree; a few percent of the range
            off = (found[s] - place).abs() / torch.tensor([0.5, 0.5, 0.5])
            assert float(off.amax(-1).min()) < 1


def test_arrays_of_one_two_and_three_axes(registry, direct):
    known, values, given = direct
    result = risdoa.estimate(values, sources=2, registry=registry, **given)
    assert result.positions_deg_m().shape == (2, 2, 3)
    close_to_the_truth(result, known)
    one = risdoa.estimate(values[1], sources=2, registry=registry, **given)
    torch.testing.assert_close(
        one.positions_deg_m()[0], result.positions_deg_m()[1], rtol=0, atol=1e-4
    )
    single = risdoa.estimate(values[0, 0], sources=1, registry=registry, **given)
    assert single.positions_deg_m().shape == (1, 1, 3)


@settings(max_examples=10)
@given(power=st.floats(-300, 300))
def test_the_units_of_the_snapshots_do_not_matter(registry, direct, power):
    _, values, given_ = direct
    first, second = (
        risdoa.estimate(values * scale, sources=2, registry=registry, **given_)
        for scale in (1.0, 10**power)
    )
    # rounding of the product, 1e-16, and of a search in single precision
    torch.testing.assert_close(second.positions_deg_m(), first.positions_deg_m(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("backend", ["bartlett", "mvdr", "music", "music,newton", "omp", "nf-mle"])
@pytest.mark.parametrize("power", [-990, 990])
def test_a_power_of_two_changes_no_bit_of_any_estimate(registry, direct, backend, power):
    _, values, given_ = direct
    first, second = (
        risdoa.estimate(scaled, sources=2, backend=backend, registry=registry, **given_)
        for scaled in (values, values * 2.0**power)
    )
    assert torch.equal(first.positions_deg_m(), second.positions_deg_m())


def test_sources_are_counted_in_any_units(registry, direct):
    _, values, given_ = direct
    for scale in (1e-300, 1e300):
        result = risdoa.estimate(values * scale, sources="auto", registry=registry, **given_)
        assert result.problem.sources.tolist() == [2, 2]


def test_lists_are_arrays_too(registry, direct):
    _, values, given = direct
    plain = {**given, "positions_m": given["positions_m"].tolist()}
    first = risdoa.estimate(values.tolist(), sources=2, registry=registry, **plain)
    second = risdoa.estimate(values, sources=2, registry=registry, **given)
    assert torch.equal(first.positions_deg_m(), second.positions_deg_m())


def test_files_and_recordings_give_the_same(tmp_path, registry):
    known = scene(2, scenes=2, snr_db=20.0)
    recording = recording_from(known.problem, known.truth)
    write_recording(tmp_path / "scenes.npz", recording)
    from_file = risdoa.estimate(tmp_path / "scenes.npz", registry=registry)
    from_text = risdoa.estimate(str(tmp_path / "scenes.npz"), registry=registry)
    from_memory = risdoa.estimate(recording, registry=registry)
    assert from_file.to_json() == from_text.to_json() == from_memory.to_json()
    close_to_the_truth(from_file, known)
    assert from_file.method == "none:nf-mle@spherical"


def test_choices_and_method_say_what_estimates(registry):
    recording = recording_from(scene(1, snr_db=20.0).problem)
    chosen = risdoa.estimate(recording, registry=registry, backend="music", steering="canonical")
    same = risdoa.estimate(
        recording, registry=registry, method=Method(backend=["music"], steering="canonical")
    )
    assert chosen.method == same.method == "sample:music@canonical"
    assert torch.equal(chosen.positions_deg_m(), same.positions_deg_m())
    finer = risdoa.estimate(
        recording,
        registry=registry,
        backend="music",
        steering="canonical",
        settings={"music": {"zoom": 9}},
    )
    assert not torch.equal(chosen.positions_deg_m(), finer.positions_deg_m())


def test_the_number_of_sources_may_replace_that_of_the_file(registry):
    recording = recording_from(scene(2, snr_db=20.0).problem)
    assert risdoa.estimate(recording, registry=registry).positions_deg_m().shape[1] == 2
    one = risdoa.estimate(recording, sources=1, registry=registry)
    assert one.positions_deg_m().shape[1] == 1


def test_wrong_requests_are_named(registry, direct):
    _, values, given = direct
    cases = [
        ((values,), {**given, "positions_m": None}, "positions_m and wavelength_m"),
        ((values,), {**given, "wavelength_m": None}, "positions_m and wavelength_m"),
        ((values,), given, "number of sources is not known"),
        ((values[None],), {**given, "sources": 1}, r"snapshots must be \(S, L, M\)"),
        ((values.real,), {**given, "sources": 1}, "complex"),
        ((values[..., :5],), {**given, "sources": 1}, "36 outputs"),
        ((values * np.nan,), {**given, "sources": 1}, "finite"),
        ((values,), {**given, "sources": 0}, "impossible number of sources 0"),
        ((values,), {**given, "sources": 40}, "impossible number of sources 40"),
        ((values,), {**given, "sources": 1, "region_deg_m": [[0, 1]]}, r"\(3, 2\)"),
        (
            (values,),
            {**given, "sources": 1, "region_deg_m": [[0, 1], [0, 1], [0, 1]]},
            "ranges must be positive",
        ),
        (("nowhere.npz",), {"sources": 1}, "nowhere.npz"),
    ]
    for arguments, options, words in cases:
        with pytest.raises(InputError, match=words):
            risdoa.estimate(*arguments, registry=registry, **options)
    for choice in ({"backend": "musik"}, {"steering": "flat"}, {"model": "none at all"}):
        with pytest.raises(UnknownNameError):
            risdoa.estimate(values, sources=1, registry=registry, **given, **choice)
    with pytest.raises(TypeError):
        risdoa.estimate(values, sources=1, registry=registry, **given, stering="spherical")


def test_the_json_is_as_documented(registry):
    known = scene(2, scenes=3, snr_db=20.0)
    problem = known.problem
    counts = torch.tensor([2, 1, 2])
    recording = recording_from(
        type(problem)(problem.snapshots, problem.array, problem.steering, problem.region, counts)
    )
    printed = risdoa.estimate(recording, registry=registry).to_json()
    assert printed["schema"] == "risdoa.estimate/1"
    assert json.loads(json.dumps(printed, allow_nan=False)) == printed
    assert [len(each["sources"]) for each in printed["scenes"]] == [2, 1, 2]
    for each in printed["scenes"]:
        assert each["converged"] is True
        for source in each["sources"]:
            assert set(source) == {*KEYS, "std"}
            assert all(math.isfinite(source[key]) for key in KEYS)
            assert all(source["std"][key] > 0 for key in KEYS)


def test_music_alone_gives_no_error_bars(registry):
    recording = recording_from(scene(1, snr_db=20.0).problem)
    result = risdoa.estimate(recording, registry=registry, backend="music")
    assert result.std_deg_m() is None
    assert set(result.to_json()["scenes"][0]["sources"][0]) == set(KEYS)
    assert "±" not in str(result)


def hidden(registry):
    """A result with a fixed elevation and a range that the model does not see."""
    region = region_with(elevation=(0.1, 0.1))
    known = scene(1, scenes=2, region=region, steering=PlaneWave(), snr_db=20.0)
    return risdoa.estimate(
        recording_from(known.problem, known.truth), registry=registry, steering="plane-wave"
    )


def test_coordinates_that_are_fixed_or_not_observable_are_marked(registry):
    result = hidden(registry)
    for each in result.to_json()["scenes"]:
        source = each["sources"][0]
        assert source["unobservable"] == ["range"]
        assert source["elevation_deg"] == pytest.approx(math.degrees(0.1), rel=1e-15)
        assert 0.5 <= source["range_m"] <= 10.0
        assert all(math.isfinite(source["std"][key]) for key in KEYS)
        assert source["std"]["elevation_deg"] == 0
    text = str(result)
    assert "= 5.730" in text
    assert "? " in text
    assert "fixed by the region: elevation" in text
    assert "not observable" in text


def test_the_table_fits_80_columns_and_holds_one_line_a_source(registry):
    known = scene(2, scenes=3, snr_db=20.0)
    result = risdoa.estimate(recording_from(known.problem), registry=registry)
    lines = str(result).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(result.method)
    assert sum("yes" in line for line in lines) == 6
    assert len(result.rows()) == 6
    for row, place in zip(
        result.rows(), result.positions_deg_m().flatten(0, 1).tolist(), strict=True
    ):
        for cell, value in zip(row[2:5], place, strict=True):
            number, spread = (float(part) for part in cell.split("±"))
            assert abs(number - value) <= spread  # two digits of the spread are shown


def test_long_tables_are_cut_and_say_so(registry):
    known = scene(1, scenes=ROWS + 5, snr_db=20.0)
    result = risdoa.estimate(recording_from(known.problem), registry=registry, backend="music")
    text = str(result)
    assert f"{ROWS} of {ROWS + 5} sources shown" in text
    assert sum("yes" in line for line in text.splitlines()) == ROWS


def test_notes_of_the_backends_are_shown(registry):
    known = scene(1, blocks=[0] * 8, snr_db=20.0)
    result = risdoa.estimate(recording_from(known.problem), registry=registry, backend="music")
    assert "note: music scanned the matched subspace spectrum" in str(result)
    assert result.to_json()["notes"] == list(result.estimates.notes)


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_the_picture_is_written(tmp_path, registry, ending):
    known = scene(2, snr_db=20.0)
    result = risdoa.estimate(recording_from(known.problem, known.truth), registry=registry)
    path = tmp_path / f"result.{ending}"
    figure = result.plot(path)
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending]
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]
    assert [axes.get_ylabel() for axes in figure.axes] == ["elevation (°)", "range (m)"]
    labels = {text.get_text() for text in figure.legends[0].get_texts()}
    assert labels == {"truth", "estimate ± σ"}


def test_a_fixed_range_gets_no_panel_and_no_truth_no_crosses(registry):
    region = region_with(range=(2.0, 2.0))
    known = scene(1, region=region, snr_db=20.0)
    result = risdoa.estimate(recording_from(known.problem), registry=registry, backend="music")
    figure = result.plot()
    assert len(figure.axes) == 1
    assert len(figure.legends[0].get_texts()) == 1


def test_a_picture_of_an_unknown_kind_is_refused_and_leaves_nothing(tmp_path, registry):
    known = scene(1, snr_db=20.0)
    result = risdoa.estimate(recording_from(known.problem), registry=registry, backend="music")
    with pytest.raises(InputError, match=r"result\.docx"):
        result.plot(tmp_path / "result.docx")
    assert list(tmp_path.iterdir()) == []


def test_a_recording_of_a_moved_array_moves_the_source(registry):
    """Nothing is centred behind the user's back: positions refer to the file's own origin."""
    known = scene(1, direct=True, snr_db=40.0)
    base = recording_from(known.problem, known.truth)
    shift = np.array([0.2, -0.1, 0.0])
    moved = Recording(
        positions_m=base.positions_m + shift,
        wavelength_m=base.wavelength_m,
        snapshots=base.snapshots,
        sources=base.sources,
        region_deg_m=base.region_deg_m,
    )
    first = risdoa.estimate(base, registry=registry).estimates.positions[0, 0]
    second = risdoa.estimate(moved, registry=registry).estimates.positions[0, 0]
    difference = (cartesian(second) - cartesian(first)).numpy()
    np.testing.assert_allclose(difference, shift, atol=0.02)  # 40 dB at 2 m


def test_a_checkpoint_brings_its_model_and_a_missing_one_is_refused(registry, tmp_path):
    recording = recording_from(scene(1, snr_db=20.0).problem)
    with pytest.raises(InputError, match="nothing-here"):
        risdoa.estimate(recording, registry=registry, checkpoint=tmp_path / "nothing-here")
