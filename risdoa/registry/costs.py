"""What a plugin costs while it is only being listed."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field

HEAVY = (
    "torch",
    "tensorflow",
    "jax",
    "scipy",
    "numpy",
    "pandas",
    "sklearn",
    "matplotlib",
    "numba",
    "acoular",
    "pyroomacoustics",
)
"""Packages that no list of plugins needs."""

SLOW_S = 0.1
"""A plugin that takes longer than this to list is named, whatever it imports."""

STRAY = "risdoa plugin "
"""How the name begins of a thread that was left running by a plugin that was only listed."""


@dataclass(frozen=True)
class Cost:
    """What loading one source came to: seconds, heavy packages, threads left running."""

    seconds: float
    imports: tuple[str, ...]
    threads: int

    def notes(self, distribution: str) -> tuple[str, ...]:
        """Return what the user should know about it."""
        notes = []
        if self.imports or self.seconds > SLOW_S:
            what = f"it imports {', '.join(self.imports)}; " if self.imports else ""
            notes.append(
                f"{distribution} took {self.seconds:.1f} s to list: {what}"
                'name factories as "package.module:Class" strings and import on use'
            )
        if self.threads:
            notes.append(f"{distribution} leaves threads running when it is listed: {self.threads}")
        return tuple(notes)


@dataclass(frozen=True)
class Meter:
    """The state before a source is loaded."""

    distribution: str
    begun: float = field(default_factory=time.perf_counter)
    modules: frozenset[str] = field(default_factory=lambda: frozenset(sys.modules))
    threads: frozenset[threading.Thread] = field(
        default_factory=lambda: frozenset(threading.enumerate())
    )

    def read(self) -> Cost:
        """Return what has been spent since; threads that would keep the process get a name."""
        seconds = time.perf_counter() - self.begun
        imports = tuple(name for name in HEAVY if name in sys.modules.keys() - self.modules)
        left = [
            each for each in threading.enumerate() if each not in self.threads and not each.daemon
        ]
        for thread in left:
            thread.name = STRAY + self.distribution
        return Cost(seconds, imports, len(left))
