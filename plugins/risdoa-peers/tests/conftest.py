"""What the tests share."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

import risdoa

NAMES = ("acoular-music", "acoular-capon", "pyroomacoustics-music")


@dataclass(frozen=True)
class Scene:
    """A problem, the covariance without noise and where the sources are, (K, 3)."""

    problem: risdoa.Problem
    covariance: risdoa.Covariance
    places: torch.Tensor


@pytest.fixture(scope="session")
def registry():
    return risdoa.Registry.discover({})


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def backend(registry, name):
    return registry.create("backend", name)


@pytest.fixture
def scene(registry):
    """Make a scene of sources at places in deg, deg and m, seen by a rectangle of 6 x 5."""

    def make(*places, steering="spherical", array=None):
        array = array or risdoa.Array.planar(6, 5, wavelength=0.3)
        model = registry.create("steering", steering)
        degrees = torch.tensor(places, dtype=torch.float64)
        positions = torch.cat((degrees[:, :2].deg2rad(), degrees[:, 2:]), -1)
        vectors = model(array, positions).expand(1, -1, -1)
        snapshots = risdoa.Snapshots(vectors.mT.contiguous(), risdoa.Direct())
        region = torch.tensor([[-1.0, 1.0], [-0.6, 0.6], [0.5, 10.0]], dtype=torch.float64)
        count = torch.tensor([len(places)])
        problem = risdoa.Problem(snapshots, array, model, region, count)
        return Scene(problem, risdoa.Covariance(vectors), positions)

    return make
