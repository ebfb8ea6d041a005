"""Calibration: the elements of an array, from scenes whose sources are known."""

from risdoa.calibration.files import read_calibration, write_calibration
from risdoa.calibration.fit import calibrate
from risdoa.calibration.panel import Calibration
from risdoa.calibration.prior import Prior

__all__ = ["Calibration", "Prior", "calibrate", "read_calibration", "write_calibration"]
