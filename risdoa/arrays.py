"""Antenna arrays: where the elements are, how they are weighted, at which wavelength."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.errors import InputError
from risdoa.frozen import changed

ROWS = 256
"""Elements that are measured against all others at once."""


@dataclass(frozen=True)
class Array:
    """An array of N elements at one wavelength.

    Shapes:
        positions: (…, N, 3) m, real; the leading axes, if any, are scenes.
        wavelength: m.
        gains: (…, N) complex element gains, or None for isotropic, equal elements.

    Raises:
        InputError: for a wrong shape, a non-finite number or a wavelength that is not positive.
    """

    positions: Tensor
    wavelength: float
    gains: Tensor | None = None

    def __post_init__(self) -> None:
        """Check shapes and values once, so that nothing behind has to."""
        if self.positions.ndim < 2 or self.positions.shape[-1] != 3 or self.count == 0:
            raise InputError(
                "element positions must be (…, N, 3) with N >= 1, got "
                f"{tuple(self.positions.shape)}",
                "give x, y and z in metres for every element",
            )
        if not self.positions.is_floating_point() or not bool(self.positions.isfinite().all()):
            raise InputError("element positions must be finite real numbers in metres")
        if not (math.isfinite(self.wavelength) and self.wavelength > 0):
            raise InputError(
                f"the wavelength must be positive and finite, got {self.wavelength!r} m"
            )
        if self.gains is not None:
            self._check_gains(self.gains)

    def _check_gains(self, gains: Tensor) -> None:
        own = self.positions.shape[:-2]
        expected = (*own, self.count) if own and gains.ndim > 1 else (*gains.shape[:-1], self.count)
        if gains.shape != expected:
            raise InputError(
                f"element gains must be (…, {self.count}), for as many scenes as the positions if "
                f"both have scenes, got {tuple(gains.shape)} beside {tuple(self.positions.shape)}"
            )
        heard = gains.abs().amax(-1)
        if not bool((heard.isfinite() & (heard > 0)).all()):
            raise InputError(
                "element gains must be finite, and not all zero in any scene",
                "leave elements that hear nothing out of the array",
            )

    @classmethod
    def planar(cls, nx: int, ny: int, wavelength: float = 1.0, spacing: float = 0.5) -> Array:
        """Return nx × ny elements in the x-y plane, centred; element n = iy·nx + ix.

        Coordinates are (ix - (nx - 1)/2)·d with d = ``spacing``·``wavelength``: half-integers
        for even nx.
        """
        if nx < 1 or ny < 1:
            raise InputError(f"a planar array needs at least 1 x 1 elements, got {nx} x {ny}")
        step = spacing * wavelength
        x = (torch.arange(nx, dtype=torch.float64) - (nx - 1) / 2) * step
        y = (torch.arange(ny, dtype=torch.float64) - (ny - 1) / 2) * step
        grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
        points = torch.stack((grid_x, grid_y, torch.zeros_like(grid_x)), dim=-1)
        return cls(points.reshape(-1, 3), wavelength)

    @classmethod
    def linear(cls, count: int, wavelength: float = 1.0, spacing: float = 0.5) -> Array:
        """Return ``count`` elements along x, centred, ``spacing`` wavelengths apart."""
        return cls.planar(count, 1, wavelength, spacing)

    @classmethod
    def circular(cls, count: int, wavelength: float = 1.0, spacing: float = 0.5) -> Array:
        """Return ``count`` elements on a circle in the x-y plane, ``spacing`` wavelengths apart.

        The spacing is the chord between neighbours: radius = spacing·λ / (2 sin(π/N)).
        """
        if count < 2:
            raise InputError(f"a circular array needs at least 2 elements, got {count}")
        radius = spacing * wavelength / (2 * math.sin(math.pi / count))
        angle = torch.arange(count, dtype=torch.float64) * (2 * math.pi / count)
        points = torch.stack(
            (radius * torch.cos(angle), radius * torch.sin(angle), torch.zeros_like(angle)), dim=-1
        )
        return cls(points, wavelength)

    @property
    def count(self) -> int:
        """The number of elements N."""
        return self.positions.shape[-2]

    @property
    def scenes(self) -> int | None:
        """The number of scenes that have positions or gains of their own; None where all share."""
        if self.positions.ndim > 2:
            return self.positions.shape[0]
        own = self.gains is not None and self.gains.ndim > 1
        return self.gains.shape[0] if own and self.gains is not None else None

    @property
    def wavenumber(self) -> float:
        """The wavenumber k = 2π/λ in rad/m."""
        return 2 * math.pi / self.wavelength

    @property
    def is_planar(self) -> bool:
        """Whether every element lies in the x-y plane."""
        return bool((self.positions[..., 2] == 0).all())

    @property
    def diameter(self) -> float:
        """The largest distance D between two elements in metres (of any scene)."""
        return max(float(apart.max()) for apart in self._distances())

    @property
    def spacing(self) -> float:
        """The largest distance of an element from its nearest neighbour in metres (of any scene).

        0 for a single element.
        """
        if self.count < 2:
            return 0.0
        nearest = (apart.topk(2, largest=False).values[..., 1] for apart in self._distances())
        return max(float(apart.max()) for apart in nearest)

    def _distances(self) -> Iterator[Tensor]:
        """Yield the distances (…, ROWS, N) of a few elements from all, themselves included."""
        points = self.positions.double()
        for few in points.split(ROWS, dim=-2):
            yield torch.cdist(few, points)

    @property
    def fraunhofer_distance(self) -> float:
        """The far-field limit 2D²/λ in metres."""
        return 2 * self.diameter**2 / self.wavelength

    def lines(self) -> tuple[Array, Array] | None:
        """Return the lines along x and along y whose product the array is, or None.

        It is one where element iy·N_x + ix stands at (x_ix, y_iy, 0), to 1e-7 wavelengths, in every
        scene, and all elements are equal.
        """
        if self.positions.ndim != 2 or self.gains is not None or not self.is_planar:
            return None
        x, y = self.positions[:, 0], self.positions[:, 1]
        near = 1e-7 * self.wavelength
        width = int(((y - y[0]).abs() > near).to(torch.int8).argmax()) or self.count
        if self.count % width:
            return None
        line, rest = self.positions[:width], self.positions[::width]
        product = torch.cartesian_prod(y[::width], x[:width]).reshape(-1, 2)
        if bool(((product - torch.stack((y, x), dim=-1)).abs() > near).any()):
            return None
        level = torch.tensor([1.0, 0.0, 0.0]).to(line)
        return changed(self, positions=line * level), changed(
            self, positions=rest * level[[1, 0, 2]]
        )

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Array:
        """Return the array on another device or in another real precision."""
        gains = self.gains
        if gains is not None:
            gains = gains.to(device=device, dtype=dtype.to_complex() if dtype else None)
        return changed(self, positions=self.positions.to(device=device, dtype=dtype), gains=gains)

    def select(self, scenes: Tensor) -> Array:
        """Return the array of the chosen scenes; a shared geometry stays shared."""
        positions = self.positions if self.positions.ndim == 2 else self.positions[scenes]
        gains = self.gains
        if gains is not None and gains.ndim > 1:
            gains = gains[scenes]
        return changed(self, positions=positions, gains=gains)

    def default_region(self) -> Tensor:
        """Return where sources are looked for when nobody says: (3, 2) [rad, rad, m].

        Azimuth ±60° and elevation ±30° in front of a planar or linear array, the full sphere for
        a 3-D one; range from 0.2 D to 2D²/λ.
        """
        azimuth, elevation = (60.0, 30.0) if self.is_planar else (180.0, 90.0)
        near = 0.2 * self.diameter
        far = max(self.fraunhofer_distance, 10 * near)
        degrees = [[-azimuth, azimuth], [-elevation, elevation]]
        angles = torch.tensor(degrees, dtype=torch.float64).deg2rad()
        return torch.cat((angles, torch.tensor([[near, far]], dtype=torch.float64)))
