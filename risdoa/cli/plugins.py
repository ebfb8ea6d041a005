"""``risdoa plugins``: what is installed, and why something is not usable."""

from __future__ import annotations

from dataclasses import asdict

import click

from risdoa.cli.groups import SuggestingGroup
from risdoa.cli.options import echo_json, echo_table, examples, json_flag, registry
from risdoa.registry import KINDS

SCHEMA = "risdoa.plugins/1"


@click.group(cls=SuggestingGroup, epilog=examples("risdoa plugins list --kind loss"))
def command() -> None:
    """Show the plugins that are installed. Installed plugins are code that runs."""


@command.command(
    "list",
    epilog=examples(
        "risdoa plugins list",
        "risdoa plugins list --kind backend",
        "risdoa plugins list --json",
    ),
)
@click.option("--kind", type=click.Choice(KINDS), help="Only plugins of this kind.")
@json_flag
def list_(kind: str | None, as_json: bool) -> None:
    """List every plugin with its distribution, version and status.

    The status is active, blocked (by RISDOA_PLUGINS_ALLOW or RISDOA_PLUGINS_BLOCK), broken, or
    old-api. A distribution that could not be loaded has no kind and no name, and is always shown.
    """
    rows = [row for row in registry().rows() if kind is None or row.kind in {kind, None}]
    if as_json:
        echo_json({"schema": SCHEMA, "plugins": [asdict(row) for row in rows]})
        return
    headers = ("kind", "name", "distribution", "version", "status")
    echo_table(
        headers,
        [(row.kind, row.name, row.distribution, row.version, row.status) for row in rows],
    )
    for row in rows:
        if row.error is not None:
            label = row.distribution if row.name is None else f"{row.distribution}/{row.name}"
            click.echo(f"{label} is {row.status}: {row.error}")
