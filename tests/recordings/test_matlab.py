"""MATLAB files: what MATLAB makes of shapes and types is undone, and damage is an InputError."""

from __future__ import annotations

import io
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from risdoa.errors import InputError
from risdoa.reading import read_recording
from risdoa.recordings import FORMAT, write_recording
from risdoa.recordings.mat5 import variables
from risdoa.recordings.recording import Recording

RNG = np.random.default_rng(1)
REMOVED = object()


def noise(*shape):
    return RNG.normal(size=shape) + 1j * RNG.normal(size=shape)


def good():
    """Return the fields as MATLAB would save them: S = 2, L = 3, M = 4, N = 6."""
    return {
        "format": FORMAT,
        "positions_m": RNG.normal(size=(6, 3)),
        "wavelength_m": 0.3,
        "snapshots": noise(2, 3, 4),
        "channel": noise(4, 6),
        "codes": noise(2, 3, 6),
        "source_block": np.array([[1.0, 1, 2]]),
        "noise_power": np.array([[0.1], [0.2]]),
        "sources": np.array([[1.0], [1]]),
        "truth_deg_m": np.array([[[10.0, 5, 2]], [[-10.0, 5, 3]]]),
        "region_deg_m": np.array([[-60.0, 60], [-30, 30], [0.5, 10]]),
        "description": "made up",
        "licence": "",
    }


def written(path, **changes):
    content = {**good(), **changes}
    savemat(path, {key: value for key, value in content.items() if value is not REMOVED})
    return path


DIRECT = {"channel": REMOVED, "codes": REMOVED}
ONE = {"noise_power": 0.1, "sources": 1.0, "truth_deg_m": np.array([[10.0, 5, 2]])}


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("oned_as", ["row", "column"])
def test_a_file_of_matlab_is_the_archive_of_numpy(tmp_path, compressed, oned_as):
    fields = good()
    savemat(tmp_path / "a.mat", fields, do_compression=compressed, oned_as=oned_as)
    recording = read_recording(tmp_path / "a.mat")
    write_recording(tmp_path / "a.npz", recording)
    again = read_recording(tmp_path / "a.npz")
    for one in (recording, again):
        assert (one.scenes, one.wavelength_m, one.description, one.licence) == (
            2,
            0.3,
            "made up",
            "",
        )
        for name in ("snapshots", "channel", "codes", "positions_m", "truth_deg_m"):
            np.testing.assert_array_equal(getattr(one, name), fields[name])
        assert one.source_block.tolist() == [1, 1, 2]
        assert one.noise_power.tolist() == [0.1, 0.2]
        assert one.sources.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({"snapshots": noise(3, 4), **ONE}, (1, 3, 4)),
        ({"snapshots": noise(1, 3, 4), **ONE}, (1, 3, 4)),
        ({"snapshots": noise(3, 6), **DIRECT, **ONE}, (1, 3, 6)),
        ({"snapshots": noise(2, 3), "channel": noise(1, 6)}, (2, 3, 1)),
        ({"snapshots": noise(2, 3, 4).astype(np.complex64)}, (2, 3, 4)),
    ],
    ids=["one scene", "kept axis", "direct", "one output", "single precision"],
)
def test_axes_that_matlab_drops_come_back(tmp_path, changes, shape):
    changes = {"codes": noise(3, 6), **changes}
    assert read_recording(written(tmp_path / "a.mat", **changes)).snapshots.shape == shape


@pytest.mark.parametrize("static", [True, 1.0, np.uint8(1)])
def test_static_sources_may_be_a_number(tmp_path, static):
    path = written(tmp_path / "a.mat", source_block=REMOVED, static_sources=static)
    assert read_recording(path).source_block.tolist() == [0, 0, 0]


def test_empty_matrices_are_absent_fields(tmp_path):
    path = written(tmp_path / "a.MAT", truth_deg_m=np.zeros((0, 0)), sources=np.zeros((0, 0)))
    recording = read_recording(path)
    assert recording.truth_deg_m is None
    assert recording.sources is None


WRONG = [
    ({"format": REMOVED}, "missing field format"),
    ({"format": "risdoa-recording/2"}, "format must be"),
    ({"snapshots": REMOVED}, "missing field snapshots"),
    ({"snapshots": noise(2, 3, 4).real}, "snapshots must hold complex"),
    ({"snapshots": noise(2, 3, 5)}, "with M = 5"),
    ({"snapshots": np.zeros((0, 0))}, "missing field snapshots"),
    ({"positions_m": {"x": 1.0}}, "positions_m must hold real"),
    ({"wavelength_m": np.array([0.3, 0.4])}, "wavelength_m must be one real"),
    ({"sources": np.array([1.5, 1.0])}, "sources must hold integer"),
    ({"static_sources": 2.0}, "static_sources must be true or false"),
    ({"description": np.array(["a", "b"], dtype=object)}, "description must be a text"),
]


