"""The learning rate over a training."""

from __future__ import annotations

import math

import torch

WARM_UP = 0.05
"""Share of the steps in which the rate rises."""
END = 0.02
"""The last rate over the largest."""


def rate(step: int, total: int) -> float:
    """Return the rate over its largest: a linear rise, then a half cosine down to ``END``.

    >>> [round(rate(step, 100), 2) for step in (0, 4, 50, 100)]
    [0.2, 1.0, 0.55, 0.02]
    """
    rise = max(1, round(WARM_UP * total))
    if step < rise:
        return (step + 1) / rise
    progress = min(1.0, (step - rise) / max(1, total - rise))
    return END + (1 - END) * (1 + math.cos(math.pi * progress)) / 2


def warmed_cosine(
    optimizer: torch.optim.Optimizer, total: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """Return a scheduler to be stepped once after every real step of the optimizer."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, total))
