"""Losses that risdoa's projection loss replaced; this module only announces them."""

from __future__ import annotations

from collections.abc import Iterable

import risdoa


@risdoa.hookimpl
def risdoa_losses() -> Iterable[risdoa.Plugin]:
    """Yield the legacy losses."""
    yield risdoa.Plugin(
        name="legacy-evd",
        factory="risdoa_legacy.evd:LegacyEvd",
        summary="Steering energy in the noise eigenvectors of R, through the eigendecomposition.",
        traits=("true-steering", "unstable-gradient"),
        example="risdoa train --loss legacy-evd --preset smoke --out run",
    )
    yield risdoa.Plugin(
        name="legacy-evd-safe",
        factory="risdoa_legacy.evd:LegacyEvdSafe",
        summary="The same energy, differentiated through gaps between signal and noise alone.",
        traits=("true-steering", "differentiable", "scale-invariant"),
        example="risdoa train --loss legacy-evd-safe --preset smoke --out run",
    )
    yield risdoa.Plugin(
        name="eigenvector",
        factory="risdoa_legacy.eigenvector:Eigenvector",
        summary="Projection loss on the leading eigenvectors of the true covariance.",
        traits=("differentiable", "scale-invariant"),
        example="risdoa train --loss eigenvector --preset smoke --out run",
    )
