"""A loss for risdoa. This module only announces it, so that listing plugins imports no torch."""

from collections.abc import Iterable

import risdoa


@risdoa.hookimpl
def risdoa_losses() -> Iterable[risdoa.Plugin]:
    """Yield the loss, as a record that names its class by a string."""
    yield risdoa.Plugin(
        name="my-loss",
        factory="my_loss.loss:MyLoss",
        summary="Share of the power that lies outside the span of the true steering vectors.",
        traits=("true-steering", "differentiable", "scale-invariant"),
        example="risdoa train --loss my-loss --preset smoke --out run",
    )
