"""Backends: from a covariance or measurements to positions."""
