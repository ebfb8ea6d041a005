"""The power outside the span of the true steering vectors, and how it is shared inside."""

from typing import Any

import risdoa
import torch


class PowerShare(risdoa.Loss):
    """tr(P⊥R)/tr R + w Σ_k (q_k - q̂_k)² with P⊥ = I - AA⁺, A the true steering vectors.

    q_k = a_kᴴRa_k/tr R is the share of the power that arrives from source k, q̂_k that of the truth.
    """

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def __call__(self, covariance: risdoa.Covariance, truth: risdoa.Truth) -> torch.Tensor:
        """Return one value a scene, (S,); gradients reach the covariance alone.

        Shapes:
            covariance: R of S scenes. truth: K sources each, fewer where the mask says so.
        """
        scaled = covariance.normalised()  # to tr R = N
        steering = truth.steering_matrix().to(scaled.factor)  # A, zero columns where masked
        inside = torch.einsum("skn,snk->s", torch.linalg.pinv(steering), scaled.apply(steering))
        lacking = shares(truth.covariance, steering) - shares(covariance, steering)
        return 1 - inside.real / scaled.elements + self.weight * lacking.square().sum(-1)


def shares(covariance: risdoa.Covariance, steering: torch.Tensor) -> torch.Tensor:
    """Return a_kᴴRa_k/tr R for every source, (S, K)."""
    image = covariance.normalised().apply(steering.to(covariance.factor)).to(steering)
    return (steering.conj() * image).sum(-2).real / covariance.elements


def space(trial: Any) -> dict[str, float]:
    """Return the options of one trial of a search."""
    return {"weight": trial.suggest_float("weight", 0.1, 10.0, log=True)}
