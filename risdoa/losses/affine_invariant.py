"""The affine-invariant distance between covariances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.losses.base import Loss
from risdoa.problem import Truth

if TYPE_CHECKING:
    from optuna import Trial


def space(trial: Trial) -> dict[str, float]:
    """Return η, the load over the mean eigenvalue of R_true."""
    return {"load": trial.suggest_float("load", 1e-3, 1e-1, log=True)}


class AffineInvariant(Loss):
    """‖log(S^-½ (R + ρI) S^-½)‖²/N with S = R_true + ρI and ρ = η tr R_true/N.

    The squared geodesic distance between positive definite matrices, over N; the load ρ makes them
    so. It is the mean of log²μ over the eigenvalues μ of S⁻¹(R + ρI), and 0 at R = R_true alone.

    All but J + K of them lie outside the columns of F and A, where they are (ρ + δ)/ρ. The others
    are those of a small pair of matrices in an orthonormal basis of these columns; the basis may be
    a constant to the graph, for F lies inside. Complexity: O(N (J + K)² + (J + K)³) a scene.

    Args:
        load: η.

    Raises:
        InputError: for a load that is not positive.
    """

    def __init__(self, load: float = 1e-2) -> None:
        if not load > 0:
            raise InputError(f"affine-invariant needs load > 0, got {load!r}")
        self.load = load

    def __call__(self, covariance: Covariance, truth: Truth) -> Tensor:
        """Return the loss of every scene; see :meth:`Loss.__call__`."""
        with torch.autocast(covariance.factor.device.type, enabled=False):
            true = truth.covariance.detach().to(torch.complex128)
            mine = covariance.to(torch.complex128)
            floor = self.load * true.trace() / true.elements
            floor = floor.clamp_min(torch.finfo(floor.dtype).tiny ** 0.5)
            columns = torch.cat((true.factor, mine.factor.detach()), -1)
            basis = torch.linalg.qr(columns)[0]
            root = torch.linalg.cholesky(_within(true, basis, floor))
            half = torch.linalg.solve_triangular(root, _within(mine, basis, floor), upper=False)
            pair = torch.linalg.solve_triangular(root, half.mH, upper=False)
            ratios = torch.linalg.eigvalsh(pair).clamp_min(torch.finfo(floor.dtype).tiny)
            outside = (mine.load_or_zero() + floor) / (true.load_or_zero() + floor)
            rest = mine.elements - basis.shape[-1]
            total: Tensor = ratios.log().square().sum(-1) + rest * outside.log().square()
            return (total / mine.elements).to(covariance.factor.real.dtype)


def _within(covariance: Covariance, basis: Tensor, floor: Tensor) -> Tensor:
    """Return Bᴴ(R + ρI)B for an orthonormal basis, (S, P, P)."""
    seen = basis.mH @ covariance.factor
    load = (covariance.load_or_zero() + floor)[:, None, None]
    eye = torch.eye(basis.shape[-1], dtype=basis.dtype, device=basis.device)
    return seen @ seen.mH + load * eye
