"""A backend for risdoa. This module only announces it, so that listing plugins imports no torch."""

from collections.abc import Iterable

import risdoa


@risdoa.hookimpl
def risdoa_backends() -> Iterable[risdoa.Plugin]:
    """Yield the backend, as a record that names its class by a string."""
    yield risdoa.Plugin(
        name="my-backend",
        factory="my_backend.backend:MyBackend",
        summary="Subspace fitting: all sources together, one after the other in turns.",
        traits=("needs-covariance", "grid"),
        example="risdoa compare --method sample:my-backend --sources 2",
        references=("Ziskind and Wax, IEEE Trans. ASSP 36(10), 1988",),
    )
