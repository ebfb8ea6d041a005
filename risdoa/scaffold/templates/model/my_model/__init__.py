"""A model for risdoa. This module only announces it, so that listing plugins imports no torch."""

from collections.abc import Iterable

import risdoa


@risdoa.hookimpl
def risdoa_models() -> Iterable[risdoa.Plugin]:
    """Yield the model, as a record that names its class by a string."""
    yield risdoa.Plugin(
        name="my-model",
        factory="my_model.model:MyModel",
        summary="Sample covariance, shrunk towards the identity as far as its error asks for.",
        example="risdoa compare --scenario digital --method my-model:music",
        references=("Ledoit and Wolf, J. Multivariate Analysis 88(2), 2004",),
    )
