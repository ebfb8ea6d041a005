"""Outliers against processor time: what methods leave, and what nobody could do without.

Every method sees the same scenes. The reference is the optimum of the known-power likelihood with
the truth and all that the methods found among the starts. A learned method *closes* the share
(c - l)/(c - g) of the gap between the best classical method that takes no more of its time and that
reference, c, l and g being rates of outliers.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from risdoa.errors import InputError
from risdoa.evaluation.comparison import CHUNK, Progress, Setup
from risdoa.evaluation.journal import Journal
from risdoa.evaluation.known_powers import check_known, likeliest
from risdoa.evaluation.methods import Method
from risdoa.evaluation.metrics import Scores, rate_interval
from risdoa.problem import Estimates, Truth

REFERENCE = "reference"
"""The key of the known-power optimum in a record; no method can be called so."""
SLOWER = 1.1
"""How much more time than a learned method a classical one may take to be of equal time."""
RESAMPLED = 2000
"""Bootstrap samples of scenes behind an interval of the share of a gap."""

Point = tuple[int, float]
"""A number of sources and an SNR in dB."""


@dataclass(frozen=True)
class Row:
    """One method at one point.

    Shapes:
        off: (S,) int, sources more than 5° off or missing, scene by scene.
        seconds: of processor time for all scenes; None for the reference.
    """

    label: str
    sources: int
    off: Tensor
    seconds: float | None

    @property
    def rate(self) -> float:
        """The share of sources that are outliers."""
        return float(self.off.sum()) / (len(self.off) * self.sources)

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval, sources taken as independent."""
        return rate_interval(int(self.off.sum()), len(self.off) * self.sources)

    @property
    def milliseconds(self) -> float | None:
        """Processor time a scene."""
        return None if self.seconds is None else 1e3 * self.seconds / len(self.off)


@dataclass(frozen=True)
class Gap:
    """What a learned method closes of the gap; shares are None where there is no gap.

    Attributes:
        classical: the best classical method of equal time, or the fastest where all take more.
        points: the gap c - g in percentage points.
        share: (c - l)/(c - g), with its 95 % interval by resampling scenes.
    """

    learned: str
    classical: str
    points: float
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Front:
    """All methods at one point, and the reference."""

    sources: int
    snr_db: float
    rows: tuple[Row, ...]
    reference: Row
    gaps: tuple[Gap, ...]


def frontier(
    setup: Setup,
    points: Sequence[Point],
    methods: Sequence[Method],
    learned: Collection[str],
    journal: Journal,
    progress: Progress | None = None,
) -> list[Front]:
    """Return what the methods leave at every point, chunks of the journal included.

    Args:
        setup: Scenario, number of scenes and seed.
        points: Numbers of sources with SNR.
        methods: What to run.
        learned: Labels of the methods that are held against the others.
        journal: Finished chunks.
        progress: Called with the number of scenes done and to do.

    Raises:
        InputError: a point has no scenes, or no reference; a record of the journal is damaged.
    """
    for point in points:
        _check(setup, point)
    labels = [method.label for method in methods]
    fronts = []
    for index, (sources, snr_db) in enumerate(points):
        records = []
        for chunk, (_, truth) in enumerate(setup.chunks(snr_db, sources)):
            key = f"K={sources} snr_db={snr_db:g} chunk={chunk} scenes={len(truth.mask)}"
            if key not in journal:
                journal.add(key, _record(methods, truth))
            records.append(_finished(journal, key, labels, len(truth.mask)))
            if progress is not None:
                done = index * setup.trials + min(setup.trials, CHUNK * (chunk + 1))
                progress(done, len(points) * setup.trials)
        fronts.append(_front((sources, snr_db), labels, records, learned))
    return fronts


