"""A loss for risdoa. This module only announces it, so that listing plugins imports no torch."""

from collections.abc import Iterable

import risdoa


@risdoa.hookimpl
def risdoa_losses() -> Iterable[risdoa.Plugin]:
    """Yield the loss, as a record that names its class by a string."""
    yield risdoa.Plugin(
        name="power-share",
        factory="power_share.loss:PowerShare",
        summary="Power outside the span of the true steering vectors, and its shares inside.",
        traits=("true-steering", "differentiable", "scale-invariant", "complete"),
        space="power_share.loss:space",
        example="risdoa train --loss power-share --preset smoke --out run",
    )
