"""The canonical scenario with data that the canonical model does not quite explain."""

from __future__ import annotations

from risdoa.scenarios.canonical import Canonical
from risdoa.steering.base import Steering
from risdoa.steering.spherical import Spherical


class SphericalData(Canonical):
    """Exact spherical waves make the data, estimators are told ``canonical``: a model error."""

    data_model = "spherical"

    def data_steering(self) -> Steering:
        """Return the exact model."""
        return Spherical()
