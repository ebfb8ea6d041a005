"""The unfolded network: an alternating search over a grid whose decisions are learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from risdoa.conventions import invert_range
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.grid import Grid
from risdoa.models.anchors import anchored
from risdoa.models.atoms import Atoms
from risdoa.models.evidence import beside, nearest_atom
from risdoa.models.layers import Residual
from risdoa.models.learned import LearnedModel
from risdoa.models.maps import at_unit_power, bounded_grid
from risdoa.problem import Problem
from risdoa.scan import Matched, likelihood_gain, peaks

if TYPE_CHECKING:
    from optuna import Trial

VIEWS = 4
FIRST_MAPS = VIEWS + 2 + 3 + 2
ROUND_MAPS = 2 * VIEWS + 3
SHARES = (0.15, 0.3, 0.55)
"""How many scenes of a batch in training stop after no, one, … rounds."""
UNTOLD = 0.1
"""How many scenes in training are not told the number of sources."""
NATS = 8.0
"""Evidence from which on a peak is hardly noise."""
DEEP = 15.0
"""How far below the best point, in nats, evidence counts at its full value."""
WEAK = 1e-4
"""Least power of an atom at first, over that of the strongest."""


def space(trial: Trial) -> dict[str, int]:
    """Return how wide and deep the network is, and how often it looks again."""
    return {
        "channels": trial.suggest_categorical("channels", (16, 32, 48)),
        "depth": trial.suggest_int("depth", 2, 4),
        "rounds": trial.suggest_int("rounds", 1, 2),
    }


class Unfolded(LearnedModel):
    """Evidence on a grid, judged by a CNN; the likeliest atoms, and the evidence beside them.

    1. :func:`risdoa.scan.likelihood_gain`: the log-likelihood that one source at every grid point
       gains, with all of the measured power taken as noise: for one source at low SNR nearly the
       logarithm of the posterior, at high SNR a flattened one.
    2. A CNN over (w, θ, φ) turns it into a density of sources π_g, a softmax over the grid.
    3. Rounds: the highest peaks of the density become atoms, whose powers are fitted jointly
       (:class:`risdoa.models.atoms.Atoms`); every atom is left out in turn, and the evidence for a
       source at every grid point beside the others (:func:`risdoa.models.evidence.beside`) goes to
       a second CNN, the same in every round, which returns a new density.
    4. R = Σ_g γ_g a(p_g + Δ_g) a(p_g + Δ_g)ᴴ over the likeliest points, γ_g ∝ π_g, with learned
       offsets Δ and a learned share of the measured power.

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
        self.first = Judge(FIRST_MAPS, channels, depth)
        self.further = Judge(FIRST_MAPS + ROUND_MAPS + 1, channels, depth)

    def predict(self, problem: Problem) -> Covariance:
        """Return R = FFᴴ with F (S, N, anchors); see :meth:`Model.__call__`."""
        look = Look.at(problem)
        with torch.autocast(problem.snapshots.values.device.type, enabled=False):
            first = torch.cat((look.maps(), self._told(problem, look)), dim=1)
        judged = self.first(first, look.evidence, look.grid)
        for scenes in self._going_on(look):
            part = look.select(scenes)
            logits = judged[scenes, :1]
            maps, evidence = part.again(logits.detach().squeeze(1), self.atoms)
            known = torch.cat((first[scenes], maps, logits / 10), dim=1)
            judged = judged.index_copy(0, scenes, self.further(known, evidence, look.grid))
        return self._covariance(judged, look)

    def _told(self, problem: Problem, look: Look) -> Tensor:
        """Return 1/K and whether K is told, or 0, at every point, (S, 2, P)."""
        told = look.norms.new_zeros((problem.scenes, 2))
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
            offsets = torch.tanh(torch.take_along_dim(judged[:, 1:4], top.unsqueeze(1), -1).mT)
            return anchored(look.problem, look.grid, top, offsets, powers)


class Judge(nn.Module):
    """A CNN on the grid: from maps to logits of a density, offsets and a level.

    The logits start from the logarithm of the evidence e, what physics says alone; the network says
    where e itself counts, as it does for one source in noise of a known power and a flat prior.
    """

    def __init__(self, maps: int, channels: int, depth: int) -> None:
        super().__init__()
        self.entry = nn.Conv3d(maps, channels, 3, padding=1)
        self.blocks = nn.ModuleList(Residual(channels) for _ in range(depth))
        self.reading = nn.Conv3d(channels, 6, 1)
        nn.init.normal_(self.reading.weight, std=1e-2)
        nn.init.zeros_(self.reading.bias)  # type: ignore[arg-type]
        self.trust = nn.Parameter(torch.tensor(4.0))

    def forward(self, maps: Tensor, evidence: Tensor, grid: Grid) -> Tensor:
        """Return what is read at every point.

        Shapes:
            maps: (S, C, P). evidence: (S, P). Returns (S, 5, P) float32.
        """
        with torch.autocast(maps.device.type, enabled=False):  # maps span decades
            features = self.entry(maps.float().unflatten(-1, grid.shape))
        for block in self.blocks:
            features = block(features)
        reading = self.reading(functional.gelu(features)).flatten(2).float()
        evidence = evidence.unsqueeze(1)
        below = (evidence - evidence.amax(-1, keepdim=True)).clamp_min(-DEEP)
        itself = torch.sigmoid(reading[:, 5:]) * below
        logits = 3 * reading[:, :1] + self.trust * torch.log1p(evidence) + itself
        return torch.cat((logits, reading[:, 1:5]), dim=1)


