"""``risdoa plugins new``: a distribution to start from."""

from __future__ import annotations

from pathlib import Path

import click

from risdoa.cli.options import examples
from risdoa.scaffold import KINDS, write


@click.command(
    "new",
    epilog=examples(
        "risdoa plugins new power-share --kind loss",
        "risdoa plugins new bent-wave --kind steering --out work",
    ),
)
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), required=True, help="What it will be.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path(),
    show_default=True,
    help="Where its folder is made.",
)
def command(name: str, kind: str, out: Path) -> None:
    """Write a distribution with a plugin called NAME, into a new folder of this name.

    It can be installed as it is, works in every command and passes `risdoa plugins check`.
    """
    for path in write(name, kind, out):
        click.echo(f"wrote {path}", err=True)
    click.echo(f"next: pip install -e {out / name}", err=True)
    click.echo(f"then: risdoa plugins check {kind}:{name}", err=True)
