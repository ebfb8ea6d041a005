"""Cramér–Rao bounds on positions.

Bounds are error covariances in (φ, θ, r), radians and metres. Fixed coordinates (equal region
bounds) have variance 0, masked sources NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from risdoa import likelihood
from risdoa.conventions import invert_range
from risdoa.errors import InputError
from risdoa.problem import Problem, Truth


def deterministic(truth: Truth) -> Tensor:
    """Return the deterministic bound at the realised signals, unknown to the estimator.

    F = (2/σ²) Σ_b Re(S_bᴴ DᴴΠ_b⊥D S_b) over the blocks b of snapshots that share a signal; see
    :func:`risdoa.likelihood.deterministic_information`. Source: Stoica & Nehorai (1989), physics of
    coded sensing by stacking G_l A.

    Shapes:
        Returns (S, K, 3, 3) in rad, rad, m.

    Raises:
        InputError: if the signals or the noise power are not known.
    """
    if truth.signals is None:
        raise InputError("the deterministic bound needs the realised source signals")
    signals = truth.signals.to(torch.complex128)
    return _by_count(truth, lambda part, index, k: _deterministic(part, signals[index][..., :k]))


def stochastic(truth: Truth) -> Tensor:
    """Return the stochastic bound: s_l ~ CN(0, P), with unknown powers and noise power.

    The position block of the inverse of the Slepian–Bangs information over positions, log powers
    and log σ².

    Shapes:
        Returns (S, K, 3, 3) in rad, rad, m.

    Raises:
        InputError: if the noise power is not known, or signals are shared between snapshots.
    """
    if not truth.problem.snapshots.fresh:
        raise InputError(
            "the stochastic bound holds for a fresh source signal in every snapshot",
            "use the deterministic bound for blocks and static sources",
        )
    return _by_count(truth, lambda part, _index, _count: _stochastic(part))


def position_covariance(information: Tensor, search: Tensor, free: Tensor) -> Tensor:
    """Return per-source error covariances in (φ, θ, r) from an information matrix in (φ, θ, w).

    Nuisance parameters stand behind the 3K coordinates and are marginalised by the inversion. The
    range follows from var(r) = r⁴ var(w). Directions without information get a huge variance.

    Shapes:
        information: (S, Q, Q), Q >= 3K. search: (S, K, 3). free: (3,) bool. Returns (S, K, 3, 3).
    """
    sources = search.shape[1]
    keep = torch.ones(information.shape[-1], dtype=torch.bool, device=search.device)
    keep[: 3 * sources] = free.repeat(sources)
    index = torch.nonzero(keep).squeeze(-1)
    part = information[:, index[:, None], index]
    inverse = information.new_zeros(information.shape)
    inverse[:, index[:, None], index] = _safe_inverse(part)
    blocks = inverse[:, : 3 * sources, : 3 * sources].unflatten(1, (sources, 3))
    blocks = blocks.unflatten(3, (sources, 3)).diagonal(dim1=1, dim2=3).permute(0, 3, 1, 2)
    to_range = torch.ones_like(search)
    to_range[..., 2] = -1 / search[..., 2] ** 2
    scaled: Tensor = blocks * to_range.unsqueeze(-1) * to_range.unsqueeze(-2)
    return scaled


def _safe_inverse(matrix: Tensor) -> Tensor:
    """Return the inverse of a positive semidefinite matrix after scaling its diagonal to one.

    Eigenvalues are kept above 1e-14, so that what is not observable has a huge, finite variance.
    Only rounding can bring an entry of the scaled matrix out of [-1, 1].
    """
    scale = matrix.diagonal(dim1=-2, dim2=-1).clamp_min(1e-200).rsqrt()
    scaled = (matrix * scale.unsqueeze(-1) * scale.unsqueeze(-2)).clamp(-1, 1)
    values, vectors = torch.linalg.eigh((scaled + scaled.mT) / 2)
    inverse = (vectors / values.clamp_min(1e-14).unsqueeze(-2)) @ vectors.mT
    result: Tensor = inverse * scale.unsqueeze(-1) * scale.unsqueeze(-2)
    return result


def _deterministic(truth: Truth, signals: Tensor) -> Tensor:
    search = invert_range(truth.positions.to(torch.float64))
    stats = likelihood.grams(truth.problem.to(dtype=torch.complex128), search)
    information = likelihood.deterministic_information(stats, signals)
    information = information / _noise(truth.problem)[:, None, None]
    return position_covariance(information, search, truth.problem.free)


def _stochastic(truth: Truth) -> Tensor:
    search = invert_range(truth.positions.to(torch.float64))
    stats = likelihood.grams(truth.problem.to(dtype=torch.complex128), search)
    model = likelihood.stochastic(stats, truth.powers.to(torch.float64), _noise(truth.problem))
    return position_covariance(model.curvature, search, truth.problem.free)


def _noise(problem: Problem) -> Tensor:
    noise = problem.snapshots.noise_power
    if noise is None:
        raise InputError("a bound needs the noise power of the snapshots")
    return noise.to(torch.float64).expand(problem.scenes)


def _by_count(truth: Truth, bound: Callable[[Truth, Tensor, int], Tensor]) -> Tensor:
    """Apply ``bound`` to the scenes of every number of sources; masked sources come first to last.

    ``bound`` is given the truth cut to its sources, the scene indices and the number of sources.
    """
    scenes, width = truth.mask.shape
    result = truth.positions.new_full((scenes, width, 3, 3), torch.nan, dtype=torch.float64)
    counts = truth.mask.sum(-1)
    leading = torch.arange(width, device=counts.device) < counts[:, None]
    if not bool((truth.mask == leading).all()):
        raise InputError("the sources of a truth must stand before its masked entries")
    for count in counts.unique().tolist():
        index = torch.nonzero(counts == count).squeeze(-1)
        if count:
            result[index, :count] = bound(_cut(truth.select(index), count), index, count)
    return result


def _cut(truth: Truth, count: int) -> Truth:
    """Return the truth without the entries behind the first ``count``."""
    return Truth.of(
        truth.positions[:, :count], truth.mask[:, :count], truth.powers[:, :count], truth.problem
    )
