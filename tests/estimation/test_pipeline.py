"""A model and a chain of backends by name."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from risdoa.backends.base import merge
from risdoa.backends.music import Music
from risdoa.backends.newton import Newton
from risdoa.backends.nf_mle import NfMle
from risdoa.errors import InputError, UnknownNameError
from risdoa.models.base import Model
from risdoa.models.sample import Sample
from risdoa.pipeline import Chain, build_chain
from risdoa.problem import Estimates
from risdoa.registry import Registry
from tests.estimation.matching import errors, remarks
from tests.estimation.scenes import SHARING, scene


@pytest.fixture(scope="module")
def registry():
    return Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})


class Counting(Model):
    """Gives the true covariance and counts how often it is asked."""

    def __init__(self, known, able=True):
        self.known, self.able, self.asked = known, able, 0

    def supports(self, problem):
        return self.able

    def __call__(self, problem):
        self.asked += 1
        return self.known.truth.covariance


def test_backends_are_called_in_order_with_the_result_before():
    known = scene(2, snr_db=20.0)
    seen = []

    class Noting(Music):
        def __init__(self, name):
            super().__init__()
            self.label = name

        def __call__(self, problem, covariance, start):
            seen.append((self.label, start))
            return super().__call__(problem, covariance, start)

    end = Chain(None, [Noting("first"), Noting("second")])(known.problem)
    assert [label for label, _ in seen] == ["first", "second"]
    assert seen[0][1] is None
    assert torch.equal(seen[1][1].positions, end.positions)


def test_the_model_is_asked_once():
    known = scene(1)
    model = Counting(known)
    Chain(model, [Music(), Newton(), NfMle()])(known.problem)
    assert model.asked == 1


@pytest.mark.parametrize(
    ("chain", "kept"), [("nf-mle", False), ("music,nf-mle", True), ("risdoa/nf-mle", False)]
)
def test_a_model_that_no_backend_uses_is_left_out(registry, chain, kept):
    assert (build_chain(registry, model="sample", chain=chain).model is not None) == kept


def test_where_no_covariance_can_be_had_the_measurements_are_used_and_the_notes_say_so():
    known = scene(1, blocks=SHARING["static"])
    for model in (Sample(), Counting(known, able=False), None):
        found = Chain(model, [Music(), Newton()])(known.problem)
        assert len(remarks(found)) == 2
        assert all("no covariance" in note for note in remarks(found))
        assert float(errors(found.positions, known.truth.positions)) < 1e-5


def test_nothing_keeps_a_graph():
    known = scene(1)
    factor = known.truth.covariance.factor.clone().requires_grad_()
    model = Counting(replace(known, truth=replace(known.truth, covariance=None)))
    model.known = replace(
        known,
        truth=replace(known.truth, covariance=replace(known.truth.covariance, factor=factor)),
    )
    found = Chain(model, [Music(), Newton(), NfMle()])(known.problem)
    assert not found.positions.requires_grad
    assert torch.is_grad_enabled()


def test_an_empty_chain_is_refused():
    with pytest.raises(InputError, match="at least one backend"):
        Chain(None, [])


@pytest.mark.parametrize("chain", ["music,newton,nf-mle", ["music", "newton", "nf-mle"], " music "])
def test_chains_are_called_by_name(registry, chain):
    built = build_chain(registry, model="sample", chain=chain)
    assert isinstance(built.model, Sample)
    assert isinstance(built.backends[0], Music)
    assert len(built.backends) == (1 if chain == " music " else 3)
    assert build_chain(registry, model="none", chain=chain).model is None


def test_qualified_names_are_the_same_plugins(registry):
    built = build_chain(registry, model="risdoa/sample", chain="risdoa/newton")
    assert isinstance(built.model, Sample)
    assert isinstance(built.backends[0], Newton)


def test_options_reach_their_plugin(registry):
    settings = {
        "music": {"density": "2.5"},
        "risdoa/nf-mle": {"search": "false", "likelihood": "conditional"},
        "sample": {"rank": 7},
    }
    built = build_chain(
        registry, model="sample", chain="music,risdoa/nf-mle,newton", settings=settings
    )
    music, nf_mle, newton = built.backends
    assert (music.density, nf_mle.search, nf_mle.likelihood) == (2.5, False, "conditional")
    assert newton.iterations == 30
    assert built.model.rank == 7


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": "nobody", "chain": "music"}, "nobody"),
        ({"model": "sample", "chain": "musik"}, "musik"),
        ({"model": "sample", "chain": "music,,newton"}, "''"),
        ({"model": "sample", "chain": ""}, "''"),
    ],
)
def test_unknown_names_are_refused(registry, arguments, words):
    with pytest.raises(UnknownNameError, match=words) as caught:
        build_chain(registry, **arguments)
    assert caught.value.hint


@pytest.mark.parametrize(
    "settings",
    [
        {"music": {"densty": "2"}},
        {"music": {"density": "many"}},
        {"music": {"density": "-1"}},
        {"nf-mle": {"likelihood": "best"}},
    ],
)
def test_wrong_options_are_refused(registry, settings):
    with pytest.raises(InputError):
        build_chain(registry, model="sample", chain="music,nf-mle", settings=settings)


def test_a_learned_model_needs_a_checkpoint(registry):
    with pytest.raises(InputError, match="needs a checkpoint") as caught:
        build_chain(registry, model="hybrid", chain="music")
    assert "train" in caught.value.hint


def test_groups_of_scenes_are_put_together_in_their_order():
    def part(*rows):
        positions = torch.tensor(rows, dtype=torch.float64)[:, None].expand(-1, -1, 3) + 1
        return Estimates.at(positions.contiguous(), torch.tensor(rows)[:, 0].double(), ("same",))

    groups = [
        (torch.tensor([2, 0]), part([2.0], [0.0])),
        (torch.tensor([1]), replace(part([1.0]), notes=("other", "same"))),
    ]
    merged = merge(groups, 3)
    assert merged.positions[:, 0, 0].tolist() == [1.0, 2.0, 3.0]
    assert merged.objective.tolist() == [0.0, 1.0, 2.0]
    assert merged.notes == ("same", "other")
    with pytest.raises(InputError, match="2 scenes where 3"):
        merge(groups[:1], 3)
