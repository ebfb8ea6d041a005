"""The canonical scenario with a floor on how close two sources may stand."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from risdoa.conventions import RAD_PER_DEG, great_circle
from risdoa.scenarios.canonical import Canonical


class CanonicalSep10(Canonical):
    """Directions at least 10° apart (great circle), by rejection of whole scenes."""

    separation_deg: ClassVar[float] = 10.0

    def positions(self, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Draw scenes anew, all that failed at once, until every pair is far enough apart."""
        positions = super().positions(mask, generator)
        failed = self._too_close(positions, mask).nonzero().squeeze(-1)
        while failed.numel():
            positions[failed] = super().positions(mask[failed], generator)
            failed = failed[self._too_close(positions[failed], mask[failed])]
        return positions

    def _too_close(self, positions: Tensor, mask: Tensor) -> Tensor:
        """Return whether two sources of a scene are closer than the floor, (S,) bool."""
        angles = great_circle(positions.unsqueeze(-2), positions.unsqueeze(-3))
        pairs = torch.triu(mask.unsqueeze(-1) & mask.unsqueeze(-2), diagonal=1)
        return (pairs & (angles < self.separation_deg * RAD_PER_DEG)).flatten(1).any(-1)
