"""The backend keeps the contract of its kind: every check of risdoa's kit for its traits."""

import risdoa.testing

import my_backend


@risdoa.testing.parametrize(my_backend)
def test_contract(check):
    check()
