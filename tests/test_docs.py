"""The documentation is current: its code runs, its commands exist, its links lead somewhere."""

from __future__ import annotations

import contextlib
import inspect
import json
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import get_args

import click
import pytest

import risdoa
from risdoa import errors
from risdoa.cli.app import group
from risdoa.cli.reporting import INTERRUPTED
from risdoa.recordings import sample_path
from risdoa.registry import KINDS
from risdoa.registry.hookspecs import HOOKS
from risdoa.registry.records import API, Status
from risdoa.testing.checks import HOMES, checks_of

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted(ROOT.glob("plugins/*/README.md")),
    *sorted(DOCS.rglob("*.md")),
]
SWITCHES = [f"RISDOA_PLUGINS_{name}" for name in ("ALLOW", "BLOCK", "STRICT", "TRACE")]

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def text_of(page):
    return page.read_text("utf-8")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)


def section(page, heading):
    """Return what stands under a heading, up to the next one of its level or above."""
    level = heading.split(" ")[0]
    found = re.search(
        rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)",
        text_of(page),
        re.MULTILINE | re.DOTALL,
    )
    assert found, f"{page.name} has no section {heading!r}"
    return found[1]


def anchors(page):
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


# Code


PYTHON = [page for page in PAGES if blocks(page, "python") and page.name != "plugins.md"]


@pytest.mark.parametrize("page", PYTHON, ids=lambda page: page.name)
def test_python_runs_as_it_stands(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RISDOA_PLUGINS_ALLOW", "")
    namespace = {"__name__": "documentation"}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), namespace)
    if page == ROOT / "README.md":
        check_readme(tmp_path, capsys.readouterr().out)


def check_readme(folder, printed):
    """The README shows what its example prints, and the example draws a picture."""
    assert (folder / "directions.png").stat().st_size > 0
    rows = [
        line.split() for block in blocks(ROOT / "README.md", "text") for line in block.split("\n")
    ]
    numbers = [row for row in rows if row[:2] == ["0", "0"]]
    assert len(numbers) == 1
    assert numbers[0] in [line.split() for line in printed.splitlines()]


def test_the_readme_example_has_ten_lines():
    [block] = blocks(ROOT / "README.md", "python")
    assert len([line for line in block.splitlines() if line.strip()]) == 10


@every_page
def test_json_is_json(page):
    for block in blocks(page, "json"):
        assert re.fullmatch(r"risdoa\.[a-z]+/\d+", json.loads(block)["schema"])


# Commands


def commands(page):
    """Yield every ``risdoa …`` of a page: in blocks of code and in spans, with its words."""
    text = re.sub(r"\\\n", " ", text_of(page))
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4,}(.*)$", prose, re.MULTILINE)
    lines = [line.strip() for block in fenced for line in block.splitlines()] + indented
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    for line in [*lines, *spans]:
        words = re.sub(r"^(\$ )?(\.venv/bin/)?(python -m )?(?=risdoa )", "", line)
        if re.match(r"risdoa ([a-z-]|--)", words) and "…" not in words:
            yield words


def parse(text):
    """Return the command that a line means, its context and the words behind it."""
    plain = re.sub(r"\$\(.*?\)", "FILE", text.split(" #")[0].split(" | ")[0])
    words = shlex.split(re.sub(r"[\[\]]", "", plain))[1:]
    command, context = group, click.Context(group, info_name="risdoa")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name!r}: {text}"
        command, context = found, click.Context(found, parent=context, info_name=name)
    return command, context.parent, words


def known_options(command):
    names = {"-h", "--help", "--debug"}
    for parameter in command.params:
        names |= {*parameter.opts, *parameter.secondary_opts}
    return names


OTHERS = {"power-share"}
"""The plugins that the pages show how to write; they have tests of their own."""

PLACES = {"NAME", "K", "N", "COMMAND", "AXIS", "KIND", "OPTIONS"}
"""Words that stand for a value in a synopsis."""

LINES = sorted({line for page in PAGES for line in commands(page)})


@pytest.mark.parametrize("line", LINES)
def test_a_command_exists_with_its_options(line, monkeypatch):
    monkeypatch.setenv("RISDOA_PLUGINS_ALLOW", "")
    command, parent, words = parse(line)
    used = {word.split("=")[0] for word in words if word.startswith("-")}
    assert used <= known_options(command), f"unknown option in: {line}"
    whole = words and not {*words} & {*PLACES, "--help", "--version", "--debug"}
    if whole and not isinstance(command, click.Group):
        absent = [errors.UnknownNameError] if any(name in line for name in OTHERS) else []
        # Prose may leave out what is required, and the plugins of the pages are not installed.
        with contextlib.suppress(click.MissingParameter, *absent):
            command.make_context(command.name, words, parent=parent)


