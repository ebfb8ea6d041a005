"""The registry: finds a plugin by kind and name, and makes what it describes."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from risdoa.errors import PluginLoadError, RisdoaError, UnknownNameError
from risdoa.registry.commands import Commands, qualified
from risdoa.registry.containment import Failure, attempt
from risdoa.registry.factories import made, resolved, searched
from risdoa.registry.loading import Loaded, load_all, say
from risdoa.registry.records import KINDS, Registered, Row
from risdoa.registry.sources import (
    GROUP,
    OWN,
    Source,
    Switches,
    builtin,
    canonical,
    third_party,
    uninstalled,
)

_LIST = "`risdoa plugins list` shows what is installed"

_MOST = 3
"""Distributions that could not be loaded are named up to here, and counted beyond."""


class Registry:
    """The plugins of one process; it loads what it is asked for, when it is asked.

    A bare name is the built-in first, and then no third party's module is imported.
    """

    def __init__(
        self,
        own: Source,
        others: Callable[[], Iterable[Source]],
        switches: Switches | None = None,
        extra: Iterable[Source] = (),
    ) -> None:
        self._own_source = own
        self._other_sources = others
        self._switches = switches or Switches()
        self._extra = tuple(extra)
        self._used: dict[tuple[str, str], Registered] = {}

    @classmethod
    def discover(
        cls, environ: Mapping[str, str] | None = None, extra: Iterable[object] = ()
    ) -> Registry:
        """Return the registry of what is installed, under the switches of the environment.

        Args:
            environ: The environment variables; by default those of the process.
            extra: Modules, or other objects with hooks, that need not be installed. Each stands
                for a distribution named after itself (``my_losses`` is ``my-losses``) in place of
                an installed one of this name, and no switch blocks it.
        """
        given = [uninstalled(each) for each in extra]
        switches = Switches.of(os.environ if environ is None else environ)
        return cls(builtin(), third_party, switches, given)

    def find(self, kind: str, name: str) -> Registered:
        """Return the plugin called ``name`` or ``distribution/name``.

        Raises:
            UnknownNameError: There is none, or there are several.
            PluginLoadError: There is one that is blocked, broken or out of date.
        """
        if kind not in KINDS:
            raise UnknownNameError(f"no kind of plugin is called {kind!r}", f"use {some(KINDS)}")
        distribution, _, bare = name.rpartition("/")
        if canonical(distribution) in {"", OWN}:
            for plugin in self._own.plugins:
                if (plugin.kind, plugin.name) == (kind, bare):
                    return plugin
        matches = [
            plugin
            for plugin in self._others.plugins
            if (plugin.kind, plugin.name) == (kind, bare)
            and canonical(distribution) in {"", canonical(plugin.distribution)}
        ]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise _ambiguous(kind, name, [plugin.qualified for plugin in matches])
        _refuse_unusable(kind, name, self._others.rows)
        raise _unknown(kind, name, self._others.rows, self.names(kind))

    def having(self, kind: str, trait: str) -> list[Registered]:
        """Return the built-ins with a trait, or, where there is none, the others with it."""

        def among(loaded: Loaded) -> list[Registered]:
            plugins = (plugin for plugin in loaded.plugins if plugin.kind == kind)
            return [plugin for plugin in plugins if trait in plugin.record.traits]

        return among(self._own) or among(self._others)

    def create(self, kind: str, name: str, /, **options: object) -> Any:
        """Import the plugin's factory and call it with the options, converted and checked.

        Raises:
            InputError: An option is unknown or has a wrong value.
            UnknownNameError: There is no such plugin.
            PluginLoadError: The plugin cannot be imported.
        """
        plugin = self.find(kind, name)
        thing = made(plugin, options)
        self._used[kind, plugin.qualified] = plugin
        return thing

    def resolve(self, kind: str, name: str, /, **options: object) -> dict[str, Any]:
        """Return every option of the plugin with the value it would get.

        Raises:
            InputError: An option is unknown or has a wrong value.
            UnknownNameError: There is no such plugin.
            PluginLoadError: The plugin cannot be imported.
        """
        return resolved(self.find(kind, name), options)

    def search(self, kind: str, name: str, trial: object, /) -> dict[str, Any]:
        """Return the options that the plugin's search space draws with an Optuna trial.

        A plugin without a space draws none.

        Raises:
            InputError: The space draws an option that is unknown or has a wrong value.
            UnknownNameError: There is no such plugin.
            PluginLoadError: The plugin or its space cannot be imported, or the space fails.
        """
        return searched(self.find(kind, name), trial)

    def names(self, kind: str) -> list[str]:
        """Return the names that ``find`` knows: built-ins, then others, qualified where needed."""
        own = [plugin.name for plugin in self._own.plugins if plugin.kind == kind]
        others = [plugin for plugin in self._others.plugins if plugin.kind == kind]
        taken = [*own, *(plugin.name for plugin in others)]
        return own + [
            plugin.name if taken.count(plugin.name) == 1 else plugin.qualified for plugin in others
        ]

    def rows(self) -> list[Row]:
        """Return a row for each plugin, and for each distribution that could not be loaded."""
        return [*self._own.rows, *self._others.rows, *self._commands.rows]

    def used(self) -> list[dict[str, str | None]]:
        """Return kind, qualified name and version of each plugin made so far."""
        return [
            {"kind": kind, "name": name, "version": plugin.version}
            for (kind, name), plugin in self._used.items()
        ]

    def commands(self) -> dict[str, Source]:
        """Return the commands that other distributions add, by name; none is imported."""
        return self._commands.names()

    def command(self, name: str) -> Any:
        """Import the command called ``name`` or ``distribution/name``; None where there is none.

        Raises:
            UnknownNameError: There are several.
            PluginLoadError: There is one that is blocked or broken, or cannot be imported.
        """
        matches = self._commands.find(name)
        if not matches:
            _refuse_unusable("command", name, self._commands.rows)
            return None
        if len(matches) > 1:
            raise _ambiguous("command", name, [qualified(source) for source in matches])
        begun = time.perf_counter()
        outcome = attempt(matches[0].load)
        if self._switches.trace:
            say(matches[0], outcome, time.perf_counter() - begun)
        if isinstance(outcome, Failure):
            message = f"command {qualified(matches[0])} cannot be loaded: {outcome}"
            raise PluginLoadError(message, "repair the plugin or remove it") from outcome.error
        return outcome.value

    @cached_property
    def _own(self) -> Loaded:
        """The built-in plugins."""
        return load_all([self._own_source], Switches(trace=self._switches.trace))

    @cached_property
    def _others(self) -> Loaded:
        """Third parties' plugins; importing them happens here."""
        names = {canonical(source.distribution) for source in self._extra}
        loaded = load_all(self._extra, Switches(trace=self._switches.trace))
        hooks = (source for source in self._installed if source.group == GROUP)
        installed = (source for source in hooks if canonical(source.distribution) not in names)
        loaded.join(load_all(installed, self._switches))
        rows = [*loaded.rows, *self._commands.rows]
        broken = [row for row in rows if row.status in {"broken", "old-api"}]
        if broken and self._switches.strict:
            message = f"plugin {broken[0].label} cannot be loaded: {broken[0].error}"
            raise PluginLoadError(message, "repair it, block it, or unset RISDOA_PLUGINS_STRICT")
        return loaded

    @cached_property
    def _installed(self) -> tuple[Source, ...]:
        """The entry points of other distributions, from their metadata."""
        return tuple(self._other_sources())

    @cached_property
    def _commands(self) -> Commands:
        """Third parties' commands."""
        sources = (source for source in self._installed if source.group != GROUP)
        return Commands.of(sources, self._switches)


