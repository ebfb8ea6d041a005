"""Every damaged or wrong recording is an InputError that says what was expected."""

import io
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risdoa.errors import InputError
from risdoa.reading import read_recording
from risdoa.recordings import FORMAT, sample_path

RNG = np.random.default_rng(0)
REMOVED = object()


def noise(*shape):
    return RNG.normal(size=shape) + 1j * RNG.normal(size=shape)


def good():
    """Return a surface recording that uses every field: S = 2, L = 3, M = 4, N = 6."""
    return {
        "format": FORMAT,
        "positions_m": RNG.normal(size=(6, 3)),
        "wavelength_m": 0.3,
        "snapshots": noise(2, 3, 4),
        "channel": noise(4, 6),
        "codes": noise(2, 3, 6),
        "source_block": np.array([0, 0, 1]),
        "noise_power": np.array([0.1, 0.2]),
        "sources": np.array([1, 1]),
        "truth_deg_m": np.array([[[10.0, 5, 2]], [[-10.0, 5, 3]]]),
        "region_deg_m": np.array([[-60.0, 60], [-30, 30], [0.5, 10]]),
        "description": "made up",
    }


def written(path, **changes):
    content = {**good(), **changes}
    np.savez(path, **{key: value for key, value in content.items() if value is not REMOVED})
    return path


def spoilt(array, value):
    copy = np.array(array, copy=True)
    copy.flat[0] = value
    return copy


def test_the_good_recording_is_good(tmp_path):
    assert read_recording(written(tmp_path / "good.npz")).scenes == 2


WRONG = [
    ({"format": REMOVED}, "missing field format"),
    ({"format": "risdoa-recording/2"}, "format must be"),
    ({"format": 3}, "format must be a text"),
    ({"positions_m": REMOVED}, "missing field positions_m"),
    ({"wavelength_m": REMOVED}, "missing field wavelength_m"),
    ({"snapshots": REMOVED}, "missing field snapshots"),
    ({"channel": REMOVED}, "missing field channel"),
    ({"codes": REMOVED}, "missing field codes"),
    ({"channel": REMOVED, "codes": REMOVED}, "6 outputs, one per element, got 4"),
    ({"positions_m": np.zeros((6, 2))}, r"positions_m must be \(N, 3\), got \(6, 2\)"),
    ({"positions_m": np.full((6, 3), np.nan)}, "positions_m must be finite, got 18"),
    ({"positions_m": np.array([["a"] * 3] * 6)}, "positions_m must hold real"),
    ({"wavelength_m": 0.0}, "wavelength_m must be positive"),
    ({"wavelength_m": -1.0}, "wavelength_m must be positive"),
    ({"wavelength_m": np.inf}, "wavelength_m must be positive"),
    ({"wavelength_m": np.array([0.3, 0.4])}, "wavelength_m must be one real"),
    ({"snapshots": noise(0, 3, 4)}, r"snapshots must be \(S, L, M\).*got \(0, 3, 4\)"),
    ({"snapshots": noise(2, 0, 4)}, "snapshots must be"),
    ({"snapshots": noise(3, 4)}, "snapshots must be"),
    ({"snapshots": noise(2, 3, 4).real}, "snapshots must hold complex"),
    ({"snapshots": spoilt(noise(2, 3, 4), np.nan)}, "snapshots must be finite, got 1"),
    ({"snapshots": spoilt(noise(2, 3, 4), np.inf)}, "snapshots must be finite, got 1"),
    ({"snapshots": np.stack((noise(3, 4), np.zeros((3, 4))))}, "scene 1 is silent"),
    ({"snapshots": noise(2, 3, 5)}, r"channel must be \(M, N\) or \(S, M, N\) with M = 5"),
    ({"channel": noise(4, 5)}, "channel must be"),
    ({"channel": noise(3, 4, 6)}, "channel must be"),
    ({"channel": spoilt(noise(4, 6), np.nan)}, "channel must be finite"),
    ({"codes": noise(4, 6)}, "codes must be"),
    ({"codes": spoilt(noise(3, 6), np.nan)}, "codes must be finite"),
    ({"source_block": np.zeros(4, int)}, "source_block must be"),
    ({"source_block": np.zeros(3)}, "source_block must hold integer"),
    ({"static_sources": True}, "more than one label"),
    ({"static_sources": "yes"}, "static_sources must be true or false"),
    ({"noise_power": np.array([0.1])}, "noise_power must be"),
    ({"noise_power": np.array([0.1, 0.0])}, "noise_power must be positive"),
    ({"noise_power": np.array([0.1, np.nan])}, "noise_power must be finite"),
    ({"sources": np.array([1, 0])}, "impossible number of sources 0"),
    ({"sources": np.array([1.0, 1.0])}, "sources must hold integer"),
    ({"sources": np.array([1, 1, 1])}, "sources must be"),
    ({"truth_deg_m": np.array([[[10.0, 5, 0]]] * 2)}, "positive ranges, got 0 m"),
    ({"truth_deg_m": np.array([[[10.0, 5, np.inf]]] * 2)}, "truth_deg_m must be finite"),
    ({"truth_deg_m": np.zeros((2, 3))}, "truth_deg_m must be"),
    ({"region_deg_m": np.zeros((2, 2))}, "region_deg_m must be"),
    ({"region_deg_m": np.array([[-60.0, 60], [-30, 30], [0, 10]])}, "ranges must be positive"),
    ({"region_deg_m": np.array([[60.0, -60], [-30, 30], [1, 10]])}, "lower bound"),
    ({"region_deg_m": np.array([[-200.0, 60], [-30, 30], [1, 10]])}, "±180°"),
    ({"region_deg_m": np.full((3, 2), np.nan)}, "region_deg_m must be finite"),
    ({"snapshots": np.array([object()], dtype=object)}, "pickled objects"),
    ({"description": 3}, "description must be a text"),
]


