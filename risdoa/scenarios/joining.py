"""Scenes of several samples as one, where they can stand in one problem."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from risdoa.problem import Problem, Truth
from risdoa.sensing import Direct, RisCoded, Sensing
from risdoa.snapshots import Snapshots


def kind_of(problem: Problem) -> Hashable | None:
    """Return what problems must agree in to be joined, or None for one that cannot be.

    Array, region, sensing, numbers of snapshots and outputs, which snapshots share a signal, and
    whether the number of sources is told.
    """
    array, snapshots = problem.array, problem.snapshots
    sensing = snapshots.sensing
    plain = array.positions.ndim == 2 and array.gains is None
    if not plain or not isinstance(sensing, Direct | RisCoded):
        return None
    blocks = None if snapshots.blocks is None else tuple(snapshots.block_index.tolist())
    return (
        type(sensing),
        type(problem.steering),
        array.wavelength,
        tuple(array.positions.flatten().tolist()),
        tuple(problem.region.flatten().tolist()),
        tuple(snapshots.values.shape[1:]),
        blocks,
        problem.sources is None,
        snapshots.noise_power is None,
    )


def joined(truths: Sequence[Truth]) -> Truth:
    """Return the scenes of several truths of one kind, one behind the other.

    Signals are kept where all have them.
    """
    if len(truths) == 1:
        return truths[0]
    problem = _problem([truth.problem for truth in truths])
    most = max(truth.mask.shape[1] for truth in truths)
    signals = [truth.signals for truth in truths if truth.signals is not None]
    return Truth.of(
        torch.cat([_widened(truth.positions, most) for truth in truths]),
        torch.cat([_padded(truth.mask, most) for truth in truths]),
        torch.cat([_padded(truth.powers, most) for truth in truths]),
        problem,
        torch.cat([_padded(each, most) for each in signals])
        if len(signals) == len(truths)
        else None,
    )


def _problem(problems: Sequence[Problem]) -> Problem:
    first = problems[0]
    parts = [problem.snapshots for problem in problems]
    noise = [part.noise_power for part in parts if part.noise_power is not None]
    counts = [problem.sources for problem in problems if problem.sources is not None]
    snapshots = Snapshots(
        torch.cat([part.values for part in parts]),
        _sensing([part.sensing for part in parts], [len(part.values) for part in parts]),
        first.snapshots.blocks,
        torch.cat(noise) if noise else None,
    )
    return replace(first, snapshots=snapshots, sources=torch.cat(counts) if counts else None)


def _sensing(parts: Sequence[Sensing], counts: Sequence[int]) -> Sensing:
    surfaces = [part for part in parts if isinstance(part, RisCoded)]
    if not surfaces:
        return parts[0]
    pairs = list(zip(surfaces, counts, strict=True))
    return RisCoded(
        torch.cat([part.channel.expand(count, -1, -1) for part, count in pairs]),
        torch.cat([part.codes.expand(count, -1, -1) for part, count in pairs]),
    )


def _padded(values: Tensor, most: int) -> Tensor:
    """Return values (…, K) with zeros up to K = most."""
    return torch.nn.functional.pad(values, (0, most - values.shape[-1]))


def _widened(positions: Tensor, most: int) -> Tensor:
    """Return positions (S, K, 3) with the first one repeated up to K = most."""
    return torch.cat((positions, positions[:, :1].expand(-1, most - positions.shape[1], -1)), dim=1)
