"""The sample covariance, shrunk towards the identity."""

import risdoa
import torch
from risdoa.errors import InputError


class MyModel(risdoa.Model):
    """R = (1 - α)S + α tr(S)/N I with the sample covariance S = Σ_l y_l y_lᴴ/L.

    α is what minimises the expected error ‖R - E S‖², estimated from the spread of the snapshots:

        α = min(1, (Σ_l ‖y_l‖⁴/L - ‖S‖²) / (L ‖S - tr(S)/N I‖²)).
    """

    def supports(self, problem: risdoa.Problem) -> bool:
        """Whether every element is read, in snapshots that each have a signal of their own."""
        snapshots = problem.snapshots
        return isinstance(snapshots.sensing, risdoa.Direct) and snapshots.fresh

    def __call__(self, problem: risdoa.Problem) -> risdoa.Covariance:
        """Return the covariance of every scene, R = FFᴴ + δI with F (S, N, L) and δ (S,)."""
        if not self.supports(problem):
            raise InputError(
                "my-model needs every element read, and fresh signals",
                "use --model sample",
            )
        values, count = problem.snapshots.values, problem.snapshots.count
        sample = risdoa.Covariance(values.mT / count**0.5)
        mean = sample.trace() / sample.elements
        energy = sample.squared_norm()
        fourth = values.abs().square().sum(-1).square().mean(-1)
        distance = (energy - mean.square() * sample.elements).clamp_min(
            torch.finfo(mean.dtype).tiny
        )
        alpha = ((fourth - energy) / (count * distance)).clamp(0, 1)
        return risdoa.Covariance(sample.factor * (1 - alpha).sqrt()[:, None, None], alpha * mean)
