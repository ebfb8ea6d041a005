"""A recording in memory: checked, in degrees and metres, and the problem that it poses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import RAD_PER_DEG, to_degrees, to_radians
from risdoa.errors import InputError
from risdoa.problem import Problem, Truth, check_region
from risdoa.recordings.checks import FieldChecks, require_finite, scalar
from risdoa.sensing import Direct, RisCoded, Sensing
from risdoa.snapshots import Snapshots
from risdoa.steering.base import Steering

FORMAT = "risdoa-recording/1"
TEXTS = ("steering", "description", "licence", "source")

Numbers = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """Snapshots with everything that is known about how they were taken.

    Fields are NumPy arrays, checked and brought to double precision on construction.

    Shapes:
        positions_m: (N, 3). wavelength_m: a number.
        snapshots: (S, L, M) complex, phases following exp(-jkρ).
        channel: (M, N) or (S, M, N) complex. codes: (L, N) or (S, L, N) complex. Both or neither.
        source_block: (L,) int; snapshots with one label share the source signal.
        noise_power: (S,) per output. sources: (S,) int.
        truth_deg_m: (S, K, 3) [deg, deg, m], NaN where unused.
        region_deg_m: (3, 2) [deg, deg, m], equal bounds fix a coordinate.
        steering: The steering model that made simulated data, empty for measured ones.

    Raises:
        InputError: a field has a wrong type, shape or value.
    """

    positions_m: Numbers
    wavelength_m: float
    snapshots: Numbers
    channel: Numbers | None = None
    codes: Numbers | None = None
    source_block: Numbers | None = None
    noise_power: Numbers | None = None
    sources: Numbers | None = None
    truth_deg_m: Numbers | None = None
    region_deg_m: Numbers | None = None
    steering: str = ""
    description: str = ""
    licence: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        """Check every field against the layout and against each other."""
        checks = FieldChecks()
        self._check_array(checks)
        self._check_snapshots(checks)
        self._check_sensing(checks)
        self._check_sources(checks)
        self._check_places(checks)

    def _put(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check_array(self, checks: FieldChecks) -> None:
        positions = checks.array("positions_m", self.positions_m, "real", "N 3")
        require_finite("positions_m", positions)
        self._put("positions_m", positions)
        wavelength = float(scalar("wavelength_m", self.wavelength_m, "fiu", "one real number"))
        if not (np.isfinite(wavelength) and wavelength > 0):
            raise InputError(
                f"wavelength_m must be positive and finite, got {wavelength:g} m",
                "give the wavelength in metres",
            )
        self._put("wavelength_m", wavelength)

    def _check_snapshots(self, checks: FieldChecks) -> None:
        values = checks.array("snapshots", self.snapshots, "complex", "S L M")
        require_finite("snapshots", values)
        silent = np.flatnonzero(~values.any(axis=(1, 2)))
        if silent.size:
            raise InputError(
                f"scene {silent[0]} is silent: all of its snapshots are 0",
                "remove the scenes in which nothing was measured",
            )
        self._put("snapshots", values)

    def _check_sensing(self, checks: FieldChecks) -> None:
        if (self.channel is None) != (self.codes is None):
            alone, other = ("codes", "channel") if self.channel is None else ("channel", "codes")
            raise InputError(
                f"missing field {other}: {alone} comes without it",
                "give both for a surface, neither for an array that is read directly",
            )
        if self.channel is not None:
            for name, shapes in (("channel", ("M N", "S M N")), ("codes", ("L N", "S L N"))):
                array = checks.array(name, getattr(self, name), "number", *shapes)
                require_finite(name, array)
                self._put(name, array)
        elif checks.sizes["M"] != checks.sizes["N"]:
            raise InputError(
                f"snapshots must have {checks.sizes['N']} outputs, one per element, got "
                f"{checks.sizes['M']}",
                "outputs and elements differ only where channel and codes are given",
            )

    def _check_sources(self, checks: FieldChecks) -> None:
        if self.source_block is not None:
            self._put(
                "source_block", checks.array("source_block", self.source_block, "integer", "L")
            )
        if self.noise_power is not None:
            power = checks.array("noise_power", self.noise_power, "real", "S")
            require_finite("noise_power", power)
            if power.min() <= 0:
                raise InputError(
                    f"noise_power must be positive, got {power.min():g}",
                    "leave noise_power out where it is not known",
                )
            self._put("noise_power", power)
        if self.sources is not None:
            sources = checks.array("sources", self.sources, "integer", "S")
            if sources.min() < 1:
                raise InputError(
                    f"impossible number of sources {sources.min()}: every scene needs at least 1",
                    "remove the scenes without sources",
                )
            self._put("sources", sources)

    def _check_places(self, checks: FieldChecks) -> None:
        if self.truth_deg_m is not None:
            truth = checks.array("truth_deg_m", self.truth_deg_m, "real", "S K 3")
            if np.isinf(truth).any():
                raise InputError("truth_deg_m must be finite, or NaN where unused, got infinity")
            if (truth[..., 2] <= 0).any():
                raise InputError(
                    f"truth_deg_m must have positive ranges, got {np.nanmin(truth[..., 2]):g} m",
                    "a range of 0 m is on the array itself; unused entries are NaN",
                )
            self._put("truth_deg_m", truth)
        if self.region_deg_m is not None:
            region = checks.array("region_deg_m", self.region_deg_m, "real", "3 2")
            require_finite("region_deg_m", region)
            check_region(_region_radians(region))
            self._put("region_deg_m", region)

    @property
    def scenes(self) -> int:
        """The number of scenes S."""
        return int(self.snapshots.shape[0])

    def array(self) -> Array:
        """Return the antenna array."""
        return Array(torch.from_numpy(self.positions_m), self.wavelength_m)

    def sensing(self) -> Sensing:
        """Return how the field became snapshots."""
        if self.channel is None or self.codes is None:
            return Direct()
        return RisCoded(torch.from_numpy(self.channel), torch.from_numpy(self.codes))

    def region(self) -> Tensor:
        """Return where sources may stand, (3, 2) [rad, rad, m]; else the array's default."""
        if self.region_deg_m is None:
            return self.array().default_region()
        return _region_radians(self.region_deg_m)

    def problem(
        self, steering: Steering, region: Tensor | None = None, sources: int | None = None
    ) -> Problem:
        """Return what an estimator is given, levelled if the power of its snapshots is no number.

        Args:
            steering: The model that the estimator is told.
            region: (3, 2) [rad, rad, m] in place of the recording's own.
            sources: The number of sources of every scene in place of the recording's own.

        Raises:
            InputError: the number of sources or the region is impossible.
        """
        blocks, noise = self.source_block, self.noise_power
        snapshots = Snapshots(
            torch.from_numpy(self.snapshots),
            self.sensing(),
            None if blocks is None else torch.from_numpy(blocks),
            None if noise is None else torch.from_numpy(noise),
        )
        counts = None if self.sources is None else torch.from_numpy(self.sources)
        if sources is not None:
            counts = torch.full((self.scenes,), sources, dtype=torch.int64)
        bounds = self.region() if region is None else region
        if not snapshots.has_power:
            snapshots = snapshots.levelled()
        return Problem(snapshots, self.array(), steering, bounds, counts)

    def truth(self, problem: Problem) -> Truth:
        """Return the truth of a problem of this recording, with powers of 1.

        A coordinate that is NaN in the truth takes its value from the region that fixes it.

        Raises:
            InputError: the recording has no truth, or not all of it.
        """
        if self.truth_deg_m is None:
            raise InputError(
                "this recording has no truth", "truth_deg_m holds it where it is known"
            )
        places = torch.from_numpy(self.truth_deg_m)
        known = ~places.isnan()
        mask = known.any(-1)
        positions = torch.where(known, to_radians(places), problem.region[:, 0])
        if bool((~known & mask.unsqueeze(-1) & problem.free).any()):
            raise InputError("the truth of this recording lacks a coordinate that is not fixed")
        return Truth.of(positions, mask, mask.to(torch.float64), problem)


