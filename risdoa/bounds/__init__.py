"""How well positions can be known: Cramér–Rao bounds and what lies beside them."""

from risdoa.bounds.cramer_rao import Known, deterministic, position_covariance, stochastic
from risdoa.bounds.levels import LEVELS, levels, position_error

__all__ = [
    "LEVELS",
    "Known",
    "deterministic",
    "levels",
    "position_covariance",
    "position_error",
    "stochastic",
]
