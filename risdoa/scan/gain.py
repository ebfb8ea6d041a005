"""What a further source at every grid point does to the stochastic likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.conventions import invert_range
from risdoa.scan.matched import Matched

START, STEPS = 3.0, 2
"""Signal-to-noise ratio from which the power of a source at a point is sought, and in how many
steps: 95 of 100 peaks are within .05 of their gain in log-likelihood then."""


ROUNDING = 1e-6
"""Least load on a Gram matrix in single precision, over its mean diagonal."""


@dataclass(frozen=True)
class Gain:
    """The gain in log-likelihood and the power of the source that brings it.

    Shapes:
        value, powers: (S·C, P).
    """

    value: Tensor
    powers: Tensor

    @classmethod
    def of(cls, fit: Tensor, room: Tensor) -> Gain:
        """Return max_γ Σ_b γ|m_b|²/(1 + γh_b) - log(1 + γh_b) from |m_b|² and h_b; overwrites fit.

        Shapes:
            fit, room: (S, C, B, …), b on the third axis. Returns (S·C, P).
        """
        gamma = _powers(fit, room)
        load = torch.addcmul(fit.new_ones(()), gamma.unsqueeze(2), room)
        value = (gamma * fit.div_(load).sum(2) - _sum_of_logs(load)).clamp_min(0)
        return cls(value.flatten(0, 1).flatten(1), gamma.flatten(0, 1).flatten(1))


def likelihood_gain(matched: Matched, found: Tensor, powers: Tensor, noise: Tensor) -> Gain:
    """Return max_γ Σ_l γ|m_l|²/(1 + γg_l) - log(1 + γg_l) at every grid point.

    With R_l of the sources found so far, b_l = G_l a(p), g_l = b_lᴴR_l⁻¹b_l and
    m_l = b_lᴴR_l⁻¹y_l, this is by how much a source of power γ at p raises the log-likelihood of
    y_l ~ CN(0, R_l), every snapshot with a signal of its own. By Woodbury's identity, T = (σ²P⁻¹ +
    BᴴB)⁻¹,

        σ² m_l = aᴴG_lᴴ(y_l - B_l T Bᴴ_l y_l),   σ² g_l = ‖G_l a‖² - ‖T^½ B_lᴴG_l a‖²,

    so that a scan costs 1 + K' fields a snapshot. With no source found so far, snapshots may share
    source signals: then l counts the blocks of those that do.

    Shapes:
        found: (S·C, K', 3) in (φ, θ, w), C sets a scene. powers: (S·C, K'). noise: (S·C,).
    """
    sets, known = len(found) // matched.problem.scenes, found.shape[1]
    length = matched.problem.snapshots.count
    parts = []
    for scenes in matched.chunks(length * (1 + known), sets):
        rows = (scenes[:, None] * sets + torch.arange(sets, device=scenes.device)).flatten()
        parts.append(_gain(matched, scenes, found[rows], powers[rows], noise[rows]))
    return joined(parts)


def joined(parts: Sequence[Gain]) -> Gain:
    """Return the gains of several groups of scenes as one."""
    values, powers = [part.value for part in parts], [part.powers for part in parts]
    return Gain(torch.cat(values), torch.cat(powers))


def _gain(matched: Matched, scenes: Tensor, found: Tensor, powers: Tensor, noise: Tensor) -> Gain:
    """Return the gain for the chosen scenes.

    With σ²g and |σm|² in place of g and |m|² all but the power itself, γ/σ² then, is the same.
    """
    sets = len(found) // len(scenes)
    sigma = noise.to(torch.float32).unflatten(0, (-1, sets))[..., None, None]
    own = matched.fields[scenes, None].expand(-1, sets, -1, -1)
    back = own.new_zeros((len(scenes), sets, 1, 1, 1))
    if found.shape[1]:
        back = _explained(matched, scenes, found, powers, noise)
    fit = matched.energies((own - back[:, :, 0]) / sigma.sqrt(), scenes)
    room = matched.norms_of(scenes).unsqueeze(1).expand_as(fit)
    for each in back[:, :, 1:].unbind(2):
        room = room - matched.energies(each, scenes)
    room = room.clamp_min(0)
    gain = Gain.of(fit, room)
    return Gain(gain.value, gain.powers * sigma.flatten().unsqueeze(-1))


def _sum_of_logs(values: Tensor) -> Tensor:
    """Return Σ_l log x_l over axis 2 for x >= 1, with one logarithm for four factors.

    The fourth power of what is below 4·10⁹ is within single precision.
    """
    for _ in range(2):
        count = values.shape[2] // 2
        if 2 * count == values.shape[2]:
            values = values[:, :, :count] * values[:, :, count:]
    return values.log().sum(2)


def _powers(fit: Tensor, room: Tensor) -> Tensor:
    """Return the power of a source at every point from |m_b|² and h_b over the blocks (axis 2).

    Scoring, γ = Σ w(|m|² - h)/Σ w h² with w = (1 + γh)⁻², from a power at which the source is above
    the noise: from 0 the snapshots in which h is large would decide alone.
    """
    tiny = torch.finfo(fit.dtype).tiny
    gamma = START / room.mean(2).clamp_min(tiny)
    one, excess = fit.new_ones(()), fit - room
    for _ in range(STEPS):
        share = torch.addcmul(one, gamma.unsqueeze(2), room).reciprocal_()
        spread = (share * room).square_().sum(2).clamp_min(tiny)
        gamma = (share.square_().mul_(excess).sum(2) / spread).clamp_min(0)
    return gamma


def _explained(
    matched: Matched, scenes: Tensor, found: Tensor, powers: Tensor, noise: Tensor
) -> Tensor:
    """Return G_lᴴB_l[T B_lᴴy_l, T^½] as fields, (S', C, 1 + K', L, N) complex64."""
    problem = matched.problem.select(scenes).to(dtype=torch.complex64)
    sets, known = len(found) // len(scenes), found.shape[1]
    places = invert_range(found).unflatten(0, (-1, sets)).flatten(1, 2)
    steering = problem.steering(problem.array, places).to(torch.complex64)
    snapshots = problem.snapshots
    seen = snapshots.sensing.observe(steering).unflatten(-1, (sets, known)).movedim(-2, 1)
    seen = seen.expand(len(scenes), -1, snapshots.count, -1, -1)
    load = (noise[:, None] / powers).to(seen.real.dtype).unflatten(0, (-1, sets)).unsqueeze(2)
    gram = seen.mH @ seen
    least = ROUNDING * gram.diagonal(dim1=-2, dim2=-1).real.mean(-1, keepdim=True)
    lower = torch.linalg.cholesky(gram + torch.diag_embed(torch.maximum(load, least)))
    eye = torch.eye(known, dtype=gram.dtype, device=gram.device)
    half = torch.linalg.solve_triangular(lower.mH, eye, upper=True)  # T = half halfᴴ
    moments = half.mH @ (seen.mH @ snapshots.values[:, None, :, :, None])
    outputs = seen @ torch.cat((half @ moments, half), dim=-1)
    back = snapshots.sensing.adjoint(outputs.permute(1, 4, 0, 2, 3))
    return back.permute(2, 0, 1, 3, 4)
