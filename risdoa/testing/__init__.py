"""The conformance kit: named checks that a plugin of any kind can be held to.

One list has three faces: :func:`run_checks`, the pytest decorator :func:`parametrize`, and
``risdoa plugins check KIND:NAME``. Hypothesis strategies are in ``risdoa.testing.strategies``.
"""

from risdoa.testing.checks import Check, Outcome, checks_for, checks_of, run_check, run_checks
from risdoa.testing.failures import ContractError, expect, on
from risdoa.testing.parametrize import parametrize, subjects_of
from risdoa.testing.subject import Subject

__all__ = [
    "Check",
    "ContractError",
    "Outcome",
    "Subject",
    "checks_for",
    "checks_of",
    "expect",
    "on",
    "parametrize",
    "run_check",
    "run_checks",
    "subjects_of",
]
