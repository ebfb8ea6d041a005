"""What calibration is worth: a method told an array as planned, as found, and as it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from risdoa.arrays import Array
from risdoa.calibration import Calibration, Prior, calibrate
from risdoa.errors import InputError
from risdoa.evaluation.comparison import Comparison, Progress, Setup, compare, point_seed
from risdoa.evaluation.methods import Method
from risdoa.frozen import changed
from risdoa.problem import Estimates, Problem
from risdoa.scenarios.miscalibrated import Miscalibrated

NOMINAL, GAINS, PLACES, TRUE = "as planned", "gains", "and places", "as it is"
COORDINATES = ("azimuth", "elevation", "inverse_range")
UNITS = ("azimuth_deg", "elevation_deg", "inverse_range_per_m")


@dataclass(frozen=True)
class CalibratedCell:
    """One SNR and what the method was told of the array.

    Attributes:
        rmse: over the inliers, azimuth and elevation in deg, inverse range in 1/m; NaN for none.
        gain: that of the array as planned over this one, in each of the three.
    """

    told: str
    snr_db: float
    sources: int
    trials: int
    rmse: tuple[float, ...]
    gain: tuple[float, ...]
    outliers: int

    def row(self) -> dict[str, object]:
        """Return one row of ``risdoa.bench-calibration/1``; None where there was no inlier."""
        return {
            "told": self.told,
            "snr_db": self.snr_db,
            "sources": self.sources,
            "trials": self.trials,
            "rmse": _named(self.rmse),
            "gain": _named(self.gain),
            "outlier_rate": self.outliers / (self.trials * self.sources),
        }


def found(scenario: Miscalibrated, scenes: int, snr_db: float, seed: int) -> list[Calibration]:
    """Return calibrations of a scenario's panel, of its gains and of gains and places.

    The scenes have one source each and are none of those that a comparison draws. Of the gains
    nothing is known beforehand, of the places their standard deviation.

    Raises:
        InputError: The scenes are too few, the scenario has no panel, or its elements stand off the
            plane that the steering model is for.
    """
    if scenario.panel is None:
        raise InputError(
            "arrays that are drawn anew in every scene cannot be calibrated",
            "give a seed for one of them: --set miscalibrated.panel=0",
        )
    if scenario.position > 0 and scenario.data_model != scenario.estimation_model:
        raise InputError(
            f"{scenario.data_model} waves have elements stand off the plane, which the "
            f"{scenario.estimation_model} steering model of the estimators does not know",
            "leave one out: --set miscalibrated.waves=canonical or --set miscalibrated.position=0",
        )
    generator = torch.Generator().manual_seed(point_seed(seed, snr_db, 0, 0))
    truth = scenario.sample(scenes, generator, sources=1, snr_db=snr_db)[1]
    priors = (Prior(), Prior(position=scenario.position))
    return [calibrate(truth, prior, steering=scenario.estimation_model) for prior in priors]


def told(method: Method, array: Array | Calibration, label: str) -> Method:
    """Return a method that is told another array than the problem's."""

    def estimate(problem: Problem) -> Estimates:
        if isinstance(array, Calibration):
            return method.estimate(array.applied(problem))
        return method.estimate(changed(problem, array=array))

    return replace(method, label=label, estimate=estimate)


def with_calibration(methods: Sequence[Method], calibration: Calibration) -> list[Method]:
    """Return every method and, behind it, the same told the calibrated array.

    Raises:
        InputError: Two of them would have one label.
    """
    pairs = [
        (method, told(method, calibration, f"{method.label} calibrated")) for method in methods
    ]
    for method, second in pairs:
        if second.label in {each.label for each in methods}:
            raise InputError(
                f"two methods are labelled {second.label!r}, one of them {method.label!r} with the "
                "calibrated array",
                "give the other another label: --method LABEL=…",
            )
    return [each for pair in pairs for each in pair]


def worth(
    setup: Setup, method: Method, calibrations: Sequence[Calibration], progress: Progress | None
) -> list[CalibratedCell]:
    """Return the errors of a method by what it is told of the panel, on the same scenes."""
    scenario = setup.scenario
    assert isinstance(scenario, Miscalibrated)
    assert scenario.panel is not None
    panel = scenario.panel_array(scenario.panel)
    arrays: list[Array | Calibration] = [*calibrations, panel]
    methods = [replace(method, label=NOMINAL)]
    for array, label in zip(arrays, (GAINS, PLACES, TRUE), strict=True):
        methods.append(told(method, array, label))
    return _cells(compare(setup, methods, progress))


def _cells(comparison: Comparison) -> list[CalibratedCell]:
    """Return the cells of a comparison, each beside the first of its point."""
    cells, nominal = [], (math.nan,) * len(COORDINATES)
    for cell in comparison.cells:
        by_name = {each.coordinate: each.rmse_inliers for each in cell.summary.deviations}
        rmse = tuple(by_name[name] or math.nan for name in COORDINATES)
        nominal = rmse if cell.method == NOMINAL else nominal
        gain = tuple(first / each for first, each in zip(nominal, rmse, strict=True))
        cells.append(
            CalibratedCell(
                told=cell.method,
                snr_db=cell.snr_db,
                sources=cell.sources,
                trials=cell.summary.trials,
                rmse=rmse,
                gain=gain,
                outliers=cell.summary.outliers,
            )
        )
    return cells


def _named(values: Sequence[float]) -> dict[str, float | None]:
    known = [value if math.isfinite(value) else None for value in values]
    return dict(zip(UNITS, known, strict=True))
