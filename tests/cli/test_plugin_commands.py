"""Commands of other distributions: listed by their metadata, imported when they are run."""

from __future__ import annotations

import json
import sys

import click
import pytest

from risdoa.cli.app import COMMANDS, group

GREET = """
    import click

    print("imported")

    @click.command()
    @click.option("--json", is_flag=True)
    def greet(json):
        \"\"\"Say hello.\"\"\"
        click.echo("hello")

    other = 3

    @click.command()
    def fail():
        raise RuntimeError("no licence")
"""


@pytest.fixture
def command(install):
    """Install a distribution with commands, as name = attribute of its module."""

    def write(distribution="acme-tools", source=GREET, **commands):
        module = distribution.replace("-", "_")
        lines = [f"{name.replace('_', '-')} = {value}" for name, value in commands.items()]
        points = "\n".join(["[risdoa.commands]", *lines]).replace("MODULE", module)
        return install(distribution, source, entry_points=points + "\n")

    return write


def its_rows(cli, distribution="acme-tools"):
    listed = json.loads(cli("plugins", "list", "--json").out)["plugins"]
    return [each for each in listed if each["distribution"] == distribution]


def test_a_command_runs(command, cli):
    command(greet="MODULE:greet")
    outcome = cli("greet")
    assert (outcome.code, outcome.out) == (0, "hello\n")
    assert outcome.err == "imported\n"
    assert "Say hello." in cli("greet", "--help").out


def test_the_help_names_it_without_importing_it(command, cli):
    module = command(greet="MODULE:greet")
    page = cli("--help").out
    heading = page.index("Plugin commands:\n")
    assert page.index("  demo ") < heading < page.index("  greet  From acme-tools.")
    assert module not in sys.modules


def test_help_without_plugin_commands_has_no_heading(cli, monkeypatch):
    monkeypatch.setenv("RISDOA_PLUGINS_ALLOW", "")
    assert "Plugin commands" not in cli("--help").out


def test_it_is_listed_without_being_imported(command, cli):
    module = command(greet="MODULE:greet")
    [row] = its_rows(cli)
    assert (row["kind"], row["name"], row["status"]) == ("command", "greet", "active")
    assert (row["error"], row["seconds"], row["notes"]) == (None, None, [])
    assert module not in sys.modules
    assert {row["kind"] for row in its_rows(cli)} == {"command"}


@pytest.mark.parametrize("arguments", [[*pair] for name in COMMANDS for pair in [(name, "--help")]])
def test_a_built_in_command_and_its_help_look_nothing_up(arguments, command, cli, monkeypatch):
    command(greet="MODULE:greet")
    monkeypatch.setattr("risdoa.registry.Registry.commands", pytest.fail)
    monkeypatch.setattr("risdoa.registry.Registry.command", pytest.fail)
    assert cli(*arguments).code == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_a_built_in_command_cannot_be_replaced(name, command, cli):
    module = command(**{name: "MODULE:greet"})
    [row] = its_rows(cli)
    assert (row["name"], row["status"]) == (name, "broken")
    assert row["error"].startswith(f"{name!r} is a built-in command and cannot be replaced")
    assert "hello" not in cli(name, "--help").out
    assert cli(f"acme-tools/{name}").code == 4
    assert module not in sys.modules


def test_two_distributions_with_one_command_are_told_apart(command, cli):
    command("acme-tools", greet="MODULE:greet")
    command("bolt-tools", GREET.replace("hello", "good day"), greet="MODULE:greet")
    outcome = cli("greet")
    assert outcome.code == 2
    assert outcome.err.endswith("hint: use acme-tools/greet or bolt-tools/greet\n")
    assert cli("bolt-tools/greet").out == "good day\n"
    assert "  acme-tools/greet  From acme-tools." in cli("--help").out
    assert {row["status"] for row in its_rows(cli)} == {"active"}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import no_such_module", "No module named 'no_such_module'"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("print('{')", "has no attribute 'greet'"),
        ("def greet(): pass", "is a function, not a click command"),
    ],
)
def test_a_command_that_cannot_be_imported_is_code_4(source, words, command, cli):
    command(source=source, greet="MODULE:greet")
    outcome = cli("greet")
    assert (outcome.code, outcome.out) == (4, "")
    error, hint = outcome.err.splitlines()[-2:]
    assert words in error
    assert hint == "hint: repair the plugin or remove it"


def test_a_command_that_fails_is_two_lines(command, cli):
    command(fail="MODULE:fail")
    outcome = cli("fail")
    assert outcome.code == 1
    assert "error: unexpected RuntimeError: no licence" in outcome.err


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("Greet", "MODULE:greet", "words-like-this"),
        ("greet", "MODULE", "'module:command', not 'acme_tools'"),
    ],
)
def test_an_entry_point_that_is_no_command(name, value, words, command, cli):
    command(**{name: value})
    [row] = its_rows(cli)
    assert (row["status"], row["name"]) == ("broken", name)
    assert words in row["error"]
    assert name not in cli("--help").out.split()


@pytest.mark.parametrize(
    "switch", [{"RISDOA_PLUGINS_ALLOW": ""}, {"RISDOA_PLUGINS_BLOCK": "Acme_Tools"}]
)
def test_a_command_can_be_blocked(switch, command, cli, monkeypatch):
    module = command(greet="MODULE:greet")
    for name, value in switch.items():
        monkeypatch.setenv(name, value)
    assert "greet" not in cli("--help").out
    outcome = cli("greet")
    assert outcome.code == 4
    assert f"command 'greet' is blocked: {'not ' if 'ALLOW' in name else ''}named" in outcome.err
    assert {row["status"] for row in its_rows(cli)} == {"blocked"}
    assert module not in sys.modules


def test_a_broken_command_counts_where_plugins_must_not_be_broken(command, cli, monkeypatch):
    command(train="MODULE:greet")
    monkeypatch.setenv("RISDOA_PLUGINS_STRICT", "1")
    assert cli("plugins", "list").code == 4


def test_a_misspelt_command_finds_it(command, cli):
    command(greet="MODULE:greet")
    assert cli("grete").err.endswith("hint: did you mean 'greet'?\n")


def test_importing_it_is_traced(command, cli, monkeypatch):
    command(greet="MODULE:greet")
    monkeypatch.setenv("RISDOA_PLUGINS_TRACE", "1")
    lines = cli("greet").err.splitlines()
    traced = [line for line in lines if line.startswith("risdoa: loaded acme-tools 1.0")]
    assert len(traced) == 1
    assert "(acme_tools:greet)" in traced[0]


def test_the_shell_completes_it_without_importing_it(command):
    module = command(greet="MODULE:greet")
    with click.Context(group) as context:
        names = [item.value for item in group.shell_complete(context, "")]
    assert [*COMMANDS, "greet"] == [name for name in names if not name.startswith("-")]
    assert module not in sys.modules
