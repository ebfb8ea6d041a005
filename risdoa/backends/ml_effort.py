"""How hard a global search tries."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How hard a search tries.

    Attributes:
        first: Peaks tried for the first source.
        further: Peaks tried for a further source beside each set of sources kept.
        anew: Peaks tried where a source was taken out.
        kept: Sets of sources kept on the way, and half of them once all are inserted.
        sweeps: How often every source is taken out and inserted anew, at most.
        thorough: Whether other moves than to the peaks are tried as well: to the grid points next
            to the highest peak, as two maxima may lie closer to each other than the grid shows,
            and to one half of another source, as one source may stand for two.
    """

    first: int
    further: int
    anew: int
    kept: int
    sweeps: int
    thorough: bool = True

    @classmethod
    def of(cls, starts: int, kept: int, sweeps: int) -> Effort:
        """Return the effort of so many peaks for the first source, and fewer for the others."""
        return cls(starts, -(-starts // 2), -(-3 * starts // 4), kept, sweeps)


QUICK = Effort(first=1, further=1, anew=6, kept=1, sweeps=3, thorough=False)
"""What is enough for most scenes at high SNR."""
