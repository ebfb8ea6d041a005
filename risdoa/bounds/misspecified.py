"""The misspecified bound: data by one steering model, maximum likelihood told another.

The conditional likelihood of the wrong model has its minimum elsewhere even without noise: at the
*pseudo-true* positions (:mod:`risdoa.bounds.pseudo_true`). Noise moves the minimum about them with
the sandwich covariance H⁻¹ J H⁻¹, H = ∂²C, J the covariance of ∂C, both at the pseudo-true
positions. Source: White (1982); Fortunati, Gini, Greco & Richmond (2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa import likelihood
from risdoa.bounds.pseudo_true import cost, misinformed, pseudo_true, signals_of
from risdoa.bounds.scenes import by_count, noise_of
from risdoa.conventions import invert_range, short_way
from risdoa.errors import InputError
from risdoa.problem import Problem, Truth
from risdoa.steering.base import Steering

STEP = 1e-5
"""Of central differences of the gradient, in rad and 1/m: truncation (k·|p|·STEP)² ~ 1e-7."""
BLIND = (
    "bias and spread need a steering model that sees every free coordinate",
    "fix what it is blind to by equal bounds of the region, or take another model",
)
NEWTON_STEPS = 3
"""What the search leaves, Newton steps take."""


@dataclass(frozen=True)
class Misspecified:
    """Where an estimator that is told a wrong model ends up, and how far noise moves it.

    Shapes:
        positions: (S, K, 3) rad, rad, m, pseudo-true. bias: (S, K, 3), these less the truth.
        covariance: (S, K, 3, 3) in rad, rad, m. All NaN where masked.
    """

    positions: Tensor
    bias: Tensor
    covariance: Tensor


def misspecified(truth: Truth, steering: Steering) -> Misspecified:
    """Return the pseudo-true positions, the bias and the covariance of conditional ML.

    ``truth.problem.steering`` makes the data, ``steering`` is what the estimator is told. The edges
    of the region play no part, apart from fixed coordinates. To first order in the noise.

    Raises:
        InputError: if the signals or the noise power are not known.
    """
    found, signals = pseudo_true(truth, steering), signals_of(truth)
    if bool((truth.problem.free & ~found.seen).any()):
        raise InputError(*BLIND)

    def bound(part: Truth, index: Tensor, count: int) -> Tensor:
        first = invert_range(found.positions[index][:, :count])
        ends = _one_count(part, signals[index][..., :count], steering, first)
        return torch.cat((ends[0].unsqueeze(-1), ends[1]), dim=-1)

    both = by_count(truth, bound, columns=4)
    positions = both[..., 0]
    bias = positions - truth.positions
    turn = short_way(bias[..., :1])
    return Misspecified(positions, torch.cat((turn, bias[..., 1:]), -1), both[..., 1:])


def _one_count(
    truth: Truth, signals: Tensor, steering: Steering, first: Tensor
) -> tuple[Tensor, Tensor]:
    """Return pseudo-true positions (S, K, 3) and covariances (S, K, 3, 3)."""
    told = misinformed(truth, signals, steering)
    search = _polished(told, first)
    covariance = _sandwich(told, search) * noise_of(truth.problem)[:, None, None]
    return invert_range(search), _blocks(covariance, search)


def _polished(problem: Problem, search: Tensor) -> Tensor:
    """Return the minimum after Newton steps, taken where they lower the gradient."""
    free = problem.free.repeat(search.shape[1])
    gradient = cost(problem, search).gradient * free
    for _ in range(NEWTON_STEPS):
        inverse = _inverse(_hessian(problem, search), free)
        step = (inverse @ gradient.unsqueeze(-1)).squeeze(-1)
        trial = search - step.view_as(search)
        after = cost(problem, trial).gradient * free
        scale = inverse.diagonal(dim1=-2, dim2=-1).abs()
        better = (scale * after**2).sum(-1) < (scale * gradient**2).sum(-1)
        search = torch.where(better[:, None, None], trial, search)
        gradient = torch.where(better[:, None], after, gradient)
    return search


def _hessian(problem: Problem, search: Tensor) -> Tensor:
    """Return ∂²C by central differences of the gradient, (S, 3K, 3K)."""
    scenes, sources = search.shape[:2]
    moves = STEP * torch.eye(3 * sources, dtype=search.dtype, device=search.device)
    places = torch.cat((search.flatten(1)[:, None] + moves, search.flatten(1)[:, None] - moves), 1)
    slopes = cost(problem, places.flatten(0, 1).unflatten(1, (sources, 3))).gradient
    up, down = slopes.view(scenes, 2, 3 * sources, -1).unbind(1)
    second = (up - down) / (2 * STEP)
    return (second + second.mT) / 2


def _inverse(matrix: Tensor, free: Tensor) -> Tensor:
    """Return the inverse over the free coordinates, 0 elsewhere.

    Raises:
        InputError: The model does not see one of them.
    """
    kept = torch.nonzero(free).squeeze(-1)
    result = torch.zeros_like(matrix)
    if len(kept):
        inverse, singular = torch.linalg.inv_ex(matrix[:, kept[:, None], kept])
        if bool(singular.any()) or not bool(inverse.isfinite().all()):
            raise InputError(*BLIND)
        result[:, kept[:, None], kept] = inverse
    return result


def _sandwich(problem: Problem, search: Tensor) -> Tensor:
    """Return H⁻¹ J H⁻¹ over σ², (S, 3K, 3K) in (φ, θ, w).

    With r = Π⊥y, z_i = d_iᴴr and ŝ = B⁺y, to first order in the noise n
    δ∂_iC = -2 Re[z_i* (B⁺n)_k(i) + ŝ_k(i)* d_iᴴΠ⊥n], so that, summed over blocks,
    J_ij = 2σ² Re[z_i* z_j (BᴴB)⁻¹_k(i)k(j) + ŝ_k(i)* ŝ_k(j) d_iᴴΠ⊥d_j].
    """
    count = search.shape[1]
    stats = likelihood.block_sums(likelihood.grams(problem, search))
    inner, cross = stats.gram[..., :count, :count], stats.gram[..., :count, count:]
    inverse = torch.linalg.inv(inner)
    signals = inverse @ stats.moments[..., :count].unsqueeze(-1)
    left = stats.moments[..., count:] - (cross.mH @ signals).squeeze(-1)
    weights = signals.squeeze(-1).repeat_interleave(3, dim=-1)
    projected = stats.gram[..., count:, count:] - cross.mH @ inverse @ cross
    owner = torch.arange(count, device=search.device).repeat_interleave(3)
    spread = left.conj().unsqueeze(-1) * left.unsqueeze(-2) * inverse[..., owner[:, None], owner]
    noise = weights.conj().unsqueeze(-1) * projected * weights.unsqueeze(-2)
    score = 2 * (spread + noise).real.sum(1)
    bread = _inverse(_hessian(problem, search), problem.free.repeat(count))
    covariance: Tensor = bread @ score @ bread
    return covariance


def _blocks(covariance: Tensor, search: Tensor) -> Tensor:
    """Return the block of every source, in (φ, θ, r): (S, K, 3, 3)."""
    count = search.shape[1]
    apart = covariance.unflatten(1, (count, 3)).unflatten(3, (count, 3))
    blocks = apart.diagonal(dim1=1, dim2=3).permute(0, 3, 1, 2)
    to_range = torch.ones_like(search)
    to_range[..., 2] = -1 / search[..., 2] ** 2
    scaled: Tensor = blocks * to_range.unsqueeze(-1) * to_range.unsqueeze(-2)
    return scaled