def test_every_option_in_the_text_is_one_of_some_command():
    every = {"--version"}.union(*(known_options(command) for _, command in leaves()))
    for page in (ROOT / "README.md", *DOCS.rglob("*.md")):
        spans = re.findall(r"`(--[^`]+)`", text_of(page))
        assert {word for span in spans for word in re.findall(r"--[a-z-]+", span)} <= every


def test_every_setting_is_an_option_of_its_plugin():
    registry = risdoa.Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
    kinds = {name: kind for kind in KINDS for name in registry.names(kind)}
    pages = " ".join(" ".join(text_of(page).split()) for page in PAGES)
    settings = set(re.findall(r"--set (?:[a-z]+:)?([a-z-]+)\.([a-z_]+)=([^\s`)]+)", pages))
    assert len(settings) > 5
    for plugin, option, value in settings:
        if plugin not in OTHERS:
            assert option in registry.resolve(kinds[plugin], plugin, **{option: value})


def test_there_are_commands_to_check():
    assert len(LINES) > 25


@pytest.mark.slow
def test_the_tutorial_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path(sys.executable).parent
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    for block in blocks(DOCS / "tutorial.md", "sh"):
        finished = subprocess.run(
            ["bash", "-euc", block], capture_output=True, text=True, check=False
        )
        assert finished.returncode == 0, finished.stderr
    assert {"scenes.png", "directions.png"} <= {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / "results" / "error_k1.png").exists()


# The command line's page


def leaves(command=group, prefix="risdoa"):
    """Yield every command that does something, by its full name."""
    context = click.Context(command, info_name="risdoa")
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        if isinstance(found, click.Group):
            yield from leaves(found, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", found


LEAVES = dict(leaves())


@pytest.mark.parametrize("name", LEAVES)
def test_the_page_has_every_option_of_a_command_and_no_other(name):
    part = section(DOCS / "cli.md", f"## {name}")
    table = [line for line in part.splitlines() if line.startswith("| `--")]
    documented = {
        option for line in table for option in re.findall(r"`(--[a-z-]+)`", line.split(" | ")[0])
    }
    parameters = [each for each in LEAVES[name].params if isinstance(each, click.Option)]
    expected = {option for each in parameters for option in (*each.opts, *each.secondary_opts)}
    assert documented == expected - {"-h", "--help"}


@pytest.mark.parametrize("name", LEAVES)
def test_the_page_has_the_default_of_every_option(name):
    part = section(DOCS / "cli.md", f"## {name}")
    for option in LEAVES[name].params:
        if isinstance(option, click.Option) and option.show_default is True and option.default:
            [row] = [line for line in part.splitlines() if line.startswith(f"| `{option.opts[0]}`")]
            assert str(option.default).strip("()") in row


def exit_codes():
    known = [each for each in vars(errors).values() if inspect.isclass(each)]
    return {0, INTERRUPTED, *(each.exit_code for each in known if hasattr(each, "exit_code"))}


def test_every_exit_code_is_documented():
    table = section(DOCS / "cli.md", "## Exit codes")
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == exit_codes()


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("name", ["cli.md", "plugins.md"])
def test_every_switch_is_documented(name, switch):
    source = (ROOT / "risdoa" / "registry" / "sources.py").read_text("utf-8")
    assert set(re.findall(r'"(RISDOA_PLUGINS_[A-Z]+)"', source)) == set(SWITCHES)
    assert f"| `{switch}` |" in text_of(DOCS / name)


def test_every_schema_is_documented():
    sources = "".join(text_of(path) for path in (ROOT / "risdoa").rglob("*.py"))
    known = set(re.findall(r'"(risdoa[.-][a-z-]+/\d+)"', sources))
    pages = "".join(text_of(path) for path in DOCS.glob("*.md"))
    assert {schema for schema in known if f"`{schema}`" not in pages} == set()


# Plugins


@pytest.mark.parametrize("kind", KINDS)
def test_every_hook_is_documented_with_its_signature(kind):
    page = text_of(DOCS / "plugins.md")
    assert f"| `{kind}` | `{HOOKS[kind]}() -> Iterable[Plugin]` |" in page


CALLS = {
    "steering": risdoa.Steering.__call__,
    "loss": risdoa.Loss.__call__,
    "model": risdoa.Model.__call__,
    "backend": risdoa.Backend.__call__,
    "scenario": risdoa.Scenario.sample,
    "reader": risdoa.Reader.__call__,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_contract_is_documented_with_its_signature(kind):
    [row] = [
        line for line in text_of(DOCS / "plugins.md").splitlines() if line.startswith(f"| `{kind}`")
    ]
    signature = inspect.signature(CALLS[kind])
    own = [each for each in signature.parameters.values() if each.name != "self"]
    documented = re.findall(r"(\w+): ([\w |\\]+?)[,)]", row)
    expected = [(each.name, each.annotation.removeprefix("torch.")) for each in own]
    assert [(name, kind.replace("\\", "")) for name, kind in documented] == expected
    assert f"-> {signature.return_annotation}`" in row


def test_every_field_of_a_record_is_documented_with_its_default():
    table = section(DOCS / "plugins.md", "## The record")
    for field in fields(risdoa.Plugin):
        default = "required" if field.default is MISSING else f"`{json.dumps(field.default)}`"
        default = {"`null`": "`None`", "`[]`": "`()`"}.get(default, default)
        assert f"| `{field.name}` | {default} |" in table


def test_every_trait_that_is_used_is_documented():
    table = section(DOCS / "plugins.md", "## Traits")
    documented = set(re.findall(r"^\| (\w+) \| `([a-z-]+)` \|", table, re.MULTILINE))
    registry = risdoa.Registry.discover({})
    plugins = [registry.find(kind, name) for kind in KINDS for name in registry.names(kind)]
    used = {
        (each.kind, trait)
        for each in plugins
        for trait in each.record.traits
        if each.distribution.startswith("risdoa") and not trait.startswith(".")
    }
    asked = {
        (kind, trait)
        for kind in HOMES
        for check in checks_of(kind)
        for trait in (*check.traits, *check.unless)
    }
    assert used | asked <= documented


def test_every_status_is_documented():
    table = section(DOCS / "plugins.md", "## When something is wrong")
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == {*get_args(Status)}


def test_the_number_of_the_plugin_interface_is_documented():
    text = " ".join(section(DOCS / "plugins.md", "## The plugin interface").split())
    assert f"It has a number, now {API}," in text


def test_the_documented_command_runs(tmp_path, monkeypatch, cli):
    [module] = blocks(DOCS / "plugins.md", "python")
    [text] = blocks(DOCS / "plugins.md", "toml")
    info = tmp_path / "my_tools-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-tools\nVersion: 0.1\n")
    points = tomllib.loads(text)["project"]["entry-points"]["risdoa.commands"]
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[risdoa.commands]", *lines, ""]))
    (tmp_path / "my_tools.py").write_text(module, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_tools", raising=False)
    [name] = points
    assert cli(name, sample_path()).out == "54\n"


# Links and files


@every_page
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text_of(page), flags=re.S))
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), f"{page.name}: {target}"
        assert place.is_relative_to(ROOT), f"{page.name} leads out of the project: {target}"
        assert not anchor or anchor in anchors(place), f"{page.name}: {target}"


