"""MUSIC peaks from a signal subspace: recursive projection over a grid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.scan import FLOOR, EnergyScan


@dataclass(frozen=True)
class Beside:
    """The MUSIC spectrum beside the sources already found, ‖U'ᴴa‖²/‖Π⊥a‖².

    Π⊥ is the projector beside the found steering vectors and U' the remaining leading left
    singular vectors of Π⊥U; without found sources the spectrum is ‖Uᴴa‖².
    Source: TRAP-MUSIC (Mäkelä et al., 2018), after Mosher & Leahy's RAP-MUSIC (1999).

    Shapes:
        remaining: U' (S, N, K - K') orthonormal. spent: (S, N, K') orthonormal, or None.
    """

    remaining: Tensor
    spent: Tensor | None = None

    @classmethod
    def of(cls, basis: Tensor, found: Tensor | None) -> Beside:
        """Return the spectrum of a signal subspace beside found steering vectors.

        Shapes:
            basis: (S, N, K) orthonormal. found: (S, N, K') or None.
        """
        if found is None or not found.shape[-1]:
            return cls(basis)
        spent = torch.linalg.qr(found)[0]
        rest = basis - spent @ (spent.mH @ basis)
        return cls(torch.linalg.svd(rest, full_matrices=False)[0][..., : -found.shape[-1]], spent)

    def select(self, scenes: Tensor) -> Beside:
        """Return the spectra of the chosen scenes."""
        spent = None if self.spent is None else self.spent[scenes]
        return Beside(self.remaining[scenes], spent)

    def over(self, scan: EnergyScan) -> Tensor:
        """Return the spectrum at every point of a grid, in single precision, (S, P)."""
        value = scan.energies(self.remaining)
        if self.spent is None:
            return value
        return value / (1 - scan.energies(self.spent)).clamp_min(FLOOR)

    def at(self, steering: Tensor) -> Tensor:
        """Return the spectrum at steering vectors, in their precision.

        Shapes:
            steering: (N, P) or (S, N, P). Returns (S, P) in [0, 1] up to rounding.
        """
        value = _energy(steering, self.remaining)
        if self.spent is None:
            return value
        return value / (1 - _energy(steering, self.spent)).clamp_min(FLOOR)


def _energy(steering: Tensor, basis: Tensor) -> Tensor:
    """Return ‖Uᴴa‖² of every steering vector, (S, P)."""
    product = basis.mH.to(steering.dtype) @ steering
    return (product.real**2 + product.imag**2).sum(-2)
