"""Hypothesis strategies for what plugins work on: arrays, positions, covariances, whole scenes.

Structure, such as how many elements there are, is drawn by Hypothesis, and shrinks; long rows of
numbers come from a generator whose seed it draws.
"""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import invert_range
from risdoa.covariance import Covariance
from risdoa.problem import Problem, Truth
from risdoa.scenarios.draws import complex_normal, uniform
from risdoa.scenarios.simulation import simulate
from risdoa.sensing import Direct, RisCoded, Sensing
from risdoa.steering.base import Steering
from risdoa.steering.canonical import Canonical
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError(
        "risdoa.testing.strategies needs hypothesis; install it with: pip install hypothesis"
    ) from error

__all__ = ["arrays", "covariances", "positions", "scenes", "seeds"]

seeds = st.integers(0, 2**31 - 1)
"""Seeds of a random generator."""

MODELS = (Canonical(), Spherical(), PlaneWave())


@st.composite
def arrays(draw: st.DrawFn, planar: bool = False, gains: bool = False) -> Array:
    """Draw an array of 2 to 25 elements: a grid, a line, a circle or, unless planar, scattered.

    Args:
        draw: Given by Hypothesis.
        planar: Whether all elements must lie in the x-y plane.
        gains: Whether elements have complex gains, about 1 in size.
    """
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
        points = torch.randn(shape, dtype=torch.float64, generator=_generator(draw(seeds)))
        array = Array(points * wavelength, wavelength)
    if not gains:
        return array
    drawn = 0.3 + complex_normal((array.count,), _generator(draw(seeds)))
    return Array(array.positions, wavelength, drawn)


@st.composite
def positions(
    draw: st.DrawFn, array: Array, sources: int | None = None, front: bool = True
) -> Tensor:
    """Draw positions at 1.5 to 1000 times the largest distance of an element from the origin.

    Args:
        draw: Given by Hypothesis.
        array: The array that sees them.
        sources: K, or None for 1 to 4.
        front: Whether all stand in front of the x-y plane; otherwise anywhere around.

    Shapes:
        Draws (K, 3) rad, rad, m.
    """
    count = draw(st.integers(1, 4)) if sources is None else sources
    side = 1.5 if front else 3.1
    angles = st.tuples(st.floats(-side, side), st.floats(-1.5, 1.5), st.floats(0.18, 3.0))
    rows = torch.tensor([draw(angles) for _ in range(count)], dtype=torch.float64)
    radius = torch.linalg.vector_norm(array.positions, dim=-1).max()
    return torch.cat((rows[:, :2], radius * 10 ** rows[:, 2:]), dim=-1)


@st.composite
def covariances(
    draw: st.DrawFn, elements: int, scenes: int = 1, width: int | None = None
) -> Covariance:
    """Draw random covariances in double precision, of any scale, half of them with a load.

    Args:
        draw: Given by Hypothesis.
        elements: N.
        scenes: S.
        width: J, or None for 1 to N + 4.
    """
    columns = draw(st.integers(1, elements + 4)) if width is None else width
    factor = complex_normal((scenes, elements, columns), _generator(draw(seeds)))
    scale = 10 ** draw(st.floats(-3, 3))
    if draw(st.booleans()):
        return Covariance(factor * scale)
    load = scale**2 * draw(st.floats(0, 1))
    return Covariance(factor * scale, torch.full((scenes,), load, dtype=torch.float64))


@st.composite
def scenes(
    draw: st.DrawFn,
    steering: Steering | None = None,
    most_scenes: int = 3,
    most_sources: int = 3,
    coded: bool | None = None,
) -> tuple[Problem, Truth]:
    """Draw problems with their truth: 1 to S scenes of 1 to K sources on one planar array.

    Sources stand in the array's default region, spread evenly over angles and over 1/r, with powers
    from 0.5 to 1, seen in 4 to 8 snapshots at −5 to 30 dB; masked entries come last.

    Args:
        draw: Given by Hypothesis.
        steering: The model that makes the data and is told to estimators; None draws a built-in.
        most_scenes: The largest S.
        most_sources: The largest K, as far as the outputs can tell so many apart.
        coded: Whether a coded surface with fewer outputs stands in front; None draws it.
    """
    array = draw(arrays(planar=True))
    count, snapshots = draw(st.integers(1, most_scenes)), draw(st.integers(4, 8))
    behind = draw(st.booleans()) if coded is None else coded
    generator = _generator(draw(seeds))
    sensing = _surface(array, count, snapshots, generator) if behind else Direct()
    width = max(1, min(most_sources, array.count - 1, sensing.outputs(array.count) - 1))
    counts = draw(st.lists(st.integers(1, width), min_size=count, max_size=count))
    mask = torch.arange(max(counts)) < torch.tensor(counts).unsqueeze(-1)
    region, model = array.default_region(), steering or draw(st.sampled_from(MODELS))
    places = _places(region, tuple(mask.shape), generator)
    powers = torch.where(mask, uniform(tuple(mask.shape), 0.5, 1.0, generator), 0.0)
    taken, signals = simulate(
        positions=places,
        powers=powers,
        array=array,
        steering=model,
        sensing=sensing,
        snr_db=torch.full((count,), draw(st.floats(-5, 30)), dtype=torch.float64),
        snapshots=snapshots,
        generator=generator,
    )
    problem = Problem(taken, array, model, region, mask.sum(-1))
    return problem, Truth.of(places, mask, powers, problem, signals)


def _surface(array: Array, count: int, snapshots: int, generator: torch.Generator) -> Sensing:
    """Return a random channel to 4 outputs and random codes for every scene."""
    drawn = complex_normal((count, 4 + snapshots, array.count), generator)
    return RisCoded(drawn[:, :4], drawn[:, 4:])


def _places(region: Tensor, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return positions (S, K, 3), uniform in (φ, θ, 1/r)."""
    low, high = (invert_range(bounds) for bounds in region.unbind(-1))
    return invert_range(low + (high - low) * uniform((*shape, 3), 0.0, 1.0, generator))


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
