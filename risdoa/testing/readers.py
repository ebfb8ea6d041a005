"""Checks of recording readers: what is no recording is refused, and does no harm.

What a reader reads is its own; what it must not read is the same for all.
"""

from __future__ import annotations

import gc
import io
import random
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from risdoa.errors import InputError
from risdoa.recordings import Recording, recording_from, write_recording
from risdoa.testing.cases_scenes import LINE
from risdoa.testing.checks import check
from risdoa.testing.failures import expect, on
from risdoa.testing.refusals import answer_of
from risdoa.testing.subject import Subject


@check("reader")
def a_suffix_is_declared(subject: Subject) -> None:
    """Among the traits is a suffix in lower case that begins with a dot."""
    with on("the traits"):
        found = suffixes(subject)
        expect(found, "a suffix such as .npz among them", sorted(subject.traits))
        wrong = [each for each in found if each != each.lower() or len(each) < 2 or "/" in each]
        expect(not wrong, "suffixes in lower case", wrong)


@check("reader")
def what_is_no_recording_is_refused(subject: Subject) -> None:
    """For noise, text and what is cut off there is an InputError that names the file."""
    for name, content in damaged():
        with _file(subject, content) as path, on(f"{name} in {path.name}"):
            found = _read(subject, path)
            if isinstance(found, InputError):
                expect(path.name in str(found), f"an InputError that names {path.name}", found)
            else:  # a format without any header reads all
                recording = isinstance(found, Recording)
                expect(recording, "an InputError or a risdoa.Recording", type(found).__name__)


@check("reader")
def nothing_in_a_file_is_run(subject: Subject) -> None:
    """No pickle is loaded: it would run what its author wanted."""
    with tempfile.TemporaryDirectory() as folder:
        trap = Path(folder) / "trap"
        for name, content in _pickles(trap):
            with _file(subject, content) as path, on(f"{name} in {path.name}"):
                _read(subject, path)
                expect(not trap.exists(), "nothing run from the file", "a pickle that was loaded")


@check("reader")
def files_are_left_alone(subject: Subject) -> None:
    """A file is as it was before, nothing is left beside it, and it is closed."""
    for name, content in damaged():
        with _file(subject, content) as path, on(f"{name} in {path.name}"):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", ResourceWarning)
                _read(subject, path)
                gc.collect()
            expect(path.is_file(), "the file where it was", "no file")
            expect(path.read_bytes() == content, "the file as it was", "another content")
            beside = sorted(each.name for each in path.parent.iterdir() if each != path)
            expect(not beside, "nothing left beside the file", ", ".join(beside))
            opened = [str(each.message) for each in caught if path.name in str(each.message)]
            expect(not opened, "a closed file", opened[:1])


def _read(subject: Subject, path: Path) -> object:
    """Return what a reader makes of a file, or the InputError with which it refuses."""
    return answer_of(lambda: subject.make()(path), "a risdoa.Recording or an InputError")


def suffixes(subject: Subject) -> list[str]:
    """Return the suffixes that a reader reads."""
    return sorted(trait for trait in subject.traits if trait.startswith("."))


@contextmanager
def _file(subject: Subject, content: bytes) -> Iterator[Path]:
    """Write a file with a suffix of the reader into a folder of its own."""
    suffix = (suffixes(subject) or [".dat"])[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"damaged{suffix}"
        path.write_bytes(content)
        yield path


def damaged() -> Iterator[tuple[str, bytes]]:
    """Yield what files of any format may turn out to be instead, small to large."""
    yield from (
        ("one zero byte", b"\0"),
        ("a line of text", b"this is no recording\n"),
        ("an empty JSON object", b"{}"),
        ("JSON null", b"null"),
        ("numbers in lines", b"1,2,3\n4,5\n"),
        ("the first bytes of a zip archive", b"PK\x03\x04"),
        ("the first bytes of a NumPy array", b"\x93NUMPY\x01\x00"),
        ("the first bytes of an HDF5 file", b"\x89HDF\r\n\x1a\n"),
        ("the first bytes of a gzip file", b"\x1f\x8b\x08"),
        ("the first bytes of a WAVE file", b"RIFF\xff\xff\xff\xffWAVEfmt "),
        ("the header of a MATLAB file", b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\x01IM"),
        ("1024 bytes of noise", random.Random(0).randbytes(1024)),
        ("an empty zip archive", _archive({})),
        ("a zip archive of noise", _archive({"snapshots.npy": random.Random(1).randbytes(99)})),
    )
    whole = _recording()
    yield "the first half of an .npz recording", whole[: len(whole) // 2]
    middle = len(whole) // 2
    yield "an .npz recording with 9 bytes lost", whole[:middle] + whole[middle + 9 :]


def _recording() -> bytes:
    """Return the content of a small recording as ``.npz``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "whole.npz"
        write_recording(path, recording_from(LINE.scene(1).problem))
        return path.read_bytes()


def _archive(members: dict[str, bytes]) -> bytes:
    """Return a zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def _pickles(trap: Path) -> Iterator[tuple[str, bytes]]:
    """Yield pickles, plain and inside NumPy files, that make the folder ``trap`` once loaded."""
    pickle = f"cos\nmkdir\n(V{trap}\ntR.".encode("raw_unicode_escape")
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(117) + b"\n"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + pickle
    fields = ("format", "positions_m", "wavelength_m", "snapshots", "data", "arr_0")
    yield "a pickle", pickle
    yield "a NumPy array of objects", array
    yield "a NumPy archive of objects", _archive({f"{name}.npy": array for name in fields})
