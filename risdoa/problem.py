"""What travels between the stages: a problem, its truth where known, and estimates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import folded, invert_range
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.frozen import changed
from risdoa.snapshots import LARGEST, Snapshots
from risdoa.steering.base import Steering
from risdoa.subspace import masked_columns

EDGE = 1e-9
"""How close in radians to a full circle or to a pole counts as there."""


@dataclass(frozen=True)
class Problem:
    """What an estimator is given: S scenes that share an array type and a region.

    Shapes:
        snapshots: values (S, L, M).
        array: positions (N, 3), or (S, N, 3) where every scene has its own.
        region: (3, 2) [rad, rad, m], lower and upper bounds; equal bounds fix a coordinate.
        sources: (S,) int, the number of sources, or None if unknown.

    Raises:
        InputError: if the parts do not fit together, the number of sources is impossible, or the
            power of a scene is too large or too small a number.
    """

    snapshots: Snapshots
    array: Array
    steering: Steering
    region: Tensor
    sources: Tensor | None = None

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        values = self.snapshots.values
        if values.ndim != 3 or values.shape[0] == 0:
            raise InputError(
                f"a problem needs snapshots (S, L, M) with S >= 1 scenes, got {tuple(values.shape)}"
            )
        if not self.snapshots.has_power:
            raise InputError(
                f"the largest snapshot of a scene must be between {1 / LARGEST:g} and {LARGEST:g}",
                "use snapshots.levelled(), which takes a power of two out of every scene",
            )
        expected = self.snapshots.sensing.outputs(self.array.count)
        if self.snapshots.outputs != expected:
            raise InputError(
                f"snapshots must have {expected} outputs for this array and sensing, got "
                f"{self.snapshots.outputs}",
                "without a channel every element is an output (M = N)",
            )
        if self.array.scenes not in {None, self.scenes}:
            raise InputError(
                f"an array with positions or gains for {self.array.scenes} scenes does not fit "
                f"{self.scenes} scenes of snapshots"
            )
        check_region(self.region)
        if self.sources is not None:
            self._check_sources(self.sources)

    def _check_sources(self, sources: Tensor) -> None:
        if sources.shape != (self.scenes,):
            raise InputError(f"sources must be ({self.scenes},), got {tuple(sources.shape)}")
        most = self.most_sources()
        low, high = int(sources.min()), int(sources.max())
        if low < 1 or high > most:
            wrong = low if low < 1 else high
            raise InputError(
                f"impossible number of sources {wrong}: {self.array.count} elements and "
                f"{self.snapshots.count} x {self.snapshots.outputs} outputs allow "
                f"{f'1 to {most}' if most else 'none'}",
                "set the number of sources to what these data can resolve",
            )

    def most_sources(self) -> int:
        """Return the largest number of sources that the data could tell apart.

        Fewer than the elements, with no more coordinates and powers than real measurements. Each
        signal is solved for through the outputs of its block, fewer sources than those; where there
        are more, only powers can be told, from four real measurements for every unknown.
        """
        snapshots = self.snapshots
        total = snapshots.count * snapshots.outputs
        unknowns = int((self.region[:, 1] > self.region[:, 0]).sum()) + 1
        each = total // snapshots.block_count
        seen = max(each - 1, (total - 1) // (2 * unknowns)) if snapshots.fresh else each - 1
        return min(max(1, self.array.count - 1), (2 * total - 1) // unknowns, max(1, seen))

    @property
    def scenes(self) -> int:
        """The number of scenes S."""
        return self.snapshots.values.shape[0]

    @property
    def free(self) -> Tensor:
        """Which coordinates are searched: (3,) bool; the others are fixed by equal bounds."""
        return self.region[:, 1] > self.region[:, 0]

    def search_bounds(self) -> tuple[Tensor, Tensor]:
        """Return the lower and upper bounds of the region in (φ, θ, w), two tensors (3,)."""
        low = torch.stack((self.region[0, 0], self.region[1, 0], 1 / self.region[2, 1]))
        high = torch.stack((self.region[0, 1], self.region[1, 1], 1 / self.region[2, 0]))
        return low, high

    @property
    def full_circle(self) -> bool:
        """Whether every azimuth is in the region, so that it has no edge at ±180°."""
        return bool(self.region[0, 1] - self.region[0, 0] >= 2 * torch.pi - EDGE)

    def descent_bounds(self) -> tuple[Tensor, Tensor]:
        """Return the bounds that a descent keeps to in (φ, θ, w), two tensors (3,).

        Those of the region, but where the region is a full circle a descent may run on over ±180°
        and, if the region reaches a pole, over it; :meth:`positions` brings its end back.
        """
        low, high = self.search_bounds()
        if self.full_circle:
            low, high = low.clone(), high.clone()
            low[0] -= torch.pi
            high[0] += torch.pi
            low[1] -= torch.pi / 2 * (low[1] <= -torch.pi / 2 + EDGE)
            high[1] += torch.pi / 2 * (high[1] >= torch.pi / 2 - EDGE)
        return low, high

    def positions(self, search: Tensor) -> Tensor:
        """Return where a search ended: in the region, fixed coordinates at exactly their value.

        Shapes:
            search: (…, 3) in (φ, θ, w). Returns (…, 3) rad, rad, m.
        """
        found = folded(invert_range(search))
        return torch.where(self.free, found, self.region[:, 0].to(found.dtype))

    def levelled(self) -> Problem:
        """Return the same problem in units in which no power is too large or too small a number."""
        return changed(self, snapshots=self.snapshots.levelled())

    def prepared(self, memory: int) -> Problem:
        """Return the same problem, its sensing laid out for many products in ``memory`` bytes."""
        sensing = self.snapshots.sensing.prepared(memory)
        return changed(self, snapshots=changed(self.snapshots, sensing=sensing))

    def select(self, scenes: Tensor) -> Problem:
        """Return the problem of the chosen scenes."""
        return changed(
            self,
            snapshots=self.snapshots.select(scenes),
            array=self.array.select(scenes),
            sources=None if self.sources is None else self.sources[scenes],
        )

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Problem:
        """Return the problem on another device or in another complex precision."""
        real = dtype.to_real() if dtype else None
        return changed(
            self,
            snapshots=self.snapshots.to(device, dtype),
            array=self.array.to(device, real),
            region=self.region.to(device=device),
            sources=None if self.sources is None else self.sources.to(device=device),
        )


@dataclass(frozen=True)
class Truth:
    """What a loss is given besides the covariance: where the sources are, and the problem.

    Shapes:
        positions: (S, K, 3) rad, rad, m; any finite value where masked.
        mask: (S, K) bool, True for a source.
        powers: (S, K) real, 0 where masked.
        signals: (S, L, K) complex, the realised source signals, if known.
        covariance: A P Aᴴ, P = diag(powers), without noise.
    """

    positions: Tensor
    mask: Tensor
    powers: Tensor
    problem: Problem
    covariance: Covariance
    signals: Tensor | None = None

    @classmethod
    def of(
        cls,
        positions: Tensor,
        mask: Tensor,
        powers: Tensor,
        problem: Problem,
        signals: Tensor | None = None,
    ) -> Truth:
        """Return the truth with its covariance built by the problem's steering model."""
        powers = torch.where(mask, powers, torch.zeros_like(powers))
        with torch.no_grad():
            steering = masked_columns(problem.steering(problem.array, positions), mask)
            factor = steering * powers.sqrt().unsqueeze(-2)
        return cls(positions, mask, powers, problem, Covariance(factor), signals)

    def steering_matrix(self) -> Tensor:
        """Return A of the true positions by the problem's steering model, without a graph.

        In full precision inside autocast too, where phases would be rounded to bfloat16.

        Shapes:
            Returns (S, N, K), zero columns where masked.
        """
        with torch.no_grad(), torch.autocast(self.positions.device.type, enabled=False):
            steering = self.problem.steering(self.problem.array, self.positions)
            return masked_columns(steering, self.mask)

    def select(self, scenes: Tensor) -> Truth:
        """Return the truth of the chosen scenes."""
        return Truth(
            self.positions[scenes],
            self.mask[scenes],
            self.powers[scenes],
            self.problem.select(scenes),
            self.covariance.select(scenes),
            None if self.signals is None else self.signals[scenes],
        )

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Truth:
        """Return the truth on another device or in another complex precision."""
        real = dtype.to_real() if dtype else None
        signals, load = self.signals, self.covariance.load
        return Truth(
            self.positions.to(device=device, dtype=real),
            self.mask.to(device=device),
            self.powers.to(device=device, dtype=real),
            self.problem.to(device, dtype),
            Covariance(
                self.covariance.factor.to(device=device, dtype=dtype),
                None if load is None else load.to(device=device, dtype=real),
            ),
            None if signals is None else signals.to(device=device, dtype=dtype),
        )


