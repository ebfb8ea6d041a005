"""``risdoa plugins list``, ``check`` and ``new``."""

from __future__ import annotations

import json

import click
import pytest

from risdoa.cli.app import group
from risdoa.cli.plugins.checking import PluginReference
from risdoa.registry import KINDS

TWICE = """
    import risdoa
    from risdoa.steering.spherical import Spherical

    class Twice(Spherical):
        def __init__(self, factor: float = 2.0) -> None:
            print("made")
            self.factor = factor

        def __call__(self, array, positions):
            return super().__call__(array, positions) * self.factor

    @risdoa.hookimpl
    def risdoa_steering():
        yield risdoa.Plugin("twice", f"{__name__}:Twice", "Twice the spherical wave.")
"""


@pytest.fixture(autouse=True)
def _only_builtins(monkeypatch):
    monkeypatch.setenv("RISDOA_PLUGINS_ALLOW", "acme-steering")


@pytest.fixture
def twice(install):
    """Install a steering model that is not of unit norm, unless its factor is set to 1."""
    install("acme-steering", TWICE)


def test_the_json_has_exactly_the_documented_keys(cli):
    listed = json.loads(cli("plugins", "list", "--json").out)
    assert list(listed) == ["schema", "plugins"]
    assert listed["schema"] == "risdoa.plugins/2"
    keys = ["kind", "name", "distribution", "version", "status", "error", "seconds", "notes"]
    assert all(list(each) == keys for each in listed["plugins"])
    active = [each for each in listed["plugins"] if each["status"] == "active"]
    assert {each["distribution"] for each in active} == {"risdoa"}
    assert {each["error"] for each in active} == {None}
    assert {each["kind"] for each in active} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_list_of_one_kind(kind, cli):
    listed = json.loads(cli("plugins", "list", "--json", "--kind", kind).out)["plugins"]
    assert {each["kind"] for each in listed if each["status"] == "active"} == {kind}


def test_the_table_names_every_builtin_within_80_columns(cli):
    lines = cli("plugins", "list").out.splitlines()
    assert lines[0].split() == ["kind", "name", "distribution", "version", "status"]
    assert any(line.split() == ["loss", "nmse", "risdoa", "0.1.0", "active"] for line in lines)
    table = [line for line in lines if " is blocked: " not in line]
    assert max(map(len, table)) <= 80


# check


def test_a_plugin_that_keeps_its_contract(cli):
    outcome = cli("plugins", "check", "steering:plane-wave")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0].split() == ["check", "status", "seconds"]
    passed = [line for line in lines[2:-1] if line.split()[1] == "passed"]
    assert lines[-1].startswith(f"{len(passed)} of {len(lines) - 3} checks passed")
    assert len(passed) == len(lines) - 3


def test_a_plugin_that_does_not(twice, cli):
    outcome = cli("plugins", "check", "steering:twice")
    assert outcome.code == 3
    lines = outcome.out.splitlines()
    assert ["unit-norm", "failed"] in [line.split()[:2] for line in lines]
    [start] = [number for number, line in enumerate(lines) if line.startswith("unit-norm: ")]
    labels = [line.split()[0] for line in lines[start + 1 : start + 4]]
    assert labels == ["expected:", "came:", "input:"]
    error, hint = outcome.err.splitlines()[-2:]
    assert error.startswith("error: steering acme-steering/twice fails ")
    assert hint.startswith("hint: ")


def test_options_are_checked_too(twice, cli):
    outcome = cli("plugins", "check", "steering:twice", "--set", "twice.factor=1")
    assert outcome.code == 0, outcome.out


@pytest.mark.parametrize(("option", "code"), [((), 3), (("--set", "twice.factor=1"), 0)])
def test_the_json_of_a_check(option, code, twice, cli):
    outcome = cli("plugins", "check", "steering:acme-steering/twice", "--json", *option)
    document = json.loads(outcome.out)
    assert outcome.code == code
    assert "made" in outcome.err
    assert list(document) == ["schema", "kind", "name", "version", "passed", "failed", "checks"]
    assert document["schema"] == "risdoa.check/1"
    assert (document["kind"], document["name"]) == ("steering", "acme-steering/twice")
    keys = ["check", "status", "summary", "seconds", "expected", "came", "case"]
    assert all(list(each) == keys for each in document["checks"])
    failed = [each for each in document["checks"] if each["status"] == "failed"]
    assert document["failed"] == len(failed)
    assert document["passed"] + len(failed) == len(document["checks"]) > 10
    assert bool(failed) == (code == 3)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["steering"], 2, "is not KIND:NAME"),
        (["steering:"], 2, "is not KIND:NAME"),
        (["steerin:twice"], 2, "no kind of plugin"),
        (["steering:twise"], 2, "did you mean 'twice'?"),
        (["steering:twice", "--set", "twice.facto=1"], 2, "did you mean 'factor'?"),
        (["steering:twice", "--set", "twice.factor=x"], 2, "twice.factor: "),
        (["steering:twice", "--set", "once.factor=1"], 2, "does not use 'once'"),
    ],
)
def test_what_cannot_be_checked(arguments, code, words, twice, cli):
    outcome = cli("plugins", "check", *arguments)
    assert (outcome.code, outcome.out) == (code, "")
    assert words in outcome.err


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import no_such_module", "No module named"),
        (TWICE.replace('f"{__name__}:Twice"', '"no_such_module:Twice"'), "is broken"),
        (TWICE.replace("self.factor = factor", "raise RuntimeError('no licence')"), "no licence"),
    ],
    ids=["import", "record", "constructor"],
)
def test_a_plugin_that_cannot_be_loaded_is_code_4(source, words, install, cli):
    install("acme-steering", source)
    outcome = cli("plugins", "check", "steering:acme-steering/twice")
    assert (outcome.code, outcome.out) == (4, "")
    assert words in outcome.err


@pytest.mark.parametrize(
    ("incomplete", "completed"),
    [
        ("st", ["steering:"]),
        ("steering:sph", ["steering:spherical"]),
        ("", [f"{kind}:" for kind in KINDS]),
        ("nothing:x", []),
    ],
)
def test_the_shell_completes_kinds_and_names(incomplete, completed):
    context = click.Context(group)
    items = PluginReference().shell_complete(context, click.Argument(["plugin"]), incomplete)
    assert [item.value for item in items] == completed


# new


def test_a_new_distribution_is_written_and_told_on_stderr(cli, tmp_path):
    outcome = cli("plugins", "new", "try-out", "--kind", "loss", "--out", tmp_path / "work")
    assert (outcome.code, outcome.out) == (0, "")
    folder = tmp_path / "work" / "try-out"
    assert (folder / "pyproject.toml").exists()
    assert f"wrote {folder / 'pyproject.toml'}" in outcome.err
    assert outcome.err.endswith("then: risdoa plugins check loss:try-out\n")


def test_a_new_distribution_replaces_nothing(cli, tmp_path):
    arguments = ["plugins", "new", "try-out", "--kind", "loss", "--out", tmp_path]
    assert cli(*arguments).code == 0
    outcome = cli(*arguments)
    assert outcome.code == 2
    assert "exists already" in outcome.err
