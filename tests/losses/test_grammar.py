"""What ``--loss`` means, and how terms combine."""

from __future__ import annotations

import doctest

import pytest
import torch

from risdoa.errors import InputError
from risdoa.losses import grammar
from risdoa.losses.combination import Combination, Term
from risdoa.losses.grammar import parse_losses
from risdoa.losses.gt_projection import GtProjection
from risdoa.losses.nmse import Nmse
from tests.losses.scenes import covariance, truth_of


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("gt-projection", {"nmse": 1.0, "gt-projection": 0.05}),
        ("nmse", {"nmse": 1.0}),
        ("risdoa-legacy/legacy-evd", {"nmse": 1.0, "risdoa-legacy/legacy-evd": 0.05}),
        ("gt-projection=0.1,nmse=1", {"gt-projection": 0.1, "nmse": 1.0}),
        (" nmse = 2 , eigenvector = 0 ", {"nmse": 2.0, "eigenvector": 0.0}),
    ],
)
def test_reads(text, weights):
    assert parse_losses(text) == weights


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nmse,gt-projection",
        "nmse=",
        "=1",
        "nmse=1,",
        "nmse=a",
        "nmse=-1",
        "nmse=nan",
        "nmse=inf",
        "nmse=0",
        "nmse=1,nmse=2",
        "nmse=1=2",
    ],
)
def test_refuses(text):
    with pytest.raises(InputError) as caught:
        parse_losses(text)
    assert caught.value.hint


def test_the_examples_in_the_docstring_hold():
    assert doctest.testmod(grammar).failed == 0


def test_terms_add_up():
    truth = truth_of(1, 2)
    predicted = covariance(1, truth.problem)
    both = Combination([Term("nmse", Nmse(), 2.0), Term("gt-projection", GtProjection(), 0.5)])
    expected = 2.0 * Nmse()(predicted, truth) + 0.5 * GtProjection()(predicted, truth)
    torch.testing.assert_close(both(predicted, truth), expected)
    assert list(both.parts(predicted, truth)) == ["nmse", "gt-projection"]


@pytest.mark.parametrize(
    "terms",
    [
        [],
        [Term("nmse", Nmse(), 1.0), Term("nmse", Nmse(), 1.0)],
        [Term("nmse", Nmse(), -1.0)],
        [Term("nmse", Nmse(), float("nan"))],
    ],
)
def test_impossible_combinations_are_refused(terms):
    with pytest.raises(InputError):
        Combination(terms)
