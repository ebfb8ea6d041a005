"""What is known of the elements of an array before they are calibrated."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.calibration.panel import DB
from risdoa.conventions import RAD_PER_DEG
from risdoa.errors import InputError


@dataclass(frozen=True)
class Prior:
    """What is known of the elements beforehand, as standard deviations from the nominal array.

    Args:
        gain_db: Of the amplitudes, in dB; infinite: nothing.
        phase_deg: Of the phases, in degrees; infinite: nothing.
        position: Of every coordinate of the places, in wavelengths; 0: places are as told.

    Raises:
        InputError: for a standard deviation that cannot be.
    """

    gain_db: float = math.inf
    phase_deg: float = math.inf
    position: float = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        if not (self.gain_db > 0 and self.phase_deg > 0):
            raise InputError(
                "the standard deviations of gains and phases must be positive, got "
                f"{self.gain_db:g} dB and {self.phase_deg:g}°"
            )
        if not 0 <= self.position < math.inf:
            raise InputError(
                "the standard deviation of the places must be at least 0 and finite, got "
                f"{self.position:g} wavelengths",
                "without bound a panel could be shifted as a whole, which nothing measures",
            )

    def precision(self, count: int, axes: int) -> Tensor:
        """Return 1/σ² of the unknowns of :class:`Sums`, (P,), to first order around g = 1."""
        sigmas = [self.gain_db / DB, self.phase_deg * RAD_PER_DEG] + [self.position] * axes
        each = torch.tensor([1 / sigma**2 for sigma in sigmas], dtype=torch.float64)
        return each.repeat_interleave(count)
