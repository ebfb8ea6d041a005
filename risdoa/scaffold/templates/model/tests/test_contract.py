"""The model keeps the contract of its kind: every check of risdoa's kit for its traits."""

import my_model
import risdoa.testing


@risdoa.testing.parametrize(my_model)
def test_contract(check):
    check()
