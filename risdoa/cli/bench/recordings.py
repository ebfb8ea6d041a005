"""``risdoa bench recordings``: errors and error bars on recordings with truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from risdoa.cli.options import (
    PluginName,
    Settings,
    echo_json,
    echo_table,
    examples,
    json_flag,
    progress_bar,
    registry,
    reject_unused,
    set_option,
)

if TYPE_CHECKING:
    from risdoa.evaluation.recorded import Measured

SCHEMA = "risdoa.recordings/1"
SHORT = {"azimuth": "az °", "elevation": "el °", "range": "r m"}
HEADERS = ("recording", "found", "", "median", "worst", "± std", "?")
LEGEND = (
    "median, worst: of the error against the file's truth; ±: median of the standard deviations "
    "that the likelihood gives, which know of noise alone; ?: sources whose coordinate is not "
    "observable. Coordinates that the region fixes are left out."
)


@click.command(
    "recordings",
    epilog=examples(
        "risdoa bench recordings recording.npz",
        "risdoa bench recordings recording.npz --steering canonical --json",
    ),
)
@click.argument(
    "files",
    metavar="FILE…",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
)
@click.option(
    "--steering",
    type=PluginName("steering"),
    default="spherical",
    show_default=True,
    help="The steering model that the estimator is told.",
)
@set_option
@json_flag
def command(*, files: tuple[Path, ...], steering: str, settings: Settings, as_json: bool) -> None:
    """Estimate recordings with the default chain, and hold errors against error bars.

    Every FILE says how many sources it has; where it has a truth, errors are shown.
    """
    from risdoa.api import Method  # noqa: PLC0415 - not for --help
    from risdoa.evaluation.recorded import measured  # noqa: PLC0415

    method = Method(steering=steering, settings=settings)
    reject_unused(settings, [steering, *method.chain])
    rows: list[Measured] = []
    with progress_bar("estimating") as progress:
        for done, file in enumerate(files):
            rows += measured(file, method, registry())
            if progress is not None:
                progress(done + 1, len(files))
    if as_json:
        head = {"schema": SCHEMA, "method": method.label()}
        echo_json(head | {"rows": [row.row() for row in rows]})
        return
    echo_table(HEADERS, _lines(rows), title=method.label())
    click.echo(click.wrap_text(LEGEND, width=80))


def _lines(rows: Sequence[Measured]) -> list[tuple[str, ...]]:
    """Return the lines of the table; the first of a recording names it."""
    lines, last = [], ""
    for row in rows:
        head = ("", "") if row.file == last else (Path(row.file).stem, str(row.sources))
        figures = (_digits(value) for value in (row.median, row.worst, row.std))
        lines.append((*head, SHORT[row.coordinate], *figures, str(row.unobservable)))
        last = row.file
    return lines


def _digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"
