"""The canonical geometry with the array read element by element."""

from __future__ import annotations

import torch

from risdoa.arrays import Array
from risdoa.errors import InputError
from risdoa.scenarios.canonical import Canonical
from risdoa.sensing import Direct, Sensing


class Digital(Canonical):
    """No surface and no base station: every element is an output, and the SNR is per element.

    Args:
        nx: Elements along x.
        ny: Elements along y.
        snapshots: Snapshots L.

    Raises:
        InputError: for sizes that are not positive.
    """

    def __init__(self, nx: int = 12, ny: int = 12, snapshots: int = 16) -> None:
        if min(nx, ny) < 1:
            raise InputError(f"a scenario needs positive sizes, got nx={nx}, ny={ny}")
        super().__init__(nx, ny, outputs=nx * ny, snapshots=snapshots, codes="random")

    def sensing(self, count: int, array: Array, generator: torch.Generator) -> Sensing:
        """Return the direct sensing of the array."""
        return Direct()
