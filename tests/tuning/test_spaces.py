"""What a trial stands for: the plugins' own spaces, what is fixed, what each space leaves alone."""

from __future__ import annotations

import optuna
import pytest

from risdoa.errors import InputError, PluginLoadError
from risdoa.losses.grammar import parse_losses
from risdoa.registry import KINDS
from risdoa.training.experiment import Experiment
from risdoa.tuning.plan import Plan
from risdoa.tuning.spaces import Scoped, alignment_losses, chain_options, drawn, outlined
from tests.tuning import fragile
from tests.tuning.small import discover, plan


@pytest.fixture
def study():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))


def spaces():
    registry = discover()
    pairs = [(kind, name) for kind in KINDS for name in registry.names(kind)]
    return [(kind, name) for kind, name in pairs if registry.find(kind, name).record.space]


def test_models_losses_and_backends_declare_spaces():
    assert {kind for kind, _ in spaces()} == {"model", "loss", "backend"}
    assert ("backend", "nf-mle") in spaces()


@pytest.mark.parametrize(("kind", "name"), spaces())
def test_what_a_space_draws_can_be_made(kind, name, study):
    registry = discover()
    for _ in range(20):
        trial = study.ask()
        options = registry.search(kind, name, Scoped(trial, name, {}, kind))
        assert options
        registry.create(kind, name, **options)
        assert all(each.startswith(f"{name}.") for each in trial.params)


@pytest.mark.parametrize("fixed", [{}, None])
def test_every_draw_of_the_wide_space_is_a_training(fixed, study):
    own = {} if fixed is None else {"fixed": fixed}
    wide, registry = plan(**own), discover()
    configs = [drawn(study.ask(), wide, registry) for _ in range(12)]
    for config in configs:
        Experiment.of(config, registry)
        assert parse_losses(config.loss)["nmse"].end == 1
    assert len({config.learning_rate for config in configs}) == 12
    assert len({next(n for n in parse_losses(c.loss) if n != "nmse") for c in configs}) == 2
    terms = {len(parse_losses(config.loss)) for config in configs}
    assert {2, 3} <= terms <= {2, 3, 4}
    sizes = {config.options["hybrid"]["channels"] for config in configs}
    assert sizes == {8} if fixed is None else len(sizes) > 1


def test_the_narrow_space_leaves_loss_and_network(study):
    narrow, registry = plan(space="narrow", fixed={}), discover()
    for _ in range(10):
        trial = study.ask()
        config = drawn(trial, narrow, registry)
        assert "gt-projection" in parse_losses(config.loss)
        assert config.options == narrow.base.options
        assert not any("." in name for name in trial.params if not name.startswith("weight"))


def test_what_is_fixed_is_not_asked_for(study):
    texts = {"hybrid": {"channels": "8", "heads": "2"}, "peak-contrast": {"load": "0.03"}}
    registry, fixed = discover(), plan(fixed=texts)
    found = []
    for _ in range(12):
        trial = study.ask()
        config = drawn(trial, fixed, registry)
        assert not {"hybrid.channels", "hybrid.heads", "peak-contrast.load"} & set(trial.params)
        assert {"hybrid.width", "hybrid.depth"} <= set(trial.params)
        resolved = Experiment.of(config, registry).config.options
        assert (resolved["hybrid"]["channels"], resolved["hybrid"]["heads"]) == (8, 2)
        found.append(resolved.get("peak-contrast", {}).get("load", 0.03))
    assert set(found) == {0.03}


def test_the_chain_has_the_tempering_and_the_effort(study):
    registry, behind = discover(), plan(refine=("nf-mle",), fixed={})
    options = [chain_options(study.ask(), behind, registry) for _ in range(12)]
    assert all(0 <= each["hybrid"]["beta"] <= 1 for each in options)
    assert all(0 < each["hybrid"]["shrinkage"] < 1 for each in options)
    assert {each["nf-mle"]["search"] for each in options} == {True, False}
    assert all(("starts" in each["nf-mle"]) == each["nf-mle"]["search"] for each in options)


def test_an_outline_names_what_the_trials_are_asked(study):
    registry, wide = discover(), plan(refine=("nf-mle",), fixed={})
    outline = outlined(wide, registry)
    asked = set()
    for _ in range(60):
        trial = study.ask()
        drawn(trial, wide, registry)
        chain_options(trial, wide, registry)
        asked |= set(trial.params)
    assert set(outline) == asked
    assert outline["loss"] == "gt-projection, chordal"
    assert outline["clip_norm"] == "0.1 to 10, logarithmic"


def test_a_plugin_that_is_not_built_in_declares_its_space(study):
    registry, own = discover(fragile), plan(losses=("fragile",), fixed={})
    trial = study.ask()
    config = drawn(trial, own, registry)
    assert config.options["fragile"] == {"batch": trial.params["fragile.batch"]}
    assert "fragile" in alignment_losses(registry)


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("misspelt", InputError, "no option 'bach'"),
        ("forgetful", PluginLoadError, "returns NoneType, not a dict"),
        ("failing", PluginLoadError, "suggest_normal"),
    ],
)
def test_a_space_that_is_wrong_is_named(name, error, said, study):
    with pytest.raises(error, match=said):
        drawn(study.ask(), plan(losses=(name,), fixed={}), discover(fragile))


def test_alignment_losses_can_stand_beside_nmse():
    names = alignment_losses(discover())
    assert names[:2] == ("gt-projection", "one-sided-projection")
    assert not {"nmse", "completeness", "peak-contrast", "legacy-evd"} & set(names)


def test_a_plan_is_what_its_record_says():
    made = plan(refine=("nf-mle",))
    assert Plan.read(made.record()) == made
    assert "trials" not in made.setup()


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        ("abc", "no plan"),
        ({"base": {}}, "no plan"),
        (plan().record() | {"losses": 3}, "no plan"),
        (plan().record() | {"space": "vast"}, "one of narrow, wide, got 'vast'"),
        (plan().record() | {"trials": "3"}, "trials of a plan is a whole number, got '3'"),
    ],
)
def test_a_damaged_plan_is_named(damaged, said):
    with pytest.raises(InputError, match=said):
        Plan.read(damaged)
