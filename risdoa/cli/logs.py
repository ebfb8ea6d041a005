"""Log lines of the library, on stderr while a command runs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

_CLEAR = "\r\x1b[K"
"""Takes a half-drawn progress bar out of the way."""


class _Echo(logging.Handler):
    """Writes each record as a line of talk."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line to stderr."""
        clear = _CLEAR if sys.stderr.isatty() else ""
        click.echo(clear + self.format(record), err=True)


@contextmanager
def log_lines(name: str) -> Iterator[None]:
    """Show what a logger says, from INFO upwards, and leave it as it was."""
    logger, handler = logging.getLogger(name), _Echo()
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
