"""``risdoa bench simulate``: how many scenes are simulated in a second."""

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
    registry,
    reject_unused,
    scenario_option,
    seed_option,
    set_option,
)

if TYPE_CHECKING:
    from risdoa.benchmarks.simulation import SimulationSpeed

SCHEMA = "risdoa.bench-simulate/1"


@click.command(
    "simulate",
    epilog=examples(
        "risdoa bench simulate",
        "risdoa bench simulate --scenario spherical-data --sources 3 --scenes 64 --json",
    ),
)
@scenario_option
@click.option(
    "--sources", type=click.IntRange(min=1), default=2, show_default=True, help="In every scene."
)
@click.option(
    "--scenes", type=click.IntRange(min=1), default=256, show_default=True, help="In a batch."
)
@click.option(
    "--repeats", type=click.IntRange(min=1), default=9, show_default=True, help="Batches timed."
)
@seed_option
@set_option
@json_flag
def command(
    *,
    scenario: str,
    sources: int,
    scenes: int,
    repeats: int,
    seed: int,
    settings: Settings,
    as_json: bool,
) -> None:
    """Time how many scenes are simulated in a second, and what the time goes into.

    Channels, codes, signals and noise are new in every scene. Times are medians over the batches,
    with one thread and with all. Beside them stand the processor time, which other work on the
    machine disturbs less, and what drawing the normal numbers takes by itself, below which no
    simulation of these scenes gets.
    """
    import torch  # noqa: PLC0415 - not for --help

    from risdoa.benchmarks.simulation import simulation_speed  # noqa: PLC0415 - not for --help

    reject_unused(settings, [scenario])
    made = registry().create("scenario", scenario, **options_of(settings, "scenario", scenario))
    counts = sorted({1, torch.get_num_threads()})
    runs = [simulation_speed(made, scenes, repeats, sources, seed, count) for count in counts]
    if as_json:
        head = {"schema": SCHEMA, "scenario": scenario, "sources": sources, "seed": seed}
        rows = [asdict(run) | {"rate": run.rate, "rest": run.rest} for run in runs]
        echo_json(head | {"repeats": repeats, "runs": rows})
    else:
        title = f"simulation, {scenario}, K = {sources}, {scenes} scenes a batch: µs a scene"
        headers = ("threads", "scenes/s", "CPU", "sensing", "outputs", "rest", "normals alone")
        echo_table(headers, [_row(run) for run in runs], title=title)


def _row(run: SimulationSpeed) -> tuple[str, ...]:
    """Return the line of a table."""
    parts = (run.processor, run.sensing, run.outputs, run.rest, run.normals)
    each = ["-" if part is None else f"{1e6 * part / run.scenes:.1f}" for part in parts]
    return (str(run.threads), f"{run.rate:.0f}", *each)
