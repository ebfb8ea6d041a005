"""The command ``risdoa``: its commands by name, and what happens when one fails."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

import click

import risdoa
from risdoa.cli.groups import ExtensibleGroup
from risdoa.cli.memory import keep_freed_memory
from risdoa.cli.output import examples
from risdoa.cli.reporting import INTERRUPTED, report
from risdoa.registry.builtins import COMMANDS
from risdoa.registry.costs import STRAY

ALONE = {"TORCH_DEVICE_BACKEND_AUTOLOAD": "0", "PYDANTIC_DISABLE_PLUGINS": "__all__"}
"""Switches of torch and pydantic, which else import what other distributions have for them, and
fail where the metadata of any distribution are damaged."""


@click.group(
    cls=ExtensibleGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("risdoa plugins list", "risdoa estimate --help"),
)
@click.version_option(risdoa.__version__, prog_name="risdoa", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def group() -> None:
    """Find where sources are in the near field: azimuth, elevation and range."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Exit codes: 0 done, 1 failed, 2 wrong usage or input, 3 a check not met, 4 a plugin that
    cannot be loaded, 130 interrupted. ``--debug`` is understood anywhere before ``--``.

    Without ``arguments`` the process's own are taken: it is all risdoa's then, and ends here.
    """
    if arguments is not None:
        return _run(list(arguments))
    for switch, value in ALONE.items():
        os.environ.setdefault(switch, value)
    keep_freed_memory()
    code = _run(sys.argv[1:])
    _seal(code)
    return code


def _run(given: list[str]) -> int:
    """Run the command line that is given."""
    end = given.index("--") if "--" in given else len(given)
    debug = "--debug" in given[:end]
    kept = [argument for argument in given[:end] if argument != "--debug"] + given[end:]
    try:
        code = group.main(args=kept, prog_name="risdoa", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost boundary: no traceback for users
        return report(error, debug=debug)
    return code if isinstance(code, int) else 0


def _seal(code: int) -> None:
    """Keep what plugins do at the end of the process from the output, and from its end.

    What is printed from now on, by their exit handlers, goes to stderr. Where one that was only
    listed has left a thread running, the process ends without waiting for it.
    """
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        os.dup2(sys.stderr.fileno(), sys.__stdout__.fileno())  # type: ignore[union-attr]
    if any(thread.name.startswith(STRAY) for thread in threading.enumerate()):
        logging.shutdown()
        sys.stderr.flush()
        os._exit(code)
