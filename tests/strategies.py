"""Hypothesis strategies for what the library works on: arrays, positions, random tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hypothesis import strategies as st
from torch import Tensor

from risdoa.arrays import Array
from risdoa.sensing import RisCoded

seeds = st.integers(0, 2**31 - 1)


def generator(seed: int) -> torch.Generator:
    """Return a generator with a seed."""
    return torch.Generator().manual_seed(seed)


def normal(shape: Sequence[int], seed: int) -> Tensor:
    """Return complex normal numbers of variance 1, complex128."""
    return torch.randn(tuple(shape), dtype=torch.complex128, generator=generator(seed))


def radius(array: Array) -> float:
    """Return the largest distance of an element from the origin in metres."""
    return float(torch.linalg.vector_norm(array.positions, dim=-1).max())


@st.composite
def arrays(draw: st.DrawFn, planar: bool = False, gains: bool = False) -> Array:
    """Draw an array of 2 to 25 elements, in the x-y plane if ``planar``, with gains if asked."""
    kinds = ["planar", "linear", "circular"] + ([] if planar else ["scattered"])
    kind = draw(st.sampled_from(kinds))
    wavelength, spacing = draw(st.floats(0.01, 3.0)), draw(st.floats(0.25, 1.0))
    if kind == "planar":
        sizes = draw(st.tuples(st.integers(2, 5), st.integers(2, 5)))
        array = Array.planar(*sizes, wavelength, spacing)
    elif kind == "linear":
        array = Array.linear(draw(st.integers(2, 12)), wavelength, spacing)
    elif kind == "circular":
        array = Array.circular(draw(st.integers(2, 12)), wavelength, spacing)
    else:
        shape = (draw(st.integers(2, 12)), 3)
        points = torch.randn(shape, dtype=torch.float64, generator=generator(draw(seeds)))
        array = Array(points * wavelength, wavelength)
    if not gains:
        return array
    return Array(array.positions, wavelength, 0.3 + normal((array.count,), draw(seeds)))


@st.composite
def positions(
    draw: st.DrawFn, array: Array, sources: int | None = None, front: bool = True
) -> Tensor:
    """Draw positions (K, 3), at 1.5 to 1000 times the array's radius, in front of it or around."""
    count = draw(st.integers(1, 4)) if sources is None else sources
    side = 1.5 if front else 3.1
    angles = st.tuples(st.floats(-side, side), st.floats(-1.5, 1.5), st.floats(0.18, 3.0))
    rows = torch.tensor([draw(angles) for _ in range(count)], dtype=torch.float64)
    return torch.cat((rows[:, :2], radius(array) * 10 ** rows[:, 2:]), dim=-1)


def coded(elements: int, outputs: int, snapshots: int, seed: int, scenes: int = 0) -> RisCoded:
    """Return a random channel and random codes, for every scene if there are any."""
    lead = (scenes,) if scenes else ()
    return RisCoded(
        normal((*lead, outputs, elements), seed), normal((*lead, snapshots, elements), seed + 1)
    )
