"""Reading and writing the layout ``risdoa-recording/1``, one ``.npz`` without pickles."""

from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risdoa.errors import InputError
from risdoa.files import atomic_path
from risdoa.recordings.checks import scalar
from risdoa.recordings.recording import FORMAT, TEXTS, Recording

REQUIRED = ("positions_m", "wavelength_m", "snapshots")

_NAMES = tuple(field.name for field in fields(Recording))
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


def read_recording(path: str | os.PathLike[str]) -> Recording:
    """Read a recording; fields that the layout does not know are left alone.

    Raises:
        InputError: there is no such file, it is damaged, or a field is missing or wrong.
    """
    source = Path(path)
    loaded = _load(source)
    try:
        return _recording(loaded)
    except InputError as error:
        hint = error.hint or "docs/recordings.md describes every field"
        raise InputError(f"{source}: {error.message}", hint) from error


def write_recording(path: str | os.PathLike[str], recording: Recording) -> None:
    """Write a recording, all of it or nothing; an older file is replaced.

    Raises:
        InputError: ``path`` is not a place where a file can be written.
    """
    content: dict[str, Any] = {"format": FORMAT}
    for name in _NAMES:
        value = getattr(recording, name)
        if value is not None and not (isinstance(value, str) and not value):
            content[name] = value
    if recording.source_block is not None:
        content["static_sources"] = bool(
            (recording.source_block == recording.source_block[0]).all()
        )
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **content)


def _load(path: Path) -> dict[str, NDArray[Any]]:
    """Return every array of an archive that the layout knows.

    Raises:
        InputError: it cannot be opened, or is no complete archive of plain arrays.
    """
    _check_archive(path)
    known = {"format", "static_sources", *_NAMES}
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name]) for name in archive.files if name in known}
    except _DAMAGED as error:
        raise InputError(
            f"{path}: damaged, or not made of plain arrays ({_reason(error)})",
            "write it again with numpy.savez, without object arrays",
        ) from error


def _check_archive(path: Path) -> None:
    """Raise an InputError unless ``path`` is a file that ends like a zip archive."""
    if path.is_dir():
        raise InputError(f"{path} is a directory, not a recording", "name a .npz file in it")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a regular file", "copy it into a .npz file first")
    try:
        with path.open("rb") as stream:
            empty, complete = not stream.read(1), zipfile.is_zipfile(stream)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"cannot read {path}: {reason}", "check the path of the recording"
        ) from error
    if not complete:
        what = "is empty" if empty else "is truncated, or not a .npz archive"
        raise InputError(f"{path} {what}", f"give a complete .npz file in the layout {FORMAT}")


def _recording(loaded: dict[str, NDArray[Any]]) -> Recording:
    """Return the recording in the arrays of an archive."""
    _check_format(loaded)
    for name in REQUIRED:
        if name not in loaded:
            raise InputError(f"missing field {name}", f"{FORMAT} needs {', '.join(REQUIRED)}")
    content: dict[str, Any] = {name: loaded[name] for name in _NAMES if name in loaded}
    for name in TEXTS:
        if name in content:
            content[name] = scalar(name, content[name], "U", "a text")
    content["source_block"] = _blocks(loaded)
    return Recording(**content)


def _check_format(loaded: dict[str, NDArray[Any]]) -> None:
    """Raise an InputError unless the archive says that it has this layout."""
    if "format" not in loaded:
        raise InputError("missing field format", f"a recording says format = {FORMAT!r}")
    found = scalar("format", loaded["format"], "U", "a text")
    if found != FORMAT:
        raise InputError(
            f"the format must be {FORMAT!r}, got {found!r}",
            "write the recording in this layout, or use a risdoa that knows the other",
        )


def _blocks(loaded: dict[str, NDArray[Any]]) -> NDArray[Any] | None:
    """Return the labels of the snapshots; ``static_sources`` is one label for all.

    Raises:
        InputError: ``static_sources`` is no truth value, or contradicts ``source_block``.
    """
    static = bool(
        scalar("static_sources", loaded.get("static_sources", False), "b", "true or false")
    )
    blocks = loaded.get("source_block")
    if not static:
        return blocks
    if blocks is not None and blocks.size and (blocks != blocks.flat[0]).any():
        raise InputError(
            "static_sources is true, but source_block has more than one label",
            "leave one of the two out",
        )
    snapshots = loaded["snapshots"]
    length = snapshots.shape[1] if snapshots.ndim == 3 else 1
    return np.zeros(length, dtype=np.int64) if blocks is None else blocks


def _reason(error: BaseException) -> str:
    """Return the first line of an error, without advice to unpickle."""
    text = str(error).strip().splitlines()
    first = text[0] if text else type(error).__name__
    return "it holds pickled objects" if "pickle" in first else first
