"""The classical covariance: the sample covariance, or a sparse fit behind a surface."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.conventions import invert_range
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.grid import search_grid
from risdoa.models.base import Model
from risdoa.problem import Problem
from risdoa.scan import Matched
from risdoa.sensing import Direct
from risdoa.snapshots import sum_blocks

BATCH = 64
"""Scenes worked on at once, which bounds the memory."""

NOISE_FLOOR = 1e-4
"""Least noise power over the mean output power: single precision inverts R_l no further."""


class Sample(Model):
    """The strongest simple covariance without learning.

    Where every element is read: the sample covariance Σ_l y_l y_lᴴ/L, blocks of shared signals
    averaged first. Behind a coded surface, where back-projection would keep only M/N of the energy,
    the structured estimate R = A diag(γ) Aᴴ on the ``atoms`` grid points that match the
    measurements best, with γ and σ² by the fixed point of the stochastic likelihood

        γ ← γ √(Σ_l |b_lᴴR_l⁻¹y_l|² / Σ_l b_lᴴR_l⁻¹b_l),
        b_l = G_l a,  R_l = B_l diag(γ) B_lᴴ + σ²I,

    each step of which raises the likelihood (majorisation–minimisation, as in SPICE and LIKES:
    Stoica & Babu, 2012). ``rank`` atoms are kept.
    """

    def __init__(self, atoms: int = 256, iterations: int = 20, rank: int = 32) -> None:
        if atoms < 1 or iterations < 1 or rank < 1:
            raise InputError(
                f"sample needs atoms, iterations and rank >= 1, got {atoms}, {iterations}, {rank}"
            )
        self.atoms, self.iterations, self.rank = atoms, iterations, rank

    def supports(self, problem: Problem) -> bool:
        """Whether the snapshots determine a covariance: enough source signals and outputs."""
        snapshots = problem.snapshots
        most = 1 if problem.sources is None else int(problem.sources.max())
        enough = snapshots.block_count >= most and snapshots.outputs > most
        return enough and (snapshots.fresh or isinstance(snapshots.sensing, Direct))

    def __call__(self, problem: Problem) -> Covariance:
        """Return the covariance of every scene; see :meth:`Model.__call__`."""
        with torch.no_grad():
            if isinstance(problem.snapshots.sensing, Direct):
                return _sample_covariance(problem)
            if not problem.snapshots.fresh:
                raise InputError(
                    "the sample covariance behind a surface needs a fresh signal in every snapshot",
                    "use a backend that works on the measurements: --backend nf-mle",
                )
            batches = torch.arange(problem.scenes).split(BATCH)
            factors = [self._sparse_bayes(problem.select(scenes)) for scenes in batches]
            return Covariance(torch.cat(factors))

    def _sparse_bayes(self, problem: Problem) -> Tensor:
        """Return the factor A_kept diag(√γ), (S, N, rank)."""
        grid = search_grid(problem.array, problem.region)
        matched = Matched.prepare(problem, grid)
        atoms = min(self.atoms, len(matched.points))
        chosen = matched.spectrum(None).topk(atoms, dim=-1).indices
        positions = invert_range(matched.points[chosen]).to(torch.float32)
        steering = problem.steering(problem.array, positions)
        powers = _fixed_point(problem, steering, self.iterations)
        kept = powers.topk(min(self.rank, atoms), dim=-1)
        steering = torch.take_along_dim(steering, kept.indices.unsqueeze(-2), -1)
        return (steering * kept.values.sqrt().unsqueeze(-2)).to(torch.complex128)


def _sample_covariance(problem: Problem) -> Covariance:
    """Return Σ_b ȳ_b ȳ_bᴴ/B over the blocks' mean snapshots."""
    snapshots = problem.snapshots
    values, count = snapshots.values, snapshots.block_count
    if count < snapshots.count:
        index = snapshots.block_index
        size = torch.bincount(index, minlength=count).to(values.real.dtype)
        values = sum_blocks(values, index, count) / size.unsqueeze(-1)
    return Covariance(values.transpose(-1, -2) / count**0.5)


@dataclass(frozen=True)
class _State:
    """Powers (S, P) and noise power (S,)."""

    powers: Tensor
    noise: Tensor


def _fixed_point(problem: Problem, steering: Tensor, iterations: int) -> Tensor:
    """Return γ (S, P) after ``iterations`` of the fixed point, in single precision."""
    snapshots = problem.snapshots.to(dtype=torch.complex64)
    seen = snapshots.sensing.observe(steering)
    values = snapshots.values.unsqueeze(-1)
    outputs = snapshots.outputs
    mean = (values.abs() ** 2).mean((1, 2, 3))
    size = (seen.real**2 + seen.imag**2).sum(-2).mean((1, 2))
    powers = (outputs * mean / size / steering.shape[-1])[:, None].expand(-1, steering.shape[-1])
    state = _State(powers, 0.5 * mean)
    for _ in range(iterations):
        state = _update(seen, values, state)
        state = _State(state.powers, torch.maximum(state.noise, NOISE_FLOOR * mean))
    return state.powers


def _update(seen: Tensor, values: Tensor, state: _State) -> _State:
    """Return one fixed-point step. seen: (S, L, M, P), values: (S, L, M, 1)."""
    outputs = seen.shape[-2]
    eye = torch.eye(outputs, dtype=seen.dtype, device=seen.device)
    covariance = (seen * state.powers[:, None, None]) @ seen.mH
    inverse = torch.linalg.inv(covariance + state.noise[:, None, None, None] * eye)
    whitened = inverse @ values
    fit = (seen.mH @ whitened).squeeze(-1)
    gain = ((inverse @ seen) * seen.conj()).sum(-2).real
    ratio = (fit.real**2 + fit.imag**2).sum(1) / gain.sum(1).clamp_min(1e-30)
    left = (whitened.real**2 + whitened.imag**2).sum((1, 2, 3))
    trace = inverse.diagonal(dim1=-2, dim2=-1).real.sum((1, 2)).clamp_min(1e-30)
    return _State(state.powers * ratio.sqrt(), state.noise * (left / trace).sqrt())
