"""Random tensors and sensing from a seed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.sensing import RisCoded


def generator(seed: int) -> torch.Generator:
    """Return a generator with a seed."""
    return torch.Generator().manual_seed(seed)


def normal(shape: Sequence[int], seed: int) -> Tensor:
    """Return complex normal numbers of variance 1, complex128."""
    return torch.randn(tuple(shape), dtype=torch.complex128, generator=generator(seed))


def radius(array: Array) -> float:
    """Return the largest distance of an element from the origin in metres."""
    return float(torch.linalg.vector_norm(array.positions, dim=-1).max())


def coded(elements: int, outputs: int, snapshots: int, seed: int, scenes: int = 0) -> RisCoded:
    """Return a random channel and random codes, for every scene if there are any."""
    lead = (scenes,) if scenes else ()
    return RisCoded(
        normal((*lead, outputs, elements), seed), normal((*lead, snapshots, elements), seed + 1)
    )
