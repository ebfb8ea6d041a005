"""The fields of the layout ``risdoa-recording/1``, whatever the file that holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risdoa.errors import InputError
from risdoa.recordings.checks import scalar
from risdoa.recordings.recording import FORMAT, TEXTS, Recording

REQUIRED = ("positions_m", "wavelength_m", "snapshots")

NAMES = tuple(field.name for field in fields(Recording))

KNOWN = ("format", "static_sources", *NAMES)
"""What is read of a file; fields with other names are left alone."""

Fields = Mapping[str, NDArray[Any]]


@contextmanager
def reading(path: Path, hint: str = "docs/recordings.md describes every field") -> Iterator[None]:
    """Begin the message of every InputError with the path, and give it a hint where it has none."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error.message}", error.hint or hint) from error


def recording_of(loaded: Fields) -> Recording:
    """Return the recording in the fields of a file.

    Raises:
        InputError: a field is missing or wrong.
    """
    _check_format(loaded)
    for name in REQUIRED:
        if name not in loaded:
            raise InputError(f"missing field {name}", f"{FORMAT} needs {', '.join(REQUIRED)}")
    content: dict[str, Any] = {name: loaded[name] for name in NAMES if name in loaded}
    for name in TEXTS:
        if name in content:
            content[name] = scalar(name, content[name], "U", "a text")
    content["source_block"] = _blocks(loaded)
    return Recording(**content)


def _check_format(loaded: Fields) -> None:
    """Raise an InputError unless the file says that it has this layout."""
    if "format" not in loaded:
        raise InputError("missing field format", f"a recording says format = {FORMAT!r}")
    found = scalar("format", loaded["format"], "U", "a text")
    if found != FORMAT:
        raise InputError(
            f"the format must be {FORMAT!r}, got {found!r}",
            "write the recording in this layout, or use a risdoa that knows the other",
        )


def _blocks(loaded: Fields) -> NDArray[Any] | None:
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
