"""Spectra over a grid: what a source at every point would explain of the measurements."""

from risdoa.scan.energy import energies
from risdoa.scan.gain import Gain, likelihood_gain
from risdoa.scan.matched import FLOOR, Matched
from risdoa.scan.peaks import Peaks, peaks
from risdoa.scan.table import SteeringTable, steering_table

__all__ = [
    "FLOOR",
    "Gain",
    "Matched",
    "Peaks",
    "SteeringTable",
    "energies",
    "likelihood_gain",
    "peaks",
    "steering_table",
]
