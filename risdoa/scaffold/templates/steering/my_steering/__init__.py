"""A steering model for risdoa. This module only announces it, so that listing imports no torch."""

from collections.abc import Iterable

import risdoa


@risdoa.hookimpl
def risdoa_steering() -> Iterable[risdoa.Plugin]:
    """Yield the steering model, as a record that names its class by a string."""
    yield risdoa.Plugin(
        name="my-steering",
        factory="my_steering.steering:MySteering",
        summary="Spherical wave, expanded to the third order in the aperture.",
        traits=("differentiable",),
        example="risdoa compare --method sample:music@my-steering --snr 20",
    )
