"""The plugin tutorial leads from what the scaffold writes to the example."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import pytest

from risdoa.scaffold import write
from tests.scaffold.tutorial import blocks, contents, follow

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples" / "third_party_plugin"
NAME = "power-share"
MOST = 40


@pytest.fixture
def page():
    return (ROOT / "docs" / "plugin-tutorial.md").read_text("utf-8")


def test_the_page_makes_the_example_of_what_the_scaffold_writes(page, tmp_path):
    write(NAME, "loss", tmp_path)
    follow(page, tmp_path / NAME, lambda commands: None)
    assert contents(tmp_path / NAME) == contents(EXAMPLE)


def test_the_page_shows_every_file_that_matters_in_the_end(page):
    shown = [block.text for block in blocks(page)]
    files = contents(EXAMPLE)
    assert [name for name in files if files[name] not in shown] == [
        "README.md",
        "power_share/__init__.py",
    ]


def test_the_page_has_commands_for_everything(page):
    commands = " ".join(block.text for block in blocks(page) if block.language == "sh")
    for words in (
        "pip install -e .",
        "risdoa plugins list",
        "risdoa plugins check loss:power-share",
        "risdoa train --loss power-share --preset smoke --out run",
        "--method hybrid#run:music,newton,nf-mle",
        "--set power-share.weight=",
    ):
        assert words in commands


def code_lines(path):
    """Return how many lines of a file are neither empty nor comment nor docstring."""
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        return len([line for line in text.splitlines() if line.strip() and line[0] != "#"])
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    spans = [range(t.start[0], t.end[0] + 1) for t in tokens if t.type not in silent and t.string]
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    texts = [
        node.body[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, documented) and ast.get_docstring(node) is not None
    ]
    silenced = {line for node in texts for line in range(node.lineno, node.end_lineno + 1)}
    return len({line for span in spans for line in span} - silenced)


def test_lines_of_code_are_counted_right(tmp_path):
    (tmp_path / "a.py").write_text(
        '"""Text."""\n\nx = [\n    1,\n]  # note\n# note\n"""\nno doc"""\n'
    )
    (tmp_path / "a.toml").write_text("# note\n[a]\n\nb = 1\n")
    assert (code_lines(tmp_path / "a.py"), code_lines(tmp_path / "a.toml")) == (5, 2)


def test_the_example_has_at_most_forty_lines_of_code():
    counts = {
        path.relative_to(EXAMPLE).as_posix(): code_lines(path)
        for path in [EXAMPLE / "pyproject.toml", *sorted(EXAMPLE.glob("power_share/*.py"))]
    }
    print(f"lines of code: {sum(counts.values())}: {counts}")  # noqa: T201 - the figure is wanted
    assert sum(counts.values()) <= MOST
