"""Spectra over a grid: what a source at every point would explain of the measurements."""

from risdoa.scan.apart import Apart, Scale
from risdoa.scan.base import MEMORY
from risdoa.scan.energy import Correlations, EnergyScan, energy_scan
from risdoa.scan.gain import Gain, likelihood_gain
from risdoa.scan.matched import FLOOR, Matched
from risdoa.scan.peaks import Peaks, neighbours, peaks
from risdoa.scan.polynomial import Lattice, lattice
from risdoa.scan.table import SteeringTable, steering_table, steering_vectors

__all__ = [
    "FLOOR",
    "MEMORY",
    "Apart",
    "Correlations",
    "EnergyScan",
    "Gain",
    "Lattice",
    "Matched",
    "Peaks",
    "Scale",
    "SteeringTable",
    "energy_scan",
    "lattice",
    "likelihood_gain",
    "neighbours",
    "peaks",
    "steering_table",
    "steering_vectors",
]
