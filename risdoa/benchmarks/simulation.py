"""How fast scenes are simulated, and what the time goes into."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

from risdoa.benchmarks.threads import threads as threads_of
from risdoa.scenarios.base import Scenario
from risdoa.scenarios.canonical import Canonical
from risdoa.scenarios.draws import complex_normal
from risdoa.scenarios.simulation import simulate
from risdoa.sensing import RisCoded


@dataclass(frozen=True)
class SimulationSpeed:
    """Seconds that a batch of scenes takes, the median over repetitions, and its parts.

    Attributes:
        threads: How many threads torch works with.
        seconds: A whole sample: problem and truth.
        processor: The same in processor time, of all threads together: what is left of
            ``seconds`` where nothing else runs on the machine, with one thread.
        normals: Drawing as many normal numbers as channels, signals and noise hold, and no more.
        sensing: Channels and codes, with their draws; None for scenarios of another make.
        outputs: Signals, fields, outputs and noise, with their draws; None likewise.
    """

    threads: int
    scenes: int
    seconds: float
    processor: float
    normals: float
    sensing: float | None
    outputs: float | None

    @property
    def rate(self) -> float:
        """Scenes a second."""
        return self.scenes / self.seconds

    @property
    def rest(self) -> float | None:
        """Seconds for positions, the true covariance and the checks of what is handed on."""
        if self.sensing is None or self.outputs is None:
            return None
        return max(0.0, self.seconds - self.sensing - self.outputs)


def simulation_speed(
    scenario: Scenario,
    scenes: int,
    repeats: int,
    sources: int,
    seed: int,
    threads: int,
) -> SimulationSpeed:
    """Time ``repeats`` samples of ``scenes`` scenes with ``threads`` threads, and their parts.

    Channels, codes, signals and noise are new in every scene of every sample. All parts are timed
    in turn within a repetition, so that a busy machine slows them alike.
    """
    parts = _parts(scenario, scenes, sources, torch.Generator().manual_seed(seed))
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in parts}
    with threads_of(threads):
        for part in parts.values():
            part()
        for _ in range(repeats):
            for name, part in parts.items():
                taken[name].append(_seconds(part))
    wall = {name: median(each for each, _ in times) for name, times in taken.items()}
    return SimulationSpeed(
        threads,
        scenes,
        wall["sample"],
        median(each for _, each in taken["sample"]),
        wall["normals"],
        wall.get("sensing"),
        wall.get("outputs"),
    )


def _parts(
    scenario: Scenario, scenes: int, sources: int, generator: torch.Generator
) -> dict[str, Callable[[], object]]:
    """Return what is timed."""
    problem, truth = scenario.sample(scenes, generator, sources=sources)
    sensing = problem.snapshots.sensing
    normals = problem.snapshots.values.numel() + scenes * problem.snapshots.block_count * sources
    if isinstance(sensing, RisCoded):
        normals += sensing.channel.numel()
    parts: dict[str, Callable[[], object]] = {
        "sample": lambda: scenario.sample(scenes, generator, sources=sources),
        "normals": lambda: complex_normal((normals,), generator),
    }
    if isinstance(scenario, Canonical):
        parts["sensing"] = lambda: scenario.sensing(scenes, problem.array, generator)
        parts["outputs"] = lambda: simulate(
            positions=truth.positions,
            powers=truth.powers,
            array=problem.array,
            steering=scenario.data_steering(),
            sensing=sensing,
            snr_db=torch.zeros(scenes, dtype=torch.float64),
            snapshots=problem.snapshots.count,
            generator=generator,
            blocks=problem.snapshots.blocks,
        )
    return parts


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return what work takes, on the wall and of the processor."""
    start = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start[0], time.process_time() - start[1]
