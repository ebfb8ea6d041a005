"""Element patterns: the complex amplitude of an element by the direction of the source."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from risdoa.errors import InputError


class Pattern(ABC):
    """The amplitude g of every element, and its gradient by the direction that it sees."""

    @abstractmethod
    def __call__(self, directions: Tensor) -> Tensor:
        """Return g.

        Shapes:
            directions: (…, N, K, 3) unit vectors from element to source. Returns (…, N, K), real
            or complex.
        """

    @abstractmethod
    def gradient(self, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Return g and ∂g/∂e, (…, N, K) and (…, N, K, 3); what lies along e does not count."""


class CosinePattern(Pattern):
    """g = [h(c)/h(1)]^q with c = e·b = cos α and h(c) = c + √(c² + f²), f = 2t/(1 - t²).

    A smooth cos^q α: α is the angle off the boresight b, and t, the floor, is what is left of the
    cosine: g = 1, t^q and t^2q in front, at the side and at the back. Evaluated as
    exp{q [asinh(c/f) - asinh(1/f)]}, which loses no digits at the back; ∂g/∂c = q g/√(c² + f²).

    Args:
        exponent: q >= 0; 0 is isotropic.
        floor: t in (0, 1).
        boresight: b, (N, 3) or (3,), unit vectors.

    Raises:
        InputError: for an exponent or a floor that is out of bounds.
    """

    def __init__(self, exponent: float, floor: float, boresight: Tensor) -> None:
        if not (exponent >= 0 and 0 < floor < 1):
            raise InputError(
                f"a pattern needs exponent >= 0 and 0 < floor < 1, got {exponent:g} and {floor:g}",
                "say exponent=1 and floor=0.1, for -20 dB at right angles to boresight",
            )
        self.exponent, self.boresight = exponent, boresight
        self.knee = 2 * floor / (1 - floor**2)

    def __call__(self, directions: Tensor) -> Tensor:
        """Return g; see :meth:`Pattern.__call__`."""
        return self._amplitude(self._cosine(directions))

    def gradient(self, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Return g and q g/√(c² + f²)·b; see :meth:`Pattern.gradient`."""
        cosine = self._cosine(directions)
        amplitude = self._amplitude(cosine)
        slope = self.exponent * amplitude / torch.sqrt(cosine**2 + self.knee**2)
        return amplitude, slope.unsqueeze(-1) * self._axes(directions)

    def _amplitude(self, cosine: Tensor) -> Tensor:
        excess = torch.asinh(cosine / self.knee) - math.asinh(1 / self.knee)
        return torch.exp(self.exponent * excess)

    def _cosine(self, directions: Tensor) -> Tensor:
        return (directions * self._axes(directions)).sum(-1)

    def _axes(self, directions: Tensor) -> Tensor:
        """Return b as (N, 1, 3) or (1, 1, 3)."""
        return self.boresight.to(directions).reshape(-1, 1, 3)
