"""The share of the power that lies outside the span of the true steering vectors."""

import risdoa
import torch


class MyLoss(risdoa.Loss):
    """tr(P⊥R)/tr R with P⊥ = I - AA⁺, A the steering vectors of the true positions.

    Turning R by an angle δ out of the span of A costs sin²δ.
    """

    def __call__(self, covariance: risdoa.Covariance, truth: risdoa.Truth) -> torch.Tensor:
        """Return one value a scene, (S,); gradients reach the covariance alone.

        Shapes:
            covariance: R of S scenes. truth: K sources each, fewer where the mask says so.
        """
        scaled = covariance.normalised()  # to tr R = N
        steering = truth.steering_matrix().to(scaled.factor)  # A, zero columns where masked
        inside = torch.einsum("skn,snk->s", torch.linalg.pinv(steering), scaled.apply(steering))
        return 1 - inside.real / scaled.elements