@pytest.mark.parametrize(("changes", "words"), WRONG, ids=[words for _, words in WRONG])
def test_wrong_fields(tmp_path, changes, words):
    path = written(tmp_path / "wrong.mat", **changes)
    with pytest.raises(InputError, match=words) as caught:
        read_recording(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"azimuth,elevation\n1,2\n", "not a MATLAB file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(600), "version 7.3"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n", "7.3"),
        (bytes(4000), "not a MATLAB file"),
        (b"MATLAB 5.0".ljust(124) + b"\0\x01IM" + bytes(3), "middle of an element"),
    ],
    ids=["empty", "text", "hdf5", "matlab 7.3", "zeros", "cut tag"],
)
def test_other_files(tmp_path, content, words):
    path = tmp_path / "other.mat"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_recording(path)
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_version_4_is_refused(tmp_path):
    savemat(tmp_path / "old.mat", {"format": FORMAT}, format="4")
    with pytest.raises(InputError, match="no header of version 5"):
        read_recording(tmp_path / "old.mat")


TYPES = [*"bBhHiIlLqQfdFD?"]


@given(
    dtype=st.sampled_from(TYPES),
    shape=st.lists(st.integers(0, 4), min_size=2, max_size=4),
    packed=st.booleans(),
    seed=st.integers(0, 99),
)
def test_numbers_are_read_as_scipy_reads_them(dtype, shape, packed, seed):
    drawn = np.random.default_rng(seed).normal(size=(2, *shape)) * 100
    value = (drawn[0] + 1j * drawn[1] if dtype in "FD" else drawn[0].round()).astype(dtype)
    stream = io.BytesIO()
    savemat(stream, {"first": "x" * seed, "value": value}, do_compression=packed)
    mine = variables(stream.getvalue(), {"value"})["value"]
    theirs = loadmat(stream)["value"]
    np.testing.assert_array_equal(mine, theirs)
    assert mine.dtype.kind == np.dtype(dtype).kind


@given(
    rows=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0 "), min_size=1)),
    packed=st.booleans(),
)
def test_texts_are_read_as_they_were_written(rows, packed):
    stream = io.BytesIO()
    savemat(stream, {"value": np.array(rows, dtype=str)}, do_compression=packed)
    found = variables(stream.getvalue(), {"value"})["value"]
    assert [row.rstrip() for row in found.tolist()] == [row.rstrip() for row in rows]


def test_a_file_of_the_other_byte_order():
    parts = [
        struct.pack(">IIII", 6, 8, 6, 0),
        struct.pack(">IIii", 5, 8, 1, 2),
        struct.pack(">HH4s", 1, 1, b"a"),
        struct.pack(">IIdd", 9, 16, 1.5, -2.0),
    ]
    inside = b"".join(parts)
    content = b"MATLAB 5.0".ljust(124) + b"\x01\0MI" + struct.pack(">II", 14, len(inside)) + inside
    assert variables(content, {"a"})["a"].tolist() == [[1.5, -2.0]]


def test_a_truncated_file(tmp_path):
    path = written(tmp_path / "cut.mat")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="truncated"):
        read_recording(path)


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    savemat(folder / "plain.mat", good())
    savemat(folder / "packed.mat", good(), do_compression=True)
    savemat(folder / "nested.mat", {**good(), "truth_deg_m": {"a": {"b": 1.0}}})
    return [path.read_bytes() for path in sorted(folder.iterdir())]


@settings(max_examples=300, deadline=None)
@given(
    which=st.integers(0, 2),
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=3),
    cut=st.none() | st.floats(0, 1),
)
def test_flipped_bytes_or_a_cut_never_end_in_another_error(
    contents, tmp_path_factory, which, places, cut
):
    content = bytearray(contents[which])
    for where, byte in places:
        content[int(where * len(content))] = byte
    path = tmp_path_factory.mktemp("flip") / "flipped.mat"
    path.write_bytes(bytes(content[: len(content) if cut is None else int(cut * len(content))]))
    with suppress(InputError):
        read_recording(path)


def test_the_recording_in_memory_is_the_same_kind(tmp_path):
    assert isinstance(read_recording(written(tmp_path / "a.mat")), Recording)
