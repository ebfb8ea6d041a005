"""A calibrated array: what its elements are, how well that is known, and what it was told of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from risdoa.arrays import Array
from risdoa.errors import InputError
from risdoa.frozen import changed
from risdoa.problem import Problem

NEAR = 1e-6
"""Relative to the wavelength: places that agree this well are the same."""
DB = 20 / math.log(10)
"""Decibels a neper."""


@dataclass(frozen=True)
class Calibration:
    """The elements of one array as scenes with known sources show them.

    The gains are in their gauge: Σ g_n real and not negative, mean |g_n|² = 1; no measurement with
    unknown signals tells more. The standard deviations are those of the likelihood.

    Shapes:
        nominal_m, positions_m: (N, 3), the places that were told and those that were found.
        gains: (N,) complex. gains_std: (N, 2), along g_n (amplitude) and across it (phase, as an
        arc), in units of g. positions_std_m: (N, 3), 0 for a coordinate that was held.
        steering: the name of the model that it was made with, empty if unknown. scenes: how many.
        excess: median over the scenes of the noise power that the residual shows over that which
        was told; NaN where none was.
    """

    nominal_m: Tensor
    positions_m: Tensor
    wavelength_m: float
    gains: Tensor
    gains_std: Tensor
    positions_std_m: Tensor
    steering: str = ""
    scenes: int = 0
    excess: float = math.nan
    iterations: int = 0
    converged: bool = True

    def array(self) -> Array:
        """Return the array with its gains and places."""
        return Array(self.positions_m, self.wavelength_m, self.gains)

    def applied(self, problem: Problem) -> Problem:
        """Return a problem that is told the calibrated array.

        Raises:
            InputError: The problem has another array than the one that was calibrated.
        """
        self.check(problem.array)
        array = self.array().to(problem.array.positions.device, problem.array.positions.dtype)
        return changed(problem, array=array)

    def check(self, array: Array) -> None:
        """Raise an InputError unless ``array`` is the nominal array that was calibrated."""
        told = self.nominal_m.to(array.positions.device)
        if array.positions.ndim != 2 or array.gains is not None:
            raise InputError(
                "a calibration replaces one array of equal elements",
                "give the array as planned, without gains",
            )
        if array.count != len(told):
            raise InputError(
                f"the calibration is of an array with {len(told)} elements, got {array.count}",
                "use the calibration of this array",
            )
        if abs(array.wavelength - self.wavelength_m) > NEAR * self.wavelength_m:
            raise InputError(
                f"the calibration is for a wavelength of {self.wavelength_m:g} m, got "
                f"{array.wavelength:g} m",
                "gains differ from frequency to frequency: calibrate at this one",
            )
        apart = float((array.positions.double() - told).abs().max())
        if apart > NEAR * self.wavelength_m:
            raise InputError(
                f"the calibration is of an array with other element positions, {apart:.3g} m off",
                "use the calibration of this array",
            )

    def gain_db(self) -> Tensor:
        """Return the amplitudes of the gains in dB, (N,); -inf for a silent element."""
        return 20 * self.gains.abs().log10()

    def phase_deg(self) -> Tensor:
        """Return the phases of the gains in degrees, (N,)."""
        return self.gains.angle().rad2deg()

    def relative_std(self) -> tuple[Tensor, Tensor]:
        """Return the standard deviations of the gains in dB and in degrees, (N,) each.

        They are infinite for a silent element.
        """
        relative = self.gains_std / self.gains.abs().unsqueeze(-1)
        return DB * relative[:, 0], relative[:, 1].rad2deg()
