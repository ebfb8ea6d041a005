"""Mutual coupling: the matrix between the fields that reach the elements and their outputs."""

from __future__ import annotations

import math

import torch
from torch import Tensor

import risdoa
from risdoa.errors import InputError

WORST_CONDITION = 1e4
"""Beyond this condition number single precision keeps fewer than four digits."""


def neighbour_coefficient(level_db: float | None, phase_deg: float) -> complex:
    """Return γ = 10^(level/20) exp(j phase), 0 where there is no level.

    Raises:
        InputError: for a level above 0 dB, which no passive neighbour has.
    """
    if level_db is None:
        return 0j
    if not level_db <= 0:
        raise InputError(
            f"the coupling of neighbours must be at most 0 dB, got {level_db:g} dB",
            "say coupling_db=-20, or coupling_db=none for no coupling",
        )
    magnitude, phase = 10 ** (level_db / 20), math.radians(phase_deg)
    return complex(magnitude * math.cos(phase), magnitude * math.sin(phase))


def spherical_coupling(array: risdoa.Array, neighbour: complex) -> Tensor:
    """Return C with C_nn = 1 and C_nm = γ (d₀/d_nm) exp(-jk(d_nm - d₀)), a symmetric matrix.

    d_nm is the distance between two elements and d₀ the smallest of all: neighbours couple by γ,
    the others as a spherical wave falls with distance. Coupling inverse to distance is the model of
    Friedlander and Weiss (1991) and of Liu and Vaidyanathan (2016).

    Shapes:
        array: positions (…, N, 3). Returns (…, N, N) complex128.

    Raises:
        InputError: if two elements stand in one place.
    """
    points = array.positions.to(torch.float64)
    itself = torch.eye(array.count, dtype=torch.bool, device=points.device)
    if neighbour == 0:
        return itself.to(torch.complex128)
    distances = torch.linalg.vector_norm(points.unsqueeze(-2) - points.unsqueeze(-3), dim=-1)
    distances = distances.masked_fill(itself, math.inf)
    nearest = distances.amin((-2, -1), keepdim=True)
    if not bool((nearest > 0).all()):
        raise InputError(
            "two elements stand in one place, where coupling by distance is infinite",
            "check the element positions, or say coupling_db=none",
        )
    phase = -array.wavenumber * (distances - nearest)
    ratio = nearest / distances
    mutual = torch.polar(ratio, phase).masked_fill(itself, 0)
    return neighbour * mutual + itself


def check_condition(coupling: Tensor) -> None:
    """Raise an InputError if a coupling matrix is so near to singular that directions are lost."""
    condition = float(torch.linalg.cond(coupling).max())
    if not condition <= WORST_CONDITION:
        raise InputError(
            f"the coupling matrix has condition number {condition:.3g}, more than "
            f"{WORST_CONDITION:g}: some fields would leave next to no output",
            "its diagonal should be near 1 and larger than the rest: check units and element order",
        )
