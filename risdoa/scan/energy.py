"""What fields share with the steering vector of every grid point, scene by scene."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.scan.matched import MEMORY, power
from risdoa.scan.table import SteeringTable


def energies(table: SteeringTable, fields: Tensor) -> Tensor:
    """Return ‖Xᴴa‖² at every grid point, a few scenes at a time to bound the memory.

    Shapes:
        fields: (S, N, X) complex, the columns of X. Returns (S, P) float32.
    """
    rows = fields.mT.to(torch.complex64)
    each = 8 * rows.shape[1] * table.rows * table.columns
    scenes = torch.arange(len(rows), device=rows.device)
    parts = [
        power(table.select(chunk).correlate(rows[chunk])).sum(1).flatten(1)
        for chunk in scenes.split(max(1, MEMORY // max(1, each)))
    ]
    return torch.cat(parts)
