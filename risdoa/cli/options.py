"""Options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from click.shell_completion import CompletionItem

from risdoa.cli.output import echo_json, echo_table, examples, json_alone, progress_bar
from risdoa.errors import InputError, UnknownNameError
from risdoa.files import check_folder
from risdoa.registry import Registry, options_of, unused

__all__ = [
    "SEED",
    "FloatList",
    "IntList",
    "PluginChain",
    "PluginName",
    "Settings",
    "bound_option",
    "check_archive",
    "completions",
    "echo_json",
    "echo_table",
    "examples",
    "json_flag",
    "options_of",
    "parse_settings",
    "progress_bar",
    "registry",
    "reject_unused",
    "scenario_option",
    "seed_option",
    "set_option",
    "snr_points",
    "source_points",
]

Settings = dict[str, dict[str, str]]
"""What ``--set`` said: options by plugin name."""

F = TypeVar("F", bound=Callable[..., Any])


def registry(context: click.Context | None = None) -> Registry:
    """Return the registry of the running command; it is made on first use."""
    root = (context or click.get_current_context()).find_root()
    if not isinstance(root.obj, Registry):
        root.obj = Registry.discover()
    return root.obj


def parse_settings(texts: Iterable[str]) -> Settings:
    """Read ``[kind:]plugin.option=value`` texts; hyphens in an option count as underscores.

    Raises:
        InputError: A text has another form, or sets an option twice.
    """
    settings: Settings = {}
    for text in texts:
        target, equals, value = text.partition("=")
        plugin, _, option = target.strip().rpartition(".")
        if not (plugin and option and equals):
            hint = "write --set PLUGIN.OPTION=VALUE, as in --set newton.iterations=20"
            raise InputError(f"--set {text!r} is not PLUGIN.OPTION=VALUE", hint)
        options = settings.setdefault(plugin, {})
        key = option.replace("-", "_")
        if key in options:
            raise InputError(f"--set gives {target.strip()} twice", "give it once")
        options[key] = value.strip()
    return settings


def reject_unused(settings: Collection[str], names: Iterable[str]) -> None:
    """Refuse settings for plugins that the command does not use.

    Raises:
        InputError: ``--set`` names a plugin that is not among ``names``.
    """
    used = sorted(set(names))
    for name in unused(settings, used):
        hint = f"the plugins in use are {', '.join(used) or 'none'}"
        raise InputError(f"--set {name}.…: this command does not use {name!r}", hint)


def check_archive(out: Path, what: str, *, force: bool) -> None:
    """Refuse an ``--out`` that no ``.npz`` file can be written to, before the work is done.

    Raises:
        InputError: It is a directory, or exists already without ``force``; it has another suffix,
            or its folder cannot be written to.
    """
    if out.is_dir():
        raise InputError(f"--out {out} is a directory, not a {what}", "name a .npz file in it")
    if out.exists() and not force:
        raise InputError(f"{out} exists already", "give another --out, or replace it with --force")
    if out.suffix != ".npz":
        raise InputError(
            f"a {what} is a .npz file, got --out {out}", f"use {out.with_suffix('.npz')}"
        )
    check_folder(out.parent)


set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PLUGIN.OPTION=VALUE",
    callback=lambda _context, _parameter, texts: parse_settings(texts),
    help="Set an option of a plugin; may be given several times.",
)
"""``--set``: the command gets ``settings``, a dict of dicts."""


def json_flag(function: F) -> F:
    """``--json``: the command gets ``as_json``, and all that it prints but JSON goes to stderr.

    A plugin that prints while it works cannot damage the JSON then.
    """

    @wraps(function)
    def command(*args: Any, as_json: bool, **kwargs: Any) -> Any:
        if not as_json:
            return function(*args, as_json=False, **kwargs)
        with json_alone():
            return function(*args, as_json=True, **kwargs)

    text = "Print JSON instead of a table."
    return cast("F", click.option("--json", "as_json", is_flag=True, help=text)(command))


class FloatList(click.ParamType):  # type: ignore[type-arg]
    """Finite numbers separated by commas: ``0,5,10``."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Return the numbers as a tuple."""
        if not isinstance(value, str):
            return tuple(value)
        numbers = [self._number(part, param, ctx) for part in value.split(",")]
        if not all(math.isfinite(number) for number in numbers):
            self.fail(f"{value!r} holds a number that is not finite", param, ctx)
        return tuple(numbers)

    def _number(self, part: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return one number."""
        try:
            return float(part)
        except ValueError:
            self.fail(f"{part!r} is not a number; write them as 0,5,10", param, ctx)


class IntList(click.ParamType):  # type: ignore[type-arg]
    """Whole numbers separated by commas: ``1,2``; at least ``least``."""

    name = "integers"

    def __init__(self, least: int | None = None) -> None:
        self.least = least

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the numbers as a tuple."""
        if not isinstance(value, str):
            return tuple(value)
        try:
            numbers = tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} holds something else than whole numbers", param, ctx)
        if self.least is not None and min(numbers) < self.least:
            self.fail(f"{value!r} goes below {self.least}", param, ctx)
        return numbers