@dataclass(frozen=True)
class Look:
    """What is known of every scene before the network, in units of the root mean square of y.

    Shapes:
        scale: (S,), of y. norms: (S, P), the mean power at an output of a unit source at every
        point. evidence: (S, P), with all power, 1, as noise. powers: (S, P).
    """

    problem: Problem
    grid: Grid
    matched: Matched
    scale: Tensor
    norms: Tensor
    evidence: Tensor
    powers: Tensor

    @classmethod
    @torch.no_grad()
    def at(cls, problem: Problem) -> Look:
        """Look at the measurements in single precision, without a graph."""
        problem, scale = at_unit_power(problem)
        with torch.autocast(scale.device.type, enabled=False):
            grid = bounded_grid(problem)
            matched = Matched.prepare(problem, grid)
            none = scale.new_zeros((problem.scenes, 0))
            known = none.unsqueeze(-1).expand(-1, -1, 3), none
            found = likelihood_gain(matched, *known, noise=torch.ones_like(scale))
            every = torch.arange(len(matched.points), device=scale.device)
            norms = matched.mean_norms(every.expand(problem.scenes, -1))
        return cls(problem, grid, matched, scale, norms, found.value, found.powers)

    def maps(self) -> Tensor:
        """Return views of the evidence, the share of y it explains, norms, and where it is."""
        points = self.matched.points.to(self.norms)
        inverse = points[:, 2] / points[:, 2].max().clamp_min(torch.finfo(points.dtype).tiny)
        where = torch.stack((torch.sin(points[:, 0]), torch.sin(points[:, 1]), inverse))
        relative = self.norms / self.norms.mean(-1, keepdim=True)
        own = (_log(self.powers * self.norms), _log(relative))
        maps = torch.stack((*_views(self.evidence), *own), dim=1)
        return torch.cat((maps, where.expand(len(maps), -1, -1)), dim=1)

    @torch.no_grad()
    def again(self, logits: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Return further maps and the evidence beside the others, for atoms where logits peak.

        Shapes:
            logits: (S, P). Returns (S, ROUND_MAPS, P) and (S, P).
        """
        with torch.autocast(logits.device.type, enabled=False):
            index = peaks(logits.float(), self.grid, count).points
            search = self.matched.points[index].to(logits.dtype)
            atoms = Atoms.at(self.problem, invert_range(search))
            half = torch.full_like(self.scale, 0.5)
            strengths = atoms.fitted(self._first_powers(index), half)
            nearest, apart = nearest_atom(self.grid, self.matched.points.to(search), search)
            everything, without = beside(self.matched, atoms, strengths, nearest)
            shares = strengths.powers * torch.take_along_dim(self.norms, index, 1)
            bumps = ((-apart / 2).exp() * shares.unsqueeze(-1)).sum(1)
            noise = _log(strengths.noise).unsqueeze(-1).expand_as(bumps)
            others = (_log(without.powers * self.norms), bumps, noise)
            maps = (*_views(without.value), *_views(everything.value), *others)
            return torch.stack(maps, dim=1), without.value

    def _first_powers(self, index: Tensor) -> Tensor:
        """Return the powers that atoms start from: half of what each would have alone.

        A peak that stands in for one that is missing starts as a weak one.
        """
        powers = torch.take_along_dim(self.powers, index, 1) / 2
        again = (index.unsqueeze(2) == index.unsqueeze(1)).tril(-1).any(-1)
        powers = torch.where(again, WEAK * powers, powers)
        floor = torch.finfo(powers.dtype).tiny ** 0.5
        return torch.maximum(powers, WEAK * powers.amax(-1, keepdim=True)).clamp_min(floor)

    def select(self, scenes: Tensor) -> Look:
        """Return the chosen scenes."""
        problem = self.problem.select(scenes)
        return Look(
            problem,
            self.grid,
            self.matched.select(scenes, problem),
            *(each[scenes] for each in (self.scale, self.norms, self.evidence, self.powers)),
        )


def _views(evidence: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return four views of evidence: in decades, relative, saturated, and as a posterior."""
    top = evidence.amax(-1, keepdim=True)
    relative = evidence / top.clamp_min(1e-3)
    posterior = ((evidence - top) / 4).exp()
    return torch.log1p(evidence) / 3, relative, torch.tanh(evidence / NATS), posterior


def _log(share: Tensor) -> Tensor:
    return torch.log(share + 0.01) / 3
