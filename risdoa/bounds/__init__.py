"""How well positions can be known: Cramér–Rao bounds and what lies beside them."""

from risdoa.bounds.cramer_rao import Known, deterministic, position_covariance, stochastic
from risdoa.bounds.levels import LEVELS, levels, position_error
from risdoa.bounds.misspecified import Misspecified, misspecified
from risdoa.bounds.pseudo_true import PseudoTrue, pseudo_true
from risdoa.bounds.threshold import Kind, Prediction, threshold

__all__ = [
    "LEVELS",
    "Kind",
    "Known",
    "Misspecified",
    "Prediction",
    "PseudoTrue",
    "deterministic",
    "levels",
    "misspecified",
    "position_covariance",
    "position_error",
    "pseudo_true",
    "stochastic",
    "threshold",
]
