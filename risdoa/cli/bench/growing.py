"""``risdoa bench growth``: how costs grow with the number of elements."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from risdoa.cli.bench.machine import machine
from risdoa.cli.options import (
    IntList,
    echo_json,
    echo_table,
    examples,
    json_flag,
    progress_bar,
    seed_option,
)

if TYPE_CHECKING:
    from risdoa.benchmarks.growth import Growth

SCHEMA = "risdoa.bench-growth/1"


@click.command(
    "growth",
    epilog=examples(
        "risdoa bench growth --sides 6,8 --scenes 1 --repeats 1",
        "risdoa bench growth --sides 6,8 --scenes 1 --repeats 1 --json",
    ),
)
@click.option(
    "--sides",
    type=IntList(4),
    default="12,16,24,32,48,64",
    show_default=True,
    help="Elements along each side of the surface.",
)
@click.option(
    "--sources", type=click.IntRange(min=1), default=2, show_default=True, help="In every scene."
)
@click.option(
    "--scenes", type=click.IntRange(min=1), default=4, show_default=True, help="In a batch."
)
@click.option(
    "--repeats", type=click.IntRange(min=1), default=3, show_default=True, help="The best counts."
)
@seed_option
@json_flag
def command(
    *,
    sides: tuple[int, ...],
    sources: int,
    scenes: int,
    repeats: int,
    seed: int,
    as_json: bool,
) -> None:
    """Time scans and refinements from small surfaces to large ones, with one thread.

    The scenario is canonical at 10 dB, its ranges scaled with D²/λ, the grid that of the array's
    own resolution. Power laws in the number of elements N are fitted to the time a grid point,
    over log N, and to the refinements of starts beside the truth. Simulation and estimation are
    watched for arrays of N × N entries.
    """
    from risdoa.benchmarks.growth import exponents, growth  # noqa: PLC0415 - not for --help
    from risdoa.benchmarks.threads import threads  # noqa: PLC0415

    rows = []
    with progress_bar("growing") as progress, threads(1):
        for side in sorted(set(sides)):
            rows.append(growth(side, sources, scenes, repeats, seed))
            if progress is not None:
                progress(len(rows), len(set(sides)))
    fitted = exponents(rows)
    if as_json:
        head = {"schema": SCHEMA, "sources": sources, "scenes": scenes, "seed": seed}
        sizes = [asdict(row) | {"scan_a_cell": row.scan_a_cell} for row in rows]
        echo_json(head | {"machine": machine(), "sizes": sizes, "exponents": fitted})
    else:
        title = f"ms a scene, K = {sources}, one thread"
        headers = ("N", "cells", "scan", "ns/cell", "newton", "nf-mle", "drawn", "peak MB", "N x N")
        echo_table(headers, [_row(row) for row in rows], title=title)
        if fitted:
            laws = [(name, f"{value:.2f}") for name, value in fitted.items()]
            echo_table(("time grows as N to the power of", ""), laws)


def _row(row: Growth) -> tuple[str, ...]:
    """Return the line of a table."""
    return (
        str(row.elements),
        str(row.cells),
        f"{1e3 * row.scan:.2f}",
        f"{1e9 * row.scan_a_cell:.0f}",
        f"{1e3 * row.newton:.1f}",
        f"{1e3 * row.nf_mle:.1f}",
        f"{1e3 * row.simulated:.1f}",
        f"{row.peak / 2**20:.0f}",
        "yes" if row.square else "none",
    )
