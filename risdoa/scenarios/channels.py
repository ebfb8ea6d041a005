"""What stands between the surface and the base station: Rician channels and surface codes."""

from __future__ import annotations

import cmath
import math

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.scenarios.draws import complex_normal, integers, subsets, uniform
from risdoa.steering.plane_wave import PlaneWave

LEVELS = 8
"""The phases of a 3-bit element."""

STATION_ANGLE = math.pi / 3
"""The line of sight arrives within ±60° in azimuth and elevation, and so it does at the station."""


def rician(array: Array, outputs: int, factor: Tensor, generator: torch.Generator) -> Tensor:
    """Return H = √(κ/(κ+1)) b aᵀ + √(1/(κ+1)) W, one per Rician factor κ.

    a and b have entries of modulus 1 (plane waves at the surface and at the half-wavelength line
    of antennas at the base station), W is iid CN(0, 1): the line of sight holds MN·κ/(κ+1) of the
    mean squared norm MN.

    Shapes:
        factor: (S,) κ. Returns (S, M, N) complex128.
    """
    scenes = factor.shape[0]
    share = (factor / (factor + 1)).sqrt()[:, None]
    rest = (1 / (factor + 1)).sqrt()[:, None, None]
    surface = _plane_waves(array, scenes, generator)
    station = _plane_waves(Array.linear(outputs, array.wavelength), scenes, generator)
    scattered = complex_normal((scenes, outputs, array.count), generator)
    sight = (share * station).unsqueeze(-1), surface.unsqueeze(-2)
    return scattered.mul_(rest).baddbmm_(*sight)


def _plane_waves(array: Array, scenes: int, generator: torch.Generator) -> Tensor:
    """Return plane waves of modulus 1 from drawn directions, (S, N)."""
    angles = uniform((scenes, 1, 2), -STATION_ANGLE, STATION_ANGLE, generator)
    positions = torch.cat((angles, torch.full_like(angles[..., :1], math.inf)), dim=-1)
    return PlaneWave()(array, positions).squeeze(-1) * math.sqrt(array.count)


def random_levels(scenes: int, snapshots: int, elements: int, generator: torch.Generator) -> Tensor:
    """Return codes with every phase drawn from the 3-bit alphabet, as :func:`codes_of` takes them.

    Shapes:
        Returns (S, L, N) uint8 in 0…7.
    """
    return integers((scenes, snapshots, elements), 0, LEVELS - 1, generator, torch.uint8)


def dft_levels(scenes: int, snapshots: int, nx: int, ny: int, generator: torch.Generator) -> Tensor:
    """Return codes drawn without replacement from the 2-D DFT, rounded to 3 bits.

    Shapes:
        Returns (S, L, nx·ny) uint8 in 0…7.
    """
    drawn = subsets(scenes, snapshots, nx * ny, generator)
    rows, place = drawn.unique(return_inverse=True)
    return dft_codes(rows, nx, ny)[place]


def dft_codes(rows: Tensor, nx: int, ny: int) -> Tensor:
    """Return 2-D DFT codes exp(j2π(p·ix/nx + q·iy/ny)), phases rounded to multiples of π/4.

    Shapes:
        rows: (C,) int, q·nx + p. Returns (C, nx·ny) uint8 in 0…7: column iy·nx + ix.
    """
    ix, iy = torch.arange(nx, device=rows.device), torch.arange(ny, device=rows.device)
    along_x = torch.outer(rows % nx, ix) * ny
    along_y = torch.outer(rows // nx, iy) * nx
    turns = along_y[:, :, None] + along_x[:, None, :]
    size = nx * ny
    levels = (2 * LEVELS * turns + size) // (2 * size) % LEVELS
    return levels.flatten(1).to(torch.uint8)


def codes_of(levels: Tensor) -> Tensor:
    """Return exp(j2πm/8) for levels m.

    Shapes:
        levels: (…) uint8 in 0…7. Returns (…) complex128 of modulus 1.
    """
    phases = [cmath.exp(2j * math.pi * level / LEVELS) for level in range(LEVELS)]
    alphabet = torch.tensor(phases, dtype=torch.complex128, device=levels.device)
    return alphabet.index_select(0, levels.flatten().to(torch.int32)).view(levels.shape)
