"""``risdoa plugins``: what is installed, whether it keeps its contract, and a new one."""

from __future__ import annotations

import click

from risdoa.cli.groups import LazyGroup
from risdoa.cli.output import examples

COMMANDS = {
    "list": ("risdoa.cli.plugins.listing:command", "List what is installed, and what is wrong."),
    "check": ("risdoa.cli.plugins.checking:command", "Hold a plugin to the contract of its kind."),
    "new": ("risdoa.cli.plugins.beginning:command", "Write a distribution to start from."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    epilog=examples("risdoa plugins list --kind loss", "risdoa plugins check loss:nmse"),
)
def command() -> None:
    """Show, check and begin plugins. Installed plugins are code that runs."""
