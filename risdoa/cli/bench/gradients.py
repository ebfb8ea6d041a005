"""``risdoa bench gradients``: which losses have gradients that are not finite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from risdoa.cli.options import (
    FloatList,
    IntList,
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
    snr_points,
)
from risdoa.errors import CheckFailedError, InputError

if TYPE_CHECKING:
    from risdoa.evaluation.gradients import Count, Plan

SCHEMA = "risdoa.bench-gradients/1"
PRECISIONS = ("float32", "bfloat16", "float16")
LOSSES = "legacy-evd,legacy-evd-safe,eigenvector,gt-projection,one-sided-projection"
_POSITIVE = click.IntRange(min=1)


@click.command(
    "gradients",
    epilog=examples(
        "risdoa bench gradients --out gradients",
        "risdoa bench gradients --batches 36 --side 4 --widths 3,20 --loads 0 --snr 5 --json",
    ),
)
@click.option(
    "--losses", default=LOSSES, show_default=True, metavar="NAME,…", help="What is compared."
)
@click.option("--batches", type=_POSITIVE, default=10_000, show_default=True, help="In all.")
@click.option("--scenes", type=_POSITIVE, default=2, show_default=True, help="In a batch.")
@click.option("--side", type=_POSITIVE, default=12, show_default=True, help="N = side².")
@click.option(
    "--widths", type=IntList(1), default="4,16,32,160", show_default=True, help="Columns of F."
)
@click.option(
    "--loads", type=FloatList(), default="0,1e-6,0.01", show_default=True, help="δ over tr FFᴴ/N."
)
@snr_points("-5,0,5,10,15,20")
@click.option(
    "--precisions",
    default="float32,bfloat16",
    show_default=True,
    metavar="NAME,…",
    help="Of F; float16 is the third. Losses compute in float32.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option(
    "--budget",
    type=click.FloatRange(min=0),
    default=900.0,
    show_default=True,
    help="Seconds of processor time; what does not fit is left for the next call.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keeps finished cells, from which a call with the same options goes on.",
)
@seed_option
@set_option
@json_flag
def command(
    *, losses: str, budget: float, out: Path | None, settings: Settings, as_json: bool, **given: Any
) -> None:
    """Count gradients that are not finite: by loss, width, load, SNR and kind of covariance.

    A third of the batches each are snapshots at the SNR, covariances of fewer directions than
    sources, and nearly equal eigenvalues, with 1 to 5 sources in every scene. Counted are gradients
    in F before any scaling, and apart from them those that overflow only at the first scale of a
    gradient scaler. Ends with code 3 if a loss that is said to have finite gradients has not.
    """
    names = losses.split(",")
    reject_unused(settings, names)
    found = {name: registry().find("loss", name).record for name in names}
    made = {
        name: registry().create("loss", name, **options_of(settings, "loss", name))
        for name in names
    }
    plan, counts = _measured(made, budget, out, given, settings)
    complete = sum(each.batches for each in counts) == plan.counted(len(names))
    if as_json:
        head = {"schema": SCHEMA, **asdict(plan), "batches": plan.batches_in_all}
        echo_json(head | {"complete": complete, "counts": [asdict(each) for each in counts]})
    else:
        _echo_tables(counts, names, plan.precisions)
    if not complete:
        click.echo("the budget is spent: call it again with the same --out to go on", err=True)
    steady = [
        name
        for name, record in found.items()
        if "differentiable" in record.traits and "unstable-gradient" not in record.traits
    ]
    _check(counts, steady)


def _measured(
    losses: dict[str, Any],
    budget: float,
    out: Path | None,
    given: dict[str, Any],
    settings: Settings,
) -> tuple[Plan, list[Count]]:
    """Say what will be done, and do what fits into the budget."""
    from risdoa.evaluation.gradients import Plan, count_gradients  # noqa: PLC0415 - not for --help
    from risdoa.evaluation.journal import Budget, Journal  # noqa: PLC0415

    precisions = tuple(given.pop("precisions").split(","))
    if not set(precisions) <= set(PRECISIONS):
        raise InputError(
            f"precisions are {', '.join(PRECISIONS)}, got {','.join(precisions)}",
            "leave the option out for float32,bfloat16",
        )
    plan = Plan(**given, precisions=precisions)
    setup = {"schema": SCHEMA, **asdict(plan), "losses": list(losses), "settings": settings}
    journal = Journal(None if out is None else out / "gradients.jsonl", setup)
    click.echo(
        f"{plan.batches_in_all} batches of {plan.scenes} scenes in {len(plan.cells)} cells "
        f"({len(journal.records)} done), {len(losses)} losses, {', '.join(precisions)}; "
        f"budget {budget:g} s of processor time",
        err=True,
    )
    with progress_bar("counting") as progress:
        return plan, count_gradients(plan, losses, journal, Budget(budget), progress)


def _check(counts: list[Count], steady: list[str]) -> None:
    """Raise where a loss whose record promises finite gradients has others."""
    for name in steady:
        bad = sum(each.nonfinite for each in counts if each.loss == name)
        if bad:
            raise CheckFailedError(
                f"{name} has {bad} gradients that are not finite", "its record says differentiable"
            )


def _echo_tables(counts: list[Count], names: list[str], precisions: tuple[str, ...]) -> None:
    """Print a table of all, and where counts and norms are high, precision by precision."""
    from risdoa.evaluation.gradients import share  # noqa: PLC0415 - not for --help

    rows = []
    for name in names:
        for precision in precisions:
            those = [e for e in counts if (e.loss, e.precision) == (name, precision)]
            if those:
                shares = [f"{share(those, figure):.2f}" for figure in ("nonfinite", "overflow")]
                batches = sum(each.batches for each in those)
                rows.append((name, precision, batches, *shares, _largest(those)))
    headers = ("loss", "F in", "batches", "NaN/inf %", "overflow %", "largest")
    echo_table(headers, rows, title="unscaled gradients in F, and the largest norm of a finite one")
    for precision in precisions:
        these = [each for each in counts if each.precision == precision]
        for title, figure in (
            ("not finite, %", lambda those: f"{share(those, 'nonfinite'):.2f}"),
            ("largest norm", _largest),
        ):
            _echo_where(f"{precision}: {title}", these, names, figure)


def _echo_where(
    title: str, counts: list[Count], names: list[str], figure: Callable[[list[Count]], str]
) -> None:
    """Print a figure of every loss by width, load, SNR and kind."""
    rows = []
    for axis, label in (("width", "J"), ("load", "load"), ("snr_db", "SNR"), ("kind", "")):
        for value in dict.fromkeys(getattr(each, axis) for each in counts):
            those = [each for each in counts if getattr(each, axis) == value]
            cells = [figure([each for each in those if each.loss == name]) for name in names]
            shown = value if axis == "kind" else f"{label} {value:g}"
            rows.append((shown, *cells))
    click.echo()
    echo_table(("", *(name.replace("-", "-\n") for name in names)), rows, title=title)


def _largest(counts: list[Count]) -> str:
    return f"{max(each.largest for each in counts):.1e}"
