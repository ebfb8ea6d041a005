"""Running the code that a record names: what goes wrong in a third party's is its fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from risdoa.errors import InputError, PluginLoadError
from risdoa.registry.containment import Failure, attempt
from risdoa.registry.records import Registered
from risdoa.registry.references import is_option_model
from risdoa.registry.sources import OWN


def made(plugin: Registered, options: Mapping[str, object]) -> Any:
    """Return what the factory of a plugin makes of the options.

    Raises:
        InputError: An option is unknown or has a wrong value.
        PluginLoadError: The plugin cannot be imported, or fails.
    """
    factory = _imported(plugin, plugin.record.factory)
    values = resolved(plugin, options)
    return guarded(plugin, lambda: factory(**values))


def resolved(plugin: Registered, options: Mapping[str, object]) -> dict[str, Any]:
    """Return all options of a plugin, converted and checked.

    Raises:
        InputError: An option is unknown or has a wrong value.
        PluginLoadError: The plugin cannot be imported, or its option model is none.
    """
    from risdoa.registry import options as checks  # noqa: PLC0415 - pydantic is slow to import

    record = plugin.record
    if record.options is None:
        factory = _imported(plugin, record.factory)
        model = guarded(plugin, lambda: checks.signature_model(record.name, factory))
    else:
        model = _imported(plugin, record.options)
        if not is_option_model(model):
            raise _unusable(plugin, f"its options, {record.options}, are no pydantic model")
    return dict(guarded(plugin, lambda: checks.validated(record.name, model, options)))


def searched(plugin: Registered, trial: object) -> dict[str, Any]:
    """Return the options that the search space of a plugin draws; none where it declares none.

    Raises:
        InputError: It draws an option that is unknown or has a wrong value.
        PluginLoadError: The space cannot be imported, fails, or returns something else.
    """
    if plugin.record.space is None:
        return {}
    space = _imported(plugin, plugin.record.space)
    options = guarded(plugin, lambda: space(trial))
    if not isinstance(options, dict):
        came = type(options).__name__
        raise _unusable(plugin, f"its space, {plugin.record.space}, returns {came}, not a dict")
    resolved(plugin, options)
    return options


def guarded(plugin: Registered, action: Callable[[], Any]) -> Any:
    """Run a plugin's code.

    Raises:
        PluginLoadError: The code failed; its own ``InputError`` and ``PluginLoadError``, such as
            for a library that is not installed, pass unchanged.
    """
    if plugin.distribution == OWN:
        return action()
    outcome = attempt(action)
    if not isinstance(outcome, Failure):
        return outcome.value
    if isinstance(outcome.error, InputError | PluginLoadError):
        raise outcome.error
    raise _unusable(plugin, str(outcome)) from outcome.error


def fetched(address: str) -> Any:
    """Import what ``"package.module:Name"`` names."""
    module, _, path = address.partition(":")
    value: Any = import_module(module)
    for attribute in path.split("."):
        value = getattr(value, attribute)
    return value


def _imported(plugin: Registered, address: str) -> Any:
    """Return what an address of a plugin names."""
    return guarded(plugin, lambda: fetched(address))


def _unusable(plugin: Registered, reason: str) -> PluginLoadError:
    """Return the error for a plugin whose code fails."""
    message = f"{plugin.kind} {plugin.qualified} cannot be loaded: {reason}"
    return PluginLoadError(message, "repair the plugin or remove it")
