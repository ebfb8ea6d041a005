"""The canonical scenario: near-field sources behind a 3-bit surface, read at a base station."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import to_radians
from risdoa.errors import InputError
from risdoa.problem import Problem, Truth
from risdoa.scenarios.base import Scenario
from risdoa.scenarios.channels import codes_of, dft_levels, random_levels, rician
from risdoa.scenarios.draws import integers, uniform
from risdoa.scenarios.simulation import simulate
from risdoa.sensing import RisCoded, Sensing
from risdoa.steering.base import Steering
from risdoa.steering.canonical import Canonical as CanonicalSteering

CodeKind = Literal["mixed", "random", "dft"]


class Canonical(Scenario):
    """K sources seen through a half-wavelength planar surface, λ = 0.3 m, new codes every scene.

    Per scene: φ, θ and r uniform in the region, K uniform in 1…3, SNR uniform in -5…20 dB, codes
    3-bit random or 3-bit DFT, a Rician channel with κ uniform in 0.5…10; fresh source signals
    CN(0, 1) in every snapshot. The variants beside it change one thing each.

    Args:
        nx: Elements along x.
        ny: Elements along y.
        outputs: Base-station antennas M.
        snapshots: Snapshots L, one code each.
        codes: ``mixed`` draws the kind of codes in every scene; ``random`` or ``dft`` fix it.

    Raises:
        InputError: for sizes that are not positive, or more DFT codes than there are.
    """

    wavelength: ClassVar[float] = 0.3
    region_deg_m: ClassVar[tuple[tuple[float, float], ...]] = ((-60, 60), (-30, 30), (0.5, 10))
    source_range: ClassVar[tuple[int, int]] = (1, 3)
    most_sources: ClassVar[int] = 5
    snr_range_db: ClassVar[tuple[float, float]] = (-5, 20)
    rician_range: ClassVar[tuple[float, float]] = (0.5, 10)

    def __init__(
        self,
        nx: int = 12,
        ny: int = 12,
        outputs: int = 16,
        snapshots: int = 16,
        codes: CodeKind = "mixed",
    ) -> None:
        if min(nx, ny, outputs, snapshots) < 1:
            raise InputError(
                f"a scenario needs positive sizes, got nx={nx}, ny={ny}, outputs={outputs}, "
                f"snapshots={snapshots}"
            )
        self.nx, self.ny = nx, ny
        self.outputs, self.snapshots = outputs, snapshots
        self.codes: CodeKind = codes
        self._check_codes()

    def _check_codes(self) -> None:
        if self.codes not in {"mixed", "random", "dft"}:
            raise InputError(f"codes must be mixed, random or dft, got {self.codes!r}")
        if self.codes != "random" and self.snapshots > self.nx * self.ny:
            raise InputError(
                f"{self.nx} x {self.ny} elements have {self.nx * self.ny} different DFT codes, "
                f"{self.snapshots} snapshots need as many",
                "use codes=random, or fewer snapshots",
            )

    def sample(
        self,
        count: int,
        generator: torch.Generator,
        *,
        sources: int | None = None,
        snr_db: float | None = None,
    ) -> tuple[Problem, Truth]:
        """Return scenes and their truth; see :meth:`Scenario.sample`."""
        self._check_request(count, sources, snr_db)
        array = self.array().to(device=generator.device)
        mask = self._mask(count, sources, generator)
        positions = self.positions(mask, generator)
        powers = self.powers(positions) * mask
        snapshots, signals = simulate(
            positions=positions,
            powers=powers,
            array=array,
            steering=self.data_steering(),
            sensing=self.sensing(count, array, generator),
            snr_db=self._snr(count, snr_db, generator),
            snapshots=self.snapshots,
            generator=generator,
            blocks=self.blocks(generator.device),
        )
        region = self.region().to(generator.device)
        problem = Problem(snapshots, array, CanonicalSteering(), region, mask.sum(-1))
        return problem, Truth.of(positions, mask, powers, problem, signals)

    def array(self) -> Array:
        """Return the half-wavelength planar surface."""
        return Array.planar(self.nx, self.ny, self.wavelength)

    def region(self) -> Tensor:
        """Return where sources stand, (3, 2) [rad, rad, m]."""
        bounds = torch.tensor(self.region_deg_m, dtype=torch.float64)
        return to_radians(bounds.T).T.contiguous()

    def data_steering(self) -> Steering:
        """Return the steering model that makes the data."""
        return CanonicalSteering()

    def positions(self, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Return positions uniform in the region in φ, θ and r, (S, K, 3) rad, rad, m."""
        region = self.region().to(generator.device)
        unit = uniform((*mask.shape, 3), 0.0, 1.0, generator)
        return region[:, 0] + (region[:, 1] - region[:, 0]) * unit

    def powers(self, positions: Tensor) -> Tensor:
        """Return the source powers, all 1, (S, K)."""
        return torch.ones_like(positions[..., 0])

    def blocks(self, device: torch.device) -> Tensor | None:
        """Return which snapshots share a source signal: none do."""
        return None

    def sensing(self, count: int, array: Array, generator: torch.Generator) -> Sensing:
        """Return a Rician channel and new codes for every scene."""
        factor = uniform((count,), *self.rician_range, generator)
        channel = rician(array, self.outputs, factor, generator)
        return RisCoded(channel, self._draw_codes(count, generator))

    def _draw_codes(self, count: int, generator: torch.Generator) -> Tensor:
        if self.codes == "mixed":
            dft = integers((count,), 0, 1, generator).bool()
        else:
            dft = torch.full((count,), self.codes == "dft", device=generator.device)
        shape = (count, self.snapshots, self.nx * self.ny)
        levels = torch.empty(shape, dtype=torch.uint8, device=generator.device)
        chosen = int(dft.sum())
        levels[dft] = dft_levels(chosen, self.snapshots, self.nx, self.ny, generator)
        levels[~dft] = random_levels(count - chosen, *shape[1:], generator)
        return codes_of(levels)

    def _mask(self, count: int, sources: int | None, generator: torch.Generator) -> Tensor:
        """Return which of the K places hold a source, (S, K) bool."""
        most = sources or self.source_range[1]
        low = sources or self.source_range[0]
        drawn = integers((count, 1), low, most, generator)
        return torch.arange(most, device=generator.device) < drawn

    def _snr(self, count: int, snr_db: float | None, generator: torch.Generator) -> Tensor:
        low, high = self.snr_range_db if snr_db is None else (snr_db, snr_db)
        return uniform((count,), low, high, generator)

    def _check_request(self, count: int, sources: int | None, snr_db: float | None) -> None:
        if count < 1:
            raise InputError(f"a sample needs at least one scene, got {count}")
        if sources is not None and not 1 <= sources <= self.most_sources:
            raise InputError(
                f"impossible number of sources {sources}: this scenario makes 1 to "
                f"{self.most_sources}",
                f"choose a number of sources from 1 to {self.most_sources}",
            )
        if snr_db is not None and not math.isfinite(snr_db):
            raise InputError(f"the SNR must be a finite number of dB, got {snr_db}")