class PluginName(click.ParamType):  # type: ignore[type-arg]
    """The name of a plugin of one kind, or a word besides; the shell completes it."""

    name = "name"

    def __init__(self, kind: str, *besides: str) -> None:
        self.kind, self.besides = kind, besides

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the name, which exists.

        Raises:
            UnknownNameError: No plugin of this kind has this name.
        """
        if value not in self.besides:
            registry().find(self.kind, value)
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that begin like ``incomplete``."""
        words = [CompletionItem(word) for word in self.besides if word.startswith(incomplete)]
        return [*completions(ctx, self.kind, "", incomplete), *words]


class PluginChain(click.ParamType):  # type: ignore[type-arg]
    """Names of plugins of one kind, separated by commas: ``music,newton,nf-mle``."""

    name = "names"

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names, which exist.

        Raises:
            UnknownNameError: No plugin of this kind has one of these names.
        """
        if not isinstance(value, str):
            return tuple(value)
        names = tuple(part.strip() for part in value.split(","))
        if not all(names):
            hint = "separate names by single commas, as in music,newton"
            raise UnknownNameError(f"there is an empty name in {value!r}", hint)
        for name in names:
            registry().find(self.kind, name)
        return names

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the chain with its last name completed."""
        before, comma, last = incomplete.rpartition(",")
        return completions(ctx, self.kind, before + comma, last)


def completions(
    ctx: click.Context, kind: str, prefix: str, incomplete: str
) -> list[CompletionItem]:
    """Return the completions of the last name after ``prefix``."""
    with ctx.scope(cleanup=False):
        names = registry().names(kind)
    return [CompletionItem(prefix + name) for name in names if name.startswith(incomplete)]


SEED = click.IntRange(0, 2**63 - 1)
"""What torch takes for a seed, as long as it is not negative."""

seed_option = click.option("--seed", type=SEED, default=0, show_default=True)
"""``--seed``: the command gets ``seed``."""

scenario_option = click.option(
    "--scenario",
    type=PluginName("scenario"),
    default="canonical",
    show_default=True,
    help="What kind of scenes.",
)
"""``--scenario``: the command gets ``scenario``."""

bound_option = click.option(
    "--bound",
    type=click.Choice(["auto", "stochastic", "deterministic"]),
    default="auto",
    show_default=True,
    help="Which Cramér-Rao bound.",
)
"""``--bound``: the command gets ``bound``."""


def snr_points(default: str) -> Callable[[F], F]:
    """Return ``--snr DB,…``: the command gets ``snr_db``, a tuple."""
    return click.option(
        "--snr", "snr_db", type=FloatList(), default=default, show_default=True, metavar="DB,…"
    )


def source_points(default: str) -> Callable[[F], F]:
    """Return ``--sources K,…``: the command gets ``sources``, a tuple."""
    return click.option(
        "--sources", type=IntList(1), default=default, show_default=True, metavar="K,…"
    )
