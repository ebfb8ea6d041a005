"""The conformance kit on every plugin of the distribution."""

from __future__ import annotations

import risdoa_antennas

import risdoa.testing


@risdoa.testing.parametrize(risdoa_antennas)
def test_contract(check):
    check()
