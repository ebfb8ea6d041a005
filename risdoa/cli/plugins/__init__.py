"""``risdoa plugins``: what is installed, whether it keeps its contract, and a new one."""

from __future__ import annotations

import click

from risdoa.cli.groups import LazyGroup
from risdoa.cli.output import examples

COMMANDS = {
    "list": ("risdoa.cli.plugins.listing:command", "List what is installed, and what is wrong."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS, epilog=examples("risdoa plugins list --kind loss"))
def command() -> None:
    """Show the plugins that are installed. Installed plugins are code that runs."""
