"""What the tests share."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import risdoa


@pytest.fixture
def array():
    return risdoa.Array.planar(4, 3, wavelength=0.3)


@pytest.fixture
def positions():
    """Six positions, (3, 2, 3), from half a metre to a plane wave."""
    unit = torch.rand((3, 2, 3), dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    spread = unit * torch.tensor([2.0, 1.0, 4.0]) + torch.tensor([-1.0, -0.5, 0.5])
    spread[0, 0, 2] = torch.inf
    return spread


@pytest.fixture
def response(tmp_path):
    """Write a response of some fields and return its path as text."""

    def write(**fields):
        path = tmp_path / "response.npz"
        np.savez(path, **fields)
        return str(path)

    return write


@pytest.fixture
def measured_fields():
    """Coupling, a pattern an element over part of the sphere, and what its axes are."""
    random = np.random.default_rng(5)

    def normal(*shape):
        return random.standard_normal(shape) + 1j * random.standard_normal(shape)

    return {
        "coupling": np.eye(12) + 0.05 * normal(12, 12),
        "pattern": 1 + 0.2 * normal(12, 37, 10),
        "azimuth_deg": np.arange(-90.0, 91, 5),
        "elevation_deg": np.linspace(-60, 60, 10),
    }
