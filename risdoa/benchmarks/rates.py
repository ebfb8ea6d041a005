"""What the machine itself does in a second: the two limits of a roofline."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

SIDE = 1536
"""Of the matrices whose product is timed: large enough for the best rate."""
STREAM = 128 * 2**20
"""Bytes that are copied: many times what a cache holds."""


@dataclass(frozen=True)
class Rates:
    """Single-precision operations a second in a matrix product, and bytes a second in a copy."""

    operations: float
    traffic: float

    def roof(self, operations: float, traffic: float) -> float:
        """Return the seconds below which so much work cannot be done."""
        return max(operations / self.operations, traffic / self.traffic)


def rates(repeats: int = 5) -> Rates:
    """Measure the rates of the machine, with the threads that torch has."""
    left, right = torch.ones((SIDE, SIDE)), torch.ones((SIDE, SIDE))
    source = torch.ones(STREAM // 4)
    product, copy = torch.empty_like(left), torch.empty_like(source)
    seconds = fastest(
        {
            "product": lambda: torch.mm(left, right, out=product),
            "copy": lambda: copy.copy_(source),
        },
        repeats,
    )
    return Rates(2 * SIDE**3 / seconds["product"], 2 * STREAM / seconds["copy"])


def fastest(parts: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the least seconds that every part takes.

    The parts take turns, after one turn that is not timed: whatever else the machine does slows
    all of them, and only ever slows them.
    """
    best = dict.fromkeys(parts, float("inf"))
    for turn in range(repeats + 1):
        for name, work in parts.items():
            start = time.perf_counter()
            work()
            taken = time.perf_counter() - start
            if turn:
                best[name] = min(best[name], taken)
    return best
