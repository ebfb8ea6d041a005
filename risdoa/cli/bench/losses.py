"""``risdoa bench loss``: what the seed's loss costs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from risdoa.cli.options import echo_json, echo_table, examples, json_flag, seed_option

if TYPE_CHECKING:
    from risdoa.benchmarks.losses import LossSpeed

SCHEMA = "risdoa.bench-loss/1"
_POSITIVE = click.IntRange(min=1)


@click.command(
    "loss",
    epilog=examples(
        "risdoa bench loss",
        "risdoa bench loss --side 6 --scenes 8 --repeats 2 --json",
    ),
)
@click.option("--side", type=_POSITIVE, default=12, show_default=True, help="N = side².")
@click.option("--scenes", type=_POSITIVE, default=64, show_default=True, help="In a batch.")
@click.option("--sources", type=click.IntRange(1, 5), default=3, show_default=True)
@click.option("--width", type=_POSITIVE, default=32, show_default=True, help="Columns of F.")
@click.option(
    "--repeats", type=_POSITIVE, default=7, show_default=True, help="Turns; the fastest counts."
)
@seed_option
@json_flag
def command(
    *, side: int, scenes: int, sources: int, width: int, repeats: int, seed: int, as_json: bool
) -> None:
    """Time gt-projection against its formula as written and against NMSE on the dense R.

    Each is forward and backward, from the factor F of R = FFᴴ to the gradient in F, in single
    precision. The formula as written is a loop over scenes with dense N × N matrices; that its
    values and gradients are those of gt-projection is checked first.
    """
    import torch  # noqa: PLC0415 - not for --help

    from risdoa.benchmarks.losses import loss_speed  # noqa: PLC0415 - not for --help

    sizes = {"side": side, "scenes": scenes, "sources": sources, "width": width}
    runs = [
        loss_speed(**sizes, repeats=repeats, seed=seed, threads=count)
        for count in sorted({1, torch.get_num_threads()})
    ]
    if as_json:
        head = {"schema": SCHEMA, **sizes, "repeats": repeats, "seed": seed}
        ratios = [
            {"over_literal": run.over_literal, "over_dense_nmse": run.over_dense_nmse}
            for run in runs
        ]
        rows = [asdict(run) | each for run, each in zip(runs, ratios, strict=True)]
        echo_json(head | {"runs": rows})
    else:
        title = f"B = {scenes}, N = {side * side}, K = {sources}, J = {width}: ms a batch"
        headers = ("threads", "gt-projection", "loop", "times", "dense NMSE", "times")
        echo_table(headers, [_row(run) for run in runs], title=title)


def _row(run: LossSpeed) -> tuple[str, ...]:
    """Return the line of a table."""
    return (
        str(run.threads),
        f"{1e3 * run.factored:.2f}",
        f"{1e3 * run.literal:.1f}",
        f"{run.over_literal:.1f}",
        f"{1e3 * run.dense_nmse:.1f}",
        f"{run.over_dense_nmse:.1f}",
    )
