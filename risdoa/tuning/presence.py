"""Locks that end with their process: which workers of a folder are alive, and who writes."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from optuna.storages.journal import JournalFileOpenLock

from risdoa.errors import InputError


class Presence:
    """A worker in a folder, as long as this is entered; the system unlocks what a kill leaves.

    Attributes:
        token: What the others know it by.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.token = folder / "workers", secrets.token_hex(8)
        self._stream: IO[str] | None = None

    def __enter__(self) -> Presence:
        """Begin to be there."""
        self._stream = _opened(self._path(self.token))
        fcntl.flock(self._stream, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        """Be gone."""
        assert self._stream is not None
        self._path(self.token).unlink(missing_ok=True)
        self._stream.close()

    def gone(self, token: str) -> bool | None:
        """Return whether a worker of this folder is gone; None for one of another folder."""
        path = self._path(token)
        if token == self.token or not path.exists():
            return False if token == self.token else None
        with _opened(path) as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
        return True

    @property
    def alone(self) -> bool:
        """Whether no other worker of this folder is alive."""
        tokens = [path.stem for path in self.folder.glob("*.lock")]
        return all(self.gone(token) is not False for token in tokens if token != self.token)

    def _path(self, token: str) -> Path:
        return self.folder / f"{token}.lock"


class JournalLock(JournalFileOpenLock):
    """The lock of a journal, held by the system: a killed worker leaves none behind.

    Optuna's own locks are files that are renamed and removed, and an interrupt in between ends in a
    file that is missing. Here one that comes before the release leaves the lock with its holder.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._stream: IO[str] | None = None

    def acquire(self) -> bool:
        """Wait for the lock, unless it is held here already."""
        if self._stream is None or self._stream.closed:
            with ExitStack() as unless_held:
                stream = unless_held.enter_context(_opened(self._path))
                fcntl.flock(stream, fcntl.LOCK_EX)
                self._stream = stream
                unless_held.pop_all()
        return True

    def release(self) -> None:
        """Let the next one in."""
        if self._stream is not None:
            self._stream.close()


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Let the workers of a machine through one by one."""
    with _opened(path) as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _opened(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+")
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot use {path}: {reason}", "choose another --out") from error
