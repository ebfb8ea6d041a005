"""Steering vectors of real elements: patterns and mutual coupling on top of another model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import risdoa
from risdoa.errors import InputError
from risdoa_antennas.coupling import check_condition, neighbour_coefficient, spherical_coupling
from risdoa_antennas.measured import Measured, read_measured
from risdoa_antennas.pattern import CosinePattern, Pattern

NAME = "element-response"

Z_AXIS = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
"""Boresight where no file says otherwise."""


class ElementResponse(risdoa.Steering):
    """a = C (g ∘ a₀)/‖C (g ∘ a₀)‖ with a₀ from a base model, patterns g and coupling C.

    Every element sees the source in a direction of its own, e_n = (p - p_n)/|p - p_n|, which a base
    model of plane waves does without. Gains of the array belong to a₀, in front of the coupling.

    Args:
        base: The steering model that gives a₀.
        exponent: q of the pattern cos^q; 0 is isotropic.
        floor: What is left of the cosine at right angles to boresight; its square at the back.
        coupling_db: Coupling of nearest neighbours in dB; None for none.
        coupling_deg: Its phase in degrees.
        response: A .npz file with a measured coupling matrix, patterns or boresights, which take
            the place of the formulas.

    Raises:
        InputError: for an option out of bounds or a file that holds no response.
    """

    def __init__(
        self,
        base: str = "spherical",
        exponent: float = 1.0,
        floor: float = 0.1,
        coupling_db: float | None = -20.0,
        coupling_deg: float = 0.0,
        response: str | None = None,
    ) -> None:
        self.base, self.far_field = _base(base)
        self.neighbour = neighbour_coefficient(coupling_db, coupling_deg)
        self.measured = Measured() if response is None else read_measured(Path(response))
        self.elements = self.measured.elements()
        boresight = Z_AXIS if self.measured.boresight is None else self.measured.boresight
        cosine = CosinePattern(exponent, floor, boresight)
        self.pattern: Pattern = self.measured.pattern or cosine
        self._last: tuple[risdoa.Array, Tensor] | None = None

    def __call__(self, array: risdoa.Array, positions: Tensor) -> Tensor:
        """Return C (g ∘ a₀) at unit norm; see :meth:`risdoa.Steering.__call__`."""
        coupling = self.coupling(array)
        steering = self.base(array, positions)
        sight = self._sight(array, positions)
        outputs = coupling.to(steering) @ (self.pattern(sight.directions) * steering)
        norm: Tensor = torch.linalg.vector_norm(outputs, dim=-2, keepdim=True)
        return outputs / norm

    def derivatives(self, array: risdoa.Array, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return a and ∂a = (∂b - a Re(aᴴ∂b))/‖b‖, ∂b = C (∂g ∘ a₀ + g ∘ ∂a₀), b = C (g ∘ a₀)."""
        steering, slopes = self.base.derivatives(array, positions)
        coupling = self.coupling(array).to(steering)
        sight = self._sight(array, positions)
        amplitude, gradient = self.pattern.gradient(sight.directions)
        outputs = coupling @ (amplitude * steering)
        bend = sight.chain(gradient) * steering.unsqueeze(-1)
        changes = _apply(coupling, bend + amplitude.unsqueeze(-1) * slopes)
        norm = torch.linalg.vector_norm(outputs, dim=-2, keepdim=True)
        unit = outputs / norm
        along = (unit.unsqueeze(-1).conj() * changes).sum(-3, keepdim=True).real
        return unit, (changes - unit.unsqueeze(-1) * along) / norm.unsqueeze(-1)

    def coupling(self, array: risdoa.Array) -> Tensor:
        """Return the coupling matrix C of an array, measured or by the model.

        Shapes:
            Returns (…, N, N) complex128.

        Raises:
            InputError: if the response is for another number of elements, or C is near to singular.
        """
        if self.elements not in {None, array.count}:
            raise InputError(
                f"the response is for {self.elements} elements, the array has {array.count}",
                "give a response with a row for every element of the array, in its order",
            )
        if self.measured.coupling is not None:
            return self.measured.coupling.to(array.positions.device)
        if self._last is not None:
            known, coupling = self._last
            if known.positions is array.positions and known.wavelength == array.wavelength:
                return coupling
        coupling = spherical_coupling(array, self.neighbour)
        check_condition(coupling)
        self._last = (array, coupling)
        return coupling

    def _sight(self, array: risdoa.Array, positions: Tensor) -> _Sight:
        elements = array.positions.to(positions)
        if self.far_field:  # seen from so far away that all elements stand at the origin
            elements = torch.zeros_like(elements)
        return _Sight.of(elements, positions)


@dataclass(frozen=True)
class _Sight:
    """How the elements see the sources, e = (d - w p)/m with m = |d - w p|, w = 1/r.

    Shapes:
        directions: e, (…, N, K, 3). distance: m, (…, N, K), the distance over r.
        moves: ∂(d - w p)/∂(φ, θ, w), three tensors that broadcast to (…, N, K, 3).
    """

    directions: Tensor
    distance: Tensor
    moves: tuple[Tensor, Tensor, Tensor]

    @classmethod
    def of(cls, elements: Tensor, positions: Tensor) -> _Sight:
        """Return the view of elements (…, N, 3) on positions (…, K, 3)."""
        sin_a, cos_a = torch.sin(positions[..., 0]), torch.cos(positions[..., 0])
        sin_e, cos_e = torch.sin(positions[..., 1]), torch.cos(positions[..., 1])
        zero = torch.zeros_like(sin_a)
        towards = torch.stack((sin_a * cos_e, sin_e, cos_a * cos_e), -1).unsqueeze(-3)
        by_azimuth = torch.stack((cos_a * cos_e, zero, -sin_a * cos_e), -1).unsqueeze(-3)
        by_elevation = torch.stack((-sin_a * sin_e, cos_e, -cos_a * sin_e), -1).unsqueeze(-3)
        points = elements.unsqueeze(-2)
        inverse = positions[..., None, :, 2:].reciprocal()
        offset = towards - inverse * points
        distance = torch.linalg.vector_norm(offset, dim=-1)
        moves = (by_azimuth, by_elevation, -points)
        return cls(offset / distance.unsqueeze(-1), distance, moves)

    def chain(self, gradient: Tensor) -> Tensor:
        """Return ∂g/∂(φ, θ, w) of ∂g/∂e, both (…, N, K, 3): only what turns e counts."""
        radial = (gradient * self.directions).sum(-1, keepdim=True)
        turning = (gradient - radial * self.directions) / self.distance.unsqueeze(-1)
        return torch.stack([(turning * move).sum(-1) for move in self.moves], -1)


def _base(name: str) -> tuple[risdoa.Steering, bool]:
    """Return the base model, and whether it knows plane waves alone."""
    if name.rpartition("/")[2] == NAME:
        raise InputError(
            f"{NAME} cannot be its own base", "say base=spherical, canonical or plane-wave"
        )
    registry = risdoa.Registry.discover()
    model: risdoa.Steering = registry.create("steering", name)
    return model, "far-field" in registry.find("steering", name).record.traits


def _apply(matrix: Tensor, vectors: Tensor) -> Tensor:
    """Return C v for v (…, N, K, 3)."""
    flat = matrix @ vectors.flatten(-2)
    result: Tensor = flat.unflatten(-1, vectors.shape[-2:])
    return result
