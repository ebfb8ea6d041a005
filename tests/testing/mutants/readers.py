"""Faulty readers: each is a small correct one, of JSON or NumPy's archives, with one fault."""

from __future__ import annotations

import json
import pickle
import sys
import zipfile

import numpy as np

from risdoa.errors import InputError
from risdoa.recordings import Recording
from risdoa.recordings.base import Reader
from risdoa.recordings.npz import Npz
from tests.testing.mutants.mutant import Mutant


class Json(Reader):
    """Positions, wavelength and snapshots (…, 2) as real and imaginary parts; correct."""

    def content(self, path):
        return json.loads(path.read_text("utf-8"))

    def __call__(self, path):
        try:
            return self.recording(self.content(path))
        except InputError as error:
            raise InputError(f"{path}: {error.message}", error.hint) from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is no JSON of a recording: {error!r}") from error

    def recording(self, content):
        parts = np.asarray(content["snapshots"], dtype=np.float64)
        return Recording(
            positions_m=np.asarray(content["positions_m"], dtype=np.float64),
            wavelength_m=content["wavelength_m"],
            snapshots=parts[..., 0] + 1j * parts[..., 1],
        )


class EndsWithATraceback(Json):
    def __call__(self, path):
        return self.recording(self.content(path))


class EndsTheProgram(Json):
    def __call__(self, path):
        try:
            return super().__call__(path)
        except InputError:
            sys.exit("damaged")


class ReturnsNone(Json):
    def __call__(self, path):
        try:
            return super().__call__(path)
        except InputError:
            return None


class DoesNotNameTheFile(Json):
    def __call__(self, path):
        try:
            return self.recording(self.content(path))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError("the file is damaged") from error


class LeavesItOpen(Json):
    def content(self, path):
        stream = path.open(encoding="utf-8")
        return json.loads(stream.read())


class MendsTheFile(Json):
    def content(self, path):
        text = path.read_text("utf-8")
        path.write_text(text.strip() + "\n", "utf-8")
        return json.loads(text)


class LeavesAnIndex(Json):
    def content(self, path):
        path.with_suffix(".idx").write_text("0", "utf-8")
        return super().content(path)


class Unpickles(Json):
    def content(self, path):
        try:
            return pickle.loads(path.read_bytes())
        except (
            pickle.UnpicklingError,
            EOFError,
            AttributeError,
            ImportError,
            IndexError,
            OverflowError,
            MemoryError,
        ) as error:
            raise ValueError(str(error)) from error


class AllowsPickles(Json):
    def content(self, path):
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=True) as archive:
                return dict(archive)
        except (EOFError, OSError, AttributeError, zipfile.BadZipFile) as error:
            raise ValueError(str(error)) from error


def faulty(name, factory, fault, *killers, traits=(".json",)):
    return Mutant(name, "reader", factory, killers, traits, fault)


REFUSED, RUN = "what-is-no-recording-is-refused", "nothing-in-a-file-is-run"
ALONE, SUFFIX = "files-are-left-alone", "a-suffix-is-declared"

MUTANTS = [
    faulty("traceback", EndsWithATraceback, "a traceback for a damaged file", REFUSED),
    faulty("exit", EndsTheProgram, "ends the program at a damaged file", REFUSED),
    faulty("none", ReturnsNone, "nothing for a damaged file", REFUSED),
    faulty("nameless", DoesNotNameTheFile, "does not say which file is damaged", REFUSED),
    faulty("open", LeavesItOpen, "leaves the file open", ALONE),
    faulty("mends", MendsTheFile, "writes to the file that it reads", ALONE),
    faulty("index", LeavesAnIndex, "leaves an index beside it", ALONE),
    faulty("pickle", Unpickles, "unpickles", RUN, traits=(".pkl",)),
    faulty("numpy-pickle", AllowsPickles, "allow_pickle=True", RUN, traits=(".npz",)),
    faulty("no-suffix", Npz, "no suffix", SUFFIX, traits=()),
    faulty("upper-case", Npz, "a suffix in upper case", SUFFIX, traits=(".NPZ",)),
]
