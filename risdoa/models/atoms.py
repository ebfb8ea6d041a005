"""A few sources at given places, and how strong the measurements say each of them is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.problem import Problem
from risdoa.scan.base import power
from risdoa.scan.matched import block_adjoint
from risdoa.scan.table import steering_vectors
from risdoa.snapshots import sum_blocks

STEPS = 6
WEAKEST = 1e-6
"""Least power of an atom, over that of the strongest."""
TURN = 3.0
"""Largest factor by which a step changes a power."""
TINY = 1e-12


@dataclass(frozen=True)
class Strengths:
    """Powers and noise, and what follows from them in every block b of shared source signals.

    Shapes:
        powers: (S, J). noise: (S,). spread: (S, B, J, J) complex, T_b = (σ²Γ⁻¹ + B_bᴴB_b)⁻¹.
        signals: (S, B, J) complex, T_b B_bᴴ y_b, the posterior mean of the source signals.
    """

    powers: Tensor
    noise: Tensor
    spread: Tensor
    signals: Tensor

    @property
    def variances(self) -> Tensor:
        """The diagonal of T, (S, B, J)."""
        return self.spread.diagonal(dim1=-2, dim2=-1).real


@dataclass(frozen=True)
class Atoms:
    """Sources at J places: y_b ~ CN(0, B_b Γ B_bᴴ + σ²I), B_b = G_l A stacked over a block.

    Shapes:
        fields: (S, B, 1 + J, N), Σ_{l in b} G_lᴴ[y_l, B_l]. gram: (S, B, J, J), B_bᴴB_b.
        moments: (S, B, J), B_bᴴy_b. energy: (S, B), ‖y_b‖². outputs: numbers in a block.
    """

    fields: Tensor
    gram: Tensor
    moments: Tensor
    energy: Tensor
    outputs: float

    @classmethod
    def at(cls, problem: Problem, places: Tensor) -> Atoms:
        """Return the atoms at positions (S, J, 3), rad, rad, m."""
        snapshots = problem.snapshots
        values = snapshots.values
        steering = steering_vectors(problem.steering, problem.array, places).to(values)
        seen = snapshots.sensing.observe(steering)
        seen = seen.expand(problem.scenes, snapshots.count, -1, -1)
        blocks, count = snapshots.block_index, snapshots.block_count
        back = seen.mH @ torch.cat((values.unsqueeze(-1), seen), dim=-1)
        products = sum_blocks(back, blocks, count)
        fields = block_adjoint(problem, torch.cat((values.unsqueeze(1), seen.movedim(-1, 1)), 1))
        energy = sum_blocks(power(values).sum(-1), blocks, count)
        outputs = snapshots.count * snapshots.outputs / count
        return cls(fields, products[..., 1:], products[..., 0], energy, outputs)

    def given(self, powers: Tensor, noise: Tensor) -> Strengths:
        """Return what follows from powers (S, J) and a noise power (S,)."""
        load = torch.diag_embed(noise.unsqueeze(-1) / powers).unsqueeze(1)
        spread = torch.linalg.inv(self.gram + load)
        signals = (spread @ self.moments.unsqueeze(-1)).squeeze(-1)
        return Strengths(powers, noise, spread, signals)

    def fitted(self, powers: Tensor, noise: Tensor) -> Strengths:
        """Return powers and noise after some fixed-point steps towards the likeliest ones.

        With r_j = b_jᴴR⁻¹y = (T Bᴴy)_j/γ_j and h_j = b_jᴴR⁻¹b_j = (1 - σ²T_jj/γ_j)/γ_j,

            γ_j ← γ_j (Σ_b |r_j|²/Σ_b h_j)^½,    σ² ← σ² (Σ_b ‖R⁻¹y‖²/Σ_b tr R⁻¹)^½,

        which rests where the gradient of the likelihood does (Stoica et al., 2011, SPICE; Wipf and
        Rao, 2004). All in J × J matrices.
        """
        for _ in range(STEPS):
            state = self.given(powers, noise)
            gamma, sigma = powers.unsqueeze(1), noise[:, None, None]
            unsure = sigma * state.variances / gamma
            heard = (power(state.signals) / gamma**2).sum(1)
            room = ((1 - unsure).clamp_min(TINY) / gamma).sum(1)
            change = (heard / room).sqrt().clamp(1 / TURN, TURN)
            rest, trace = self._rest(state), self.outputs - (1 - unsure).sum(-1)
            powers = powers * change
            powers = torch.maximum(powers, WEAKEST * powers.amax(-1, keepdim=True))
            louder = rest.sum(1) / (noise * trace.sum(1)).clamp_min(TINY)
            noise = noise * louder.sqrt().clamp(1 / TURN, TURN)
        return self.given(powers, noise)

    def _rest(self, state: Strengths) -> Tensor:
        """Return ‖y - B T Bᴴy‖² = σ⁴‖R⁻¹y‖², (S, B)."""
        signals = state.signals.unsqueeze(-1)
        explained = (self.moments.unsqueeze(-1).mH @ signals).real
        again = (signals.mH @ self.gram @ signals).real
        rest = self.energy - (2 * explained - again).squeeze((-2, -1))
        return rest.clamp_min(TINY)
