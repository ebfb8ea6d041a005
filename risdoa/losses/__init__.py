"""Losses on a predicted covariance."""
