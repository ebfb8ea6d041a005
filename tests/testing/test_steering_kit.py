"""The steering kit finds every faulty model out, and no correct one, however unusual."""

from __future__ import annotations

import numpy as np
import torch

from risdoa.conventions import invert_range, unit_vectors
from risdoa.errors import InputError
from risdoa.registry import Registry
from risdoa.steering import Steering, check_positions
from risdoa.steering.base import PhaseSteering, along, direction_derivatives, squared_radius
from risdoa.steering.spherical import Spherical
from risdoa.testing import Subject, checks_for, parametrize, run_check

REGISTRY = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
BUILT_IN = [Subject.registered(REGISTRY, "steering", n) for n in REGISTRY.names("steering")]


class WithAmplitude(Steering):
    """exp(-jk(ρ - r))/ρ at unit norm: amplitudes fall with the distance."""

    def __call__(self, array, positions):
        check_positions(positions)
        array = array.to(dtype=positions.dtype)
        wave = Spherical()(array, positions)
        inverse = positions[..., None, :, 2:].reciprocal()
        relative = unit_vectors(positions).unsqueeze(-3) - array.positions.unsqueeze(-2) * inverse
        wave = wave / torch.linalg.vector_norm(relative, dim=-1)
        return wave / torch.linalg.vector_norm(wave, dim=-2, keepdim=True)


class FirstElement(Steering):
    """The spherical wave with phase 0 at the first element."""

    def __call__(self, array, positions):
        wave = Spherical()(array, positions)
        first = wave[..., :1, :]
        if array.gains is not None:
            first = first / array.gains[..., :1, None].to(first)
        return wave * first.conj() / first.abs()


class Fresnel(PhaseSteering):
    """The whole second-order term, for any array; derivatives by the default."""

    derivatives = Steering.derivatives

    def lead(self, array, search):
        projection = along(array, direction_derivatives(search)[0])
        depth = squared_radius(array) - projection**2
        return projection - depth * search[..., 2].unsqueeze(-2) / 2

    def lead_derivatives(self, array, search):
        raise NotImplementedError


class CircleAlone(Spherical):
    """A model for uniform circles only."""

    def check(self, array):
        radii = torch.linalg.vector_norm(array.positions, dim=-1)
        round_ = bool(torch.allclose(radii, radii[..., :1].expand_as(radii), rtol=1e-5))
        if not round_ or array.count < 5 or not array.is_planar:
            raise InputError("the elements must stand on a circle around the origin")


class LineAlone(Spherical):
    """A model for elements along x only."""

    def check(self, array):
        if bool((array.positions[..., 1:] != 0).any()):
            raise InputError("the elements must stand along x")


class InNumpy(Steering):
    """NumPy in double precision, source by source; no autograd, ρ - r by subtraction."""

    def __call__(self, array, positions):
        check_positions(positions)
        found = self._wave(array, positions.detach().to(torch.float64).numpy())
        return torch.from_numpy(found).to(positions.dtype.to_complex())

    def derivatives(self, array, positions):
        search = invert_range(positions.to(torch.float64)).numpy()
        columns = []
        for axis in range(3):
            step = np.zeros(3)
            step[axis] = 1e-6
            step = step / (array.diameter if axis == 2 else 1.0)
            ahead, behind = (self._wave(array, self._back(search + s)) for s in (step, -step))
            columns.append((ahead - behind) / (2 * step[axis]))
        slopes = torch.from_numpy(np.stack(columns, -1))
        return self(array, positions), slopes.to(positions.dtype.to_complex())

    def _back(self, search):
        return np.concatenate((search[..., :2], 1 / search[..., 2:]), -1)

    def _wave(self, array, at):
        azimuth, elevation, distance = at[..., None, :, 0], at[..., None, :, 1], at[..., None, :, 2]
        towards = (
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
            np.cos(azimuth) * np.cos(elevation),
        )
        points = array.positions.to(torch.float64).numpy()
        far = sum(points[..., None, i] * towards[i] for i in range(3))
        away = np.minimum(distance, 1e5 * array.diameter)
        rho = np.sqrt(sum((away * towards[i] - points[..., None, i]) ** 2 for i in range(3)))
        lead = np.where(distance > away, far, away - rho)
        gains = np.ones(array.count) if array.gains is None else array.gains.numpy()
        wave = gains[..., None] * np.exp(1j * array.wavenumber * lead)
        return wave / np.linalg.norm(wave, axis=-2, keepdims=True)


class CosineElements(Steering):
    """Each element hears as the cosine off its own tilt, and nothing from behind it."""

    def __call__(self, array, positions):
        wave = Spherical()(array, positions)
        tilt = torch.linspace(-0.3, 0.3, array.count, dtype=positions.dtype).unsqueeze(-1)
        hears = torch.cos(positions[..., None, :, 0] - tilt).clamp_min(0)
        wave = wave * hears * torch.cos(positions[..., None, :, 1])
        return wave / torch.linalg.vector_norm(wave, dim=-2, keepdim=True)


CORRECT = [
    Subject.of("steering", WithAmplitude, ("differentiable",)),
    Subject.of("steering", FirstElement, ("differentiable", "exact")),
    Subject.of("steering", Fresnel, ("differentiable",)),
    Subject.of("steering", CircleAlone, ("differentiable", "exact", "planar-only")),
    Subject.of("steering", LineAlone, ("differentiable", "exact", "planar-only")),
    Subject.of("steering", InNumpy),
    Subject.of("steering", CosineElements, ("differentiable", "element-response")),
]


@parametrize(*BUILT_IN)
def test_the_built_in_models_keep_the_contract(check):
    check()


@parametrize(*CORRECT)
def test_correct_models_pass_however_unusual(check):
    check()


def test_a_model_that_refuses_every_array_is_told_so():
    class Refuses(Spherical):
        def check(self, array):
            raise InputError("no")

    subject = Subject.of("steering", Refuses, ("exact",))
    [outcome] = [run_check(each, subject) for each in checks_for(subject) if each.name == "shapes"]
    assert "3 x 2 elements in a plane" in outcome.expected
