"""The canonical scenario with little to average over."""

from __future__ import annotations

from risdoa.scenarios.canonical import Canonical, CodeKind


class FewSnapshots(Canonical):
    """Four snapshots in place of sixteen, so that L·M measurements barely hold the unknowns.

    Args:
        nx: Elements along x.
        ny: Elements along y.
        outputs: Base-station antennas M.
        snapshots: Snapshots L, one code each.
        codes: ``mixed`` draws the kind of codes in every scene; ``random`` or ``dft`` fix it.

    Raises:
        InputError: see :class:`Canonical`.
    """

    def __init__(
        self,
        nx: int = 12,
        ny: int = 12,
        outputs: int = 16,
        snapshots: int = 4,
        codes: CodeKind = "mixed",
    ) -> None:
        super().__init__(nx, ny, outputs, snapshots, codes)
