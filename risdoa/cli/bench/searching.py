"""``risdoa bench search``: how often the search of nf-mle misses its optimum."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from risdoa.cli.options import (
    Settings,
    echo_json,
    echo_table,
    examples,
    json_flag,
    options_of,
    progress_bar,
    registry,
    reject_unused,
    scenario_option,
    seed_option,
    set_option,
    snr_points,
    source_points,
)

if TYPE_CHECKING:
    from risdoa.evaluation.search_failures import SearchCell

SCHEMA = "risdoa.bench-search/1"


@click.command(
    "search",
    epilog=examples(
        "risdoa bench search --snr 10 --sources 1 --trials 20",
        "risdoa bench search --snr 10 --trials 20 --set nf-mle.starts=4 --json",
    ),
)
@scenario_option
@snr_points("0,5,10")
@source_points("1,2,3")
@click.option(
    "--trials", type=click.IntRange(min=1), default=200, show_default=True, help="Scenes a point."
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Threads to work with; by default those that torch takes.",
)
@seed_option
@set_option
@json_flag
def command(
    *,
    scenario: str,
    snr_db: tuple[float, ...],
    sources: tuple[int, ...],
    trials: int,
    threads: int | None,
    seed: int,
    settings: Settings,
    as_json: bool,
) -> None:
    """Count how often the search of nf-mle misses the optimum of its own likelihood.

    A search fails in a scene where a start at the truth gains more than 0.1 in log-likelihood.
    Beside it stand the outliers (more than 5° off or missing) of the search, and those of the
    optimum with the truth among the starts, which no search can do without.
    """
    import torch  # noqa: PLC0415 - not for --help

    from risdoa.benchmarks.threads import threads as threads_of  # noqa: PLC0415
    from risdoa.evaluation.comparison import Setup  # noqa: PLC0415
    from risdoa.evaluation.search_failures import search_failures  # noqa: PLC0415

    reject_unused(settings, [scenario, "nf-mle"])
    made = registry().create("scenario", scenario, **options_of(settings, "scenario", scenario))
    backend = registry().create(
        "backend", "risdoa/nf-mle", **options_of(settings, "backend", "nf-mle")
    )
    workers = threads or torch.get_num_threads()
    with progress_bar("searching") as progress, threads_of(workers):
        cells = search_failures(Setup(made, snr_db, sources, trials, seed), backend, progress)
    if as_json:
        rows = [asdict(cell) | {"failure_rate": cell.failure_rate} for cell in cells]
        head = {"schema": SCHEMA, "scenario": scenario, "seed": seed, "threads": workers}
        echo_json(head | {"points": rows})
    else:
        told = f"{trials} scenes a point, seed {seed}, threads {workers}"
        title = f"search failures of nf-mle, {scenario}, {told}"
        headers = ("K", "SNR dB", "failed %", "95 %", "outliers %", "optimum's %", "scenes/s")
        echo_table(headers, [_row(cell) for cell in cells], title=title)


def _row(cell: SearchCell) -> tuple[str, ...]:
    """Return the line of a table."""
    low, high = cell.failure_interval
    found, best = cell.outlier_rates
    return (
        str(cell.sources),
        f"{cell.snr_db:g}",
        f"{100 * cell.failure_rate:.2f}",
        f"{100 * low:.2f}-{100 * high:.2f}",
        f"{100 * found:.2f}",
        f"{100 * best:.2f}",
        f"{cell.scenes / cell.seconds:.0f}",
    )
