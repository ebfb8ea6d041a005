"""``risdoa plugins check``: whether a plugin keeps the contract of its kind."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.shell_completion import CompletionItem

from risdoa.cli.options import (
    Settings,
    completions,
    echo_json,
    echo_table,
    examples,
    json_flag,
    options_of,
    progress_bar,
    registry,
    reject_unused,
    set_option,
)
from risdoa.errors import CheckFailedError, InputError
from risdoa.registry import KINDS

if TYPE_CHECKING:
    from risdoa.registry import Registered
    from risdoa.testing import Outcome

SCHEMA = "risdoa.check/1"


class Reference(NamedTuple):
    """A plugin as KIND:NAME."""

    kind: str
    name: str


class PluginReference(click.ParamType):  # type: ignore[type-arg]
    """KIND:NAME, as in ``loss:nmse``; the shell completes it."""

    name = "kind:name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return kind and name of a plugin that exists.

        Raises:
            InputError: The text has another form.
            UnknownNameError: There is no such plugin.
            PluginLoadError: There is one that is blocked, broken or out of date.
        """
        kind, colon, name = value.partition(":")
        if not colon or not name:
            raise InputError(f"{value!r} is not KIND:NAME", "write it as in loss:nmse")
        registry().find(kind, name)
        return Reference(kind, name)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the kinds, or the names behind one, that begin like ``incomplete``."""
        kind, colon, name = incomplete.partition(":")
        if colon and kind in KINDS:
            return completions(ctx, kind, kind + colon, name)
        return [CompletionItem(f"{each}:") for each in KINDS if each.startswith(incomplete)]


@click.command(
    "check",
    epilog=examples(
        "risdoa plugins check loss:nmse",
        "risdoa plugins check backend:music --set music.density=2",
        "risdoa plugins check steering:spherical --json",
    ),
)
@click.argument("plugin", metavar="KIND:NAME", type=PluginReference())
@set_option
@json_flag
def command(plugin: Reference, settings: Settings, as_json: bool) -> None:
    """Hold a plugin to the contract of its kind.

    Which checks it has to pass, its kind and its traits say. The exit code is 3 where one fails and
    4 where the plugin cannot be loaded.
    """
    found = registry().find(*plugin)
    reject_unused(settings, [found.qualified])
    outcomes = _outcomes(found, options_of(settings, found.kind, found.qualified))
    failed = [each for each in outcomes if each.status == "failed"]
    if as_json:
        echo_json(_document(found, outcomes))
    else:
        _show(outcomes, failed)
    if failed:
        raise CheckFailedError(
            f"{found.kind} {found.qualified} fails {len(failed)} of {len(outcomes)} checks",
            "each says what was expected, what came, and the smallest input that shows it",
        )


def _outcomes(found: Registered, options: dict[str, str]) -> list[Outcome]:
    """Run the checks of a plugin that can be made.

    Raises:
        InputError: It has no such option, or needs one that is not set.
        PluginLoadError: It cannot be loaded.
    """
    from risdoa.testing import Subject, checks_for, run_checks  # noqa: PLC0415 - imports torch

    subject = Subject.registered(registry(), found.kind, found.qualified, **options)
    subject.make()
    total, outcomes = len(checks_for(subject)), []
    with progress_bar("checking") as progress:
        for outcome in run_checks(subject):
            outcomes.append(outcome)
            if progress is not None:
                progress(len(outcomes), total)
    return outcomes


def _document(found: Registered, outcomes: list[Outcome]) -> dict[str, object]:
    """Return the outcomes as ``risdoa.check/1``."""
    return {
        "schema": SCHEMA,
        "kind": found.kind,
        "name": found.qualified,
        "version": found.version,
        "passed": sum(each.status == "passed" for each in outcomes),
        "failed": sum(each.status == "failed" for each in outcomes),
        "checks": [asdict(each) for each in outcomes],
    }


def _show(outcomes: list[Outcome], failed: list[Outcome]) -> None:
    """Print a table of the checks, then what each failure shows."""
    rows = [(each.check, each.status, f"{each.seconds:.2f}") for each in outcomes]
    echo_table(("check", "status", "seconds"), rows)
    for each in failed:
        click.echo(f"{each.check}: {each.summary}")
        click.echo(f"  expected: {each.expected}")
        click.echo(f"  came:     {each.came}")
        click.echo(f"  input:    {each.case}")
    seconds = sum(each.seconds for each in outcomes)
    click.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} checks passed, {seconds:.1f} s")
