"""How fast a signal-subspace spectrum is scanned, against a noise-subspace product and others."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.benchmarks.rates import Rates, fastest, rates
from risdoa.conventions import cartesian, invert_range
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.grid import Grid
from risdoa.scan import Lattice, lattice
from risdoa.steering.base import Steering

POINTS = 32768
"""Points of the grid, evenly spread, on which the references are timed."""
CHUNK = 1024
"""Points of a product: its result stays in the cache, the fastest of those tried."""
NOISE = 0.01
"""Noise power of the covariance beside sources of power 1."""


class Peer(Protocol):
    """A backend of another library that gives its spectrum alone, as ``risdoa-peers`` has them."""

    def prepared(self, array: Array, points: Any) -> Any:
        """Return steering for points (P, 3) in m."""

    def spectrum(self, steering: Any, covariance: Any, sources: int) -> Any:
        """Return the spectrum (P,) of a covariance (N, N)."""


@dataclass(frozen=True)
class Case:
    """What is scanned.

    Shapes:
        places: (K, 3) rad, rad, m, the sources.
    """

    name: str
    array: Array
    steering: Steering
    grid: Grid
    places: Tensor

    def covariance(self) -> Covariance:
        """Return AAᴴ + σ²I."""
        factor = self.steering(self.array, self.places)
        return Covariance(factor, factor.real.new_tensor(NOISE))

    def subset(self) -> Tensor:
        """Return the indices of the points on which the references work."""
        count = math.prod(self.grid.shape)
        return torch.arange(0, count, max(1, count // POINTS))


@dataclass(frozen=True)
class ScanSpeed:
    """Seconds of one scan and of the references.

    Attributes:
        tables: To prepare what all scenes share.
        seconds: From the signal subspace to the spectrum at every point, in memory that is there.
        operations, traffic: Of the algorithm: see :func:`work`.
        roof: Seconds of these at the rates of the machine.
        product: Of the reference for one point.
        peer: Of the other library for one point, or None.
        difference: The largest between the spectrum and the reference's.
    """

    name: str
    threads: int
    points: int
    tables: float
    seconds: float
    operations: float
    traffic: float
    roof: float
    product: float
    peer: float | None
    difference: float

    def row(self) -> dict[str, object]:
        """Return the fields, and the ratios that follow from them."""
        each = self.seconds / self.points
        ratios: dict[str, object] = {
            "seconds_a_point": each,
            "product_over_scan": self.product / each,
            "peer_over_scan": None if self.peer is None else self.peer / each,
            "scan_over_roof": self.seconds / self.roof,
        }
        return asdict(self) | ratios


def scan_speed(case: Case, repeats: int, peer: Peer | None = None) -> tuple[ScanSpeed, Rates]:
    """Time a scan of a case with the threads that torch has, and measure the machine.

    Raises:
        InputError: the array is no uniform lattice, or the model no chirp times a plane wave.
    """
    scan = _scan_of(case)
    fields = case.covariance().signal_subspace(len(case.places)).unsqueeze(0)
    out, reference = scan.energies(fields), _NoiseProduct(case)
    parts: dict[str, Callable[[], object]] = {
        "scan": lambda: scan.energies(fields, out),
        "product": reference,
        "tables": lambda: _scan_of(case),
    }
    if peer is not None:
        parts["peer"] = _peer_work(case, peer)
    machine = rates(repeats)
    seconds = fastest(parts, repeats)
    operations, traffic = work(scan, fields.shape[-1])
    some = len(reference.index)
    speed = ScanSpeed(
        name=case.name,
        threads=torch.get_num_threads(),
        points=out.shape[-1],
        tables=seconds["tables"],
        seconds=seconds["scan"],
        operations=operations,
        traffic=traffic,
        roof=machine.roof(operations, traffic),
        product=seconds["product"] / some,
        peer=None if peer is None else seconds["peer"] / some,
        difference=float((1 - reference() - out[0, reference.index]).abs().max()),
    )
    return speed, machine


def work(scan: Lattice, width: int) -> tuple[float, float]:
    """Return the operations of a scan for ``width`` fields of one scene, and its bytes.

    Operations: the chirp, the transforms (5 F log₂F each), |·|², the sum over d_y, the last
    product. Bytes: tables and fields read once, intermediates written and read once, the result
    written once.
    """
    planes, rows, columns = scan.shape
    height, across = scan.chirp.shape[1:]
    padded, lags = 4 * height * across, (2 * height - 1) * across
    transforms = 5 * padded * math.log2(padded) * (width + 0.5)
    a_plane = 6 * width * height * across + transforms + 4 * width * padded
    a_plane += 8 * rows * lags + 4 * rows * across * columns
    tables = 8 * scan.chirp.numel() + 8 * scan.up.numel() + 4 * scan.across.numel()
    kept = 8 * width * (height * across + padded) + 4 * padded + 8 * lags + 8 * rows * across
    return planes * a_plane, tables + 2 * planes * kept + 4 * planes * rows * columns


class _NoiseProduct:
    """‖U_nᴴa‖² at some points: complex64, steering cached, a chunk of points at a time."""

    def __init__(self, case: Case) -> None:
        self.index = case.subset()
        positions = invert_range(case.grid.points()[self.index])
        self.steering = torch.cat(
            [
                case.steering(case.array, some).mH.to(torch.complex64).contiguous()
                for some in positions.split(CHUNK)
            ]
        )
        dense = case.covariance().dense()
        quiet = case.array.count - len(case.places)
        self.noise = torch.linalg.eigh(dense)[1][:, :quiet].to(torch.complex64)
        self.out = torch.empty(len(self.index))

    def __call__(self) -> Tensor:
        parts = self.steering.split(CHUNK), self.out.split(CHUNK)
        for rows, place in zip(*parts, strict=True):
            products = torch.view_as_real(rows @ self.noise).flatten(1)
            torch.sum(products * products, dim=1, out=place)
        return self.out


def _scan_of(case: Case) -> Lattice:
    found = lattice(case.steering, case.array, case.grid)
    if found is None:
        raise InputError(
            "this array and this steering model are not scanned by a polynomial",
            "use equally spaced elements in rows and columns, and canonical or plane-wave steering",
        )
    return found


def _peer_work(case: Case, peer: Peer) -> Callable[[], object]:
    """Return the other library's spectrum at the points of the subset, its steering prepared."""
    points = cartesian(invert_range(case.grid.points()[case.subset()])).numpy()
    steering, dense = peer.prepared(case.array, points), case.covariance().dense().numpy()
    return lambda: peer.spectrum(steering, dense, len(case.places))
