"""The command ``risdoa``: its commands by name, and what happens when one fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

import risdoa
from risdoa.cli.groups import LazyGroup
from risdoa.cli.output import examples
from risdoa.cli.reporting import INTERRUPTED, report

COMMANDS = {
    "simulate": ("risdoa.cli.simulate:command", "Write simulated scenes, with their truth."),
    "train": ("risdoa.cli.train:command", "Train a covariance network."),
    "estimate": ("risdoa.cli.estimate:command", "Estimate source positions from a recording."),
    "compare": ("risdoa.cli.compare:command", "Compare methods with each other and the bound."),
    "plugins": ("risdoa.cli.plugins:command", "Show the plugins that are installed."),
    "demo": ("risdoa.cli.demo:command", "Train, compare and estimate, in a few minutes."),
}


@click.group(
    cls=LazyGroup,
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
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
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
