"""Every error that risdoa raises on purpose.

An error says what was expected and what came (the message) and what to do about it (the hint).
The command line turns it into one ``error:`` and one ``hint:`` line and into the exit code.
"""

from __future__ import annotations

from typing import ClassVar


class RisdoaError(Exception):
    """Base of the errors that a user can act on."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(RisdoaError, ValueError):
    """Invalid input: wrong shape, unit or value, a damaged file, an impossible request."""

    exit_code: ClassVar[int] = 2


class UnknownNameError(InputError):
    """A name that no plugin, scenario or option answers to."""


class CheckFailedError(RisdoaError):
    """A check or a threshold was not met."""

    exit_code: ClassVar[int] = 3


class PluginLoadError(RisdoaError):
    """A plugin that exists but cannot be loaded."""

    exit_code: ClassVar[int] = 4