@pytest.mark.parametrize(("changes", "words"), WRONG, ids=[words for _, words in WRONG])
def test_wrong_fields(tmp_path, changes, words):
    path = written(tmp_path / "wrong.npz", **changes)
    with pytest.raises(InputError, match=words) as caught:
        read_recording(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def damaged_files(folder):
    whole = sample_path().read_bytes()
    contents = {
        "empty": b"",
        "text": b"azimuth,elevation\n1,2\n",
        "truncated": whole[: len(whole) // 2],
        "headless": whole[100:],
        "pickle": b"\x80\x04\x95\x03\x00\x00\x00\x00\x00\x00\x00K\x01.",
    }
    for name, content in contents.items():
        (folder / f"{name}.npz").write_bytes(content)
    plain = io.BytesIO()
    np.save(plain, np.zeros(3))
    (folder / "npy.npz").write_bytes(plain.getvalue())
    with zipfile.ZipFile(folder / "other.npz", "w") as archive:
        archive.writestr("snapshots", "no array")
        archive.writestr("format", "no array")
    (folder / "folder.npz").mkdir()
    return [*contents, "npy", "other", "folder", "missing"]


def test_damaged_files(tmp_path):
    for name in damaged_files(tmp_path):
        with pytest.raises(InputError) as caught:
            read_recording(tmp_path / f"{name}.npz")
        assert caught.value.hint
        assert "\n" not in caught.value.message


def test_a_path_that_no_system_accepts(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        read_recording(str(tmp_path / "nul\0.npz"))


@settings(max_examples=150, deadline=None)
@given(
    where=st.floats(0, 1, exclude_max=True),
    byte=st.integers(0, 255),
    cut=st.none() | st.floats(0, 1),
)
def test_a_flipped_byte_or_a_cut_never_ends_in_another_error(tmp_path_factory, where, byte, cut):
    content = bytearray(sample_path().read_bytes())
    content[int(where * len(content))] = byte
    path = tmp_path_factory.mktemp("flip") / "flipped.npz"
    path.write_bytes(bytes(content[: len(content) if cut is None else int(cut * len(content))]))
    with suppress(InputError):
        read_recording(path)
