"""The backend keeps the contract of its kind: every check of risdoa's kit for its traits."""

import my_backend
import risdoa.testing


@risdoa.testing.parametrize(my_backend)
def test_contract(check):
    check()
