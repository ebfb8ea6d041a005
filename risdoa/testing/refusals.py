"""What a plugin may say instead of an answer: an InputError, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from risdoa.errors import InputError
from risdoa.registry.containment import Failure, attempt
from risdoa.testing.failures import ContractError, expect

T = TypeVar("T")


def answer_of(call: Callable[[], T], hoped: str = "an answer or an InputError") -> T | InputError:
    """Return what a call gives, or the :class:`InputError` with which it refuses.

    Anything else that it raises breaks the contract.
    """
    result = attempt(call)
    if not isinstance(result, Failure):
        return result.value
    if isinstance(result.error, InputError):
        expect(str(result.error), "an InputError that says what is wrong", "one without words")
        return result.error
    raise ContractError(hoped, str(result)) from result.error


def expect_refusal(call: Callable[[], object]) -> InputError:
    """Expect a call to end with an :class:`InputError`, and return it."""
    found = answer_of(call, "an InputError")
    if isinstance(found, InputError):
        return found
    raise ContractError("an InputError", f"an answer of type {type(found).__name__}")
