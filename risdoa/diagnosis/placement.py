"""Whether the truth of a recording says that its array is shifted, turned or scaled.

Estimates stand at p + δ where the elements were written down δ off, at p + ω × p where the array is
turned by a small ω, and with direction cosines c times as large where it was written down 1/c as
large as it is. The three are fitted to the deviations from the truth by weighted least squares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.conventions import cartesian, short_way, unit_vectors
from risdoa.diagnosis.findings import Finding
from risdoa.diagnosis.fits import Fitted
from risdoa.diagnosis.geometry import plane_axes, shape_of
from risdoa.evaluation.assignment import MISSING
from risdoa.problem import Truth

SIGMAS = 5.0
"""How sure a shift or a scale has to be, after the deviations that it leaves."""

SHIFT = 0.25
"""Least shift of the origin that counts, over the spacing of the elements."""

SCALE = 0.03
"""Least error of the scale that counts."""

HALF, TENTH = 0.5, 0.1
"""What must be seen for the origin (in elements) and the scale to be observable."""

EXPLAINS = 0.5
"""Least share of the squared deviations that a shift has to take away."""

RIVAL = 0.7
"""A shift is told from a turn or a scale where it leaves less than this of what they leave."""


@dataclass(frozen=True)
class Deviations:
    """Where estimates stand beside the truth, along the coordinates that are free.

    Shapes:
        truth, found: (P, 3) rad, rad, m. axes: (P, F, 3) unit vectors of the F free coordinates.
        along: (P, F) m. weights: (P, F, F), inverse covariances in 1/m².
    """

    truth: Tensor
    found: Tensor
    axes: Tensor
    along: Tensor
    weights: Tensor

    def solved(self, design: Tensor) -> tuple[Tensor, Tensor, float]:
        """Return parameters, their covariance by what is left over, and the share left.

        Shapes:
            design: (P, F, Q), m for a unit of every parameter.
        """
        normal = (design.mT @ self.weights @ design).sum(0)
        right = (design.mT @ self.weights @ self.along.unsqueeze(-1)).sum(0).squeeze(-1)
        inverse = torch.linalg.pinv(normal, hermitian=True, rtol=1e-9)
        found = inverse @ right
        left = self._squares(self.along - (design @ found))
        freedom = max(1, self.along.numel() - design.shape[-1])
        share = left / max(self._squares(self.along), 1e-300)
        return found, inverse * (left / freedom), share

    def _squares(self, values: Tensor) -> float:
        product = values.unsqueeze(-2) @ self.weights @ values.unsqueeze(-1)
        return float(product.sum())


def placement(fit: Fitted, truth: Truth, index: Tensor) -> Iterator[Finding]:
    """Yield whether the origin and the scale of the array are those of the truth.

    Shapes:
        index: (S, K) the estimate of every true source, ``MISSING`` where there is none.
    """
    seen = deviations(fit, truth, index)
    if seen is None or len(seen.truth) < 2:
        for check in ("origin", "scale"):
            told = "needs at least two sources with a truth, and error bars"
            yield Finding(check, "not observable", told)
        return
    yield _origin(seen, fit)
    yield _scale(seen, fit)


def deviations(fit: Fitted, truth: Truth, index: Tensor) -> Deviations | None:
    """Return the deviations of the estimates, None where they have no error bars."""
    errors = fit.estimates.error_covariance
    if errors is None:
        return None
    used = truth.mask & (index != MISSING)
    chosen = index.clamp_min(0)
    places = torch.take_along_dim(fit.positions, chosen.unsqueeze(-1), 1)[used]
    covariance = torch.take_along_dim(errors, chosen[..., None, None], 1)[used]
    known, free = truth.positions[used], fit.problem.free
    r = known[:, 2:]
    stretch = torch.cat((r * torch.cos(known[:, 1:2]), r, torch.ones_like(r)), dim=-1)
    turned = short_way(places[:, 0] - known[:, 0])
    apart = torch.cat((turned.unsqueeze(-1), (places - known)[:, 1:]), dim=-1) * stretch
    spread = covariance * stretch.unsqueeze(-1) * stretch.unsqueeze(-2)
    spread = spread[:, free][:, :, free]
    floor = 1e-12 * spread.diagonal(dim1=-2, dim2=-1).amax(-1)[:, None, None] + 1e-300
    spread = spread + floor * torch.eye(spread.shape[-1], dtype=spread.dtype)
    axes = _axes(known)[:, free]
    return Deviations(known, places, axes, apart[:, free], torch.linalg.inv(spread))


def _axes(places: Tensor) -> Tensor:
    """Return the unit vectors along φ, θ and r, (P, 3, 3)."""
    azimuth, elevation = places[:, 0], places[:, 1]
    sin_a, cos_a = torch.sin(azimuth), torch.cos(azimuth)
    sin_e, cos_e = torch.sin(elevation), torch.cos(elevation)
    along_a = torch.stack((cos_a, torch.zeros_like(cos_a), -sin_a), dim=-1)
    along_e = torch.stack((-sin_a * sin_e, cos_e, -cos_a * sin_e), dim=-1)
    return torch.stack((along_a, along_e, unit_vectors(places)), dim=1)


def _origin(seen: Deviations, fit: Fitted) -> Finding:
    """Return whether the origin of the array is that of the truth."""
    step = fit.problem.array.spacing
    shift, covariance, left = seen.solved(seen.axes)
    turned, scaled = (seen.solved(each)[2] for each in (_turns(seen), _stretches(seen, fit)))
    size = float(torch.linalg.vector_norm(shift))
    sigma = float(covariance.diagonal().sum().clamp_min(0).sqrt())
    values = {f"shift_{axis}_m": float(part) for axis, part in zip("xyz", shift, strict=True)}
    values |= {"shift_std_m": sigma, "left": left, "left_by_turn": turned, "left_by_scale": scaled}
    where = ", ".join(f"{float(value):+.3g}" for value in shift)
    told = f"shift ({where}) m ± {sigma:.2g} m, {size / step:.2f} elements"
    sure = size > SIGMAS * sigma and size > SHIFT * step and left < 1 - EXPLAINS
    if sure and left > RIVAL * scaled:
        why = f"a wrong scale explains as much as a shift ({told})"
        return Finding("origin", "not observable", why, values=values)
    if SIGMAS * sigma > HALF * step and not sure:
        why = f"truth and sources do not tell half an element ({told})"
        return Finding("origin", "not observable", why, values=values)
    if not sure:
        return Finding("origin", "ok", told, values=values)
    hint = "count positions and truth from one origin: half-integers for even sizes"
    if left < RIVAL * turned:
        return Finding("origin", "fail", f"the array is off: {told}", hint, values)
    why = f"the array is off or turned, which these sources do not tell apart: {told}"
    return Finding("origin", "warn", why, hint, values)


def _turns(seen: Deviations) -> Tensor:
    """Return the deviations for a unit turn about every axis, (P, F, 3) m/rad."""
    points = cartesian(seen.truth)
    axes = torch.eye(3, dtype=points.dtype)
    turns = [torch.linalg.cross(axis.expand_as(points), points) for axis in axes]
    return seen.axes @ torch.stack(turns, dim=-1)


def _stretches(seen: Deviations, fit: Fitted) -> Tensor:
    """Return the deviations for direction cosines that grow by dc, (P, F, 1) m.

    From u + dc u and v + dc v: Δφ = sin φ / (cos φ cos² θ) dc, Δθ = tan θ dc; and r falls by 2 dc.
    """
    azimuth, elevation, r = seen.truth.unbind(-1)
    cos_e = torch.cos(elevation)
    across = r * torch.tan(azimuth) / cos_e
    parts = torch.stack((across, r * torch.tan(elevation), -2 * r), dim=-1)
    return parts[:, fit.problem.free].unsqueeze(-1)


def _scale(seen: Deviations, fit: Fitted) -> Finding:
    """Return whether the spacing of the array is that of the truth."""
    array = fit.problem.array
    if shape_of(array) == "three-dimensional":
        told = "a wrong scale of an array in space is a worse fit, not another place"
        return Finding("scale", "not observable", told)
    along = plane_axes(array)
    found, truth = (unit_vectors(each) @ along.T for each in (seen.found, seen.truth))
    energy = float((truth**2).sum())
    ratio = float((found * truth).sum()) / max(energy, 1e-300)
    freedom = max(1, truth.numel() - 1)
    left = float(((found - ratio * truth) ** 2).sum()) / freedom
    sigma = (left / max(energy, 1e-300)) ** 0.5
    told = f"sines are {ratio:.3f} ± {sigma:.3f} x those of the truth"
    values = {"ratio": ratio, "ratio_std": sigma}
    if SIGMAS * sigma > TENTH:
        why = f"truth and directions do not tell 10 % of scale ({told})"
        return Finding("scale", "not observable", why, values=values)
    if abs(ratio - 1) > max(SCALE, SIGMAS * sigma):
        hint = "positions or wavelength are in another unit, or the frequency is another"
        return Finding("scale", "fail", told, hint, values)
    return Finding("scale", "ok", told, values=values)
