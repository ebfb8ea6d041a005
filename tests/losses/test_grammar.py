"""What ``--loss`` means, and how terms combine."""

from __future__ import annotations

import doctest

import pytest
import torch

from risdoa.errors import InputError
from risdoa.losses import grammar, weight
from risdoa.losses.combination import Combination, Term
from risdoa.losses.grammar import Recipe, parse_losses
from risdoa.losses.gt_projection import GtProjection
from risdoa.losses.nmse import Nmse
from risdoa.losses.weight import Weight
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
    assert parse_losses(text) == {name: Weight.of(value) for name, value in weights.items()}


def test_a_weight_may_change_over_the_training():
    weights = parse_losses("gt-projection=0.1..0.2,nmse=1")
    assert weights == {"gt-projection": Weight(0.1, 0.2), "nmse": Weight.of(1.0)}
    assert [weights["gt-projection"].at(share) for share in (0, 0.5, 1)] == pytest.approx(
        [0.1, 0.15, 0.2]
    )
    for weight_ in weights.values():
        assert Weight.read(str(weight_)) == weight_


def test_a_recipe_decides_what_stands_around_a_bare_name():
    recipe = Recipe(Weight(0.1, 0.2), Weight(0.05, 0.1))
    around = {"nmse": Weight.of(1.0), "chordal": Weight(0.1, 0.2)}
    assert parse_losses("chordal", recipe) == around | {"peak-contrast": Weight(0.05, 0.1)}
    assert parse_losses("peak-contrast", recipe)["peak-contrast"] == Weight(0.1, 0.2)
    assert parse_losses("nmse", recipe) == {"nmse": Weight.of(1.0)}
    assert parse_losses("chordal=1", recipe) == {"chordal": Weight.of(1.0)}


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
        "nmse=1..",
        "nmse=..1",
        "nmse=1..nan",
        "nmse=-1..1",
        "nmse=0..0",
    ],
)
def test_refuses(text):
    with pytest.raises(InputError) as caught:
        parse_losses(text)
    assert caught.value.hint


def test_the_examples_in_the_docstring_hold():
    assert doctest.testmod(grammar).failed == doctest.testmod(weight).failed == 0


def test_terms_add_up():
    truth = truth_of(1, 2)
    predicted = covariance(1, truth.problem)
    both = Combination(
        [Term("nmse", Nmse(), Weight.of(2.0)), Term("gt-projection", GtProjection(), Weight(0, 1))]
    )
    error, outside = Nmse()(predicted, truth), GtProjection()(predicted, truth)
    torch.testing.assert_close(both(predicted, truth), 2.0 * error + outside)
    torch.testing.assert_close(both.at(0.25)(predicted, truth), 2.0 * error + 0.25 * outside)
    assert list(both.parts(predicted, truth)) == ["nmse", "gt-projection"]


@pytest.mark.parametrize("names", [[], ["nmse", "nmse"]])
def test_impossible_combinations_are_refused(names):
    with pytest.raises(InputError):
        Combination([Term(name, Nmse(), Weight.of(1.0)) for name in names])


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_impossible_weights_are_refused(value):
    with pytest.raises(InputError):
        Weight(1.0, value)
