"""MUSIC peaks from a signal subspace: recursive projection over a grid."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.scan import FLOOR


def subspace_spectrum(steering: Tensor, basis: Tensor, found: Tensor | None) -> Tensor:
    """Return the MUSIC spectrum beside the sources already found.

    With Π⊥ the projector beside the found steering vectors and U' the remaining leading left
    singular vectors of Π⊥U, the value is ‖U'ᴴa‖²/‖Π⊥a‖²; without found sources it is ‖Uᴴa‖².
    Source: TRAP-MUSIC (Mäkelä et al., 2018), after Mosher & Leahy's RAP-MUSIC (1999).

    Shapes:
        steering: (N, P) or (S, N, P). basis: (S, N, K) orthonormal. found: (S, N, K') or None.
        Returns (S, P) in [0, 1] up to rounding.
    """
    if found is None or not found.shape[-1]:
        return _energy(steering, basis)
    beside = torch.linalg.qr(found)[0]
    rest = basis - beside @ (beside.mH @ basis)
    remaining = torch.linalg.svd(rest, full_matrices=False)[0][..., : -found.shape[-1]]
    left = 1 - _energy(steering, beside)
    return _energy(steering, remaining) / left.clamp_min(FLOOR)


def _energy(steering: Tensor, basis: Tensor) -> Tensor:
    """Return ‖Uᴴa‖² at every grid point, (S, P)."""
    product = basis.mH.to(steering.dtype) @ steering
    return (product.real**2 + product.imag**2).sum(-2)