def test_the_index_names_every_page():
    index = text_of(DOCS / "index.md")
    pages = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]
    assert [page for page in pages if page != "index.md" and f"({page})" not in index] == []


def test_every_layer_is_in_the_architecture():
    contracts = tomllib.loads(text_of(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"]
    names = re.findall(r"\w+", " ".join(contracts[0]["layers"]))
    code = {path.relative_to(ROOT / "risdoa").parts[0] for path in (ROOT / "risdoa").rglob("*.py")}
    present = [name for name in names if {name, f"{name}.py"} & code]
    table = section(DOCS / "architecture.md", "## Layers")
    missing = [name for name in present if not re.search(rf"`{name}(\.py|/)`", table)]
    assert [name for name in missing if name != "__main__"] == []


def test_every_picture_is_shown_and_small():
    shown = "".join(text_of(page) for page in PAGES)
    for picture in (DOCS / "images").iterdir():
        assert f"images/{picture.name})" in shown
        assert picture.stat().st_size < 200_000


def test_the_presets_are_documented_as_they_are():
    table = section(DOCS / "training.md", "## Presets")
    for path in (ROOT / "risdoa" / "training" / "presets").glob("*.toml"):
        preset = tomllib.loads(text_of(path))
        sizes = [preset[key] for key in ("epochs", "steps_per_epoch", "batch_size")]
        assert f"| `{path.stem}` | {' × '.join(map(str, sizes))} |" in table


@pytest.mark.parametrize("kind", KINDS)
def test_every_builtin_is_described(kind):
    page = {"scenario": "architecture", "loss": "training", "steering": "conventions"}
    page |= {"reader": "recordings"}
    text = text_of(DOCS / f"{page.get(kind, 'estimation')}.md") + text_of(DOCS / "training.md")
    names = risdoa.Registry.discover({"RISDOA_PLUGINS_ALLOW": ""}).names(kind)
    assert [name for name in names if f"`{name}`" not in text] == []
