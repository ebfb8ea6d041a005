"""The registry: finds a plugin by kind and name, and makes what it describes."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from importlib import import_module
from typing import Any

from risdoa.errors import InputError, PluginLoadError, RisdoaError, UnknownNameError
from risdoa.registry.containment import Failure, attempt
from risdoa.registry.loading import Loaded, load_all
from risdoa.registry.records import KINDS, Registered, Row
from risdoa.registry.sources import (
    OWN,
    Source,
    Switches,
    builtin,
    canonical,
    third_party,
    uninstalled,
)

_LIST = "`risdoa plugins list` shows what is installed"


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
            raise UnknownNameError(f"no kind of plugin is called {kind!r}", f"use {_some(KINDS)}")
        distribution, _, bare = name.rpartition("/")
        if canonical(distribution) in {"", OWN}:
            for plugin in self._own.plugins:
                if (plugin.kind, plugin.name) == (kind, bare):
                    return plugin
        matches = [
            plugin
            for plugin in self._others.plugins
            if (plugin.kind, plugin.name) == (kind, bare)
            and (not distribution or canonical(plugin.distribution) == canonical(distribution))
        ]
        if len(matches) == 1:
            return matches[0]
        raise self._ambiguous(kind, name, matches) if matches else self._missing(kind, name)

    def create(self, kind: str, name: str, /, **options: object) -> Any:
        """Import the plugin's factory and call it with the options, converted and checked.

        Raises:
            InputError: An option is unknown or has a wrong value.
            UnknownNameError: There is no such plugin.
            PluginLoadError: The plugin cannot be imported.
        """
        plugin = self.find(kind, name)
        factory = self._imported(plugin, plugin.record.factory)
        values = self._validated(plugin, options)
        made = self._guarded(plugin, lambda: factory(**values))
        self._used[kind, plugin.qualified] = plugin
        return made

    def resolve(self, kind: str, name: str, /, **options: object) -> dict[str, Any]:
        """Return every option of the plugin with the value it would get.

        Raises:
            InputError: An option is unknown or has a wrong value.
            UnknownNameError: There is no such plugin.
            PluginLoadError: The plugin cannot be imported.
        """
        return self._validated(self.find(kind, name), options)

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
        rows = []
        for loaded in (self._own, self._others):
            rows += [
                Row(each.kind, each.name, each.distribution, each.version, "active")
                for each in loaded.plugins
            ]
            rows += loaded.rows
        return rows

    def used(self) -> list[dict[str, str | None]]:
        """Return kind, qualified name and version of each plugin made so far."""
        return [
            {"kind": kind, "name": qualified, "version": plugin.version}
            for (kind, qualified), plugin in self._used.items()
        ]

    @cached_property
    def _own(self) -> Loaded:
        """The built-in plugins."""
        return load_all([self._own_source], Switches(trace=self._switches.trace))

    @cached_property
    def _others(self) -> Loaded:
        """Third parties' plugins; importing them happens here."""
        names = {canonical(source.distribution) for source in self._extra}
        loaded = load_all(self._extra, Switches(trace=self._switches.trace))
        installed = (s for s in self._other_sources() if canonical(s.distribution) not in names)
        loaded.join(load_all(installed, self._switches))
        broken = [row for row in loaded.rows if row.status in {"broken", "old-api"}]
        if broken and self._switches.strict:
            message = f"plugin {_label(broken[0])} cannot be loaded: {broken[0].error}"
            raise PluginLoadError(message, "repair it, block it, or unset RISDOA_PLUGINS_STRICT")
        return loaded

    def _missing(self, kind: str, name: str) -> RisdoaError:
        """Return the error for a name that finds nothing that can be used."""
        distribution, _, bare = name.rpartition("/")
        for row in self._others.rows:
            same = canonical(row.distribution) == canonical(distribution)
            named = (row.kind, row.name) == (kind, bare) and (same or not distribution)
            if named or (same and row.name is None):
                message = f"{kind} {name!r} is {row.status}: {row.error}"
                return PluginLoadError(message, _LIST)
        known = self.names(kind)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"use {_some(known)}"
        lost = sorted(
            {
                row.distribution
                for row in self._others.rows
                if row.name is None and row.status != "blocked"
            }
        )
        if lost:
            hint += f" ({', '.join(lost)} could not be loaded; `risdoa plugins list` says why)"
        return UnknownNameError(f"no {kind} is called {name!r}", hint)

    def _ambiguous(self, kind: str, name: str, matches: list[Registered]) -> RisdoaError:
        """Return the error for a name that several distributions use."""
        names = [plugin.qualified for plugin in matches]
        message = f"{kind} {name!r} is provided by several distributions"
        return UnknownNameError(message, f"use {_some(names)}")

    def _validated(self, plugin: Registered, options: Mapping[str, object]) -> dict[str, Any]:
        """Return all options of ``plugin``, converted and checked."""
        from risdoa.registry import options as checks  # noqa: PLC0415 - pydantic is slow to import

        record = plugin.record
        if record.options is not None:
            model = self._imported(plugin, record.options)
        else:
            factory = self._imported(plugin, record.factory)
            model = self._guarded(plugin, lambda: checks.signature_model(record.name, factory))
        return checks.validated(record.name, model, options)

    def _imported(self, plugin: Registered, address: str) -> Any:
        """Return what ``"package.module:Name"`` names."""
        module, _, path = address.partition(":")

        def fetch() -> Any:
            value: Any = import_module(module)
            for attribute in path.split("."):
                value = getattr(value, attribute)
            return value

        return self._guarded(plugin, fetch)

    def _guarded(self, plugin: Registered, action: Callable[[], Any]) -> Any:
        """Run a plugin's code; what goes wrong in a third party's is said to be its fault.

        Raises:
            PluginLoadError: The code failed; its own ``InputError`` passes unchanged.
        """
        if plugin.distribution == OWN:
            return action()
        outcome = attempt(action)
        if not isinstance(outcome, Failure):
            return outcome.value
        if isinstance(outcome.error, InputError):
            raise outcome.error
        message = f"{plugin.kind} {plugin.qualified} cannot be loaded: {outcome}"
        raise PluginLoadError(message, "repair the plugin or remove it") from outcome.error


def _label(row: Row) -> str:
    """Return the name of a row as far as it has one."""
    return row.distribution if row.name is None else f"{row.distribution}/{row.name}"


def _some(names: Iterable[str]) -> str:
    """Join names as alternatives."""
    *first, last = list(names) or ["nothing: there is none"]
    return f"{', '.join(first)} or {last}" if first else last
