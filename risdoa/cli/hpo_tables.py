"""The tables of ``risdoa hpo``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from risdoa.cli.output import echo_table

if TYPE_CHECKING:
    from risdoa.training.control import Interval
    from risdoa.tuning.campaign import Found
    from risdoa.tuning.confirming import Verdict
    from risdoa.tuning.plan import Plan
    from risdoa.tuning.refining import Choice

SHOWN = 10
"""Trials in the table; trials.csv has all."""


def echo_space(plan: Plan, ranges: Mapping[str, str]) -> None:
    """Print parameters and ranges."""
    title = f"space {plan.space}: {', '.join(plan.parts)}; then the chain"
    echo_table(["parameter", "range"], list(ranges.items()), title=title)


def echo_found(found: Found, folder: Path) -> None:
    """Print the best trials, what matters, the chain and the verdict."""
    document = found.document
    rows = [_row(each) for each in ranked(document["trials"])[:SHOWN]]
    finished = len(document["trials"])
    title = f"the best of {finished} trials, mean of min(ψ, 5°) over the sources [deg]"
    echo_table(["trial", "role", "state", "value", "epochs", "loss"], rows, title=title)
    if document["importances"]:
        shares = [(name, f"{share:.2f}") for name, share in document["importances"].items()]
        echo_table(["parameter", "importance"], shares)
    if found.chain:
        _echo_chain(found.chain)
    if found.verdict is not None:
        _echo_verdict(found.verdict)
    if document["best"] is not None:
        click.echo(f"best configuration: {folder / 'best.toml'}")


def ranked(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return trials from best to worst, pruned ones last."""
    return sorted(trials, key=lambda each: (each["value"] is None, each["value"] or 0.0))


def _row(trial: Mapping[str, Any]) -> list[object]:
    value = None if trial["value"] is None else f"{trial['value']:.3f}"
    loss = trial["params"].get("loss")
    return [trial["trial"], trial["role"], trial["state"], value, len(trial["epochs"]), loss]


def _echo_chain(chain: Mapping[str, Choice]) -> None:
    rows = [
        [name, each.number, f"{each.figure:.3f}", f"{1e3 * each.cpu_seconds:.1f}", _options(each)]
        for name, each in chain.items()
    ]
    title = "the chain behind the best network, on cached covariances"
    echo_table(["", "trial", "value", "ms a scene", "options"], rows, title=title)


def _options(choice: Choice) -> str:
    texts = [
        f"{plugin}.{name}={value:.3g}" if isinstance(value, float) else f"{plugin}.{name}={value}"
        for plugin, options in choice.options.items()
        for name, value in options.items()
    ]
    return " ".join(texts) or "their own"


def _echo_verdict(verdict: Verdict) -> None:
    rows = [
        [name, each.trial, _cell(each.capped_deg), _cell(each.outlier_rate)]
        for name, each in verdict.standings.items()
    ]
    seeds = next(iter(verdict.standings.values())).seeds
    title = f"from fresh seeds {', '.join(map(str, seeds))}, on the same held-out scenes"
    echo_table(["", "trial", "value [deg]", "outlier rate"], rows, title=title)
    click.echo(f"median - best: {_cell(verdict.gap_deg)} deg")
    click.echo(f"default - best: {_cell(verdict.default_gap_deg)} deg")
    if verdict.ratio is not None:
        said = "are" if verdict.separates else "are not"
        click.echo(f"standard deviation from seed to seed: {verdict.seed_deviation_deg:.4f} deg")
        click.echo(f"{verdict.ratio:.1f} of them ahead: good and bad {said} told apart")


def _cell(interval: Interval) -> str:
    return f"{interval.mean:.3f} ({interval.low:.3f} to {interval.high:.3f})"
