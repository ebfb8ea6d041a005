"""Steering models of real antennas; this module only announces them."""

from __future__ import annotations

from collections.abc import Iterable

import risdoa


@risdoa.hookimpl
def risdoa_steering() -> Iterable[risdoa.Plugin]:
    """Yield the steering model with element patterns and mutual coupling."""
    yield risdoa.Plugin(
        name="element-response",
        factory="risdoa_antennas.element_response:ElementResponse",
        summary="Element patterns and mutual coupling on top of another steering model.",
        traits=("differentiable", "element-response"),
        example="risdoa estimate scene.npz --steering element-response --sources 1",
        references=(
            "B. Friedlander and A. J. Weiss, Direction finding in the presence of mutual coupling, "
            "IEEE Trans. Antennas Propag. 39(3), 1991",
            "C.-L. Liu and P. P. Vaidyanathan, Super nested arrays: linear sparse arrays with "
            "reduced mutual coupling, IEEE Trans. Signal Process. 64(15), 2016",
        ),
    )
