"""‖Xᴴa‖² on a uniform lattice: one trigonometric polynomial a plane, however wide X is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import invert_range
from risdoa.frozen import changed
from risdoa.grid import Grid
from risdoa.scan.base import MEMORY, power
from risdoa.steering.base import Steering

EQUAL = 3e-5
"""Phasors that differ by less are equal: elements in single precision stand to 1e-6 wavelengths."""

BUFFER = 2 * 2**20
"""Bytes of a buffer that stays in the cache."""


@dataclass(frozen=True)
class Lattice:
    """The energies of fields on N_y × N_x equally spaced elements, over a product grid.

    Where the model is a chirp c(w) that only the range changes times a plane wave,
    a_n = c_n(w) exp(j(i_x α + i_y β)), the energy is a polynomial in exp(jα) and exp(jβ),

        Σ_k |x_kᴴa|² = Σ_d h_w[d] exp(j(d_x α + d_y β)),   h_w[d] = Σ_k Σ_n z_kn z̄_k,n+d,

    whose coefficients are the autocorrelation of z_k = c̄ ∘ x_k. They come from Σ_k |FFT z_k|²,
    zero-padded, so that only one transform back is due for all k. h[-d] is the conjugate of h[d]:
    those with d_x >= 0 are enough. Summed over d_y once for each elevation they leave 4N_x
    operations a point, a real product with a table that all ranges and scenes share.

    Shapes:
        chirp: (W, N_y, N_x) complex64, conjugate. up: (E, 2N_y - 1) complex64, exp(j d_y β).
        across: (E, 2N_x, A) float32, Re and -Im of (1 or, but for d_x = 0, 2) exp(j d_x α).
    """

    chirp: Tensor
    up: Tensor
    across: Tensor

    @property
    def shape(self) -> tuple[int, int, int]:
        """The number of points along w, θ and φ."""
        return self.chirp.shape[0], self.across.shape[0], self.across.shape[2]

    def energies(self, fields: Tensor, out: Tensor | None = None) -> Tensor:
        """Return ‖Xᴴa‖², a few planes at a time; see :class:`risdoa.scan.energy.EnergyScan`."""
        scenes, planes = len(fields), len(self.chirp)
        sheets = fields.mT.to(self.chirp.dtype).unflatten(-1, self.chirp.shape[1:])
        out = self.across.new_empty((scenes, math.prod(self.shape))) if out is None else out
        volume = out.view(scenes, *self.shape)
        at_once = max(1, MEMORY // self._bytes_a_plane(fields.shape[-1]))
        few, some = max(1, at_once // planes), min(planes, at_once)
        for scene in range(0, scenes, few):
            for plane in range(0, planes, some):
                near = self.chirp[plane : plane + some].unsqueeze(1)
                rows = self._rows(sheets[scene : scene + few].unsqueeze(1) * near)
                chunk = volume[scene : scene + few, plane : plane + some].flatten(0, 1)
                self._spread(rows, chunk.transpose(0, 1))
        return out

    def select(self, scenes: Tensor) -> Lattice:
        """Return itself: one geometry for all scenes."""
        return self

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing: no approximation, only rounding."""
        return ()

    def _rows(self, sheets: Tensor) -> Tensor:
        """Return what is left in α on every row, Re and Im of Σ_dy h exp(j d_y β) in turn.

        Shapes:
            sheets: (…, X, N_y, N_x). Returns (E, …, 2N_x) float32.
        """
        height, width = sheets.shape[-2:]
        seen = power(torch.fft.fft2(sheets, s=(2 * height, 2 * width))).sum(-3)
        lags = torch.fft.rfft2(seen, norm="forward")[..., :width]
        shifts = torch.arange(1 - height, height, device=lags.device)
        h = lags[..., shifts, :].flatten(0, -3).transpose(0, 1)
        return torch.view_as_real(self.up @ h.flatten(1)).reshape(len(self.up), -1, 2 * width)

    def _spread(self, rows: Tensor, out: Tensor) -> None:
        """Write the values over α of rows (E, Z, 2N_x) to out (E, Z, A), which need not be dense.

        Products of a few rows go to a small buffer first: one that is dense uses every thread.
        """
        size = max(1, BUFFER // (4 * out.shape[1] * out.shape[2]))
        buffer = out.new_empty((min(size, len(out)), *out.shape[1:]))
        parts = rows.split(size), self.across.split(size), out.split(size)
        for part, table, place in zip(*parts, strict=True):
            place.copy_(torch.bmm(part, table, out=buffer[: len(part)]))

    def _bytes_a_plane(self, fields: int) -> int:
        """Return the memory of the largest intermediate for one plane of one scene."""
        _, height, width = self.chirp.shape
        return 8 * width * max(4 * height * fields, len(self.up))


def lattice(steering: Steering, array: Array, grid: Grid) -> Lattice | None:
    """Return the lattice of an array over a grid, or None where the energies are no polynomial.

    All phasors come from the steering model. That those of a line are powers of one is seen at the
    ends and in the middle of the grid.
    """
    lines = steering.lines(array)
    if lines is None:
        return None
    x, y = (line.to(dtype=torch.float64) for line in lines)
    w, e, a = (axis.to(x.positions) for axis in (grid.inverse_range, grid.elevation, grid.azimuth))
    if not _is_wave(steering, (x, y), [axis[[0, len(axis) // 2, -1]] for axis in (w, e, a)]):
        return None
    ahead = _ahead(w)
    chirp = steering(y, ahead).mT.unsqueeze(-1) * steering(x, ahead).mT.unsqueeze(-2)
    up = _powers(steering, y, _mesh(w[:1], e, a[:1]))[0, :, 0]
    up = torch.cat((up[:, 1:].flip(-1).conj(), up), dim=-1)
    across = [_across(steering, x, _mesh(w[:1], rows, a)) for rows in e.split(_rows_at_once(x, a))]
    return Lattice(chirp.conj().to(torch.complex64), up.to(torch.complex64), torch.cat(across))


def _across(steering: Steering, line: Array, search: Tensor) -> Tensor:
    """Return the table of :class:`Lattice` for rows (1, E', A, 3), (E', 2N_x, A)."""
    phasors = _powers(steering, line, search)[0].conj().resolve_conj()
    phasors[..., 1:] *= 2
    return torch.view_as_real(phasors).to(torch.float32).permute(0, 2, 3, 1).flatten(1, 2)


def _rows_at_once(line: Array, azimuth: Tensor) -> int:
    return max(1, MEMORY // (16 * line.count * len(azimuth)))


def _powers(steering: Steering, line: Array, search: Tensor) -> Tensor:
    """Return 1, z, z², … for the phasor z between two neighbours of a line, (…, N)."""
    first, last, count = line.positions[0], line.positions[-1], line.count
    pair = changed(line, positions=torch.stack((first, first + (last - first) / max(1, count - 1))))
    ratio = _phasors(steering, pair, search)[..., 1:]
    return torch.cat(
        (torch.ones_like(ratio), ratio.expand(*ratio.shape[:-1], count - 1)), dim=-1
    ).cumprod(-1)


def _phasors(steering: Steering, line: Array, search: Tensor) -> Tensor:
    """Return a over a of broadside at the same range, over that of the first element.

    Shapes:
        search: (W, E, A, 3). Returns (W, E, A, N).
    """
    ahead = steering(line, _ahead(search[:, 0, 0, 2])).mT[:, None, None]
    wave = steering(line, invert_range(search)).mT / ahead
    return wave / wave[..., :1]


def _ahead(inverse_range: Tensor) -> Tensor:
    """Return the positions at broadside, (W, 3)."""
    return invert_range(torch.nn.functional.pad(inverse_range.unsqueeze(-1), (2, 0)))


def _mesh(w: Tensor, e: Tensor, a: Tensor) -> Tensor:
    """Return the points of a product, (W, E, A, 3) in (φ, θ, w)."""
    return torch.stack(torch.meshgrid(w, e, a, indexing="ij")[::-1], dim=-1)


def _is_wave(steering: Steering, lines: tuple[Array, Array], axes: list[Tensor]) -> bool:
    """Return whether a is a chirp times a plane wave over a lattice, at the points of three axes.

    Then phasors are powers, the same at all ranges, and along y at all azimuths.
    """
    w, e, a = axes
    x, y = lines
    for line, azimuth in ((x, a), (y, a[:1])):
        phasors = _phasors(steering, line, _mesh(w, e, a))
        expected = _powers(steering, line, _mesh(w[:1], e, azimuth))
        if bool(((phasors - expected).abs() > EQUAL).any()):
            return False
    return True
