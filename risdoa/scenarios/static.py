"""The canonical scenario with sources that do not change."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.scenarios.canonical import Canonical


class Static(Canonical):
    """One source signal for all snapshots of a scene, so that s sᴴ has rank 1 whatever K is."""

    def blocks(self, device: torch.device) -> Tensor:
        """Return one label for all snapshots."""
        return torch.zeros(self.snapshots, dtype=torch.int64, device=device)
