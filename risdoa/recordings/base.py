"""The contract of a reader: from a file to a recording."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from risdoa.errors import InputError
from risdoa.recordings.recording import Recording


class Reader(ABC):
    """Reads one file format; the suffixes of its files are among the traits of its record."""

    @abstractmethod
    def __call__(self, path: Path) -> Recording:
        """Return the recording in a file that :func:`check_file` accepts.

        Raises:
            InputError: The file is damaged, or a field is missing or wrong.
        """


def check_file(path: Path, what: str = "recording") -> None:
    """Refuse a path that no reader could read; ``what`` it should be, for the message.

    Raises:
        InputError: There is no such file, it is none, or it is empty.
    """
    if path.is_dir():
        raise InputError(f"{path} is a directory, not a {what}", "name a file in it")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a regular file", "copy it into a file first")
    try:
        with path.open("rb") as stream:
            empty = not stream.read(1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"cannot read {path}: {reason}", f"check the path of the {what}"
        ) from error
    if empty:
        raise InputError(f"{path} is empty", f"give a complete {what}")
