"""Measured element patterns: tables over azimuth and elevation, interpolated by cubic splines."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import spline_filter1d
from torch import Tensor

from risdoa.errors import InputError
from risdoa_antennas.pattern import Pattern

SAME = 1e-6
"""Steps of an axis that differ by less than this part count as equal."""


MARGIN = 16
"""A cubic spline forgets its ends by a factor of 3.7 a step: 1e-9 in so many."""


@dataclass(frozen=True)
class Axis:
    """Equally spaced angles: the first and the step in radians, how many, and if they go around."""

    first: float
    step: float
    count: int
    around: bool

    @classmethod
    def of(cls, name: str, angles_deg: NDArray[np.float64], full_turn: bool) -> Axis:
        """Return the axis of a table.

        Raises:
            InputError: unless there are at least two angles, in equal, ascending steps.
        """
        steps = np.diff(angles_deg)
        if not steps.size or not steps.min() > 0 or np.ptp(steps) > SAME * steps.max():
            raise InputError(
                f"{name} must hold at least two angles in equal, ascending steps",
                "interpolate the measurement to equal steps first",
            )
        step = float(steps.mean())
        around = full_turn and abs(step * angles_deg.size - 360) < SAME * 360
        return cls(math.radians(angles_deg[0]), math.radians(step), angles_deg.size, around)

    def coefficients(self, values: NDArray[np.complex128], axis: int) -> NDArray[np.complex128]:
        """Return the spline's coefficients along an axis, one before and two behind it added.

        The table is continued first, periodically or with the slope of its ends, by so many steps
        that how the continuation ends does not matter.
        """
        margins = [(0, 0)] * values.ndim
        margins[axis] = (MARGIN, MARGIN)
        if self.around:
            longer = np.pad(values, margins, mode="wrap")
        else:
            longer = np.pad(values, margins, mode="reflect", reflect_type="odd")
        filtered = spline_filter1d(longer, 3, axis=axis, output=np.complex128, mode="mirror")
        return np.take(filtered, np.arange(MARGIN - 1, MARGIN + self.count + 2), axis=axis)

    def taps(self, angle: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the index of the first of four coefficients, their weights and ∂weights/∂angle.

        Shapes:
            angle: (…) rad. Returns (…), (…, 4) and (…, 4).
        """
        place = (angle - self.first) / self.step
        inside = torch.ones_like(place)
        if self.around:
            place = place % self.count
        else:
            inside = ((place >= 0) & (place <= self.count - 1)).to(place)
            place = place.clamp(0, self.count - 1)
        index = place.detach().floor().clamp(0, self.count - 1)
        f = place - index
        g = 1 - f
        weights = (g**3, 4 - 6 * f**2 + 3 * f**3, 4 - 6 * g**2 + 3 * g**3, f**3)
        slopes = (-(g**2), 3 * f**2 - 4 * f, 4 * g - 3 * g**2, f**2)
        return (
            index.long(),
            torch.stack(weights, -1) / 6,
            torch.stack(slopes, -1) / (2 * self.step) * inside.unsqueeze(-1),
        )


class TablePattern(Pattern):
    """g(azimuth, elevation) by bicubic B-splines through the table, twice differentiable.

    Azimuth and elevation are those of the direction that an element sees, in the coordinates of
    risdoa. A table over a full turn is periodic; beyond the ends of any other axis the last value
    holds.

    Args:
        values: (A, E), or (N, A, E) for a pattern an element.
        azimuth_deg: (A,) deg, equally spaced.
        elevation_deg: (E,) deg, equally spaced.

    Raises:
        InputError: for axes that do not fit.
    """

    def __init__(
        self,
        values: NDArray[np.complex128],
        azimuth_deg: NDArray[np.float64],
        elevation_deg: NDArray[np.float64],
    ) -> None:
        if values.ndim not in {2, 3} or values.shape[-2:] != (azimuth_deg.size, elevation_deg.size):
            raise InputError(
                f"a pattern must be (A, E) or (N, A, E) for {azimuth_deg.size} azimuths and "
                f"{elevation_deg.size} elevations, got {values.shape}"
            )
        if azimuth_deg.size > 2 and abs(np.ptp(azimuth_deg) - 360) < SAME * 360:
            values, azimuth_deg = values[..., :-1, :], azimuth_deg[:-1]  # ±180° is there twice
        self.azimuth = Axis.of("azimuth_deg", azimuth_deg, full_turn=True)
        self.elevation = Axis.of("elevation_deg", elevation_deg, full_turn=False)
        table = values.reshape(-1, *values.shape[-2:]).astype(np.complex128)
        table = self.elevation.coefficients(self.azimuth.coefficients(table, 1), 2)
        self.coefficients = torch.from_numpy(table)

    def __call__(self, directions: Tensor) -> Tensor:
        """Return g; see :meth:`Pattern.__call__`."""
        return self._evaluate(directions)[0]

    def gradient(self, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Return g and ∂g/∂φ ∇φ + ∂g/∂θ ∇θ; see :meth:`Pattern.gradient`."""
        amplitude, by_azimuth, by_elevation = self._evaluate(directions)
        x, y, z = directions.unbind(-1)
        level = (x**2 + z**2).clamp_min(torch.finfo(x.dtype).tiny)  # 0 at a pole
        zero, flat = torch.zeros_like(x), level.sqrt()
        turn = torch.stack((z / level, zero, -x / level), -1)
        rise = torch.stack((-x * y / flat, flat, -z * y / flat), -1)
        return amplitude, by_azimuth.unsqueeze(-1) * turn + by_elevation.unsqueeze(-1) * rise

    def _evaluate(self, directions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return g, ∂g/∂azimuth and ∂g/∂elevation, (…, N, K) each."""
        x, y, z = directions.unbind(-1)
        column, weights_a, slopes_a = self.azimuth.taps(torch.atan2(x, z))
        row, weights_e, slopes_e = self.elevation.taps(torch.atan2(y, torch.hypot(x, z)))
        table = self.coefficients.to(device=x.device, dtype=x.dtype.to_complex())
        element = torch.arange(table.shape[0], device=x.device).unsqueeze(-1)
        taps = torch.stack(
            [
                torch.stack([table[element, column + a, row + e] for e in range(4)], -1)
                for a in range(4)
            ],
            -2,
        )
        level = (taps * weights_e.unsqueeze(-2)).sum(-1)
        slope = (taps * slopes_e.unsqueeze(-2)).sum(-1)
        by_azimuth, by_elevation = (level * slopes_a).sum(-1), (slope * weights_a).sum(-1)
        return (level * weights_a).sum(-1), by_azimuth, by_elevation
