"""Peaks where the sources are: the pseudospectrum there against what it is beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from risdoa.conventions import invert_range
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.losses.base import Loss
from risdoa.problem import Truth

if TYPE_CHECKING:
    from optuna import Trial

HALF_WIDTH = 0.8
"""The −3 dB half-width in units of 1/σ, σ the spread of the phase slope over the elements: 0.80
where the slopes are spread evenly, 0.83 where they are so normally."""


def space(trial: Trial) -> dict[str, float]:
    """Return where the neighbours are, in half-widths, and the load of the spectrum."""
    return {
        "step": trial.suggest_float("step", 0.5, 2.0),
        "load": trial.suggest_float("load", 1e-3, 1e-1, log=True),
    }


class PeakContrast(Loss):
    """Σ_k log(1 + Σ_j S(p_kj)/S(p_k))/K: small where the spectrum S peaks at the true positions.

    S(p) = 1/(aᴴ(R/tr R + η/N I)⁻¹a) is the Capon spectrum with a(p) by the problem's steering
    model; the load keeps it finite for an R of any rank. The neighbours p_kj of source k stand
    ``step`` −3 dB half-widths beside it along azimuth, elevation and 1/r: half-widths of this array
    at the source's *own* direction and range. Left out are those outside the region, which no
    estimator searches, and those in the −3 dB beam of another source.

    Complexity: O(N J (J + K) + J³) a scene, forward and backward; no eigendecomposition.

    Args:
        step: How far the neighbours stand, in half-widths.
        load: η.

    Raises:
        InputError: for a step or a load that is not positive.
    """

    def __init__(self, step: float = 1.0, load: float = 1e-2) -> None:
        if not (step > 0 and load > 0):
            raise InputError(f"peak-contrast needs step and load > 0, got {step!r} and {load!r}")
        self.step, self.load = step, load

    def __call__(self, covariance: Covariance, truth: Truth) -> Tensor:
        """Return the loss of every scene; see :meth:`Loss.__call__`."""
        with torch.autocast(covariance.factor.device.type, enabled=False):
            steering, counts = stencil(truth, self.step)
            spectrum = log_capon(covariance, steering.flatten(-2), self.load)
            heights = spectrum.unflatten(-1, steering.shape[-2:])
            over = torch.where(counts, heights[..., 1:] - heights[..., :1], -torch.inf)
            each = torch.cat((torch.zeros_like(heights[..., :1]), over), -1).logsumexp(-1)
            total = torch.where(truth.mask, each, 0.0).sum(-1) / truth.mask.sum(-1).clamp_min(1)
            return total.to(covariance.factor.real.dtype)


def log_capon(covariance: Covariance, steering: Tensor, load: float) -> Tensor:
    """Return -log(aᴴ(R/tr R + η/N I)⁻¹a) for every column, by a J × J solve in double precision.

    With R/tr R + η/N I = FFᴴ + δI: δ aᴴ(FFᴴ + δI)⁻¹a = 1 - aᴴF(FᴴF + δI)⁻¹Fᴴa.

    Shapes:
        steering: (S, N, P) complex128 of unit norm. Returns (S, P) in double precision.
    """
    scaled = covariance.to(torch.complex128).unit_trace()
    floor = scaled.load_or_zero() + load / scaled.elements
    eye = torch.eye(scaled.width, dtype=scaled.factor.dtype, device=scaled.factor.device)
    root = torch.linalg.cholesky(scaled.gram() + floor[:, None, None] * eye)
    seen = torch.linalg.solve_triangular(root, scaled.factor.mH @ steering, upper=False)
    left = 1 - torch.view_as_real(seen).square().sum((-3, -1))
    return floor.log().unsqueeze(-1) - left.clamp_min(torch.finfo(left.dtype).eps).log()


@torch.no_grad()
def stencil(truth: Truth, step: float) -> tuple[Tensor, Tensor]:
    """Return the steering vectors of every source and its six neighbours, and which of these count.

    A neighbour stands 0.8 ``step``/σ away, σ² = ‖∂a‖² - |aᴴ∂a|² being the spread of the phase slope
    along that coordinate.

    Shapes:
        Returns (S, N, K, 7) complex128, the source first, and (S, K, 6) bool.
    """
    problem = truth.problem
    low, high = (bound.to(torch.float64) for bound in problem.search_bounds())
    middle = invert_range((low + high) / 2)
    places = torch.where(truth.mask.unsqueeze(-1), truth.positions.to(torch.float64), middle)
    steering, slopes = problem.steering.derivatives(problem.array, places)
    shared = (steering.conj().unsqueeze(-1) * slopes).sum(-3)
    spread = (slopes.abs().square().sum(-3) - shared.abs().square()).clamp_min(0).sqrt()
    moves = torch.eye(3, dtype=torch.float64, device=places.device)
    moves = torch.cat((torch.zeros_like(moves[:1]), moves, -moves))
    centre = invert_range(places).unsqueeze(-2)
    points = centre + (HALF_WIDTH * step / spread).unsqueeze(-2).nan_to_num() * moves
    inside = ((points >= low) & (points <= high)).all(-1)
    points = invert_range(torch.where(inside.unsqueeze(-1), points, centre))
    every = problem.steering(problem.array, points.flatten(-3, -2))
    beams = (every.mH @ truth.steering_matrix().to(every)).abs().square()
    others = beams.unflatten(-2, points.shape[-3:-1])
    own = torch.eye(places.shape[-2], dtype=torch.bool, device=places.device).unsqueeze(-2)
    elsewhere = ((others > 0.5) & ~own).any(-1)
    return every.unflatten(-1, points.shape[-3:-1]), (inside & ~elsewhere)[..., 1:]
