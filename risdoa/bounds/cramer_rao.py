"""Cramér–Rao bounds on positions.

Bounds are error covariances in (φ, θ, r), radians and metres. Coordinates that are known, or fixed
by equal region bounds, have variance 0, masked sources NaN. Everything that is not known is
estimated along: the bound on any coordinates of interest is their block of the covariance.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, get_args

import torch
from torch import Tensor

from risdoa import likelihood
from risdoa.bounds.scenes import by_count, noise_of
from risdoa.conventions import COORDINATES, invert_range
from risdoa.errors import InputError
from risdoa.problem import Problem, Truth

LEAST_BENT = 0.25
"""Least curvature of a realised likelihood, over what is expected, that error bars believe."""

Known = Literal["azimuth", "elevation", "range", "signals", "powers", "noise"]
"""What an estimator may know beforehand; signals or powers and noise are those of the bound."""


def deterministic(truth: Truth, known: Collection[Known] = ()) -> Tensor:
    """Return the deterministic bound at the realised signals.

    F = (2/σ²) Σ_b Re(S_bᴴ DᴴΠ_b⊥D S_b) over the blocks b of snapshots that share a signal; see
    :func:`risdoa.likelihood.deterministic_information`. With known signals (pilots) the projector
    is left out; knowing the noise power changes nothing. Source: Stoica & Nehorai (1989), physics
    of coded sensing by stacking G_l A.

    Args:
        truth: Positions, signals and noise power.
        known: What the estimator knows: coordinates, ``signals``, ``noise``.

    Shapes:
        Returns (S, K, 3, 3) in rad, rad, m.

    Raises:
        InputError: if the signals or the noise power are not known, or ``known`` names something
            that this bound does not have.
    """
    _check_known(known, "deterministic", {*COORDINATES, "signals", "noise"})
    if truth.signals is None:
        raise InputError("the deterministic bound needs the realised source signals")
    signals = truth.signals.to(torch.complex128)

    def bound(part: Truth, index: Tensor, count: int) -> Tensor:
        return _deterministic(part, signals[index][..., :count], known)

    return by_count(truth, bound)


def stochastic(truth: Truth, known: Collection[Known] = ()) -> Tensor:
    """Return the stochastic bound: s_l ~ CN(0, P).

    The position block of the inverse of the Slepian–Bangs information over positions, log powers
    and log σ², without what is known.

    Args:
        truth: Positions, powers and noise power.
        known: What the estimator knows: coordinates, ``powers``, ``noise``.

    Shapes:
        Returns (S, K, 3, 3) in rad, rad, m.

    Raises:
        InputError: if the noise power is not known, signals are shared between snapshots, or
            ``known`` names something that this bound does not have.
    """
    _check_known(known, "stochastic", {*COORDINATES, "powers", "noise"})
    if not truth.problem.snapshots.fresh:
        raise InputError(
            "the stochastic bound holds for a fresh source signal in every snapshot",
            "use the deterministic bound for blocks and static sources",
        )
    return by_count(truth, lambda part, _index, _count: _stochastic(part, known))


def _check_known(known: Collection[str], bound: str, names: Collection[str]) -> None:
    wrong = sorted(set(known) - set(names))
    if wrong:
        listed = ", ".join(name for name in get_args(Known) if name in names)
        raise InputError(f"the {bound} bound cannot take {wrong[0]!r} as known", f"one of {listed}")


def position_covariance(
    information: Tensor, search: Tensor, free: Tensor, hessian: Tensor | None = None
) -> Tensor:
    """Return per-source error covariances in (φ, θ, r) from an information matrix in (φ, θ, w).

    Nuisance parameters stand behind the 3K coordinates and are marginalised by the inversion. The
    range follows from var(r) = r⁴ var(w). Directions without information get a huge variance. With
    the Hessian of the realised negative log-likelihood the covariance is H⁻¹FH⁻¹, which knows how
    well these very data determine the optimum; without, F⁻¹.

    Shapes:
        information: (S, Q, Q), Q >= 3K. search: (S, K, 3). free: (3,) bool. hessian: (S, Q, Q).
        Returns (S, K, 3, 3).
    """
    sources = search.shape[1]
    keep = torch.ones(information.shape[-1], dtype=torch.bool, device=search.device)
    keep[: 3 * sources] = free.repeat(sources)
    index = torch.nonzero(keep).squeeze(-1)
    part = information[:, index[:, None], index]
    inverse = information.new_zeros(information.shape)
    bent = None if hessian is None else hessian[:, index[:, None], index]
    inverse[:, index[:, None], index] = _safe_inverse(part, bent)
    blocks = inverse[:, : 3 * sources, : 3 * sources].unflatten(1, (sources, 3))
    blocks = blocks.unflatten(3, (sources, 3)).diagonal(dim1=1, dim2=3).permute(0, 3, 1, 2)
    to_range = torch.ones_like(search)
    to_range[..., 2] = -1 / search[..., 2] ** 2
    scaled: Tensor = blocks * to_range.unsqueeze(-1) * to_range.unsqueeze(-2)
    return scaled


def _safe_inverse(matrix: Tensor, hessian: Tensor | None = None) -> Tensor:
    """Return F⁻¹ of a positive semidefinite matrix F, or H⁻¹FH⁻¹, after scaling diag F to one.

    Eigenvalues are kept above 1e-14, so that what is not observable has a huge, finite variance;
    those of H relative to F above ``LEAST_BENT``, so that a saddle has one too. Only rounding can
    bring an entry of the scaled matrix out of [-1, 1].
    """
    scale = matrix.diagonal(dim1=-2, dim2=-1).clamp_min(1e-200).rsqrt()
    scaled = (matrix * scale.unsqueeze(-1) * scale.unsqueeze(-2)).clamp(-1, 1)
    values, vectors = torch.linalg.eigh((scaled + scaled.mT) / 2)
    root = vectors * values.clamp_min(1e-14).rsqrt().unsqueeze(-2)
    if hessian is not None:
        bent = root.mT @ (hessian * scale.unsqueeze(-1) * scale.unsqueeze(-2)) @ root
        ratios, turns = torch.linalg.eigh((bent + bent.mT) / 2)
        root = (root @ turns) / ratios.clamp_min(LEAST_BENT).unsqueeze(-2)
    result: Tensor = (root @ root.mT) * scale.unsqueeze(-1) * scale.unsqueeze(-2)
    return result


def _deterministic(truth: Truth, signals: Tensor, known: Collection[str]) -> Tensor:
    search = invert_range(truth.positions.to(torch.float64))
    stats = likelihood.grams(truth.problem.to(dtype=torch.complex128), search)
    if "signals" in known:
        information = _known_signals(stats, signals)
    else:
        information = likelihood.deterministic_information(stats, signals)
    information = information / noise_of(truth.problem)[:, None, None]
    return position_covariance(information, search, _unknown(truth.problem, known))


def _known_signals(stats: likelihood.Grams, signals: Tensor) -> Tensor:
    """Return σ² times the information where the signals are known, 2 Σ_l Re(S_lᴴ DᴴD S_l)."""
    slopes = stats.gram[..., stats.sources :, stats.sources :]
    weights = signals.repeat_interleave(3, dim=-1)
    products = weights.conj().unsqueeze(-1) * slopes * weights.unsqueeze(-2)
    return 2 * products.real.sum(1)


def _stochastic(truth: Truth, known: Collection[str]) -> Tensor:
    search = invert_range(truth.positions.to(torch.float64))
    stats = likelihood.grams(truth.problem.to(dtype=torch.complex128), search)
    powers, noise = truth.powers.to(torch.float64), noise_of(truth.problem)
    model = likelihood.stochastic(stats, powers, noise)
    count = search.shape[1]
    kept = [*range(3 * count)]
    kept += [] if "powers" in known else range(3 * count, 4 * count)
    kept += [] if "noise" in known else [4 * count]
    information = model.curvature[:, kept][:, :, kept]
    return position_covariance(information, search, _unknown(truth.problem, known))


def _unknown(problem: Problem, known: Collection[str]) -> Tensor:
    """Return which coordinates are neither fixed nor known, (3,) bool."""
    asked = torch.tensor([name not in known for name in COORDINATES], device=problem.region.device)
    return problem.free & asked
