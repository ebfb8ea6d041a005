"""Where spectra are evaluated, and which of their points are peaks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Grid:
    """Points equally spaced in azimuth, elevation and 1/range; the azimuth runs fastest.

    Shapes:
        azimuth: (A,) rad. elevation: (E,) rad. inverse_range: (W,) 1/m.
        around: whether the last azimuth is a neighbour of the first.
    """

    azimuth: Tensor
    elevation: Tensor
    inverse_range: Tensor
    around: bool = False

    @classmethod
    def over(cls, region: Tensor, step_deg: float, ranges: int) -> Grid:
        """Return a grid over a region; a fixed coordinate gets one point, ±180° is there once.

        Shapes:
            region: (3, 2) rad, rad, m.
        """
        region = region.to(device="cpu", dtype=torch.float64)
        step = math.radians(step_deg)
        azimuth = _axis(region[0], step)
        around = float(region[0, 1] - region[0, 0]) >= 2 * math.pi - 1e-9
        azimuth = azimuth[:-1] if around else azimuth
        inverse = region[2].reciprocal().flip(0)
        planes = float(inverse[1] - inverse[0]) / max(1, ranges - 1)
        return cls(azimuth, _axis(region[1], step), _axis(inverse, planes), around)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The number of points along 1/range, elevation and azimuth."""
        return len(self.inverse_range), len(self.elevation), len(self.azimuth)

    def positions(self) -> Tensor:
        """Return all points, (P, 3) rad, rad, m."""
        w, e, a = torch.meshgrid(self.inverse_range, self.elevation, self.azimuth, indexing="ij")
        return torch.stack((a, e, w.reciprocal()), -1).reshape(-1, 3)

    def peaks(self, spectrum: Tensor, count: int) -> Tensor:
        """Return the ``count`` highest local maxima or, if there are fewer, all, highest first.

        A local maximum is no lower than its up to 26 neighbours.

        Shapes:
            spectrum: (P,) real. Returns (<= count,) indices of points.
        """
        values = spectrum.reshape(1, *self.shape)
        ends = torch.full_like(values[..., :1], -torch.inf)
        before, behind = (values[..., -1:], values[..., :1]) if self.around else (ends, ends)
        wider = torch.cat((before, values, behind), -1)
        near = torch.nn.functional.max_pool3d(wider, 3, stride=1, padding=(1, 1, 0))
        highest = torch.where(values >= near, values, -torch.inf).flatten()
        order = highest.argsort(descending=True)[:count]
        return order[highest[order] > -torch.inf]


def cartesian(positions: Tensor) -> Tensor:
    """Return r (sin φ cos θ, sin θ, cos φ cos θ), the coordinates of the array.

    Shapes:
        positions: (…, 3) rad, rad, m. Returns (…, 3) m.
    """
    azimuth, elevation, distance = positions.unbind(-1)
    flat = distance * torch.cos(elevation)
    return torch.stack(
        (flat * torch.sin(azimuth), distance * torch.sin(elevation), flat * torch.cos(azimuth)), -1
    )


def _axis(bounds: Tensor, step: float) -> Tensor:
    """Return points from bound to bound, at most ``step`` apart."""
    low, high = bounds.tolist()
    if high <= low:
        return bounds[:1]
    count = 1 + math.ceil((high - low) / step - 1e-9)
    return torch.linspace(low, high, count, dtype=torch.float64)
