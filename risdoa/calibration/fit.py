"""Maximum-likelihood calibration of an array from scenes whose sources are known.

    y_l = H diag(c_l) diag(g) A(p) s_l + n_l     (coded),      y_l = diag(g) A(p) s_l + n_l

with the sources' positions known, and unknown: element gains g, element places p if wanted, the
signals s_l and the noise power of every scene. Signals are solved for, and the rest by Gauss-Newton
steps on the normal equations (:mod:`risdoa.calibration.normal`). A step that does not raise the
likelihood is taken again with the signals held, which raises it from anywhere near.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.calibration.normal import (
    EXACT,
    Panel,
    Sums,
    check_factors,
    factored,
    free_measurements,
    moving_axes,
)
from risdoa.calibration.panel import NEAR, Calibration
from risdoa.calibration.prior import Prior
from risdoa.errors import InputError
from risdoa.problem import Truth

STEPS = 100
"""Most steps of a fit."""
NEAR_ENOUGH = 1e-6
"""In log-likelihood: a fit ends where a step would gain less."""
WORTH = 1e-2
"""In log-likelihood: a fit that could still gain more than this has not converged."""
ONE_ARRAY = "calibrate every array by itself, from its nominal positions without gains"


def calibrate(
    truths: Truth | Sequence[Truth], prior: Prior | None = None, *, steering: str = ""
) -> Calibration:
    """Return the elements of one array, from scenes whose sources are known.

    Beside unknown signals the complex scale of the gains is not observable: they are brought to
    Σ g_n > 0 and mean |g_n|² = 1. Nor is, far from the array, a shift of all elements together; the
    prior of the places keeps it small.

    Args:
        truths: Scenes with their truth, whose problems share one array.
        prior: What is known beforehand; by default nothing of the gains, and the places exactly.
        steering: The name of the steering model of the problems, for the record.

    Raises:
        InputError: The arrays differ or have gains already, their elements couple in the steering
            model, or the scenes do not determine them.
    """
    fit = Fit.of([truths] if isinstance(truths, Truth) else truths, prior or Prior())
    panel, iterations, left = fit.descended()
    return fit.calibration(panel, iterations, left, steering)


@dataclass(frozen=True)
class Fit:
    """Scenes, the axes along which elements may move, and the precision of the unknowns.

    ``share`` is what the unknowns leave of the degrees of freedom, for the noise power.
    """

    truths: Sequence[Truth]
    axes: Sequence[int]
    precision: Tensor
    share: float

    @classmethod
    def of(cls, truths: Sequence[Truth], prior: Prior) -> Fit:
        """Return the fit of scenes, if they are enough.

        Raises:
            InputError: see :func:`calibrate`.
        """
        array = _one_array(truths)
        double = [truth.to(dtype=torch.complex128) for truth in truths]
        for truth in double:
            check_factors(truth)
        axes = moving_axes(double) if prior.position > 0 else []
        free = [free_measurements(truth) for truth in double]
        least, total = min(int(each.min()) for each in free), 2 * sum(int(x.sum()) for x in free)
        unknowns = (2 + len(axes)) * array.count - 2
        if least < 1 or total <= unknowns:
            raise InputError(
                f"too few measurements: {total} real numbers beside those that tell the signals, "
                f"for {unknowns} unknowns of {array.count} elements",
                "give more scenes, or more snapshots or outputs than sources in each",
            )
        precision = prior.precision(array.count, len(axes)).to(array.positions.device)
        return cls(double, axes, precision, 1 - unknowns / total)

    @property
    def nominal(self) -> Array:
        """The array as it was told."""
        return self.truths[0].problem.array

    def sums(self, panel: Panel) -> Sums:
        """Return the normal equations at a panel."""
        return Sums.of(self.truths, panel, self.axes, self.share)

    def descended(self) -> tuple[Panel, int, float]:
        """Return the likeliest panel, the steps it took and what another would gain."""
        panel = Panel(
            torch.ones_like(self.precision[: self.nominal.count], dtype=torch.complex128),
            torch.zeros_like(self.nominal.positions),
        )
        sums = self.sums(panel)
        for step in range(STEPS):
            move, gain = self._step(panel, sums)
            if gain < NEAR_ENOUGH:
                return panel, step, gain
            better = self._better(panel, sums, move)
            if better is None:
                better = self._better(panel, sums, self._step(panel, sums, lost=0.0)[0])
            if better is None:
                return panel, step, gain
            panel, sums = better
        return panel, STEPS, self._step(panel, sums)[1]

    def _better(self, panel: Panel, sums: Sums, move: Tensor) -> tuple[Panel, Sums] | None:
        """Return where a move ends if that is likelier."""
        trial = self._moved(panel, move)
        after = self.sums(trial)
        return (trial, after) if self._cost(trial, after) < self._cost(panel, sums) else None

    def calibration(self, panel: Panel, iterations: int, left: float, steering: str) -> Calibration:
        """Return the panel in its gauge with its standard deviations."""
        scale = panel.gains.abs().square().mean().sqrt()
        turned = panel.gains * torch.exp(-1j * panel.gains.sum().angle()) / scale
        panel = Panel(turned, panel.offsets)
        sums, nominal = self.sums(panel), self.nominal
        spread = self._covariance(panel, sums)
        return Calibration(
            nominal_m=nominal.positions,
            positions_m=panel.moved_array(nominal).positions,
            wavelength_m=nominal.wavelength,
            gains=panel.gains,
            gains_std=_gain_std(panel.gains, spread),
            positions_std_m=nominal.wavelength * self._place_std(spread),
            steering=steering,
            scenes=len(sums.noise),
            excess=self._excess(sums, spread),
            iterations=iterations,
            converged=left < WORTH,
        )

    def _unknowns(self, panel: Panel) -> Tensor:
        """Return θ - θ₀, (P,)."""
        parts = [panel.gains.real - 1, panel.gains.imag]
        return torch.cat(parts + [panel.offsets[:, axis] for axis in self.axes])

    def _cost(self, panel: Panel, sums: Sums) -> float:
        """Return -log(likelihood · prior)."""
        return float(sums.cost + (self.precision * self._unknowns(panel) ** 2).sum() / 2)

    def _normal(self, panel: Panel, sums: Sums, lost: float = 1.0) -> tuple[Tensor, Tensor]:
        """Return the matrix that steps are solved by, its gauge filled up, and the gauge (P, 2).

        ``lost`` is 0 where the signals are held.
        """
        gauge = torch.zeros_like(sums.held[:, :2])
        turned = torch.stack((panel.gains, 1j * panel.gains), dim=-1)
        gauge[: 2 * len(turned)] = torch.cat((turned.real, turned.imag))
        gauge = gauge / torch.linalg.vector_norm(gauge, dim=0)
        matrix = sums.held - lost * sums.lost + self.precision.diag()
        level = matrix.diagonal()[: 2 * len(turned)].mean()
        return matrix + level * gauge @ gauge.mT, gauge

    def _step(self, panel: Panel, sums: Sums, lost: float = 1.0) -> tuple[Tensor, float]:
        """Return the move of the unknowns, and what it should gain in log-likelihood."""
        gradient = sums.gradient - self.precision * self._unknowns(panel)
        matrix, gauge = self._normal(panel, sums, lost)
        gradient = gradient - gauge @ (gauge.mT @ gradient)
        move = torch.cholesky_solve(gradient.unsqueeze(-1), _factor(matrix)).squeeze(-1)
        return move, float(gradient @ move) / 2

    def _moved(self, panel: Panel, move: Tensor) -> Panel:
        """Return the panel after a move."""
        count = len(panel.gains)
        offsets = panel.offsets.clone()
        parts = move[2 * count :].view(len(self.axes), count)
        for axis, part in zip(self.axes, parts, strict=True):
            offsets[:, axis] += part
        return Panel(panel.gains + torch.complex(move[:count], move[count : 2 * count]), offsets)

    def _covariance(self, panel: Panel, sums: Sums) -> Tensor:
        """Return the covariance of the unknowns across the gauge, (P, P)."""
        matrix, gauge = self._normal(panel, sums)
        across = torch.eye(len(gauge), dtype=gauge.dtype, device=gauge.device) - gauge @ gauge.mT
        spread: Tensor = across @ torch.cholesky_inverse(_factor(matrix)) @ across
        return spread

    def _place_std(self, spread: Tensor) -> Tensor:
        """Return the standard deviations of the places in wavelengths, (N, 3)."""
        std = torch.zeros_like(self.nominal.positions)
        variances = spread.diagonal()[2 * len(std) :].view(len(self.axes), len(std))
        for axis, part in zip(self.axes, variances, strict=True):
            std[:, axis] = part.clamp_min(0).sqrt()
        return std

    def _excess(self, sums: Sums, spread: Tensor) -> float:
        """Return the median of the residual's noise power over the one that was told, or NaN.

        Of the unknowns tr(ΛΣ), with the prior's precision Λ and the covariance Σ, are told by the
        prior: they take no degrees of freedom from the residual.
        """
        known = float(self.precision @ spread.diagonal()) / max(1, len(self.precision) - 2)
        left = 1 - (1 - self.share) * (1 - known)
        ratios = sums.noise / torch.cat([_told_noise(truth) for truth in self.truths])
        return float(ratios.nanmedian()) * self.share / left


def _told_noise(truth: Truth) -> Tensor:
    """Return the noise power that was told, not below rounding, (S,); NaN where none was."""
    snapshots = truth.problem.snapshots
    level = snapshots.values.abs().square().mean((-2, -1))
    if snapshots.noise_power is None:
        return torch.full_like(level, math.nan)
    return torch.maximum(snapshots.noise_power.to(level), EXACT * level)


def _gain_std(gains: Tensor, spread: Tensor) -> Tensor:
    """Return the standard deviations along the gains and across them, (N, 2)."""
    count = len(gains)
    real, imag = spread[:count, :count].diagonal(), spread[count : 2 * count, count : 2 * count]
    both = spread[:count, count : 2 * count].diagonal()
    unit = torch.polar(torch.ones_like(gains.real), gains.angle())
    cos, sin = unit.real, unit.imag
    along = cos**2 * real + sin**2 * imag.diagonal() + 2 * cos * sin * both
    across = sin**2 * real + cos**2 * imag.diagonal() - 2 * cos * sin * both
    return torch.stack((along, across), dim=-1).clamp_min(0).sqrt()


def _one_array(truths: Sequence[Truth]) -> Array:
    """Return the array of all scenes.

    Raises:
        InputError: There are no scenes, or their arrays differ or have gains.
    """
    if not truths:
        raise InputError(
            "a calibration needs scenes with known sources, got none", "give one scene at least"
        )
    array = truths[0].problem.array
    for other in (truth.problem.array for truth in truths):
        if other.positions.ndim != 2 or other.gains is not None:
            raise InputError("a calibration starts from one array of equal elements", ONE_ARRAY)
        if other.positions.shape != array.positions.shape or other.wavelength != array.wavelength:
            raise InputError(
                f"the scenes must be of one array, got {array.count} elements at "
                f"{array.wavelength:g} m and {other.count} at {other.wavelength:g} m",
                ONE_ARRAY,
            )
        if bool(((other.positions - array.positions).abs() > NEAR * array.wavelength).any()):
            raise InputError(
                "the scenes must be of one array, got different element positions", ONE_ARRAY
            )
    return array


def _factor(matrix: Tensor) -> Tensor:
    """Return the Cholesky factor of the normal matrix.

    Raises:
        InputError: It is singular.
    """
    return factored(
        matrix,
        "these scenes do not determine every element",
        "give more scenes with other sources, or say what is known beforehand "
        "(--gain-db, --phase-deg)",
    )
