"""Steering models: what an array receives from a source at a position, one formula per model."""

from risdoa.steering.base import PhaseSteering, Steering

__all__ = ["PhaseSteering", "Steering"]
