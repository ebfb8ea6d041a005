"""What is known of the elements of an array before they are calibrated."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.calibration.panel import DB
from risdoa.conventions import RAD_PER_DEG
from risdoa.errors import InputError

LEAST = 1e-6
"""The smallest standard deviation: below, what is known drowns what is measured."""
SMALL = 30.0
"""Degrees of phase up to which a gain is off in amplitude by what its real part is."""


@dataclass(frozen=True)
class Prior:
    """What is known of the elements beforehand, as standard deviations from the nominal array.

    They are taken to first order around equal gains: of the real parts, and of the imaginary ones.

    Args:
        gain_db: Of the amplitudes, in dB; infinite: nothing. Where it is not, ``phase_deg`` has to
            be 30° at most: to first order an element with another phase has another amplitude.
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
        if not (self.gain_db >= LEAST and self.phase_deg >= LEAST):
            raise InputError(
                f"the standard deviations of gains and phases must be positive, at least {LEAST:g},"
                f" got {self.gain_db:g} dB and {self.phase_deg:g}°",
                "leave out what is not known",
            )
        if self.gain_db < math.inf and self.phase_deg > SMALL:
            raise InputError(
                f"amplitudes are known beforehand only with phases, to {SMALL:g}° or better, got "
                f"{self.gain_db:g} dB and {self.phase_deg:g}°",
                "give the standard deviation of the phases too, or none of the amplitudes",
            )
        if not (self.position == 0 or LEAST <= self.position < math.inf):
            raise InputError(
                f"the standard deviation of the places must be 0, or at least {LEAST:g} and finite,"
                f" got {self.position:g} wavelengths",
                "without bound a panel could be shifted as a whole, which nothing measures",
            )

    def precision(self, count: int, axes: int) -> Tensor:
        """Return 1/σ² of the unknowns of :class:`Sums`, (P,), to first order around g = 1."""
        sigmas = [self.gain_db / DB, self.phase_deg * RAD_PER_DEG] + [self.position] * axes
        each = torch.tensor([1 / sigma**2 for sigma in sigmas], dtype=torch.float64)
        return each.repeat_interleave(count)
