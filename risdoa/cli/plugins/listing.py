"""``risdoa plugins list``: what is installed, and why something is not usable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import click

from risdoa.cli.options import echo_json, echo_table, examples, json_flag, registry
from risdoa.registry import LISTED, Row

SCHEMA = "risdoa.plugins/2"

HEADERS = ("kind", "name", "distribution", "version", "status")


@click.command(
    "list",
    epilog=examples(
        "risdoa plugins list",
        "risdoa plugins list --kind backend",
        "risdoa plugins list --json",
    ),
)
@click.option("--kind", type=click.Choice(LISTED), help="Only plugins of this kind.")
@json_flag
def command(kind: str | None, as_json: bool) -> None:
    """List every plugin with its distribution, version and status.

    The status is active, blocked (by RISDOA_PLUGINS_ALLOW or RISDOA_PLUGINS_BLOCK), broken, or
    old-api. A distribution that could not be loaded has no kind and no name, and is always shown.
    """
    rows = [row for row in registry().rows() if kind is None or row.kind in {kind, None}]
    if as_json:
        echo_json({"schema": SCHEMA, "plugins": [asdict(row) for row in rows]})
        return
    echo_table(HEADERS, [[getattr(row, header) for header in HEADERS] for row in rows])
    for line in _lines(rows):
        click.echo(line)


def _lines(rows: Sequence[Row]) -> Iterable[str]:
    """Return why rows are not active, then what else should be known, each once."""
    errors = [f"{row.label} is {row.status}: {row.error}" for row in rows if row.error is not None]
    return dict.fromkeys([*errors, *(note for row in rows for note in row.notes)])
