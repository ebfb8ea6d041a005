"""Recordings that are broken on purpose are found out, and only where they can be."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from risdoa.arrays import Array
from risdoa.diagnosis.report import diagnose_recording
from risdoa.recordings import recording_from
from risdoa.steering.canonical import Canonical
from risdoa.steering.spherical import Spherical
from tests.draws import generator
from tests.estimation.scenes import REGION, region_with, scene

SCENES = 8
CONVENTIONS = ("sign", "element-order", "origin", "scale")


def recording(*, near=0.8, far=4.0, region=None, steering="spherical", **options):
    """Return a recording of one source a scene, on 10 x 8 elements, with truth."""
    unit = torch.rand((SCENES, 1, 3), generator=generator(5), dtype=torch.float64)
    low = torch.tensor([-0.8, -0.4, near], dtype=torch.float64)
    high = torch.tensor([0.8, 0.4, far], dtype=torch.float64)
    made = scene(
        scenes=SCENES,
        array=Array.planar(10, 8, 0.3),
        places=low + (high - low) * unit,
        snr_db=20.0,
        region=REGION if region is None else region,
        **{"direct": True, **options},
    )
    return recording_from(made.problem, made.truth, steering=steering)


@pytest.fixture(scope="module")
def direct():
    return recording()


@pytest.fixture(scope="module")
def coded():
    return recording(direct=False, outputs=12, snapshots=12)


def findings(given, **changes):
    changed = dataclasses.replace(given, **changes)
    found = diagnose_recording(changed, "recording", ("spherical", Spherical())).findings
    return {each.check: each for each in found}


def statuses(given, **changes):
    return {check: each.status for check, each in findings(given, **changes).items()}


def test_what_is_right_passes(direct, coded):
    for given in (direct, coded):
        found = statuses(given)
        assert [found[check] for check in CONVENTIONS] == ["ok"] * 4
        assert found["fit"] == "ok"


def test_without_a_truth_only_the_sign_can_be_seen(direct):
    found = findings(direct, truth_deg_m=None)
    assert found["sign"].status == "ok"
    assert [found[check].status for check in CONVENTIONS[1:]] == ["not observable"] * 3
    assert "needs a truth" in found["origin"].message


def test_conjugated_snapshots(direct, coded):
    for given in (direct, coded):
        found = findings(given, snapshots=given.snapshots.conj(), truth_deg_m=None)
        assert found["sign"].status == "fail"
        assert "conjugate" in found["sign"].hint
        assert found["element-order"].status == "not observable"


def test_a_conjugated_field_behind_a_surface(coded):
    both = {"codes": coded.codes.conj(), "channel": coded.channel.conj()}
    assert statuses(coded, **both)["sign"] == "fail"


def test_far_sources_do_not_tell_the_sign():
    far = recording(near=500.0, far=900.0, region=region_with(range=(100.0, 1000.0)))
    assert statuses(far)["sign"] == "not observable"
    assert statuses(far)["origin"] == "not observable"


def test_reversed_elements(direct):
    reversed_ = np.ascontiguousarray(direct.snapshots[..., ::-1])
    found = findings(direct, snapshots=reversed_)
    assert found["element-order"].status == "fail"
    assert "reversed" in found["element-order"].message
    assert statuses(direct, snapshots=reversed_, truth_deg_m=None)["element-order"] != "fail"


def test_a_lattice_read_in_the_wrong_order(direct):
    order = np.arange(80).reshape(8, 10).T.ravel()
    found = findings(direct, snapshots=direct.snapshots[..., order], truth_deg_m=None)
    assert found["element-order"].status in {"fail", "not observable"}
    mixed = direct.snapshots.copy()
    mixed[..., order] = direct.snapshots
    assert findings(direct, positions_m=direct.positions_m[order])["element-order"].status != "ok"
    assert findings(direct, snapshots=mixed)["element-order"].status != "ok"


def test_x_and_y_exchanged(direct, coded):
    for given in (direct, coded):
        found = findings(given, positions_m=given.positions_m[:, [1, 0, 2]])
        assert found["element-order"].status == "fail"
        assert "x and y exchanged" in found["element-order"].message


def test_an_origin_that_is_half_an_element_off(direct, coded):
    for given in (direct, coded):
        off = {"positions_m": given.positions_m + np.array([0.075, 0.075, 0.0])}
        found = findings(given, **off)
        assert found["origin"].status == "fail"
        values = found["origin"].values
        assert values["shift_x_m"] == pytest.approx(0.075, abs=0.02)
        assert values["shift_y_m"] == pytest.approx(0.075, abs=0.02)
        assert statuses(given, **off, truth_deg_m=None)["origin"] == "not observable"


def test_a_spacing_that_is_ten_percent_wrong(direct):
    found = findings(direct, positions_m=direct.positions_m * 1.1)
    assert found["scale"].status == "fail"
    # The elements are written down 1.1 x as far apart: sines come out 1/1.1 x as large.
    assert found["scale"].values["ratio"] == pytest.approx(1 / 1.1, abs=0.01)
    assert found["origin"].status != "fail"


def test_the_bias_of_a_model_is_not_taken_for_a_wrong_origin(direct):
    diagnosis = diagnose_recording(direct, "recording", ("canonical", Canonical()))
    found = {each.check: each for each in diagnosis.findings}
    assert found["steering-model"].status == "warn"
    for check in ("origin", "scale"):
        assert found[check].status == "not observable"
        assert "--steering spherical" in found[check].message


def test_a_turned_set_up_is_no_shift(direct):
    turned = direct.truth_deg_m + np.array([3.0, 0.0, 0.0])
    assert statuses(direct, truth_deg_m=turned)["origin"] != "fail"


def test_a_source_too_few_is_seen_where_the_noise_is_known():
    two = scene(2, scenes=2, array=Array.planar(10, 8, 0.3), direct=True, snr_db=20.0)
    given = recording_from(two.problem, two.truth)
    assert statuses(given)["fit"] == "ok"
    one = diagnose_recording(given, "two", ("spherical", Spherical()), sources=1)
    found = {each.check: each for each in one.findings}
    assert found["fit"].status == "warn"
    assert found["fit"].values["excess_median"] > 10
    blind = findings(given, noise_power=None)
    assert blind["fit"].status == "ok"
    assert "no expectation" in blind["fit"].message
