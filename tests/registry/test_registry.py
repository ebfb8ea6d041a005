"""Finding plugins by name, and making them."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

import risdoa
from risdoa.errors import InputError, PluginLoadError, UnknownNameError
from risdoa.registry import KINDS, Registry
from risdoa.registry.builtins import risdoa_losses

ELSEWHERE = """
    import risdoa

    @risdoa.hookimpl
    def risdoa_losses():
        yield risdoa.Plugin("mine", "{factory}", "A loss.")
"""


def test_a_builtin_is_found_without_importing_third_parties(install, discover):
    module = install("acme-losses")
    plugin = discover().find("loss", "nmse")
    assert plugin.qualified == "risdoa/nmse"
    assert module not in sys.modules


def test_a_third_party_is_found_by_its_bare_and_its_qualified_name(install, discover):
    install("acme-losses", version="2.1")
    registry = discover()
    for name in ("mine", "acme-losses/mine", "Acme_Losses/mine"):
        plugin = registry.find("loss", name)
        assert (plugin.distribution, plugin.version) == ("acme-losses", "2.1")


def test_a_builtins_name_is_the_builtin_and_the_other_one_is_qualified(install, discover):
    install("acme-losses", name="nmse")
    registry = discover()
    assert registry.find("loss", "nmse").distribution == "risdoa"
    assert registry.find("loss", "risdoa/nmse").distribution == "risdoa"
    assert registry.find("loss", "acme-losses/nmse").distribution == "acme-losses"
    assert "acme-losses/nmse" in registry.names("loss")


def test_two_third_parties_with_one_name_are_told_apart(install, discover):
    install("acme-losses")
    install("bolt-losses")
    registry = discover()
    with pytest.raises(UnknownNameError, match="several distributions") as caught:
        registry.find("loss", "mine")
    assert "acme-losses/mine" in caught.value.hint
    assert "bolt-losses/mine" in caught.value.hint
    assert registry.find("loss", "bolt-losses/mine").distribution == "bolt-losses"
    assert {"acme-losses/mine", "bolt-losses/mine"} <= set(registry.names("loss"))


def test_an_unknown_name_suggests_the_nearest_one(discover):
    with pytest.raises(UnknownNameError) as caught:
        discover().find("loss", "gt-projektion")
    assert caught.value.hint == "did you mean 'gt-projection'?"


def test_an_unknown_name_far_from_all_lists_them(discover):
    with pytest.raises(UnknownNameError) as caught:
        discover(RISDOA_PLUGINS_ALLOW="").find("loss", "zzz")
    *others, last = [record.name for record in risdoa_losses()]
    assert caught.value.hint == f"use {', '.join(others)} or {last}"


def test_an_unknown_kind_is_an_input_error(discover):
    with pytest.raises(UnknownNameError, match="no kind"):
        discover().find("losses", "nmse")


def test_an_unknown_name_mentions_plugins_that_could_not_be_loaded(install, discover):
    install("acme-losses", "raise RuntimeError('no licence')")
    with pytest.raises(UnknownNameError) as caught:
        discover().find("loss", "nothing-like-it")
    assert "acme-losses could not be loaded" in caught.value.hint


def test_a_plugin_is_made_with_converted_options(install, discover):
    install("acme-losses")
    registry = discover()
    assert registry.create("loss", "mine", weight="0.5").weight == 0.5
    assert registry.resolve("loss", "mine") == {"weight": 1.0}
    assert registry.used() == [{"kind": "loss", "name": "acme-losses/mine", "version": "1.0"}]


def test_an_unknown_option_names_those_there_are(install, discover):
    install("acme-losses")
    with pytest.raises(UnknownNameError) as caught:
        discover().create("loss", "mine", wight="0.5")
    assert caught.value.message == "mine has no option 'wight'"
    assert caught.value.hint == "did you mean 'weight'? mine takes weight: float = 1.0"


def test_a_factory_that_is_not_there_is_a_load_error(install, discover):
    install("acme-losses", ELSEWHERE.replace("{factory}", "bolt_losses:Absent"))
    install("bolt-losses", "", entry_points="[other]\na = b\n")
    with pytest.raises(PluginLoadError, match=r"acme-losses/mine cannot be loaded.*Absent"):
        discover().create("loss", "mine")


def test_options_that_are_no_pydantic_model_are_a_load_error(install, discover):
    record = '"{factory}", "A loss.", options="bolt_losses:Options"'
    source = ELSEWHERE.replace('"{factory}", "A loss."', record)
    install("acme-losses", source.replace("{factory}", "builtins:dict"))
    install("bolt-losses", "class Options: pass", entry_points="[other]\na = b\n")
    with pytest.raises(PluginLoadError, match="are no pydantic model"):
        discover().create("loss", "mine")


def test_an_error_in_a_factorys_module_is_a_load_error(install, discover):
    install("acme-losses", ELSEWHERE.replace("{factory}", "bolt_losses:Loss"))
    install("bolt-losses", "import sys; sys.exit('licence')", entry_points="[other]\na = b\n")
    with pytest.raises(PluginLoadError, match="SystemExit"):
        discover().create("loss", "mine")


def test_a_factorys_own_input_error_passes_unchanged(install, discover):
    source = """
        import risdoa
        from risdoa.errors import InputError

        def refuse(weight: float = 1.0):
            raise InputError("too heavy", "lift less")

        @risdoa.hookimpl
        def risdoa_losses():
            return [risdoa.Plugin("mine", "{module}:refuse", "A loss.")]
    """
    install("acme-losses", source)
    with pytest.raises(InputError, match="too heavy"):
        discover().create("loss", "mine")


def test_a_plugins_own_options_model_is_used(install, discover):
    source = """
        import pydantic
        import risdoa

        class Options(pydantic.BaseModel):
            weight: float = pydantic.Field(2.0, gt=0)

        class Loss:
            def __init__(self, **options):
                self.options = options

        @risdoa.hookimpl
        def risdoa_losses():
            yield risdoa.Plugin("mine", "{module}:Loss", "A loss.", options="{module}:Options")
    """
    install("acme-losses", source)
    registry = discover()
    assert registry.create("loss", "mine").options == {"weight": 2.0}
    with pytest.raises(InputError, match=r"mine\.weight: .*greater than 0, got '-1'"):
        registry.create("loss", "mine", weight="-1")


def test_builtins_are_active_rows_of_risdoa(discover):
    rows = [row for row in discover(RISDOA_PLUGINS_ALLOW="").rows() if row.status == "active"]
    assert {row.kind for row in rows} == set(KINDS)
    assert {row.distribution for row in rows} == {"risdoa"}
    assert all(row.error is None for row in rows)


def test_builtins_are_told_through_the_public_hook():
    assert hasattr(risdoa_losses, "risdoa_impl")


@pytest.mark.parametrize("kind", KINDS)
def test_every_builtin_can_be_imported_and_says_what_it_takes(kind, discover):
    registry = discover(RISDOA_PLUGINS_ALLOW="")
    for name in registry.names(kind):
        record = registry.find(kind, name).record
        assert isinstance(registry.resolve(kind, name), dict)
        assert record.summary.endswith(".")
        assert record.example.startswith("risdoa ")


# Modules that are not installed


def _module(name, plugin="mine"):
    """Return a module with a loss and its hook, as if it had been imported."""
    module = ModuleType(name)
    record = risdoa.Plugin(plugin, "builtins:dict", "A loss.")
    module.risdoa_losses = risdoa.hookimpl(lambda: [record])
    return module


def test_a_module_need_not_be_installed():
    registry = Registry.discover({}, extra=[_module("my_losses")])
    plugin = registry.find("loss", "mine")
    assert (plugin.qualified, plugin.version) == ("my-losses/mine", None)
    assert "my-losses" in {row.distribution for row in registry.rows()}


def test_what_is_given_is_not_blocked():
    switches = {"RISDOA_PLUGINS_ALLOW": "", "RISDOA_PLUGINS_BLOCK": "my-losses"}
    assert Registry.discover(switches, extra=[_module("my_losses")]).find("loss", "mine")


def test_what_is_given_stands_in_for_what_is_installed(install):
    install("acme-losses", version="1.0")
    registry = Registry.discover({}, extra=[_module("acme_losses", "mine")])
    assert registry.find("loss", "mine").version is None


def test_an_object_with_hooks_need_not_be_a_module():
    class Hooks:
        @risdoa.hookimpl
        def risdoa_losses(self):
            return [risdoa.Plugin("mine", "builtins:dict", "A loss.")]

    assert Registry.discover({}, extra=[Hooks()]).find("loss", "mine").distribution == "Hooks"
