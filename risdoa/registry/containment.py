"""Running somebody else's code without letting it take the house down."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Generic, TextIO, TypeVar

from risdoa.errors import RisdoaError

T = TypeVar("T")

_LONGEST = 300
_STDOUT = 1
_STDERR = 2


@dataclass(frozen=True)
class Success(Generic[T]):
    """What came out."""

    value: T


@dataclass(frozen=True)
class Failure:
    """What went wrong."""

    error: BaseException

    def __str__(self) -> str:
        """Describe the error in one line, even if it cannot describe itself."""
        known = isinstance(self.error, RisdoaError)
        lines = [str(self.error)] if known else traceback.format_exception_only(self.error)
        text = " ".join("".join(lines).split())
        return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def attempt(action: Callable[[], T]) -> Success[T] | Failure:
    """Run ``action``; whatever it raises is returned and whatever it prints goes to stderr.

    This is the one place that catches everything: a plugin may raise anything, ``SystemExit`` and
    ``KeyboardInterrupt`` included, and must not end another plugin's command. When the user
    interrupts, that passes.
    """
    interrupts: list[int] = []
    try:
        with _noted(interrupts), _surroundings_kept(), stdout_to_stderr():
            return Success(action())
    except BaseException as error:  # the plugin boundary, see above
        if interrupts:
            raise
        return Failure(error)


@contextmanager
def _noted(interrupts: list[int]) -> Iterator[None]:
    """Write down the interrupts that come from outside, and keep the handler there is."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        handler(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


@contextmanager
def stdout_to_stderr() -> Iterator[TextIO]:
    """Send what is written to ``sys.stdout`` and to file descriptor 1 to stderr for a while.

    Yields:
        The true stdout, for what shall still go there.
    """
    true = sys.stdout
    with _descriptor_to_stderr() as saved, redirect_stdout(sys.stderr):
        if saved is None or not _writes_to(true, _STDOUT):
            yield true
            return
        with open(saved, "w", encoding=true.encoding, errors=true.errors, closefd=False) as stream:
            yield stream


@contextmanager
def _descriptor_to_stderr() -> Iterator[int | None]:
    """Point file descriptor 1 at stderr for a while, for extensions and child processes."""
    _flush()
    saved = None
    with suppress(OSError):  # a closed stdout needs no protection
        saved = os.dup(_STDOUT)
        os.dup2(_STDERR, _STDOUT)
    try:
        yield saved
    finally:
        _flush()  # what waits in a buffer was written meanwhile
        if saved is not None:
            os.dup2(saved, _STDOUT)
            os.close(saved)


@contextmanager
def _surroundings_kept() -> Iterator[None]:
    """Put back the streams, the warning filters and the working directory afterwards."""
    streams = sys.stdin, sys.stdout, sys.stderr
    folder = _folder()
    with warnings.catch_warnings():
        try:
            yield
        finally:
            sys.stdin, sys.stdout, sys.stderr = streams
            if folder is not None and _folder() != folder:
                os.chdir(folder)


def _folder() -> str | None:
    """Return the working directory, or None where it is gone."""
    with suppress(OSError):
        return os.getcwd()  # noqa: PTH109 - a text is all that is wanted
    return None


def _writes_to(stream: TextIO, descriptor: int) -> bool:
    """Tell whether a stream ends in a file descriptor; one that captures output does not."""
    with suppress(OSError, ValueError, AttributeError):
        return stream.fileno() == descriptor
    return False


def _flush() -> None:
    """Write out what waits in the buffer of the process's own stdout."""
    with suppress(OSError, ValueError, AttributeError):
        sys.__stdout__.flush()  # type: ignore[union-attr]
