"""How the cost of a scan and of a refinement grows with the number of elements."""

from __future__ import annotations

import math
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from risdoa.backends.music import Music
from risdoa.backends.newton import Newton
from risdoa.backends.nf_mle import NfMle
from risdoa.benchmarks.rates import fastest
from risdoa.covariance import Covariance
from risdoa.grid import resolution, search_grid
from risdoa.problem import Estimates, Problem, Truth
from risdoa.scan import energy_scan
from risdoa.scenarios.canonical import Canonical

SIDE = 12
"""Of the surface of ``canonical``, whose region the others scale."""
DENSITY = 2.0
"""Grid points per −3 dB half-width."""
OFF = 0.3
"""By how many half-widths a refinement starts off the truth, in every coordinate."""
SNR_DB = 10.0


class Scaled(Canonical):
    """``canonical`` on side × side elements, with ranges in proportion to D²/λ."""

    def __init__(self, side: int, outputs: int = 16) -> None:
        super().__init__(nx=side, ny=side, outputs=outputs)

    def region(self) -> Tensor:
        """Return where sources stand: as near, over the Fraunhofer distance, for every side."""
        region = super().region()
        region[2] *= ((self.nx - 1) / (SIDE - 1)) ** 2
        return region


@dataclass(frozen=True)
class Growth:
    """What one size costs, in seconds for one scene.

    Attributes:
        cells: Points of the grid.
        scan: The signal-subspace spectrum on all of them.
        newton, nf_mle: Refinements of starts beside the truth.
        simulated: The drawing of a scene and its start.
        peak: The most memory that the process has held so far, in bytes.
        largest: Bytes of the largest tensor on the way from the drawing to the estimates.
        square: Whether any had N × N entries for one scene.
    """

    elements: int
    cells: int
    scan: float
    newton: float
    nf_mle: float
    simulated: float
    peak: int
    largest: int
    square: bool

    @property
    def scan_a_cell(self) -> float:
        """Seconds for one point of the grid."""
        return self.scan / self.cells


def growth(side: int, sources: int, scenes: int, repeats: int, seed: int) -> Growth:
    """Time one size with the threads that torch has."""
    work = Work.of(Scaled(side), sources, scenes, seed)
    grid = search_grid(work.problem.array, work.problem.region, DENSITY)
    scan = energy_scan(work.problem.steering, work.problem.array, grid, sources)
    fields = work.known.signal_subspace(sources)
    parts: dict[str, Callable[[], object]] = {
        "scan": lambda: scan.energies(fields),
        "newton": work.newton,
        "nf_mle": work.nf_mle,
        "simulated": lambda: Work.of(Scaled(side), sources, scenes, seed),
    }
    each = {name: taken / scenes for name, taken in fastest(parts, repeats).items()}
    watch = watched(side, sources, scenes, seed)
    return Growth(
        elements=side**2,
        cells=math.prod(grid.shape),
        scan=each["scan"],
        newton=each["newton"],
        nf_mle=each["nf_mle"],
        simulated=each["simulated"],
        peak=peak(),
        largest=watch.largest,
        square=watch.square,
    )


@dataclass(frozen=True)
class Work:
    """Scenes, what a perfect model makes of them, and starts beside the truth."""

    problem: Problem
    known: Covariance
    start: Estimates

    @classmethod
    def of(cls, scenario: Canonical, sources: int, scenes: int, seed: int) -> Work:
        """Draw scenes."""
        generator = torch.Generator().manual_seed(seed)
        problem, truth = scenario.sample(scenes, generator, sources=sources, snr_db=SNR_DB)
        return cls(problem, truth.covariance, beside(problem, truth))

    def newton(self) -> Estimates:
        """Return the minima of the MUSIC objective next to the starts."""
        return Newton()(self.problem, self.known, self.start)

    def nf_mle(self) -> Estimates:
        """Return the optima of the likelihood next to the starts."""
        return NfMle().from_start_alone()(self.problem, None, self.start)


def watched(side: int, sources: int, scenes: int, seed: int) -> Watch:
    """Draw, scan and refine under watch; 16 x 15 outputs are no square, as N is."""
    watch = Watch(side**2)
    with watch:
        work = Work.of(Scaled(side, outputs=15), sources, scenes, seed)
        Music(DENSITY)(work.problem, work.known, None)
        work.newton()
        work.nf_mle()
    return watch


def beside(problem: Problem, truth: Truth) -> Estimates:
    """Return starts a part of a half-width off the truth."""
    widths = resolution(problem.array, problem.region)
    step = torch.tensor([widths.azimuth, widths.elevation, widths.inverse_range])
    low, high = problem.search_bounds()
    search = truth.positions.clone()
    search[..., 2] = search[..., 2].reciprocal()
    search = (search + OFF * step).clamp(low, high)
    return Estimates.at(problem.positions(search), search.new_zeros(problem.scenes))


def exponents(rows: Sequence[Growth]) -> dict[str, float]:
    """Return the fitted powers of N: the scan's a cell over log N, and the refinements'."""
    if len(rows) < 2:
        return {}
    sizes = [row.elements for row in rows]
    cells = [row.scan_a_cell / math.log(row.elements) for row in rows]
    return {
        "scan_a_cell_over_log": exponent(sizes, cells),
        "newton": exponent(sizes, [row.newton for row in rows]),
        "nf_mle": exponent(sizes, [row.nf_mle for row in rows]),
        "simulated": exponent(sizes, [row.simulated for row in rows]),
    }


def exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """Return α of the power law value ∝ size^α, by least squares in the logarithms."""
    x = torch.tensor([math.log(size) for size in sizes], dtype=torch.float64)
    y = torch.tensor([math.log(value) for value in values], dtype=torch.float64)
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / (x * x).sum())


def peak() -> int:
    """Return the most memory that the process has held so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class Watch(TorchDispatchMode):
    """Notes how large tensors get, and whether one has N × N entries for one scene."""

    def __init__(self, elements: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.elements, self.largest, self.square = elements, 0, False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation and look at what it returns."""
        result = func(*args, **(kwargs or {}))
        for each in result if isinstance(result, tuple | list) else (result,):
            if isinstance(each, Tensor):
                self.largest = max(self.largest, each.numel() * each.element_size())
                self.square |= list(each.shape).count(self.elements) > 1
        return result
