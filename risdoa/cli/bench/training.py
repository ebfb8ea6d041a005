"""``risdoa bench train``: what the time of a training step goes into."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

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
    scenario_option,
    seed_option,
    set_option,
)

if TYPE_CHECKING:
    from risdoa.training.timing import Phase

SCHEMA = "risdoa.bench-train/1"
_POSITIVE = click.IntRange(min=1)


@click.command(
    "train",
    epilog=examples(
        "risdoa bench train --steps 3 --batch-size 4",
        "risdoa bench train --loss nmse --steps 2 --batch-size 4 --json",
    ),
)
@scenario_option
@click.option("--model", type=PluginName("model"), default="hybrid", show_default=True)
@click.option("--loss", default="gt-projection", show_default=True, help="As for `risdoa train`.")
@click.option("--batch-size", type=_POSITIVE, default=32, show_default=True, help="Scenes.")
@click.option("--draws", type=_POSITIVE, default=1, show_default=True, help="Parts of a batch.")
@click.option(
    "--amp",
    type=click.Choice(["off", "bfloat16", "float16"]),
    default="off",
    show_default=True,
    help="What the network computes in.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option("--steps", type=_POSITIVE, default=10, show_default=True, help="Steps timed.")
@seed_option
@set_option
@json_flag
def command(*, steps: int, settings: Settings, as_json: bool, **given: Any) -> None:
    """Time the phases of training steps: data, forward, loss, backward, optimizer.

    Times are medians over the steps, all in one run. Threads of torch wait for each other in a
    loop: on busy cores, where CPU time exceeds wall time by far, set OMP_NUM_THREADS=1.
    """
    import torch  # noqa: PLC0415 - not for --help

    from risdoa.training.config import TrainConfig  # noqa: PLC0415 - not for --help
    from risdoa.training.experiment import Experiment  # noqa: PLC0415
    from risdoa.training.timing import step_split  # noqa: PLC0415

    experiment = Experiment.of(TrainConfig.of({**given, "options": settings}), registry())
    with progress_bar("timing") as progress:
        phases = step_split(experiment, steps, progress)
    threads = torch.get_num_threads()
    if as_json:
        rows = [asdict(phase) for phase in phases]
        head = {"schema": SCHEMA, **given, "steps": steps, "threads": threads}
        echo_json(head | {"parameters": experiment.parameters, "phases": rows})
    else:
        title = (
            f"a step of {given['model']} on {given['scenario']}, {given['batch_size']} scenes, "
            f"threads: {threads}"
        )
        echo_table(("phase", "ms", "% of the step", "CPU ms"), _rows(phases), title=title)


def _rows(phases: list[Phase]) -> list[tuple[str, ...]]:
    """Return the lines of a table, the sum last."""
    rows = [
        (phase.name, *_cells(phase.seconds, phase.share, phase.cpu_seconds)) for phase in phases
    ]
    wall = sum(phase.seconds for phase in phases)
    return [*rows, ("all", *_cells(wall, 1.0, sum(phase.cpu_seconds for phase in phases)))]


def _cells(seconds: float, share: float, cpu_seconds: float) -> tuple[str, str, str]:
    return f"{1e3 * seconds:.1f}", f"{100 * share:.1f}", f"{1e3 * cpu_seconds:.1f}"
