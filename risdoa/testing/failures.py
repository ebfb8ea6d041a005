"""How a check says no: what was expected, what came, and the smallest input that shows it."""

from __future__ import annotations

from types import TracebackType


class ContractError(AssertionError):
    """A plugin does not do what its contract says.

    Attributes:
        expected: What the contract asks for.
        came: What the plugin gave.
    """

    def __init__(self, expected: str, came: str) -> None:
        super().__init__(f"expected {expected}; came {came}")
        self.expected, self.came = expected, came


def expect(condition: object, expected: str, came: object) -> None:
    """Raise a :class:`ContractError` unless the condition holds."""
    if not condition:
        raise ContractError(expected, str(came))


class on:  # noqa: N801 - reads as a word: with on("one source, 4 elements")
    """Say which input a block works on, for whatever is raised in it.

    Checks go from small inputs to large ones, so the first input to fail is the smallest.

    >>> try:
    ...     with on("2 elements"):
    ...         expect(False, "a unit norm", 2.0)
    ... except ContractError as failure:
    ...     input_of(failure)
    '2 elements'
    """

    def __init__(self, description: str) -> None:
        self.description = description

    def __enter__(self) -> None:
        """Begin to work on the input."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the input on the error that passes, the innermost block first."""
        if error is not None:
            error.add_note(_PREFIX + self.description)


def input_of(error: BaseException) -> str:
    """Return the input that an error arose on, from the outermost block to the innermost.

    The notes that say so are taken off the error, which then speaks for itself.
    """
    notes = list(getattr(error, "__notes__", []))
    error.__notes__ = [note for note in notes if not note.startswith(_PREFIX)]
    inputs = [note.removeprefix(_PREFIX) for note in notes if note.startswith(_PREFIX)]
    return ", ".join(reversed(inputs))


_PREFIX = "input: "
