"""Correct losses of other kinds than the built-in ones: the kit must pass them all."""

from __future__ import annotations

import torch

from risdoa.losses.base import Loss
from risdoa.subspace import orthonormal_basis


class Geodesic(Loss):
    """Σ θ², θ the principal angles between span A and the K leading eigenvectors of R."""

    def __call__(self, covariance, truth):
        dense = covariance.dense()
        basis = orthonormal_basis(truth.steering_matrix().to(dense), truth.mask)
        vectors = torch.linalg.eigh(dense)[1].flip(-1)[..., : basis.shape[-1]]
        count = truth.mask.sum(-1)
        leading = torch.arange(basis.shape[-1]) < count.unsqueeze(-1)
        vectors = vectors * leading.unsqueeze(-2)
        squares = torch.linalg.eigvalsh(basis.mH @ vectors @ vectors.mH @ basis).flip(-1)
        missing = torch.where(leading, 1 - squares, 0.0)
        sines = missing.clamp(1e-14, 1).sqrt()  # away from 0 and its endless slope
        return (torch.asin(sines) ** 2).sum(-1)


class Capon(Loss):
    """Σ_k log of the Capon pseudospectrum of R/tr R at source k, negated: -log 1/(aᴴR⁻¹a)."""

    def __call__(self, covariance, truth):
        loaded = covariance.normalised().shrunk(0.01)
        dense = loaded.dense()
        steering = truth.steering_matrix().to(dense)
        output = (steering.conj() * torch.linalg.solve(dense, steering)).real.sum(-2)
        return torch.where(truth.mask, output, 1.0).log().sum(-1)


class Likelihood(Loss):
    """log det R_y + tr(R_y⁻¹Ŝ) with R_y = R + σ²I and Ŝ of the snapshots: asks for no truth."""

    def __call__(self, covariance, truth):
        snapshots = truth.problem.snapshots
        values = snapshots.values.to(covariance.factor)
        sample = values.mT @ values.conj() / values.shape[-2]
        eye = torch.eye(covariance.elements, dtype=sample.dtype)
        model = covariance.dense() + snapshots.noise_power[:, None, None] * eye
        fit = torch.linalg.solve(model, sample).diagonal(dim1=-2, dim2=-1).real.sum(-1)
        return torch.linalg.slogdet(model)[1] + fit


class Distance(Loss):
    """‖R - R_true‖, of the dense matrices and not squared, with a slope at 0."""

    def __call__(self, covariance, truth):
        error = covariance.dense() - truth.covariance.dense().to(covariance.factor)
        return torch.view_as_real(error).flatten(1).square().sum(-1).add(1e-20).sqrt()


class Count(Loss):
    """How many of the K leading eigenvectors miss the span: a figure to watch, without a slope."""

    def __call__(self, covariance, truth):
        with torch.no_grad():
            return Geodesic()(covariance, truth).mul(1e6).round()


UNUSUAL = (
    (Geodesic, ("true-steering", "differentiable", "scale-invariant", "unstable-gradient")),
    (Capon, ("true-steering", "differentiable", "scale-invariant", "complete")),
    (Likelihood, ("differentiable", "complete")),
    (Distance, ("differentiable", "complete")),
    (Count, ("true-steering", "scale-invariant")),
)