def _check(setup: Setup, point: Point) -> None:
    """Raise an InputError for a point that has no scenes or no reference, before the work."""
    sources, snr_db = point
    problem, truth = setup.tried(snr_db, sources)
    if problem.sources is None:
        raise InputError(
            "outliers are counted where sources are told by number, which this scenario does not",
            "choose a scenario that tells it, as canonical does",
        )
    check_known(truth)


def _finished(journal: Journal, key: str, labels: Sequence[str], scenes: int) -> dict[str, Any]:
    """Return the record of a chunk.

    Raises:
        InputError: it is damaged.
    """
    record: dict[str, Any] = journal.records[key]
    try:
        numbers = [len(record[label]["off"]) for label in (REFERENCE, *labels)]
        timed = all(isinstance(record[label]["seconds"], float) for label in labels)
    except (KeyError, TypeError):
        numbers, timed = [], False
    if set(numbers) != {scenes} or not timed:
        raise InputError(
            f"{journal.path} is damaged: {key!r} is not a chunk of these methods",
            "give another --out, or remove the file",
        )
    return record


def _record(methods: Sequence[Method], truth: Truth) -> dict[str, Any]:
    """Return what the methods do in a chunk of scenes, and the reference."""
    record: dict[str, Any] = {}
    found: list[Estimates] = []
    for method in methods:
        begun = time.process_time()
        found.append(method.estimate(truth.problem))
        seconds = time.process_time() - begun
        record[method.label] = {"seconds": seconds, "off": _off(truth, found[-1])}
    record[REFERENCE] = {"seconds": None, "off": _off(truth, likeliest(truth, found))}
    return record


def _off(truth: Truth, estimates: Estimates) -> list[int]:
    """Return the number of outliers of every scene."""
    off: list[int] = (truth.mask & ~Scores.of(truth, estimates).inlier).sum(-1).tolist()
    return off


def _front(
    point: Point,
    labels: Sequence[str],
    records: Sequence[dict[str, Any]],
    learned: Collection[str],
) -> Front:
    """Return the figures of all chunks of a point."""
    reference, *rows = (_row(label, point[0], records) for label in (REFERENCE, *labels))
    classical = [row for row in rows if row.label not in learned]
    asked = [row for row in rows if row.label in learned] if classical else []
    gaps = tuple(_gap(row, _equal_time(row, classical), reference) for row in asked)
    return Front(*point, tuple(rows), reference, gaps)


def _row(label: str, sources: int, records: Sequence[dict[str, Any]]) -> Row:
    off = torch.tensor([count for record in records for count in record[label]["off"]])
    if label == REFERENCE:
        return Row(label, sources, off, None)
    return Row(label, sources, off, sum(record[label]["seconds"] for record in records))


def _equal_time(learned: Row, classical: Sequence[Row]) -> Row:
    """Return the classical method with the fewest outliers that takes no more time."""
    spent = {row.label: row.seconds or 0.0 for row in (learned, *classical)}
    most = SLOWER * spent[learned.label]
    in_time = [row for row in classical if spent[row.label] <= most]
    return min(
        in_time, key=lambda row: row.rate, default=min(classical, key=lambda r: spent[r.label])
    )


def _gap(learned: Row, classical: Row, reference: Row) -> Gap:
    """Return the share of the gap that is closed, with a paired interval."""
    off = torch.stack((classical.off, learned.off, reference.off)).to(torch.float64)
    sources = learned.sources
    best, mine, least = (off.mean(-1) / sources).tolist()
    names = learned.label, classical.label
    if best <= least:
        return Gap(*names, 100 * (best - least), None, None, None)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(off.shape[-1], (RESAMPLED, off.shape[-1]), generator=generator)
    means = off[:, drawn].mean(-1)
    gaps = means[0] - means[2]
    shares = ((means[0] - means[1]) / gaps)[gaps > 0]
    limits = torch.tensor([0.025, 0.975], dtype=torch.float64)
    low, high = shares.quantile(limits).tolist()
    return Gap(*names, 100 * (best - least), (best - mine) / (best - least), low, high)
