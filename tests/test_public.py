"""The names that ``import risdoa`` offers."""

from __future__ import annotations

from importlib import import_module

import pytest

import risdoa


@pytest.mark.parametrize("name", risdoa.__all__)
def test_every_public_name_is_there(name):
    assert getattr(risdoa, name) is not None
    assert name in dir(risdoa)


def test_the_lazy_names_and_all_agree():
    assert set(risdoa.__all__) == {"__version__", *risdoa._HOMES}


def test_lazy_names_are_the_objects_of_their_homes():
    assert all(
        getattr(risdoa, name) is getattr(import_module(home), name)
        for name, home in risdoa._HOMES.items()
    )


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'estimat'"):
        _ = risdoa.estimat
