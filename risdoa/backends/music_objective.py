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
    term comes from forward differentiation of the gradient; negative eigenvalues are mirrored, so
    that a Newton step always descends. With weights 0 <= c_k <= 1 of the directions, P_n is
    I - U diag(c) Uᴴ: the same for other spectra.

    Shapes:
        basis: (S, N, K) orthonormal. search: (S, 3) in (φ, θ, w). weights: (S, K). Q = 3.
    """
    weights = torch.ones_like(basis[:, 0].real) if weights is None else weights
    form = basis, weights
    cost, gradient = _value_and_gradient(problem.steering, problem.array, form, search)
    # one pass for the tangents along all three axes: rows 0 … S-1 along φ, then θ, then w
    scenes = torch.arange(len(search), device=search.device).repeat(3)
    array, threefold = problem.array.select(scenes), (basis[scenes], weights[scenes])
    tangents = torch.eye(3).to(search).repeat_interleave(len(search), dim=0)

    def gradient_of(at: Tensor) -> Tensor:
        return _value_and_gradient(problem.steering, array, threefold, at)[1]

    slopes: Tensor = torch.func.jvp(gradient_of, (search[scenes],), (tangents,))[1]
    hessian = slopes.unflatten(0, (3, -1)).permute(1, 2, 0)
    return Evaluation(cost, gradient, _convex((hessian + hessian.mT) / 2))


def _value_and_gradient(
    model: Steering, array: Array, form: tuple[Tensor, Tensor], search: Tensor
) -> tuple[Tensor, Tensor]:
    steering, slopes = model.derivatives(array, invert_range(search.unsqueeze(-2)))
    vector, slope = steering[..., 0], slopes[..., 0, :]
    basis, weights = form
    shares = (basis.mH @ vector.unsqueeze(-1)).squeeze(-1)
    rest = vector - (basis @ (weights * shares).unsqueeze(-1)).squeeze(-1)
    gradient = 2 * (slope.conj() * rest.unsqueeze(-1)).sum(-2).real
    # aᴴ(I - UcUᴴ)a without cancellation near a peak
    lost = (weights * (1 - weights) * (shares.real**2 + shares.imag**2)).sum(-1)
    return (rest.real**2 + rest.imag**2).sum(-1) + lost, gradient


def _convex(hessian: Tensor) -> Tensor:
    """Return |H|, the Hessian with its negative eigenvalues mirrored, in scaled coordinates."""
    scale = hessian.diagonal(dim1=-2, dim2=-1).abs().clamp_min(1e-300).rsqrt()
    scaled = hessian * scale.unsqueeze(-1) * scale.unsqueeze(-2)
    values, vectors = torch.linalg.eigh(scaled)
    mirrored: Tensor = (vectors * values.abs().unsqueeze(-2)) @ vectors.mT
    return mirrored / scale.unsqueeze(-1) / scale.unsqueeze(-2)
