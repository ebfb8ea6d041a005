"""Draws from an explicit generator that torch has no one-liner for."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    """Return float64 numbers uniform in [low, high), on the generator's device."""
    unit = torch.rand(shape, dtype=torch.float64, generator=generator, device=generator.device)
    return low + (high - low) * unit


def complex_normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return circular complex normal numbers of variance 1, on the generator's device."""
    return torch.randn(shape, dtype=torch.complex128, generator=generator, device=generator.device)


def integers(shape: tuple[int, ...], low: int, high: int, generator: torch.Generator) -> Tensor:
    """Return integers uniform in low, …, high (both included), on the generator's device."""
    return torch.randint(low, high + 1, shape, generator=generator, device=generator.device)


def subsets(count: int, size: int, of: int, generator: torch.Generator) -> Tensor:
    """Return ``count`` ordered draws of ``size`` different numbers below ``of``.

    Shapes:
        Returns (count, size) int64.
    """
    keys = torch.rand(
        (count, of), dtype=torch.float64, generator=generator, device=generator.device
    )
    return keys.argsort(dim=-1)[:, :size]
