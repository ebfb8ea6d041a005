"""``risdoa bench scan``: how fast a spectrum is scanned, beside references and the machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from risdoa.cli.bench.machine import machine
from risdoa.cli.options import (
    IntList,
    PluginName,
    Settings,
    echo_json,
    echo_table,
    examples,
    json_flag,
    options_of,
    progress_bar,
    registry,
    reject_unused,
    seed_option,
    set_option,
)
from risdoa.errors import InputError

if TYPE_CHECKING:
    from risdoa.benchmarks.rates import Rates
    from risdoa.benchmarks.scan import Peer, ScanSpeed

SCHEMA = "risdoa.bench-scan/1"


class Sizes(click.ParamType):  # type: ignore[type-arg]
    """Whole numbers with an x between them: ``361x181x121``."""

    name = "sizes"

    def __init__(self, count: int) -> None:
        self.count = count

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the numbers as a tuple."""
        if not isinstance(value, str):
            return tuple(value)
        parts = value.split("x")
        if len(parts) != self.count or not all(part.isdecimal() and int(part) for part in parts):
            self.fail(f"{value!r} is not {self.count} positive numbers joined by x", param, ctx)
        return tuple(int(part) for part in parts)


@click.command(
    "scan",
    epilog=examples(
        "risdoa bench scan --grid 61x31x21 --repeats 2",
        "risdoa bench scan --grid 61x31x21 --threads 1 --repeats 2 --json",
    ),
)
@click.option(
    "--elements", type=Sizes(2), default="12x12", show_default=True, help="Of the surface."
)
@click.option(
    "--sources", type=click.IntRange(min=1), default=3, show_default=True, help="In the scene."
)
@click.option(
    "--grid",
    type=Sizes(3),
    default="361x181x121",
    show_default=True,
    help="Points in azimuth, elevation and 1/range.",
)
@click.option(
    "--far-grid",
    type=Sizes(2),
    default="181x91",
    show_default=True,
    help="Points of the far-field scan.",
)
@click.option(
    "--threads", type=IntList(1), default="1,2", show_default=True, help="Numbers of threads."
)
@click.option(
    "--repeats", type=click.IntRange(min=1), default=7, show_default=True, help="The best counts."
)
@click.option(
    "--against", type=PluginName("backend"), help="A backend of another library to time besides."
)
@seed_option
@set_option
@json_flag
def command(
    *,
    elements: tuple[int, int],
    sources: int,
    grid: tuple[int, int, int],
    far_grid: tuple[int, int],
    threads: tuple[int, ...],
    repeats: int,
    against: str | None,
    seed: int,
    settings: Settings,
    as_json: bool,
) -> None:
    """Time the scan of a signal-subspace spectrum, near field and far field.

    Beside it, on points spread over the same grid: the noise-subspace product ‖U_nᴴa‖² in complex64
    with its steering vectors cached, and with --against another library's spectrum. The largest
    difference to the product is printed, and the time over a roofline: the operations and bytes of
    the algorithm at the rates of the machine, measured in the same run.
    """
    from risdoa.benchmarks.cases import far_field, near_field  # noqa: PLC0415 - not for --help
    from risdoa.benchmarks.scan import scan_speed  # noqa: PLC0415
    from risdoa.benchmarks.threads import threads as threads_of  # noqa: PLC0415

    reject_unused(settings, [] if against is None else [against])
    peer = None if against is None else _peer(against, settings)
    near, far = (
        near_field(elements, sources, grid, seed),
        far_field(elements, sources, far_grid, seed),
    )
    runs = []
    with progress_bar("scanning") as progress:
        for number in threads:
            for case in (near, far):
                with threads_of(number):
                    runs.append(scan_speed(case, repeats, peer if case is near else None))
                if progress is not None:
                    progress(len(runs), 2 * len(threads))
    if as_json:
        head = {"schema": SCHEMA, "elements": elements, "sources": sources, "seed": seed}
        rows = [speed.row() | {"rates": asdict(rates)} for speed, rates in runs]
        echo_json(head | {"against": against, "machine": machine(), "runs": rows})
    else:
        _echo(runs, f"{elements[0]} x {elements[1]} elements, K = {sources}")


def _peer(name: str, settings: Settings) -> Peer:
    """Return the backend of another library.

    Raises:
        InputError: it does not give its spectrum alone.
    """
    made = registry().create("backend", name, **options_of(settings, "backend", name))
    if not (hasattr(made, "prepared") and hasattr(made, "spectrum")):
        raise InputError(
            f"--against {name}: this backend does not give its spectrum alone",
            "name one with the methods prepared and spectrum, as those of risdoa-peers are",
        )
    peer: Peer = made
    return peer


def _echo(runs: list[tuple[ScanSpeed, Rates]], title: str) -> None:
    """Print the times, and what the machine does."""
    headers = ("threads", "scan", "points", "ns", "product", "ratio", "peer", "ratio", "off by")
    echo_table(headers, [_row(speed) for speed, _ in runs], title=f"ns a point, {title}")
    limits = ("threads", "scan", "ms", "tables", "roof", "ratio", "Gflop/s", "GB/s")
    echo_table(limits, [_limits(*run) for run in runs], title="ms a scan, and the machine")


def _row(speed: ScanSpeed) -> tuple[str | None, ...]:
    each = speed.seconds / speed.points
    return (
        str(speed.threads),
        speed.name,
        str(speed.points),
        f"{1e9 * each:.2f}",
        f"{1e9 * speed.product:.0f}",
        f"{speed.product / each:.0f}",
        None if speed.peer is None else f"{1e9 * speed.peer:.0f}",
        None if speed.peer is None else f"{speed.peer / each:.0f}",
        f"{speed.difference:.1e}",
    )


def _limits(speed: ScanSpeed, rates: Rates) -> tuple[str, ...]:
    times = (speed.seconds, speed.tables, speed.roof)
    return (
        str(speed.threads),
        speed.name,
        *(f"{1e3 * each:.2f}" for each in times),
        f"{speed.seconds / speed.roof:.1f}",
        f"{rates.operations / 1e9:.0f}",
        f"{rates.traffic / 1e9:.0f}",
    )
