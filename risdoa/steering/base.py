"""The contract of a steering model, and the base of the models that change the phase alone."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import invert_range
from risdoa.errors import InputError

FARTHEST = 1e-12
"""Least 1/r in 1/m at which derivatives are formed through the range: beyond, 1/w² is lost."""


class Steering(ABC):
    """What an array receives from a point source: a(φ, θ, r), of unit norm.

    A model implements :meth:`__call__`. Simulation, losses, backends and bounds all go through it
    and through :meth:`derivatives`, so that data, training and inference share one formula.
    """

    @abstractmethod
    def __call__(self, array: Array, positions: Tensor) -> Tensor:
        """Return the steering vectors of positions.

        Shapes:
            positions: (…, K, 3) rad, rad, m; r = inf is a plane wave.
            Returns (…, N, K) complex, ‖a‖ = 1, in the precision of ``positions``.

        Raises:
            InputError: for positions of another shape or type, see :func:`check_positions`, or an
                array that the model does not hold for.
        """

    def derivatives(self, array: Array, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return a and its derivatives in (φ, θ, w), w = 1/r.

        This default differentiates :meth:`__call__` forwards; closed forms override it.

        Shapes:
            positions: (…, K, 3) rad, rad, m.
            Returns (…, N, K) and (…, N, K, 3) in 1/rad, 1/rad, m.
        """
        search = invert_range(positions)
        search = torch.cat((search[..., :2], search[..., 2:].clamp_min(FARTHEST)), dim=-1)

        def steer(at: Tensor) -> Tensor:
            return self(array, invert_range(at))

        columns = []
        for axis in range(3):
            tangent = torch.zeros_like(search)
            tangent[..., axis] = 1.0
            columns.append(torch.func.jvp(steer, (search,), (tangent,))[1])
        return self(array, positions), torch.stack(columns, dim=-1)

    def lines(self, array: Array) -> tuple[Array, Array] | None:
        """Return two arrays, along x and along y, with a(array) = a(y line) ⊗ a(x line), or None.

        Scans use it to work in two steps. A model that factors so on a product array (the trait
        ``separable``) returns :meth:`Array.lines`; this default says that nothing is known.
        """
        return None


class PhaseSteering(Steering):
    """A model a_n = g_n exp(jkψ_n)/‖g‖ given by its path lead ψ_n in metres.

    Subclasses give ψ as a function of (φ, θ, w) and its three derivatives; g_n are the element
    gains of the array, 1 unless it has some.
    """

    @abstractmethod
    def lead(self, array: Array, search: Tensor) -> Tensor:
        """Return the path lead ψ of every element over the origin in metres.

        Shapes:
            search: (…, K, 3) rad, rad, 1/m. Returns (…, N, K) m.
        """

    @abstractmethod
    def lead_derivatives(self, array: Array, search: Tensor) -> Tensor:
        """Return ∂ψ/∂(φ, θ, w), shape (…, N, K, 3), in m/rad, m/rad and m²."""

    def check(self, array: Array) -> None:
        """Raise an InputError if the model does not hold for ``array``."""

    def __call__(self, array: Array, positions: Tensor) -> Tensor:
        """Return exp(jkψ)·g/‖g‖; see :meth:`Steering.__call__`."""
        array = self._prepare(array, positions)
        phase = array.wavenumber * self.lead(array, invert_range(positions))
        return phasor(phase) * _weights(array)

    def derivatives(self, array: Array, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return a and ∂a = jk ∂ψ · a in closed form; see :meth:`Steering.derivatives`."""
        array = self._prepare(array, positions)
        search = invert_range(positions)
        phase = array.wavenumber * self.lead(array, search)
        steering = phasor(phase) * _weights(array)
        slope = array.wavenumber * self.lead_derivatives(array, search)
        return steering, torch.complex(torch.zeros_like(slope), slope) * steering.unsqueeze(-1)

    def _prepare(self, array: Array, positions: Tensor) -> Array:
        check_positions(positions)
        self.check(array)
        return array.to(device=positions.device, dtype=positions.dtype)


def check_positions(positions: Tensor) -> None:
    """Raise an InputError unless positions are real numbers of shape (…, K, 3)."""
    if positions.ndim < 2 or positions.shape[-1] != 3 or not positions.is_floating_point():
        raise InputError(
            f"positions must be real (…, K, 3), got {tuple(positions.shape)} {positions.dtype}",
            "give azimuth and elevation in radians and range in metres for every source",
        )


def phasor(phase: Tensor) -> Tensor:
    """Return exp(jx); cosine and sine by themselves take a third of the time of torch.polar."""
    return torch.complex(torch.cos(phase), torch.sin(phase))


def _weights(array: Array) -> Tensor:
    """Return g/‖g‖ as (…, N, 1), or 1/√N without gains."""
    if array.gains is None:
        return array.positions.new_tensor(array.count).rsqrt()
    norm: Tensor = torch.linalg.vector_norm(array.gains, dim=-1, keepdim=True)
    return (array.gains / norm).unsqueeze(-1)


def direction_derivatives(search: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return d = (u, v, ζ), ∂d/∂φ and ∂d/∂θ.

    Shapes:
        search: (…, K, 3). Returns three tensors (…, K, 3).
    """
    azimuth, elevation = search[..., 0], search[..., 1]
    sin_a, cos_a = torch.sin(azimuth), torch.cos(azimuth)
    sin_e, cos_e = torch.sin(elevation), torch.cos(elevation)
    direction = torch.stack((sin_a * cos_e, sin_e, cos_a * cos_e), dim=-1)
    by_azimuth = torch.stack((cos_a * cos_e, torch.zeros_like(sin_e), -sin_a * cos_e), dim=-1)
    by_elevation = torch.stack((-sin_a * sin_e, cos_e, -cos_a * sin_e), dim=-1)
    return direction, by_azimuth, by_elevation


def along(array: Array, vectors: Tensor) -> Tensor:
    """Return the element positions along vectors, p_n·d_k.

    Shapes:
        vectors: (…, K, 3). Returns (…, N, K).
    """
    return array.positions @ vectors.transpose(-1, -2)


def squared_radius(array: Array) -> Tensor:
    """Return |p_n|² as (…, N, 1) in m²."""
    return (array.positions**2).sum(-1, keepdim=True)
