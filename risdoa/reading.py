"""Recordings by the name of their file: the suffix chooses the reader."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from risdoa.errors import InputError, RisdoaError, UnknownNameError
from risdoa.recordings import Recording
from risdoa.recordings.base import check_file
from risdoa.registry import Registered, Registry, options_of

KIND = "reader"


def read_recording(
    path: str | os.PathLike[str],
    *,
    reader: str | None = None,
    settings: Mapping[str, Mapping[str, object]] | None = None,
    registry: Registry | None = None,
) -> Recording:
    """Read a recording.

    Args:
        path: The file.
        reader: The name of a reader; by default the one for the suffix of the file, a built-in
            one first, and then no other distribution's module is imported.
        settings: Options by plugin name.
        registry: Where the readers come from; by default what is installed.

    Raises:
        InputError: there is no such file, no reader or several for it, it is damaged, or a field
            is missing or wrong.
        PluginLoadError: the reader cannot be loaded.
    """
    file, registry = Path(path), registry or Registry.discover()
    check_file(file)
    chosen = registry.find(KIND, reader) if reader else reader_of(file, registry)
    options = options_of(settings or {}, KIND, chosen.qualified)
    read = registry.create(KIND, chosen.qualified, **options)
    recording = read(file)
    if not isinstance(recording, Recording):
        raise RisdoaError(
            f"the reader {chosen.qualified} returned {type(recording).__name__}, not a Recording",
            "repair the reader, or name another with --reader",
        )
    return recording


def reader_of(path: Path, registry: Registry) -> Registered:
    """Return the one reader for the suffix of a file.

    Raises:
        InputError: there is none, or there are several.
    """
    suffix = path.suffix.lower()
    found = registry.having(KIND, suffix) if suffix else []
    if len(found) == 1:
        return found[0]
    if found:
        names = " or ".join(each.qualified for each in found)
        raise UnknownNameError(f"{path}: {suffix} files have several readers", f"--reader {names}")
    what = f"no reader for {suffix} files is installed" if suffix else "the file has no suffix"
    names = ", ".join(registry.names(KIND))
    raise InputError(f"{path}: {what}", f"name its reader with --reader: {names}")
