"""The canonical scenario with power that falls with the distance."""

from __future__ import annotations

from torch import Tensor

from risdoa.scenarios.canonical import Canonical


class PathLoss(Canonical):
    """Amplitude ∝ 1/r: power 1 at 1 m, and 26 dB between 0.5 m and 10 m."""

    def powers(self, positions: Tensor) -> Tensor:
        """Return (1 m / r)², (S, K)."""
        return positions[..., 2].reciprocal().square()
