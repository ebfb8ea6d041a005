"""Plugins broken in every way we could think of: each is a row, none is a crash."""

from __future__ import annotations

import json
import signal
import sys
from textwrap import dedent

import pytest

HOOK = """
    import risdoa

    @risdoa.hookimpl
    def risdoa_losses():
        {body}
"""

IMPORTS = {
    "syntax": ("def broken(:", "SyntaxError"),
    "missing module": ("import no_such_module_anywhere", "ModuleNotFoundError"),
    "runtime error": ("raise RuntimeError('no licence')", "no licence"),
    "system exit": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "base exception": ("raise BaseException('odd')", "odd"),
    "an interrupt that is none": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "generator exit": ("raise GeneratorExit", "GeneratorExit"),
    "endless recursion": ("def f(): f()\nf()", "RecursionError"),
    "several lines": ("raise ValueError('one\\ntwo')", "one two"),
    "no hook": ("x = 1", "no hook found"),
    "silent error": (
        "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd",
        "str() failed",
    ),
    "unmarked": ("def risdoa_losses():\n    return []", "not marked with risdoa.hookimpl"),
}

HOOKS = {
    "raises": ("raise RuntimeError('in the hook')", "in the hook"),
    "exits": ("raise SystemExit(1)", "SystemExit"),
    "a number": ("return 3", "not iterable"),
    "None": ("return None", "risdoa_losses returned None; it must yield records"),
    "nothing at all": ("return []", "no record found: its hooks yield none"),
    "a string": ("return 'mine'", "returned one str"),
    "a dict": ("return {'mine': 'b:C'}", "returned one dict"),
    "one record": (
        "return risdoa.Plugin('a', 'builtins:dict', 'd')",
        "returned one Plugin; it must yield records",
    ),
    "raises later": (
        "yield risdoa.Plugin('a', 'builtins:dict', 'd'); raise OSError('late')",
        "late",
    ),
    "endless": (
        "while True: yield risdoa.Plugin('a', 'builtins:dict', 'd')",
        "more than 1000 records",
    ),
    "newer record": ("yield risdoa.Plugin('a', 'builtins:dict', 'd', colour='red')", "colour"),
}

RECORDS = {
    "a dict": ("{'name': 'a'}", None, "not dict"),
    "None": ("None", None, "not NoneType"),
    "capitals": ("risdoa.Plugin('My_Loss', 'builtins:dict', 'd')", "My_Loss", "Plugin.name"),
    "no name": ("risdoa.Plugin(None, 'builtins:dict', 'd')", "None", "Plugin.name"),
    "a class": ("risdoa.Plugin('a', dict, 'd')", "a", "Plugin.factory"),
    "no colon": ("risdoa.Plugin('a', 'b.C', 'd')", "a", "Plugin.factory"),
    "traits": (
        "risdoa.Plugin('a', 'builtins:dict', 'd', traits='separable')",
        "a",
        "Plugin.traits",
    ),
    "trait": ("risdoa.Plugin('a', 'builtins:dict', 'd', traits=[1])", "a", "Plugin.traits"),
    "summary": ("risdoa.Plugin('a', 'builtins:dict', None)", "a", "Plugin.summary"),
    "api": ("risdoa.Plugin('a', 'builtins:dict', 'd', api='1')", "a", "Plugin.api"),
    "no module": ("risdoa.Plugin('a', 'no_such_module:C', 'd')", "a", "no module 'no_such_module'"),
    "no class": ("risdoa.Plugin('a', 'acme_losses:C', 'd')", "a", "'acme_losses' has no 'C'"),
    "no callable": ("risdoa.Plugin('a', 'acme_losses:__name__', 'd')", "a", "cannot be called"),
    "no submodule": ("risdoa.Plugin('a', 'acme_losses.b:C', 'd')", "a", "acme_losses.b"),
    "options": (
        "risdoa.Plugin('a', 'builtins:dict', 'd', options='builtins:dict')",
        "a",
        "'dict' is no pydantic model",
    ),
    "space": ("risdoa.Plugin('a', 'builtins:dict', 'd', space='os:sep')", "a", "cannot be called"),
    "an evil name": ("risdoa.Plugin(Evil(), 'builtins:dict', 'd')", None, "Evil"),
    "future": ("risdoa.Plugin('a', 'builtins:dict', 'd', api=99)", "a", "upgrade risdoa"),
}


def _others(registry):
    return [row for row in registry.rows() if row.distribution == "acme-losses"]


@pytest.mark.parametrize(("source", "error"), IMPORTS.values(), ids=IMPORTS)
def test_a_module_that_cannot_be_loaded_is_a_row(source, error, install, discover):
    install("acme-losses", source)
    (row,) = _others(discover())
    assert (row.kind, row.name, row.version, row.status) == (None, None, "1.0", "broken")
    assert error in row.error
    assert "\n" not in row.error


