"""The unfolded network: an alternating search over a grid whose decisions are learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.grid import Grid
from risdoa.models.anchors import anchored
from risdoa.models.layers import Residual
from risdoa.models.learned import LearnedModel
from risdoa.models.look import FIRST_MAPS, ROUND_MAPS, Look
from risdoa.problem import Problem

if TYPE_CHECKING:
    from optuna import Trial

TOLD = 2
"""Maps of what is told: 1/K, and whether it is."""
SHARES = (0.15, 0.3, 0.55)
"""How many scenes of a batch in training stop after no, one, … rounds."""
UNTOLD = 0.1
"""How many scenes in training are not told the number of sources."""
DEEP = 15.0
"""How far below the best point, in nats, evidence counts at its full value."""


def space(trial: Trial) -> dict[str, int]:
    """Return how wide and deep the network is, and how often it looks again."""
    return {
        "channels": trial.suggest_categorical("channels", (16, 32, 48)),
        "depth": trial.suggest_int("depth", 2, 4),
        "rounds": trial.suggest_int("rounds", 1, 2),
    }


class Unfolded(LearnedModel):
    """Evidence on a grid, judged by a CNN; the likeliest atoms, and the evidence beside them.

    1. :func:`risdoa.scan.likelihood_gain`: the log-likelihood that one source gains, with all of
       the measured power taken as noise: for one source at low SNR nearly the logarithm of the
       posterior, at high SNR a flattened one. It is taken at eight places in every cell of a coarse
       grid; the logarithm of their mean likelihood ratio, by volume, stands for the cell.
    2. A CNN over (w, θ, φ) turns it and the volumes of the cells, for sources may be anywhere
       alike, into a density of sources π_g, a softmax over the grid.
    3. Rounds: the highest peaks of the density, with learned offsets Δ_g from the best places of
       their cells, become atoms, whose powers are fitted jointly
       (:class:`risdoa.models.atoms.Atoms`); every atom is left out in turn, and the evidence for a
       source at the best place of every cell, and where the atom is, beside the others
       (:mod:`risdoa.models.evidence`) goes to a second CNN, the same in every round, which returns
       a new density, as far as it does not keep the old one, and new offsets.
    4. R = Σ_g γ_g a(p_g + Δ_g) a(p_g + Δ_g)ᴴ over the likeliest points, γ_g ∝ π_g, with a learned
       share of the measured power.

    Alternating maximisation takes one source out and puts it where it is worth most; here all are
    taken out at once and a network that knows noise from sources says where they belong. Nothing
    depends on N, M, L, the codes, the channel, or the size of the grid. In training every scene
    stops after a random number of rounds, so that each of them learns.

    Sources: deep unfolding (Monga, Li and Eldar, IEEE SPM 2021); leaving atoms out one by one
    (Tipping and Faul, 2003).

    Args:
        channels: Channels of the CNNs; a multiple of 4.
        depth: Residual blocks of each.
        rounds: How often atoms are left out in turn.
        atoms: Atoms of a round.
        anchors: Columns J of the factor.
        beta: see :class:`LearnedModel`.
        shrinkage: see :class:`LearnedModel`.

    Raises:
        InputError: for sizes that cannot be.
    """

    def __init__(
        self,
        channels: int = 32,
        depth: int = 3,
        rounds: int = 2,
        atoms: int = 6,
        anchors: int = 32,
        beta: float = 1.0,
        shrinkage: float = 0.0,
    ) -> None:
        super().__init__(beta, shrinkage)
        if min(channels, depth, atoms, anchors) < 1 or channels % 4 or not 0 <= rounds <= 2:
            raise InputError(
                f"unfolded cannot have channels={channels}, depth={depth}, rounds={rounds}, "
                f"atoms={atoms}, anchors={anchors}",
                "sizes are positive, channels a multiple of 4, and rounds at most 2",
            )
        self.rounds, self.atoms, self.anchors = rounds, atoms, anchors
        self.first = Judge(FIRST_MAPS + TOLD, channels, depth)
        self.further = Judge(FIRST_MAPS + TOLD + ROUND_MAPS + 1, channels, depth)

    def predict(self, problem: Problem) -> Covariance:
        """Return R = FFᴴ with F (S, N, anchors); see :meth:`Model.__call__`."""
        look = Look.at(problem)
        with torch.autocast(problem.snapshots.values.device.type, enabled=False):
            first = torch.cat((look.maps(), self._told(problem, look)), dim=1)
        judged = self.first(first, look.evidence, look.prior, look.grid)
        for scenes in self._going_on(look):
            part = look.select(scenes)
            logits = judged[scenes, :1]
            maps, evidence = part.again(judged[scenes].detach(), self.atoms)
            known = torch.cat((first[scenes], maps, logits / 10), dim=1)
            again = self.further(known, evidence, part.prior, look.grid, logits)
            judged = judged.index_copy(0, scenes, again)
        return self._covariance(judged, look)

    def _told(self, problem: Problem, look: Look) -> Tensor:
        """Return 1/K and whether K is told, or 0, at every point, (S, 2, P)."""
        told = look.norms.new_zeros((problem.scenes, TOLD))
        if problem.sources is not None:
            told = torch.stack((1 / problem.sources.to(told), torch.ones_like(told[:, 0])), dim=1)
        if self.training:
            told = told * (torch.rand_like(told[:, :1]) >= UNTOLD)
        return told.unsqueeze(-1).expand(-1, -1, look.norms.shape[1])

    def _going_on(self, look: Look) -> list[Tensor]:
        """Return the scenes of every round: all, or in training as many as learn from it."""
        scenes = torch.arange(len(look.scale), device=look.scale.device)
        if not self.training:
            return [scenes] * self.rounds
        shares = torch.tensor(SHARES[: self.rounds + 1]).cumsum(0)
        places = (torch.randperm(len(scenes)) + torch.rand(1)) / len(scenes)
        last = torch.searchsorted(shares / shares[-1], places).to(scenes.device)
        chosen = [scenes[last > done] for done in range(self.rounds)]
        return [rows for rows in chosen if len(rows)]

    def _covariance(self, judged: Tensor, look: Look) -> Covariance:
        """Return R from what was judged, (S, 5, P): logits, offsets and the share of the power."""
        with torch.autocast(judged.device.type, enabled=False):
            density = judged[:, 0].softmax(-1)
            top = density.detach().topk(min(self.anchors, density.shape[-1]), dim=-1).indices
            weights = torch.take_along_dim(density, top, -1)
            inner = weights / weights.sum(-1, keepdim=True)
            share = torch.sigmoid((inner * torch.take_along_dim(judged[:, 4], top, -1)).sum(-1))
            norm = (inner * torch.take_along_dim(look.norms, top, -1)).sum(-1)
            powers = weights * (look.scale.square() * share / norm).unsqueeze(-1)
            offsets = look.offsets_at(judged, top)
            return anchored(look.places.problem, look.grid, top, offsets, powers)


class Judge(nn.Module):
    """A CNN on the grid: from maps to logits of a density, offsets and a level.

    The logits start from the logarithm of the evidence e and of the cell's share in the region,
    what physics says alone; the network says where e itself counts, as it does for one source in
    noise of a known power, and where what was judged before stays.
    """

    def __init__(self, maps: int, channels: int, depth: int) -> None:
        super().__init__()
        self.entry = nn.Conv3d(maps, channels, 3, padding=1)
        self.blocks = nn.ModuleList(Residual(channels) for _ in range(depth))
        self.reading = nn.Conv3d(channels, 7, 1)
        nn.init.normal_(self.reading.weight, std=1e-2)
        nn.init.zeros_(self.reading.bias)  # type: ignore[arg-type]
        self.trust = nn.Parameter(torch.tensor(2.0))

    def forward(
        self,
        maps: Tensor,
        evidence: Tensor,
        prior: Tensor,
        grid: Grid,
        before: Tensor | None = None,
    ) -> Tensor:
        """Return what is read at every point.

        Shapes:
            maps: (S, C, P). evidence: (S, P). prior: (P,). before: (S, 1, P), the logits so far.
            Returns (S, 5, P) float32.
        """
        with torch.autocast(maps.device.type, enabled=False):  # maps span decades
            features = self.entry(maps.float().unflatten(-1, grid.shape))
        for block in self.blocks:
            features = block(features)
        reading = self.reading(functional.gelu(features)).flatten(2).float()
        evidence = evidence.unsqueeze(1)
        itself = 2 * torch.sigmoid(reading[:, 5:6]) * _below(evidence).clamp_min(-DEEP)
        logits = 3 * reading[:, :1] + self.trust * torch.log1p(evidence) + itself + prior
        if before is not None:
            logits = torch.lerp(_below(logits), _below(before), torch.sigmoid(reading[:, 6:]))
        return torch.cat((logits, reading[:, 1:5]), dim=1)


def _below(values: Tensor) -> Tensor:
    """Return values less the largest of each scene."""
    return values - values.amax(-1, keepdim=True)
