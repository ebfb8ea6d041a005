"""The MVDR (Capon) spectrum: what a beam to every point receives that nulls all else."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.backends.spectral import SpectralBackend
from risdoa.covariance import Covariance
from risdoa.errors import InputError

LEAST = 1e-7
"""The rounding of 1 - q in single precision."""


class Mvdr(SpectralBackend):
    """Finds the peaks of 1/(aᴴR⁻¹a), the output power of the minimum-variance beam.

    R = VΛVᴴ + δI is loaded with ``loading`` · tr(R)/N more: δ' in all. By Woodbury's identity

        δ' aᴴR⁻¹a = 1 - Σ_k λ_k/(λ_k + δ') |v_kᴴa|²,

    of which only the J eigenvectors of the factor are needed, never an N × N inverse.
    Source: J. Capon, "High-resolution frequency-wavenumber spectrum analysis", Proc. IEEE 57
    (1969); loading: B. D. Carlson, IEEE Trans. Aerospace and Electronic Systems 24 (1988).

    Args:
        loading: The load over the mean diagonal of R.
        density: Grid points per −3 dB half-width.
        iterations: Most steps of the refinement.

    Raises:
        InputError: for options that cannot be.
    """

    name = "mvdr"

    def __init__(self, loading: float = 0.1, density: float = 2.0, iterations: int = 30) -> None:
        if not 0 < loading < torch.inf:
            raise InputError(f"mvdr needs a finite loading > 0, got {loading}")
        super().__init__(density, iterations)
        self.loading = loading

    def weights(self, eigenvalues: Tensor, covariance: Covariance) -> Tensor:
        """Return λ_k/(λ_k + δ')."""
        mean = (covariance.trace() / covariance.elements).to(eigenvalues.dtype)
        load = covariance.load_or_zero().to(eigenvalues.dtype) + self.loading * mean
        total = eigenvalues + load.unsqueeze(-1)
        return eigenvalues / total.clamp_min(torch.finfo(total.dtype).tiny)

    def spectrum(self, form: Tensor) -> Tensor:
        """Return 1/(δ' aᴴR⁻¹a)."""
        return 1 / (1 - form).clamp_min(LEAST)
