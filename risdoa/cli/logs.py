"""Log lines of the library, on stderr while a command runs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import click

_CLEAR = "\r\x1b[K"
"""Takes a half-drawn progress bar out of the way."""


class _Echo(logging.Handler):
    """Writes each record as a line of talk."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line to stderr."""
        clear = _CLEAR if sys.stderr.isatty() else ""
        click.echo(clear + self.format(record), err=True)


def log_lines(name: str) -> AbstractContextManager[None]:
    """Show what a logger says, from INFO upwards, and leave it as it was."""
    return _handled(name, _Echo())


def silent(name: str) -> AbstractContextManager[None]:
    """Show nothing of what a logger says, warnings included, and leave it as it was."""
    return _handled(name, logging.NullHandler())


@contextmanager
def _handled(name: str, handler: logging.Handler) -> Iterator[None]:
    """Let a logger talk to one handler alone for a while."""
    logger = logging.getLogger(name)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
