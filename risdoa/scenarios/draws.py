"""Draws from an explicit generator, in double precision, on the generator's device."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    """Return float64 numbers uniform in [low, high), on the generator's device."""
    unit = torch.rand(shape, dtype=torch.float64, generator=generator, device=generator.device)
    return low + (high - low) * unit


def complex_normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return circular complex normal numbers of variance 1, on the generator's device.

    They are drawn in single precision, five times as fast, and widened to complex128.
    """
    parts = torch.randn((*shape, 2), generator=generator, device=generator.device)
    return torch.view_as_complex(parts.to(torch.float64).mul_(math.sqrt(0.5)))


def integers(
    shape: tuple[int, ...],
    low: int,
    high: int,
    generator: torch.Generator,
    dtype: torch.dtype = torch.int64,
) -> Tensor:
    """Return integers uniform in low, …, high (both included), on the generator's device.

    ``dtype`` is what they are stored in; the numbers are the same in all that hold them.
    """
    return torch.randint(
        low, high + 1, shape, generator=generator, dtype=dtype, device=generator.device
    )


def subsets(count: int, size: int, of: int, generator: torch.Generator) -> Tensor:
    """Return ``count`` ordered draws of ``size`` different numbers below ``of``.

    Shapes:
        Returns (count, size) int64.
    """
    keys = torch.rand(
        (count, of), dtype=torch.float64, generator=generator, device=generator.device
    )
    return keys.topk(size, dim=-1, largest=False).indices
