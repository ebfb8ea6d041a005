"""The loss keeps the contract of its kind: every check of risdoa's kit for its traits."""

import risdoa.testing

import power_share


@risdoa.testing.parametrize(power_share)
def test_contract(check):
    check()
