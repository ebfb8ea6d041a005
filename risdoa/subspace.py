"""Signal subspaces and projectors, in factored form: no N × N matrix is made unless asked for."""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-6
"""The seed's load on AᴴA, for columns of unit norm."""


def masked_columns(matrix: Tensor, mask: Tensor | None) -> Tensor:
    """Return the matrix with the columns outside the mask set to zero.

    Shapes:
        matrix: (…, N, K). mask: (…, K) bool or None. Returns (…, N, K).
    """
    if mask is None:
        return matrix
    return torch.where(mask.unsqueeze(-2), matrix, torch.zeros((), dtype=matrix.dtype))


def orthonormal_basis(matrix: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return Q with orthonormal columns that span the unmasked columns of A (Householder QR).

    Columns for masked sources are zero, so QQᴴ projects onto the others alone.

    Shapes:
        matrix: (…, N, K), N >= K, the unmasked columns independent. mask: (…, K) bool or None.
        Returns (…, N, K), unmasked columns first.
    """
    if mask is None:
        plain: Tensor = torch.linalg.qr(matrix)[0]
        return plain
    order = torch.argsort(mask.to(torch.int8), dim=-1, descending=True, stable=True)
    ordered = torch.take_along_dim(matrix, order.unsqueeze(-2), dim=-1)
    basis = torch.linalg.qr(ordered)[0]
    return masked_columns(basis, torch.take_along_dim(mask, order, dim=-1))


def complement_qr(vectors: Tensor, basis: Tensor) -> Tensor:
    """Return (I - QQᴴ)F.

    Shapes:
        vectors: (…, N, J). basis: (…, N, K) orthonormal or zero columns. Returns (…, N, J).
    """
    return vectors - basis @ (basis.mH @ vectors)


def complement_epsilon(vectors: Tensor, matrix: Tensor, epsilon: float = EPSILON) -> Tensor:
    """Return (I - P)F with the seed's P = A(AᴴA + εI)⁻¹Aᴴ, by a K × K solve in double precision.

    P is idempotent to max λε/(λ + ε)² over the eigenvalues λ of AᴴA. Zero columns of A drop out.

    Shapes:
        vectors: (…, N, J). matrix: (…, N, K). Returns (…, N, J).
    """
    wide = matrix.to(torch.complex128)
    gram = wide.mH @ wide
    eye = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    weights = torch.linalg.solve(gram + epsilon * eye, wide.mH).to(vectors.dtype)
    rest: Tensor = vectors - matrix @ (weights @ vectors)
    return rest


def projector(matrix: Tensor, mask: Tensor | None = None, epsilon: float | None = None) -> Tensor:
    """Return the dense projector onto the span of A: QQᴴ, or the seed's ε form.

    Shapes:
        matrix: (…, N, K). mask: (…, K) bool or None. Returns (…, N, N).
    """
    if epsilon is None:
        basis = orthonormal_basis(matrix, mask)
        return basis @ basis.mH
    eye = torch.eye(matrix.shape[-2], dtype=matrix.dtype, device=matrix.device)
    return eye - complement_epsilon(eye, masked_columns(matrix, mask), epsilon)