@dataclass(frozen=True)
class Estimates:
    """What a backend returns.

    Shapes:
        positions: (S, K, 3) rad, rad, m; finite everywhere, meaningful where ``valid``.
        valid: (S, K) bool.
        error_covariance: (S, K, 3, 3) in rad, rad, m, or None.
        unobservable: (S, K, 3) bool, coordinates that the data say nothing about.
        objective: (S,) the value that the backend ended at; its meaning is the backend's.
        converged: (S,) bool. iterations: (S,) int.
        notes: what the user should know about how the estimates came about.
    """

    positions: Tensor
    valid: Tensor
    unobservable: Tensor
    objective: Tensor
    converged: Tensor
    iterations: Tensor
    error_covariance: Tensor | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def at(cls, positions: Tensor, objective: Tensor, notes: tuple[str, ...] = ()) -> Estimates:
        """Return estimates at positions (S, K, 3), all valid and converged."""
        scenes = positions.shape[:1]
        return cls(
            positions=positions,
            valid=torch.ones_like(positions[..., 0], dtype=torch.bool),
            unobservable=torch.zeros_like(positions, dtype=torch.bool),
            objective=objective,
            converged=torch.ones(scenes, dtype=torch.bool, device=positions.device),
            iterations=torch.zeros(scenes, dtype=torch.int64, device=positions.device),
            notes=notes,
        )

    def select(self, scenes: Tensor) -> Estimates:
        """Return the estimates of the chosen scenes."""
        errors = self.error_covariance
        return Estimates(
            self.positions[scenes],
            self.valid[scenes],
            self.unobservable[scenes],
            self.objective[scenes],
            self.converged[scenes],
            self.iterations[scenes],
            None if errors is None else errors[scenes],
            self.notes,
        )


def check_region(region: Tensor) -> None:
    """Raise an InputError unless ``region`` is (3, 2), finite, ordered, in bounds, range > 0."""
    if region.shape != (3, 2) or not bool(region.isfinite().all()):
        raise InputError(
            f"a region must be a finite (3, 2) array of bounds, got {tuple(region.shape)}",
            "give lower and upper bounds of azimuth, elevation and range",
        )
    if bool((region[:, 0] > region[:, 1]).any()):
        raise InputError("every lower bound of a region must be at most its upper bound")
    if float(region[2, 0]) <= 0:
        raise InputError(
            f"ranges must be positive, got a lower bound of {float(region[2, 0]):g} m",
            "a range of 0 m is on the array itself",
        )
    limits = torch.tensor([torch.pi, torch.pi / 2], dtype=region.dtype, device=region.device)
    if bool((region[:2].abs().amax(-1) > limits + EDGE).any()):
        raise InputError("azimuths must lie within ±180° and elevations within ±90°")
