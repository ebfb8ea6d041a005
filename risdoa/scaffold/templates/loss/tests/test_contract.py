"""The loss keeps the contract of its kind: every check of risdoa's kit for its traits."""

import risdoa.testing

import my_loss


@risdoa.testing.parametrize(my_loss)
def test_contract(check):
    check()
