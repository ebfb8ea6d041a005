"""Reading and writing the layout ``risdoa-recording/1`` as one ``.npz`` without pickles."""

from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risdoa.errors import InputError
from risdoa.files import atomic_path
from risdoa.recordings.base import Reader, check_file
from risdoa.recordings.layout import KNOWN, NAMES, reading, recording_of
from risdoa.recordings.recording import FORMAT, Recording

_DAMAGED = (
    OSError,
    ValueError,
    EOFError,
    SyntaxError,
    tokenize.TokenError,
    KeyError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


class Npz(Reader):
    """Reads an archive that ``numpy.savez`` wrote; nothing in it is unpickled."""

    def __call__(self, path: Path) -> Recording:
        """Return the recording; see :meth:`Reader.__call__`."""
        check_file(path)
        loaded = load_archive(path, KNOWN, FORMAT)
        with reading(path):
            return recording_of(loaded)


def write_recording(path: str | os.PathLike[str], recording: Recording) -> None:
    """Write a recording as ``.npz``, all of it or nothing; an older file is replaced.

    Raises:
        InputError: ``path`` is not a place where a file can be written.
    """
    content: dict[str, Any] = {"format": FORMAT}
    for name in NAMES:
        value = getattr(recording, name)
        if value is not None and not (isinstance(value, str) and not value):
            content[name] = value
    if recording.source_block is not None:
        content["static_sources"] = bool(
            (recording.source_block == recording.source_block[0]).all()
        )
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **content)


def load_archive(path: Path, known: Collection[str], layout: str) -> dict[str, NDArray[Any]]:
    """Return every array of an archive that its layout knows; nothing is unpickled.

    Raises:
        InputError: it is no complete archive of plain arrays.
    """
    try:
        with path.open("rb") as stream:
            if not zipfile.is_zipfile(stream):
                raise InputError(
                    f"{path} is truncated, or not a .npz archive",
                    f"give a complete .npz file in the layout {layout}",
                )
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as archive:
                return {name: np.asarray(archive[name]) for name in archive.files if name in known}
    except InputError:
        raise
    except _DAMAGED as error:
        raise InputError(
            f"{path}: damaged, or not made of plain arrays ({_reason(error)})",
            "write it again with numpy.savez, without object arrays",
        ) from error


def _reason(error: BaseException) -> str:
    """Return the first line of an error, without advice to unpickle."""
    text = str(error).strip().splitlines()
    first = text[0] if text else type(error).__name__
    return "it holds pickled objects" if "pickle" in first else first
