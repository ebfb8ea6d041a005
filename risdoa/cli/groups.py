"""Groups of commands that import a command when it is run and know near misses of its name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

import click
from click.shell_completion import CompletionItem

from risdoa.cli.options import registry
from risdoa.errors import PluginLoadError, UnknownNameError


class SuggestingGroup(click.Group):
    """A group whose unknown commands end with the nearest known name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that ``args`` begin with.

        Raises:
            UnknownNameError: There is no such command.
        """
        name = args[0]
        command = self.get_command(ctx, name)
        if command is not None:
            return name, command, args[1:]
        if name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        known = self.list_commands(ctx)
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the commands are {', '.join(known)}"
        raise UnknownNameError(f"{ctx.command_path} has no command {name!r}", hint)


class LazyGroup(SuggestingGroup):
    """A group that lists its commands without importing them."""

    def __init__(
        self, *args: Any, lazy: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any
    ) -> None:
        """Take the commands as name: ("module:attribute", summary)."""
        super().__init__(*args, **kwargs)
        self._lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they were given."""
        return [*self._lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._lazy[cmd_name][0].partition(":")
        return cast("click.Command", getattr(import_module(module), attribute))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from their summaries."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self._lazy.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command without importing any."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name) for name in names), *options]


class ExtensibleGroup(LazyGroup):
    """A group that takes the commands of other distributions besides its own.

    They are known by their metadata; one is imported when it is run. A built-in command comes
    first, and then nothing is looked up.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the built-in names, then the others."""
        return [*super().list_commands(ctx), *registry(ctx).commands()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command.

        Raises:
            PluginLoadError: It is another distribution's, and broken or blocked.
            UnknownNameError: Several distributions have it.
        """
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name.startswith("-"):
            return own
        command = registry(ctx).command(cmd_name)
        if command is not None and not isinstance(command, click.Command):
            message = f"command {cmd_name!r} is a {type(command).__name__}, not a click command"
            raise PluginLoadError(message, "repair the plugin or remove it")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the built-in commands, then the others with the distributions they come from."""
        super().format_commands(ctx, formatter)
        added = registry(ctx).commands()
        if added:
            with formatter.section("Plugin commands"):
                formatter.write_dl(
                    [(name, f"From {source.distribution}.") for name, source in added.items()]
                )