def recording_from(problem: Problem, truth: Truth | None = None, **texts: str) -> Recording:
    """Return a problem, and its truth where known, as a recording.

    Args:
        problem: What to record.
        truth: Where its sources are.
        texts: ``steering``, ``description``, ``licence`` and ``source``.

    Raises:
        InputError: the layout has no place for it (scenes with arrays of their own, element gains).
    """
    array, snapshots = problem.array, problem.snapshots
    if array.positions.ndim != 2 or array.gains is not None:
        raise InputError(
            "a recording holds one array of equal elements, got one per scene or element gains"
        )
    sensing = snapshots.sensing
    if not isinstance(sensing, Direct | RisCoded):
        raise InputError(f"a recording cannot hold {type(sensing).__name__} sensing")
    surface = sensing if isinstance(sensing, RisCoded) else None
    return Recording(
        positions_m=_numpy(array.positions),
        wavelength_m=array.wavelength,
        snapshots=_numpy(snapshots.values),
        channel=None if surface is None else _numpy(surface.channel),
        codes=None if surface is None else _numpy(surface.codes),
        source_block=_optional(snapshots.blocks),
        noise_power=_optional(snapshots.noise_power),
        sources=_optional(problem.sources),
        truth_deg_m=None if truth is None else _degrees(truth),
        region_deg_m=_numpy(to_degrees(problem.region.T).T),
        **texts,
    )


def _degrees(truth: Truth) -> Numbers:
    """Return positions in degrees and metres, NaN where masked."""
    nan = torch.full_like(truth.positions, torch.nan)
    return _numpy(to_degrees(torch.where(truth.mask.unsqueeze(-1), truth.positions, nan)))


def _region_radians(region_deg_m: Numbers) -> Tensor:
    """Return a region in radians and metres."""
    scale = torch.tensor([[RAD_PER_DEG], [RAD_PER_DEG], [1.0]], dtype=torch.float64)
    return torch.from_numpy(region_deg_m) * scale


def _numpy(tensor: Tensor) -> Numbers:
    return tensor.detach().cpu().numpy()


def _optional(tensor: Tensor | None) -> Numbers | None:
    return None if tensor is None else _numpy(tensor)
