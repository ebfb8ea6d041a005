"""The misspecified bound: data by one steering model, maximum likelihood told another.

The conditional likelihood of the wrong model has its minimum elsewhere even without noise: at the
*pseudo-true* positions, which minimise C(p; y) = Σ_b ‖Π_b⊥(p) y_b‖² at the noise-free y, and with
it the Kullback–Leibler divergence. Noise moves the minimum about them with the sandwich covariance
H⁻¹ J H⁻¹, H = ∂²C, J the covariance of ∂C, both at the pseudo-true positions. Source: White
(1982); Fortunati, Gini, Greco & Richmond (2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from risdoa import likelihood
from risdoa.bounds.scenes import by_count, noise_of
from risdoa.conventions import invert_range
from risdoa.errors import InputError
from risdoa.minimise import minimise
from risdoa.problem import Problem, Truth
from risdoa.steering.base import Steering

RANGES = (1.0, 0.6, 1.6)
"""The descent starts at the truth, its 1/r multiplied by each of these."""
STEP = 1e-5
"""Of central differences of the gradient, in rad and 1/m: truncation (k·|p|·STEP)² ~ 1e-7."""
ROUGH = 1e-6
"""What the descent may leave of the cost; Newton steps take the rest."""
NEWTON_STEPS = 3


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
    if truth.signals is None:
        raise InputError("the misspecified bound needs the realised source signals")
    signals = truth.signals.to(torch.complex128)

    def bound(part: Truth, index: Tensor, count: int) -> Tensor:
        ends = _one_count(part, signals[index][..., :count], steering)
        return torch.cat((ends[0].unsqueeze(-1), ends[1]), dim=-1)

    both = by_count(truth, bound, columns=4)
    positions = both[..., 0]
    bias = positions - truth.positions
    turn = torch.remainder(bias[..., :1] + math.pi, 2 * math.pi) - math.pi
    return Misspecified(positions, torch.cat((turn, bias[..., 1:]), -1), both[..., 1:])


def _one_count(truth: Truth, signals: Tensor, steering: Steering) -> tuple[Tensor, Tensor]:
    """Return pseudo-true positions (S, K, 3) and covariances (S, K, 3, 3)."""
    problem = truth.problem.to(dtype=torch.complex128)
    field = signals @ problem.steering(problem.array, truth.positions.double()).mT
    clean = problem.snapshots.sensing.forward(field)
    told = replace(problem, steering=steering)
    search = _pseudo_true(told, clean, invert_range(truth.positions.double()))
    covariance = _sandwich(told, clean, search) * noise_of(problem)[:, None, None]
    return invert_range(search), _blocks(covariance, search)


def _pseudo_true(problem: Problem, clean: Tensor, start: Tensor) -> Tensor:
    """Return the minimum of C(p; y) at the noise-free y, in (φ, θ, w)."""
    scenes, sources = start.shape[:2]
    factors = start.new_tensor(RANGES)
    scaled = torch.ones_like(start).unsqueeze(1).repeat(1, len(factors), 1, 1)
    scaled[..., 2] = factors[:, None]
    scaled = torch.where(problem.free, scaled, torch.ones_like(scaled))
    first = (start.unsqueeze(1) * scaled).reshape(scenes * len(factors), -1)
    owner = torch.arange(scenes, device=start.device).repeat_interleave(len(factors))
    far = start.new_tensor([math.pi, math.pi, 1e6]).repeat(sources)
    near = start.new_tensor([-math.pi, -math.pi, 1e-6]).repeat(sources)
    held = ~problem.free.repeat(sources)

    def evaluate(point: Tensor, index: Tensor) -> likelihood.Evaluation:
        search = point.unflatten(1, (sources, 3))
        if len(index) == len(owner):
            return _cost(problem, clean, search)
        return _cost(problem.select(owner[index]), clean[owner[index]], search)

    lower, upper = torch.where(held, first, near), torch.where(held, first, far)
    end = minimise(evaluate, first, lower, upper, iterations=100, tolerance=ROUGH)
    best = end.cost.view(scenes, -1).argmin(-1, keepdim=True)
    search = torch.take_along_dim(end.point.view(scenes, -1, 3 * sources), best[..., None], 1)
    return _polished(problem, clean, search.squeeze(1).unflatten(1, (sources, 3)))


def _cost(problem: Problem, clean: Tensor, search: Tensor) -> likelihood.Evaluation:
    """Return C and its gradient for sets of sources (S·C, K, 3), C for each of the S scenes."""
    return likelihood.conditional(likelihood.grams(problem, search, clean))


def _polished(problem: Problem, clean: Tensor, search: Tensor) -> Tensor:
    """Return the minimum after Newton steps, taken where they lower the gradient."""
    free = problem.free.repeat(search.shape[1])
    gradient = _cost(problem, clean, search).gradient * free
    for _ in range(NEWTON_STEPS):
        inverse = _inverse(_hessian(problem, clean, search), free)
        step = (inverse @ gradient.unsqueeze(-1)).squeeze(-1)
        trial = search - step.view_as(search)
        after = _cost(problem, clean, trial).gradient * free
        scale = inverse.diagonal(dim1=-2, dim2=-1).abs()
        better = (scale * after**2).sum(-1) < (scale * gradient**2).sum(-1)
        search = torch.where(better[:, None, None], trial, search)
        gradient = torch.where(better[:, None], after, gradient)
    return search


def _hessian(problem: Problem, clean: Tensor, search: Tensor) -> Tensor:
    """Return ∂²C by central differences of the gradient, (S, 3K, 3K)."""
    scenes, sources = search.shape[:2]
    moves = STEP * torch.eye(3 * sources, dtype=search.dtype, device=search.device)
    places = torch.cat((search.flatten(1)[:, None] + moves, search.flatten(1)[:, None] - moves), 1)
    slopes = _cost(problem, clean, places.flatten(0, 1).unflatten(1, (sources, 3))).gradient
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
            raise InputError(
                "bias and spread need a steering model that sees every free coordinate",
                "fix what it is blind to by equal bounds of the region, or take another model",
            )
        result[:, kept[:, None], kept] = inverse
    return result


def _sandwich(problem: Problem, clean: Tensor, search: Tensor) -> Tensor:
    """Return H⁻¹ J H⁻¹ over σ², (S, 3K, 3K) in (φ, θ, w).

    With r = Π⊥y, z_i = d_iᴴr and ŝ = B⁺y, to first order in the noise n
    δ∂_iC = -2 Re[z_i* (B⁺n)_k(i) + ŝ_k(i)* d_iᴴΠ⊥n], so that, summed over blocks,
    J_ij = 2σ² Re[z_i* z_j (BᴴB)⁻¹_k(i)k(j) + ŝ_k(i)* ŝ_k(j) d_iᴴΠ⊥d_j].
    """
    count = search.shape[1]
    stats = likelihood.block_sums(likelihood.grams(problem, search, clean))
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
    bread = _inverse(_hessian(problem, clean, search), problem.free.repeat(count))
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
