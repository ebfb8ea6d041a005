"""A loss as a plugin in one file: the class, the hook that announces it, a registry that finds it.

The loss is the one-sided projection loss. Turning a covariance by an angle δ out of the true
subspace costs sin²δ in it and sin⁴δ in gt-projection, whose slope dies where accuracy is decided.
Run it as ``python examples/plugin_in_one_file.py``; docs/plugins.md shows how to install it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import torch

import risdoa


class OneSided(risdoa.Loss):
    """‖P⊥R‖²/‖R‖² with P⊥ = I - A(AᴴA + εI)⁻¹Aᴴ, for R = FFᴴ: tr(EᴴE FᴴF)/‖R‖², E = P⊥F."""

    def __init__(self, epsilon: float = 1e-6) -> None:
        self.epsilon = epsilon

    def __call__(self, covariance: risdoa.Covariance, truth: risdoa.Truth) -> torch.Tensor:
        """Return one value a scene, (S,); gradients reach the covariance alone."""
        factor = covariance.factor
        steering = truth.steering_matrix().to(factor)  # zero columns where there is no source
        load = self.epsilon * torch.eye(steering.shape[-1]).to(factor)
        weights = torch.linalg.solve(steering.mH @ steering + load, steering.mH @ factor)
        outside = factor - steering @ weights
        product = (outside.mH @ outside) * (factor.mH @ factor).conj()
        energy: torch.Tensor = product.sum((-2, -1)).real
        return energy / covariance.squared_norm()


@risdoa.hookimpl
def risdoa_losses() -> Iterable[risdoa.Plugin]:
    """Announce the loss: a record that names its code by a string."""
    yield risdoa.Plugin(
        name="one-sided",
        factory=f"{__name__}:OneSided",
        summary="Energy of R outside the span of the true steering vectors, on one side.",
        traits=("true-steering", "differentiable", "scale-invariant"),
        example="risdoa train --loss one-sided --preset smoke --out run",
    )


def main() -> None:
    """Find the loss by name beside the built-in ones, and show what it is good for."""
    registry = risdoa.Registry.discover(extra=[sys.modules[__name__]])
    print("losses:", ", ".join(registry.names("loss")))

    scenario = registry.create("scenario", "canonical")
    _, truth = scenario.sample(8, torch.Generator().manual_seed(0), sources=1)
    steering = truth.steering_matrix()
    other = torch.randn(steering.shape, dtype=steering.dtype)
    other = other - steering @ (steering.mH @ other)
    other = other / torch.linalg.vector_norm(other, dim=-2, keepdim=True)
    print(f"{'δ rad':<8}{'gt-projection':>16}{'one-sided':>16}")
    for angle in (0.1, 0.01, 0.001):
        delta = torch.tensor(angle, dtype=torch.float64)
        turned = risdoa.Covariance(torch.cos(delta) * steering + torch.sin(delta) * other)
        losses = [registry.create("loss", name) for name in ("gt-projection", "one-sided")]
        values = [float(loss(turned, truth).mean()) for loss in losses]
        print(f"{angle:<8}{values[0]:>16.2e}{values[1]:>16.2e}")


if __name__ == "__main__":
    main()
