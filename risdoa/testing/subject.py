"""What is checked: a plugin, and how to make a fresh one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch

from risdoa.registry import Registry

SEED = 0
"""What the weights of a network under check are drawn from."""


@dataclass(frozen=True)
class Subject:
    """A plugin under check.

    Attributes:
        kind: Its kind, such as ``"loss"``.
        name: What failures call it.
        factory: What makes a fresh one, without arguments.
        traits: What it says that it can do or needs; checks are selected by them.
    """

    kind: str
    name: str
    factory: Callable[[], Any]
    traits: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(
        cls, kind: str, factory: Callable[[], Any], traits: Iterable[str] = (), name: str = ""
    ) -> Subject:
        """Return the subject that a class or a function without arguments makes."""
        label = name or getattr(factory, "__name__", kind)
        return cls(kind, label, factory, frozenset(traits))

    @classmethod
    def registered(cls, registry: Registry, kind: str, name: str, /, **options: object) -> Subject:
        """Return a plugin of a registry as a subject.

        Raises:
            UnknownNameError: There is no such plugin.
            PluginLoadError: There is one that is blocked, broken or out of date.
        """
        plugin = registry.find(kind, name)
        return cls(
            kind,
            plugin.qualified,
            lambda: registry.create(kind, plugin.qualified, **options),
            frozenset(plugin.record.traits),
        )

    def make(self) -> Any:
        """Return a fresh object; the weights of a network are the same every time."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            return self.factory()