@pytest.mark.parametrize(("body", "error"), HOOKS.values(), ids=HOOKS)
def test_a_hook_that_fails_is_a_row(body, error, install, discover):
    install("acme-losses", HOOK.replace("{body}", body))
    (row,) = _others(discover())
    assert (row.kind, row.name, row.status) == (None, None, "broken")
    assert error in row.error


@pytest.mark.parametrize(("record", "name", "error"), RECORDS.values(), ids=RECORDS)
def test_a_wrong_record_is_a_row_beside_the_right_ones(record, name, error, install, discover):
    good = "risdoa.Plugin('good', 'builtins:dict', 'd')"
    evil = "class Evil:\n    def __str__(self): raise ValueError\n"
    install("acme-losses", evil + dedent(HOOK).replace("{body}", f"return [{record}, {good}]"))
    active, broken = sorted(_others(discover()), key=lambda row: row.status)
    assert (active.name, active.status) == ("good", "active")
    assert (broken.kind, broken.name, broken.status) == ("loss", name, "broken")
    assert error in broken.error


def test_an_old_interface_is_old(install, discover):
    install(
        "acme-losses",
        HOOK.replace("{body}", "yield risdoa.Plugin('a', 'builtins:dict', 'd', api=0)"),
    )
    (row,) = _others(discover())
    assert (row.name, row.status) == ("a", "old-api")


def test_a_record_yielded_twice_counts_once(install, discover):
    one = "risdoa.Plugin('a', 'builtins:dict', 'd')"
    install("acme-losses", HOOK.replace("{body}", f"return [{one}, {one}]"))
    assert sorted(row.status for row in _others(discover())) == ["active", "broken"]


def test_a_misspelt_hook_is_found_with_a_suggestion(install, discover):
    install("acme-losses", HOOK.replace("risdoa_losses", "risdoa_losss").replace("{body}", "pass"))
    (row,) = _others(discover())
    assert row.error == "unknown hook 'risdoa_losss'; did you mean 'risdoa_losses'?"


def test_a_hook_with_arguments_of_its_own_is_explained(install, discover):
    source = HOOK.replace("risdoa_losses()", "risdoa_losses(config)").replace("{body}", "return []")
    install("acme-losses", source)
    (row,) = _others(discover())
    assert "config" in row.error


@pytest.mark.parametrize(
    "points",
    ["[risdoa]\nno equals sign\n", "[risdoa]\nplugin = not a module\n", "[risdoa]\n= \n"],
)
def test_damaged_entry_points_are_a_row(points, install, discover):
    install("acme-losses", entry_points=points)
    rows = [row for row in discover().rows() if row.distribution in {"acme-losses", "acme_losses"}]
    assert [row.status for row in rows] == ["broken"]


def test_a_distribution_without_metadata_is_named_after_its_folder(install, discover, site):
    install("acme-losses")
    (site / "acme_losses-1.0.dist-info" / "METADATA").unlink()
    (row,) = [row for row in discover().rows() if row.distribution == "acme_losses"]
    assert (row.name, row.version, row.status) == ("mine", None, "active")


def test_what_a_plugin_prints_goes_to_stderr(install, discover, capfd):
    source = "import os\nprint('by print')\nos.write(1, b'by descriptor')\nraise SystemExit"
    install("acme-losses", source)
    discover().rows()
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "by print" in captured.err
    assert "by descriptor" in captured.err


@pytest.fixture
def interruptible():
    """Hear interrupts, in a job in the background too, which a shell makes deaf to them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_during_an_import_is_the_users(install, discover):
    install("acme-losses", "import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    with pytest.raises(KeyboardInterrupt):
        discover().rows()


def test_a_handler_that_a_plugin_sets_is_taken_away(install, discover):
    before = signal.getsignal(signal.SIGINT)
    install("acme-losses", "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)")
    assert len(_others(discover())) == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_a_broken_plugin_does_not_corrupt_the_list(install, cli):
    install("acme-losses", "print('{')\nraise RuntimeError('no licence')")
    install("bolt-losses")
    outcome = cli("plugins", "list", "--json")
    listed = json.loads(outcome.out)
    assert outcome.code == 0
    assert listed["schema"] == "risdoa.plugins/2"
    (broken,) = [each for each in listed["plugins"] if each["distribution"] == "acme-losses"]
    assert broken.pop("seconds") > 0
    assert broken == {
        "kind": None,
        "name": None,
        "distribution": "acme-losses",
        "version": "1.0",
        "status": "broken",
        "error": "RuntimeError: no licence",
        "notes": [],
    }
    (active,) = [each for each in listed["plugins"] if each["distribution"] == "bolt-losses"]
    assert (active["name"], active["status"], active["error"]) == ("mine", "active", None)


def test_a_plugin_may_import_without_being_asked_for(install, discover):
    module = install("acme-losses", "raise RuntimeError")
    discover().find("steering", "spherical")
    assert module not in sys.modules
