"""The contract of a backend: from measurements or a covariance to positions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.problem import Estimates, Problem
from risdoa.threads import side_by_side


class Backend(ABC):
    """Finds positions; used alone, with a start of its own, or behind another backend."""

    @abstractmethod
    def __call__(
        self, problem: Problem, covariance: Covariance | None, start: Estimates | None
    ) -> Estimates:
        """Return estimates for every scene of the problem.

        Shapes:
            problem: S scenes. covariance: factor (S, N, J), or None if there is none.
            start: (S, K, 3) from the backend before, or None.

        Raises:
            InputError: if the problem lacks something that the backend needs.
        """


class BatchedBackend(Backend):
    """A backend that works on batches of scenes with one number of sources.

    This base groups the scenes by their number of sources, in batches of at most ``batch`` scenes
    that bound the memory, and puts the results together. Where ``threaded``, batches are solved
    side by side: ``solve`` must then keep nothing between calls.
    """

    batch: ClassVar[int] = 128
    threaded: ClassVar[bool] = False

    @abstractmethod
    def solve(
        self,
        problem: Problem,
        covariance: Covariance | None,
        start: Estimates | None,
        sources: int,
    ) -> Estimates:
        """Return estimates (S, sources, 3) for scenes that all have ``sources`` sources."""

    def __call__(
        self, problem: Problem, covariance: Covariance | None, start: Estimates | None
    ) -> Estimates:
        """Group by number of sources, solve, put together; see :meth:`Backend.__call__`."""
        if problem.sources is None:
            raise InputError(
                f"{type(self).__name__} needs the number of sources", "give it with --sources N"
            )
        groups = [
            (scenes, sources)
            for sources in problem.sources.unique().tolist()
            for scenes in self._batches(torch.nonzero(problem.sources == sources).squeeze(-1))
        ]

        def solved(group: tuple[Tensor, int]) -> tuple[Tensor, Estimates]:
            """Return the scenes of a batch with their estimates."""
            scenes, sources = group
            chosen = None if covariance is None else covariance.select(scenes)
            before = None if start is None else _first_sources(start.select(scenes), sources)
            return scenes, self.solve(problem.select(scenes), chosen, before, sources)

        if self.threaded:
            return merge(side_by_side(solved, groups), problem.scenes)
        with torch.no_grad():
            return merge([solved(group) for group in groups], problem.scenes)

    def _batches(self, scenes: Tensor) -> tuple[Tensor, ...]:
        """Return the scenes in batches of about one size."""
        return scenes.tensor_split(-(-len(scenes) // self.batch))


def merge(groups: list[tuple[Tensor, Estimates]], scenes: int) -> Estimates:
    """Return the estimates of all scenes from those of groups, padded to the largest K.

    Each group is (scene indices, estimates of those scenes).
    """
    width = max(part.positions.shape[1] for _, part in groups)
    parts = [_padded(part, width) for _, part in groups]
    order = torch.argsort(torch.cat([index for index, _ in groups]))
    if order.numel() != scenes:
        raise InputError(f"estimates for {order.numel()} scenes where {scenes} were asked for")
    errors = [part.error_covariance for part in parts if part.error_covariance is not None]
    return Estimates(
        positions=torch.cat([part.positions for part in parts])[order],
        valid=torch.cat([part.valid for part in parts])[order],
        unobservable=torch.cat([part.unobservable for part in parts])[order],
        objective=torch.cat([part.objective for part in parts])[order],
        converged=torch.cat([part.converged for part in parts])[order],
        iterations=torch.cat([part.iterations for part in parts])[order],
        error_covariance=torch.cat(errors)[order] if len(errors) == len(parts) else None,
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _padded(part: Estimates, width: int) -> Estimates:
    """Return the estimates with invalid, finite entries up to ``width`` sources."""
    missing = width - part.positions.shape[1]
    if missing == 0:
        return part

    def pad(values: Tensor) -> Tensor:
        """Append zeros along the axis of the sources."""
        filler = values.new_zeros((values.shape[0], missing, *values.shape[2:]))
        return torch.cat((values, filler), dim=1)

    positions = pad(part.positions)
    positions[:, -missing:, 2] = 1.0
    errors = part.error_covariance
    return Estimates(
        positions,
        pad(part.valid),
        pad(part.unobservable),
        part.objective,
        part.converged,
        part.iterations,
        None if errors is None else pad(errors),
        part.notes,
    )


def _first_sources(start: Estimates, sources: int) -> Estimates:
    """Return the start cut or padded to ``sources``, valid ones first."""
    order = torch.argsort((~start.valid).to(torch.int8), dim=1, stable=True)[:, :sources]
    errors = start.error_covariance
    picked = Estimates(
        torch.take_along_dim(start.positions, order.unsqueeze(-1), 1),
        torch.take_along_dim(start.valid, order, 1),
        torch.take_along_dim(start.unobservable, order.unsqueeze(-1), 1),
        start.objective,
        start.converged,
        start.iterations,
        None if errors is None else torch.take_along_dim(errors, order[..., None, None], 1),
        start.notes,
    )
    return _padded(picked, sources)
