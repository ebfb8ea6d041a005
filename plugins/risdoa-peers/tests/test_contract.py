"""The conformance kit on every plugin of the distribution."""

from __future__ import annotations

import risdoa_peers

import risdoa.testing


@risdoa.testing.parametrize(risdoa_peers)
def test_contract(check):
    check()
