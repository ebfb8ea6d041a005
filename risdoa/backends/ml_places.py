"""Where a further source may belong, and whether one that is there may belong elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.backends.ml_effort import Effort
from risdoa.backends.ml_fits import Fit
from risdoa.backends.ml_trial import Trial
from risdoa.scan import Matched, Peaks, neighbours, peaks

SMALLER, FEW, MANY = 0.8, 8.0, 30.0
"""A source stays where the next best place is worth less than this part of its own and less by a
few units of log-likelihood, which further steps could gain, or is worth less by many."""
CLOSE = 0.9
"""A place that is worth more than this part of the best is tried in any case: at high SNR the grid
hides more of a maximum than places differ by, however many units that is."""
OWN = 1.0
"""So many steps of the grid off the highest peak a source still stands on it."""
EDGE = 0.05
"""So many steps of the grid off an edge of the region a source stands on it."""
HOPELESS = 60.0
"""A place that is worth so much less in log-likelihood than another is not tried."""


@dataclass(frozen=True)
class Places:
    """The best places for a further source beside every set of sources.

    Shapes:
        found: S·C sets, in falling order of their gain. gain, powers: (S·C, P) at every grid point.
    """

    found: Peaks
    gain: Tensor
    powers: Tensor

    @classmethod
    def beside(cls, fit: Fit, matched: Matched, trial: Trial, tries: int) -> Places:
        """Return the ``tries`` best places beside the sets under trial."""
        gain, powers = fit.gain(matched, trial)
        return cls(peaks(gain, matched.grid, tries), gain, powers)

    def rows(self, rows: Tensor) -> Places:
        """Return the places of the chosen sets."""
        found = self.found
        chosen = Peaks(found.places[rows], found.heights[rows], found.points[rows])
        return Places(chosen, self.gain[rows], self.powers[rows])

    def powers_found(self) -> Tensor:
        """Return the powers of a source at the places, (S·C, tries)."""
        return torch.take_along_dim(self.powers, self.found.points, 1)

    def to_try(self, matched: Matched, effort: Effort, unit: Tensor) -> Places:
        """Return the places to try: the peaks, and the neighbours of the highest if thorough.

        As many as are hopeful in any of the sets: a place worth less than ``CLOSE`` of another, and
        by ``HOPELESS`` in log-likelihood, of which ``unit`` (S·C,) is worth one, will not overtake
        it.
        """
        found = self._with_neighbours(matched) if effort.thorough else self.found
        order = found.heights.argsort(dim=1, descending=True, stable=True)
        ranked = torch.take_along_dim(found.heights, order, 1)
        less = ranked[:, :1] - ranked
        near = less <= HOPELESS * unit.to(ranked).unsqueeze(1)
        hopeful = (near | (ranked > CLOSE * ranked[:, :1])).sum(1)
        order = order[:, : int(hopeful.max())]
        places = torch.take_along_dim(found.places, order.unsqueeze(-1), 1)
        others = (torch.take_along_dim(each, order, 1) for each in (found.heights, found.points))
        return Places(Peaks(places, *others), self.gain, self.powers)

    def _with_neighbours(self, matched: Matched) -> Peaks:
        """Return the peaks and the grid points next to the highest."""
        found = self.found
        index = neighbours(matched.grid, found.points[:, :1])
        points = matched.points[index].to(found.places)
        heights = torch.take_along_dim(self.gain, index, 1)
        pairs = ((found.places, points), (found.heights, heights), (found.points, index))
        return Peaks(*(torch.cat(pair, dim=1) for pair in pairs))

    def doubtful(self, matched: Matched, place: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Return where a source at ``place`` should be tried elsewhere, and where that is in doubt.

        Where the highest peak is the source itself and the next is worth less by far, the source
        stays; but not on an edge of the region that the peak is not on, where a descent ended that
        would have gone on.

        Shapes:
            place: (S·C, 3) in (φ, θ, w). unit: (S·C,), what is worth one unit of log-likelihood.
            Returns two masks (S·C,), of which the first holds where the second does.
        """
        found = self.found
        off = steps_apart(matched, found.places[:, 0], place)
        stand_in = found.points == found.points[:, :1]
        best = found.heights[:, 0]
        next_best = torch.where(stand_in, -torch.inf, found.heights).amax(-1)
        less = (best - next_best) / unit.to(best)
        far_less = ((next_best < SMALLER * best) & (less > FEW)) | (less > MANY)
        held = (at_edges(matched, place) & ~at_edges(matched, found.places[:, 0])).any(-1)
        unsure = (off >= OWN) | held | ~far_less
        return unsure | (next_best > CLOSE * best), unsure


def steps_apart(matched: Matched, one: Tensor, other: Tensor) -> Tensor:
    """Return the largest distance of places (…, 3) along an axis of the grid, in its steps."""
    return ((one - other) / steps(matched)).abs().amax(-1)


def at_edges(matched: Matched, place: Tensor) -> Tensor:
    """Return in which coordinates places (…, 3) are on an edge of the region, (…, 3)."""
    low, high = (bound.to(place) for bound in matched.problem.search_bounds())
    return torch.minimum(place - low, high - place) < EDGE * steps(matched)


def steps(matched: Matched) -> Tensor:
    """Return the steps of the grid, (3,), infinite along an axis of one point."""
    found = matched.grid.steps().to(matched.points)
    return torch.where(found > 0, found, torch.inf)
