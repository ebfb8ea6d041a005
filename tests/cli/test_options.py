"""What commands share: ``--set``, lists of numbers, chains of plugins, JSON, tables."""

from __future__ import annotations

import click
import pytest

from risdoa.cli import options, output
from risdoa.cli.app import group
from risdoa.errors import InputError, UnknownNameError


def test_settings_are_read_by_plugin_and_option():
    texts = ["newton.iterations=20", "newton.step-size=0.5", "backend:acme.org/nf-mle.form=a=b"]
    assert options.parse_settings(texts) == {
        "newton": {"iterations": "20", "step_size": "0.5"},
        "backend:acme.org/nf-mle": {"form": "a=b"},
    }


@pytest.mark.parametrize("text", ["", "newton", "newton=3", "newton.iterations", ".x=1", "a.=1"])
def test_settings_of_another_form_are_refused(text):
    with pytest.raises(InputError, match=r"PLUGIN\.OPTION=VALUE"):
        options.parse_settings([text])


def test_a_setting_given_twice_is_refused():
    with pytest.raises(InputError, match="twice"):
        options.parse_settings(["a.x=1", "a.x=2"])


def test_options_of_a_plugin_are_found_by_either_name():
    settings = {"mine": {"a": "1", "b": "1"}, "acme/mine": {"b": "2"}}
    assert options.options_of(settings, "loss", "acme/mine") == {"a": "1", "b": "2"}
    assert options.options_of(settings, "loss", "other") == {}


def test_options_may_name_the_kind_too():
    settings = {"mine": {"a": "1", "b": "1"}, "loss:mine": {"b": "2"}, "model:x/mine": {"b": "3"}}
    assert options.options_of(settings, "loss", "x/mine") == {"a": "1", "b": "2"}
    assert options.options_of(settings, "model", "x/mine") == {"a": "1", "b": "3"}
    assert options.options_of(settings, "backend", "mine") == {"a": "1", "b": "1"}


def test_settings_for_plugins_that_are_not_used_are_refused():
    used = {"newton": {}, "backend:newton": {}, "backend:acme/newton": {}}
    options.reject_unused(used, ["music", "acme/newton"])
    for name in ("newtn", ":newton", "bakend:newton", "other/newton"):
        with pytest.raises(InputError, match=name):
            options.reject_unused({name: {}}, ["music", "acme/newton"])


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (options.FloatList(), "0,5.5, -1e1", (0.0, 5.5, -10.0)),
        (options.FloatList(), (1.0,), (1.0,)),
        (options.IntList(), "1,2", (1, 2)),
        (options.IntList(least=1), "1", (1,)),
    ],
)
def test_lists_of_numbers(kind, text, value):
    assert kind.convert(text, None, None) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (options.FloatList(), "nan"),
        (options.FloatList(), "0,inf"),
        (options.FloatList(), "0,,1"),
        (options.FloatList(), ""),
        (options.IntList(), "1.5"),
        (options.IntList(), "one"),
        (options.IntList(least=1), "1,0"),
    ],
)
def test_lists_that_are_refused(kind, text):
    with pytest.raises(click.BadParameter):
        kind.convert(text, None, None)


def test_a_chain_of_plugins_is_split_and_checked():
    chain = options.PluginChain("backend")
    with click.Context(group):
        assert chain.convert("music, newton", None, None) == ("music", "newton")
        with pytest.raises(UnknownNameError, match="empty"):
            chain.convert("music,", None, None)
        with pytest.raises(UnknownNameError, match="musik"):
            chain.convert("musik", None, None)
        with pytest.raises(UnknownNameError, match="music"):
            options.PluginName("loss").convert("music", None, None)


@pytest.mark.parametrize(
    ("kind", "incomplete", "completed"),
    [
        (options.PluginName("steering"), "sph", ["spherical"]),
        (options.PluginChain("backend"), "music,new", ["music,newton"]),
    ],
)
def test_the_shell_completes_names(kind, incomplete, completed, monkeypatch):
    monkeypatch.setenv("RISDOA_PLUGINS_ALLOW", "")
    context = click.Context(group)
    items = kind.shell_complete(context, click.Option(["--name"]), incomplete)
    assert [item.value for item in items] == completed


def test_json_is_strict(capsys):
    output.echo_json({"azimuth": 1.5, "name": "α"})
    assert capsys.readouterr().out == '{\n  "azimuth": 1.5,\n  "name": "α"\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        output.echo_json({"azimuth": float("nan")})


def test_a_table_fits_80_columns_whatever_it_holds(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    output.echo_table(["name", "value"], [["[red]x" * 40, 1.5], ["b", None]])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "[red]x" in lines[2]
    assert lines[2].rstrip().endswith("1.5")
