"""Running somebody else's code without letting it take the house down."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

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
        text = " ".join("".join(traceback.format_exception_only(self.error)).split())
        return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def attempt(action: Callable[[], T]) -> Success[T] | Failure:
    """Run ``action``; whatever it raises is returned and whatever it prints goes to stderr.

    This is the one place that catches everything: a plugin may raise anything, ``SystemExit``
    included, and must not end another plugin's command. An interrupt is the user's and passes.
    """
    try:
        with _stdout_to_stderr():
            return Success(action())
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - the plugin boundary, see above
        return Failure(error)


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Send to stderr what is written to ``sys.stdout`` and to file descriptor 1."""
    with redirect_stdout(sys.stderr), _descriptor_to_stderr():
        yield


@contextmanager
def _descriptor_to_stderr() -> Iterator[None]:
    """Point file descriptor 1 at stderr for a while, for extensions and child processes."""
    saved = -1
    with suppress(OSError):  # a closed stdout needs no protection
        saved = os.dup(_STDOUT)
        os.dup2(_STDERR, _STDOUT)
    try:
        yield
    finally:
        if saved >= 0:
            os.dup2(saved, _STDOUT)
            os.close(saved)
