"""An error as two lines on stderr and an exit code."""

from __future__ import annotations

import traceback
from typing import NamedTuple

import click

from risdoa.errors import RisdoaError

INTERRUPTED = 130

_DEBUG = "run again with --debug to see where it comes from"


class Report(NamedTuple):
    """What the user is told, and how the command ends."""

    message: str
    hint: str
    code: int


def report(error: Exception, *, debug: bool) -> int:
    """Tell the user about ``error`` and return the exit code."""
    if debug:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return error.exit_code
    message, hint, code = explained(error)
    click.echo(f"error: {_one_line(message)}", err=True)
    click.echo(f"hint: {_one_line(hint)}", err=True)
    return code


def explained(error: Exception) -> Report:
    """Return what to say about ``error``."""
    if isinstance(error, RisdoaError):
        return Report(error.message, error.hint or _DEBUG, error.exit_code)
    if isinstance(error, click.ClickException):
        return _misused(error)
    if isinstance(error, OSError) and error.filename is not None:
        message = f"{error.filename}: {error.strerror or error}"
        return Report(message, "check the path and its permissions", 1)
    if _out_of_memory(error):
        return Report(f"not enough memory: {error}", "ask for fewer scenes, or smaller ones", 1)
    return Report(f"unexpected {type(error).__name__}: {error}", _DEBUG, 1)


def _misused(error: click.ClickException) -> Report:
    """Return what to say about a command line that click refuses."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"see `{context.command_path if context else 'risdoa'} --help`"
    message = error.format_message().rstrip(".")
    if isinstance(error, click.NoSuchOption):
        message = f"no such option: {error.option_name}"
        if error.possibilities:
            hint = f"did you mean {' or '.join(sorted(error.possibilities))}?"
    return Report(message[:1].lower() + message[1:], hint, error.exit_code)


def _out_of_memory(error: Exception) -> bool:
    """Return whether memory ran out, which torch says of the CPU's in words alone."""
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or "can't allocate memory" in str(error)


def _one_line(text: str) -> str:
    """Return ``text`` without line breaks."""
    return " ".join(text.split())
