"""The tables of docs/testing.md: ``python tests/testing/tables.py`` prints them as they are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from risdoa.registry import Registry
from risdoa.testing import Subject, checks_for, checks_of
from risdoa.testing.checks import HOMES

MODULES = {
    "steering": "steering",
    "loss": "losses",
    "model": "models",
    "backend": "backends",
    "scenario": "scenarios",
    "reader": "readers",
}


def checks_table(kind: str) -> Iterator[str]:
    """Yield a line for every check of a kind: name, what selects it, statement."""
    yield "| check | for | statement |"
    yield "|---|---|---|"
    for each in checks_of(kind):
        with_traits = [f"`{trait}`" for trait in sorted(each.traits)]
        without = [f"not `{trait}`" for trait in sorted(each.unless)]
        yield f"| `{each.name}` | {', '.join(with_traits + without) or 'all'} | {each.summary} |"


def mutants_table(kind: str) -> Iterator[str]:
    """Yield a line for every mutant of a kind: name, fault, the checks that kill it."""
    yield "| mutant | fault | killed by |"
    yield "|---|---|---|"
    for each in import_module(f"tests.testing.mutants.{MODULES[kind]}").MUTANTS:
        killers = ", ".join(f"`{killer}`" for killer in each.killers)
        yield f"| {each.name} | {each.fault} | {killers} |"


def builtins_table() -> Iterator[str]:
    """Yield a line for every built-in plugin: how many checks it is held to."""
    registry = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
    yield "| plugin | checks |"
    yield "|---|---|"
    for kind in HOMES:
        for name in registry.names(kind):
            subject = Subject.registered(registry, kind, name)
            yield f"| `{kind}:{name}` | {len(checks_for(subject))} |"


def page() -> str:
    """Return everything below the mark of docs/testing.md."""
    lines = ["## What the built-ins are held to", "", *builtins_table()]
    for kind in HOMES:
        lines += ["", f"## Checks of a {kind}", "", *checks_table(kind)]
        lines += ["", f"### Faulty plugins that they find out: {kind}", "", *mutants_table(kind)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