def _refuse_unusable(kind: str, name: str, rows: list[Row]) -> None:
    """Raise a PluginLoadError where a name finds something that cannot be used."""
    distribution, _, bare = name.rpartition("/")
    for row in rows:
        same = canonical(row.distribution) == canonical(distribution)
        named = (row.kind, row.name) == (kind, bare) and (same or not distribution)
        if row.status != "active" and (named or (same and row.name is None)):
            raise PluginLoadError(f"{kind} {name!r} is {row.status}: {row.error}", _LIST)


def _unknown(kind: str, name: str, rows: list[Row], known: list[str]) -> RisdoaError:
    """Return the error for a name that finds nothing; it mentions what could not be loaded."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"use {some(known)}"
    lost = sorted({row.distribution for row in rows if row.name is None and row.status == "broken"})
    if lost:
        more = [f"{len(lost) - _MOST} more"] if len(lost) > _MOST else []
        names = ", ".join([*lost[:_MOST], *more])
        hint += f" ({names} could not be loaded; `risdoa plugins list` says why)"
    return UnknownNameError(f"no {kind} is called {name!r}", hint)


def _ambiguous(kind: str, name: str, names: Iterable[str]) -> RisdoaError:
    """Return the error for a name that several distributions use."""
    message = f"{kind} {name!r} is provided by several distributions"
    return UnknownNameError(message, f"use {some(names)}")


def some(names: Iterable[str]) -> str:
    """Join names as alternatives."""
    *first, last = list(names) or ["nothing: there is none"]
    return f"{', '.join(first)} or {last}" if first else last
