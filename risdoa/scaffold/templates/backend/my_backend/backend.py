"""Signal subspace fitting by alternating projection."""

import risdoa
import torch
from risdoa.errors import InputError

FLOOR = 0.02
"""Least share of a steering vector that must be left beside the other sources."""


class MyBackend(risdoa.BatchedBackend):
    """The positions whose steering vectors A span most of the signal subspace: max ‖P_A U‖².

    Beside the other sources, whose steering vectors have the orthonormal basis Q, a source at p
    adds ‖UᴴP⊥a‖²/‖P⊥a‖² with P⊥ = I - QQᴴ. Sources are found one after the other; then each is
    sought again beside all others, which makes ``passes`` rounds. ``density`` is the number of
    grid points per half-width of the array's beam, ``zoom`` how often the step is halved.
    """

    def __init__(self, density: float = 1.0, passes: int = 3, zoom: int = 8) -> None:
        if density <= 0 or passes < 1 or zoom < 0:
            raise InputError(
                "my-backend needs density > 0, passes >= 1 and zoom >= 0, "
                f"got {density}, {passes} and {zoom}"
            )
        self.density, self.passes, self.zoom = density, passes, zoom

    def solve(
        self,
        problem: risdoa.Problem,
        covariance: risdoa.Covariance | None,
        start: risdoa.Estimates | None,
        sources: int,
    ) -> risdoa.Estimates:
        """Return (S, sources, 3) for scenes that all have so many sources; no start is used."""
        if covariance is None:
            raise InputError(
                "my-backend needs a covariance: these measurements give none",
                "use a backend that reads the measurements: --backend nf-mle",
            )
        basis = covariance.signal_subspace(sources)
        grid = risdoa.search_grid(problem.array, problem.region, self.density)
        points, steps = grid.points().to(basis.real), grid.steps().to(basis.real)
        found = basis.real.new_zeros((problem.scenes, 0, 3))
        for _ in range(self.passes * sources):
            others = found[:, 1:] if found.shape[1] == sources else found
            peak = self._peak(problem, basis, others, points, steps)
            found = torch.cat((others, peak), dim=1)
        span = torch.linalg.qr(steer(problem, found))[0]
        fitted = (span.mH @ basis).abs().square().mean(-1).sum(-1)
        return risdoa.Estimates.at(problem.positions(found), 1 - fitted)

    def _peak(
        self,
        problem: risdoa.Problem,
        basis: torch.Tensor,
        others: torch.Tensor,
        points: torch.Tensor,
        steps: torch.Tensor,
    ) -> torch.Tensor:
        """Return the best place for a source beside others, (S, 1, 3) in (φ, θ, 1/r)."""
        beside = torch.linalg.qr(steer(problem, others))[0]
        coarse = problem.steering(problem.array, problem.positions(points).to(torch.float32))
        peak = points[gain(coarse, basis, beside).argmax(-1)].unsqueeze(1)
        low, high = problem.descent_bounds()
        offsets = torch.cartesian_prod(*[torch.tensor([0.0, -1.0, 1.0])] * 3).to(peak)
        for halvings in range(1, self.zoom + 1):
            near = (peak + offsets * steps / 2**halvings).clamp(low, high)
            best = gain(steer(problem, near), basis, beside).argmax(-1)
            peak = near.take_along_dim(best[:, None, None], dim=1)
        return peak


def steer(problem: risdoa.Problem, search: torch.Tensor) -> torch.Tensor:
    """Return the steering vectors (S, N, P) of points (S, P, 3) in (φ, θ, 1/r)."""
    return problem.steering(problem.array, problem.positions(search))


def gain(steering: torch.Tensor, basis: torch.Tensor, beside: torch.Tensor) -> torch.Tensor:
    """Return ‖UᴴP⊥a‖²/‖P⊥a‖², what each source would add to the fit, (S, P)."""
    rest = basis - beside @ (beside.mH @ basis)
    added: torch.Tensor = (rest.to(steering).mH @ steering).abs().square().sum(-2)
    left = 1 - (beside.to(steering).mH @ steering).abs().square().sum(-2)
    return added / left.clamp_min(FLOOR)
