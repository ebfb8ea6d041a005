"""The MUSIC objective with its exact derivatives."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import invert_range
from risdoa.likelihood import Evaluation
from risdoa.minimise import Minimum, minimise
from risdoa.problem import Problem
from risdoa.steering.base import Steering


def null_minimum(
    problem: Problem, basis: Tensor, search: Tensor, iterations: int, weights: Tensor | None = None
) -> Minimum:
    """Minimise the null spectrum of every source on its own, inside the region.

    Shapes:
        basis: (S, N, J) orthonormal. search: (S, K, 3) in (φ, θ, w). weights: (S, J),
            or None for 1.
        The minima are (S·K, 3).
    """
    sources = search.shape[1]
    weights = torch.ones_like(basis[:, 0].real) if weights is None else weights

    def evaluate(point: Tensor, index: Tensor) -> Evaluation:
        scenes = index // sources
        return null_spectrum(problem.select(scenes), basis[scenes], point, weights[scenes])

    flat = search.flatten(0, 1)
    return minimise(evaluate, flat, *problem.descent_bounds(), iterations, scale=1e-12)


def null_spectrum(
    problem: Problem, basis: Tensor, search: Tensor, weights: Tensor | None = None
) -> Evaluation:
    """Return f = aᴴP_n a = 1 - ‖Uᴴa‖² for one source a scene, with gradient and curvature.

    Gradient 2 Re(∂aᴴ P_n a). Curvature: the Hessian 2 Re(∂aᴴP_n∂a) + 2 Re(aᴴP_n∂²a), whose second
    derivatives come from forward differentiation; negative eigenvalues are mirrored, so that a
    Newton step always descends. With weights 0 <= c_k <= 1 of the directions, P_n is
    I - U diag(c) Uᴴ: the same for other spectra.

    Shapes:
        basis: (S, N, K) orthonormal. search: (S, 3) in (φ, θ, w). weights: (S, K). Q = 3.
    """
    weights = torch.ones_like(basis[:, 0].real) if weights is None else weights
    steering, slopes = _derivatives(problem.steering, problem.array, search)
    columns = torch.cat((steering.unsqueeze(-1), slopes), dim=-1)
    shares = (basis.mT @ columns.conj().resolve_conj()).conj()
    rest = columns - basis @ (weights.unsqueeze(-1) * shares)
    # aᴴ(I - UcUᴴ)a without cancellation near a peak
    left, seen = rest[..., 0], shares[..., 0]
    lost = (weights * (1 - weights) * (seen.real**2 + seen.imag**2)).sum(-1)
    cost = (left.real**2 + left.imag**2).sum(-1) + lost
    inner = _real_inner(slopes, rest)
    hessian = 2 * (inner[..., 1:] + _bends(problem.steering, problem.array, search, left))
    return Evaluation(cost, 2 * inner[..., 0], _convex((hessian + hessian.mT) / 2))


def _real_inner(left: Tensor, right: Tensor) -> Tensor:
    """Return Re(LᴴR) by a real product: a batch of adjoints would be copied one by one."""
    inner: Tensor = _stacked(left).mT @ _stacked(right)
    return inner


def _stacked(columns: Tensor) -> Tensor:
    """Return Re over Im, (…, 2N, Q)."""
    return torch.cat((columns.real, columns.imag), dim=-2)


def _derivatives(model: Steering, array: Array, search: Tensor) -> tuple[Tensor, Tensor]:
    """Return a and ∂a of one source a scene, (S, N) and (S, N, 3)."""
    steering, slopes = model.derivatives(array, invert_range(search.unsqueeze(-2)))
    return steering[..., 0], slopes[..., 0, :]


def _bends(model: Steering, array: Array, search: Tensor, vector: Tensor) -> Tensor:
    """Return Re(vᴴ ∂²a), (S, 3, 3), by forward differentiation of ∂a.

    In one pass for the tangents along all three axes: rows 0 … S-1 along φ, then θ, then w.
    """
    scenes = torch.arange(len(search), device=search.device).repeat(3)
    array = array.select(scenes)
    tangents = torch.eye(3).to(search).repeat_interleave(len(search), dim=0)

    def slopes_of(at: Tensor) -> Tensor:
        return _derivatives(model, array, at)[1]

    turned: Tensor = torch.func.jvp(slopes_of, (search[scenes],), (tangents,))[1]
    bends = _real_inner(turned.unflatten(0, (3, -1)), vector.unsqueeze(-1))
    return bends.squeeze(-1).permute(1, 2, 0)


def _convex(hessian: Tensor) -> Tensor:
    """Return |H|, the Hessian with its negative eigenvalues mirrored, in scaled coordinates."""
    scale = hessian.diagonal(dim1=-2, dim2=-1).abs().clamp_min(1e-300).rsqrt()
    scaled = hessian * scale.unsqueeze(-1) * scale.unsqueeze(-2)
    values, vectors = torch.linalg.eigh(scaled)
    mirrored: Tensor = (vectors * values.abs().unsqueeze(-2)) @ vectors.mT
    return mirrored / scale.unsqueeze(-1) / scale.unsqueeze(-2)
