"""Small scenes with known sources, and covariances to judge."""

from __future__ import annotations

import torch

from risdoa.arrays import Array
from risdoa.covariance import Covariance
from risdoa.problem import Problem, Truth
from risdoa.sensing import Direct
from risdoa.snapshots import Snapshots
from risdoa.steering.canonical import Canonical

REGION = torch.tensor([[-1.0, 1.0], [-0.5, 0.5], [0.5, 10.0]], dtype=torch.float64)


def positions(rows):
    """Return positions as float64."""
    return torch.tensor(rows, dtype=torch.float64)


def problem_of(scenes):
    """Return a 4 x 4 array read directly; the snapshots themselves play no part."""
    values = torch.ones((scenes, 1, 16), dtype=torch.complex128)
    array = Array.planar(4, 4, wavelength=0.3)
    return Problem(Snapshots(values, Direct()), array, Canonical(), REGION)


def truth_at(places, mask=None):
    """Return the truth of sources of power 1 at (S, K, 3)."""
    mask = torch.ones(places.shape[:2], dtype=torch.bool) if mask is None else mask
    problem = problem_of(len(places))
    return Truth.of(places, mask, mask.to(torch.float64), problem)


def truth_of(seed, sources, scenes=4):
    """Return drawn sources, 1 to ``sources`` of them in a scene, masked anywhere."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand((scenes, sources, 3), dtype=torch.float64, generator=generator)
    places = REGION[:, 0] + (REGION[:, 1] - REGION[:, 0]) * drawn
    mask = torch.rand((scenes, sources), generator=generator) < 0.6
    mask[:, 0] |= ~mask.any(-1)
    return truth_at(places, mask)


def covariance(seed, problem, width=5, load=None):
    """Return a drawn covariance for every scene."""
    generator = torch.Generator().manual_seed(seed + 1)
    shape = (problem.scenes, problem.array.count, width)
    factor = torch.randn(shape, dtype=torch.complex128, generator=generator)
    if load is None:
        return Covariance(factor)
    return Covariance(factor, torch.full(shape[:1], load, dtype=torch.float64))
