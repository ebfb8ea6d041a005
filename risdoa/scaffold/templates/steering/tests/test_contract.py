"""The steering model keeps the contract of its kind: every check of risdoa's kit for its traits."""

import risdoa.testing

import my_steering


@risdoa.testing.parametrize(my_steering)
def test_contract(check):
    check()
