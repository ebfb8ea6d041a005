"""What commands print: strict JSON, tables that fit 80 columns, help that ends with examples."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import click

from risdoa.registry.containment import stdout_to_stderr

WIDTH = 80

_STDOUT = "risdoa.cli.output.stdout"


def echo_json(value: object) -> None:
    """Print ``value`` to stdout as strict JSON: NaN and infinity are refused.

    Raises:
        ValueError: A number is not finite.
    """
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    context = click.get_current_context(silent=True)
    click.echo(text, file=None if context is None else context.meta.get(_STDOUT))


@contextmanager
def json_alone() -> Iterator[None]:
    """Let only ``echo_json`` write to stdout for a while; the rest goes to stderr."""
    meta = click.get_current_context().meta
    with stdout_to_stderr() as stream:
        meta[_STDOUT] = stream
        try:
            yield
        finally:
            del meta[_STDOUT]


def echo_table(
    headers: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
) -> None:
    """Print a table to stdout; numbers are aligned right, long texts are folded."""
    from rich import box  # noqa: PLC0415 - not every command prints a table
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    lines = [list(row) for row in rows]
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for column, header in enumerate(headers):
        numeric = bool(lines) and all(_is_number(line[column]) for line in lines)
        table.add_column(header, justify="right" if numeric else "left", overflow="fold")
    for line in lines:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in line))
    console = Console(file=sys.stdout)
    console.width = min(console.width, WIDTH)
    console.print(table)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield what to call with the steps done and to do; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def advance(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield advance


def examples(*commands: str) -> str:
    """Return the end of a help page: the commands one a line, unwrapped."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)


def _is_number(cell: object) -> bool:
    """Tell whether a cell holds a number, or nothing, or a number already formatted."""
    if cell is None:
        return True
    try:
        float(str(cell))
    except ValueError:
        return False
    return True
