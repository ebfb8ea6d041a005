"""Scenarios: problems with known truth."""
