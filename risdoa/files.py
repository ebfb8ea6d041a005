"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from risdoa.errors import InputError


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block succeeds.

    The temporary file keeps the suffix of ``path`` (writers such as ``numpy.savez`` look at it).
    It exists already, so a folder that cannot be written to is found before the work is done;
    when the block fails it is removed and an older ``path`` stays as it was.

    Raises:
        InputError: ``path`` is not a place where a regular file can be written.
    """
    target = Path(path)
    temporary = _reserve(target)
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def check_folder(folder: Path) -> None:
    """Refuse a folder, there or to be made, that files cannot be written into, before the work.

    Raises:
        InputError: The nearest folder that is there is none, or may not be written to.
    """
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not there.is_dir():
        raise InputError(f"{there} is a file, results need a folder", "give another --out")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(
            f"cannot write into {there}: permission denied",
            "choose a folder that you may write to",
        )


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, all of it or nothing.

    Raises:
        InputError: ``path`` is not a place where a regular file can be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def _reserve(target: Path) -> Path:
    """Create the empty temporary file, with the parents of ``target`` where they are missing."""
    if target.exists() and not target.is_file():
        raise InputError(f"cannot write {target}: it is not a regular file", "name a file")
    temporary = target.with_name(f".{target.stem}.{secrets.token_hex(4)}{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch(exist_ok=False)
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "choose a folder that you may write to"
        raise InputError(f"cannot write {target}: {reason}", hint) from error
    return temporary


def _sync(path: Path) -> None:
    """Flush ``path`` to the disk, so that the rename cannot overtake the contents."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
