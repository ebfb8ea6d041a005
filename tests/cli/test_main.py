"""The frame of the command line: help, errors as two lines, exit codes, what it imports."""

from __future__ import annotations

import re
import subprocess
import sys

import click
import numpy as np
import pytest
import torch

import risdoa
from risdoa.cli import app
from risdoa.errors import CheckFailedError, InputError, PluginLoadError, RisdoaError

HEAVY = ["torch", "numpy", "scipy", "matplotlib", "pydantic"]

PROBE = f"""
import sys
from risdoa.cli import main
try:
    code = main(sys.argv[1:])
finally:
    loaded = [name for name in {HEAVY!r} if name in sys.modules]
    sys.stderr.write("loaded: " + " ".join(loaded))
sys.exit(code)
"""


@pytest.fixture
def failing(monkeypatch):
    """Make ``risdoa fail`` raise an error."""

    def install(error):
        @click.command()
        def command():
            raise error

        monkeypatch.setitem(app.group.commands, "fail", command)

    return install


def test_the_version_is_that_of_the_package(cli):
    assert cli("--version").out == f"risdoa {risdoa.__version__}\n"


@pytest.mark.parametrize("arguments", ["", "-c 'import risdoa'"])
def test_a_bare_import_is_light(python, arguments):
    code = f"import sys, risdoa; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert python("-c", code).out == "[]\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["plugins", "list"],
        ["plugins", "list", "--help"],
        ["plugins", "list", "--json"],
        ["plugins", "check", "--help"],
        ["plugins", "new", "--help"],
        *([name, "--help"] for name in app.COMMANDS),
    ],
    ids=" ".join,
)
def test_help_and_list_import_nothing_heavy(arguments, python):
    outcome = python("-c", PROBE, *arguments, RISDOA_PLUGINS_ALLOW="")
    assert outcome.code == 0, outcome.err
    assert outcome.err == "loaded: "


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_help_page_fits_and_ends_with_examples(name, cli):
    outcome = cli(name, "--help")
    assert outcome.code == 0
    page, found, examples = outcome.out.partition("Examples:\n")
    assert max(map(len, page.splitlines())) <= 80
    assert found
    assert all(line.strip().startswith("risdoa ") for line in examples.splitlines() if line)


def test_python_m_risdoa_is_the_same_command(python):
    outcome = python("-m", "risdoa", "--version")
    assert (outcome.code, outcome.out) == (0, f"risdoa {risdoa.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["plugns"], "risdoa has no command 'plugns'", "did you mean 'plugins'?"),
        (["plugins", "lst"], "risdoa plugins has no command 'lst'", "did you mean 'list'?"),
        (["plugins", "list", "--jsn"], "no such option: --jsn", "did you mean --json?"),
        (["--nope"], "no such option: --nope", "see `risdoa --help`"),
        (
            ["plugins", "list", "more"],
            "got unexpected extra argument (more)",
            "see `risdoa plugins list --help`",
        ),
    ],
)
def test_wrong_usage_is_two_lines_and_code_2(arguments, message, hint, cli):
    outcome = cli(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"error: {message}\nhint: {hint}\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RisdoaError("it failed", "try again"), 1),
        (InputError("wrong input", "correct it"), 2),
        (CheckFailedError("above the threshold", "see the table"), 3),
        (PluginLoadError("broken plugin", "repair it"), 4),
    ],
)
def test_an_error_is_two_lines_and_its_exit_code(error, code, failing, cli):
    failing(error)
    outcome = cli("fail")
    assert outcome.code == code
    assert outcome.err == f"error: {error.message}\nhint: {error.hint}\n"


def test_an_unexpected_error_is_two_lines_without_a_traceback(failing, cli):
    failing(ZeroDivisionError("by\nzero"))
    outcome = cli("fail")
    assert outcome.code == 1
    assert re.fullmatch(
        r"error: unexpected ZeroDivisionError: by zero\nhint: .*--debug.*\n", outcome.err
    )


@pytest.mark.parametrize("allocate", [torch.empty, np.empty], ids=["torch", "numpy"])
def test_too_little_memory_is_said(allocate, failing, cli):
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        allocate(2**50)
    failing(caught.value)
    outcome = cli("fail")
    assert outcome.code == 1
    assert re.fullmatch(
        r"error: not enough memory: .+\nhint: ask for fewer scenes.*\n", outcome.err
    )


def test_a_missing_file_is_named(failing, cli):
    failing(FileNotFoundError(2, "No such file or directory", "scene.npz"))
    outcome = cli("fail")
    assert outcome.code == 1
    assert outcome.err.startswith("error: scene.npz: No such file or directory\nhint: ")


@pytest.mark.parametrize("arguments", [["--debug", "fail"], ["fail", "--debug"]])
def test_debug_shows_the_traceback_wherever_it_stands(arguments, failing, cli):
    failing(InputError("wrong input", "correct it"))
    outcome = cli(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("Traceback")
    assert outcome.err.endswith("error: wrong input\nhint: correct it\n")


def test_an_interrupt_is_code_130(failing, cli):
    failing(KeyboardInterrupt())
    outcome = cli("fail")
    assert outcome.code == 130
    assert "Traceback" not in outcome.err


def test_no_arguments_show_the_help_as_wrong_usage(cli):
    outcome = cli()
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("Usage: risdoa")


def test_a_closed_pipe_is_quiet():
    command = [sys.executable, "-m", "risdoa", "plugins", "list", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
