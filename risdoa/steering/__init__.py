"""Steering models: what an array receives from a source at a position, one formula per model."""

from risdoa.steering.base import PhaseSteering, Steering, check_positions

__all__ = ["PhaseSteering", "Steering", "check_positions"]
