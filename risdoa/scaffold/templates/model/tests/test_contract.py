"""The model keeps the contract of its kind: every check of risdoa's kit for its traits."""

import risdoa.testing

import my_model


@risdoa.testing.parametrize(my_model)
def test_contract(check):
    check()
