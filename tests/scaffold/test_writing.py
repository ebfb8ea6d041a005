"""What ``risdoa plugins new`` writes: whole distributions, under a name that is free."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

import risdoa
from risdoa.errors import InputError, UnknownNameError
from risdoa.scaffold import KINDS, write, writing
from risdoa.scaffold.names import LONGEST

ROOT = Path(__file__).parent.parent.parent
LONG = "a-name-with-as-many-letters-as-c"

every_kind = pytest.mark.parametrize("kind", KINDS)


def files_of(folder):
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


@every_kind
def test_a_distribution_is_written_in_a_folder_of_its_name(kind, tmp_path):
    written = write("try-out", kind, tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in written]
    assert names == [
        "try-out/README.md",
        "try-out/pyproject.toml",
        "try-out/tests/test_contract.py",
        "try-out/try_out/__init__.py",
        f"try-out/try_out/{kind}.py",
    ]
    assert files_of(tmp_path) == sorted(written)
    assert [path.name for path in tmp_path.iterdir()] == ["try-out"]


@every_kind
def test_nothing_of_the_template_is_left_in_the_names(kind, tmp_path):
    text = "".join(path.read_text("utf-8") for path in write("try-out", kind, tmp_path))
    assert not re.findall(rf"(?i)my[-_]?{kind}", text)
    assert "class TryOut(" in text


@every_kind
def test_the_project_needs_this_risdoa_and_announces_its_package(kind, tmp_path):
    write("try-out", kind, tmp_path)
    project = tomllib.loads((tmp_path / "try-out" / "pyproject.toml").read_text())["project"]
    [needed] = project["dependencies"]
    assert project["name"] == "try-out"
    assert SpecifierSet(needed.removeprefix("risdoa")).contains(risdoa.__version__)
    assert project["entry-points"]["risdoa"] == {"try-out": "try_out"}
    assert project["optional-dependencies"]["test"] == ["risdoa[testing]"]


ANNOUNCED = """
import sys
import try_out
import risdoa
registry = risdoa.Registry.discover({"RISDOA_PLUGINS_ALLOW": ""}, extra=[try_out])
own = [row for row in registry.rows() if row.distribution == "try-out"]
heavy = {"torch", "numpy", "scipy"} & {*sys.modules}
print([(row.kind, row.name, row.status) for row in own], heavy)
print(registry.create(own[0].kind, "try-out").__class__.__name__)
"""


@every_kind
def test_its_package_announces_one_plugin_and_imports_nothing_heavy(kind, tmp_path, python):
    write("try-out", kind, tmp_path)
    outcome = python("-c", ANNOUNCED, PYTHONPATH=str(tmp_path / "try-out"))
    assert outcome.out == f"[('{kind}', 'try-out', 'active')] set()\nTryOut\n", outcome.err


@every_kind
def test_it_uses_public_names_alone(kind, tmp_path):
    text = "".join(path.read_text("utf-8") for path in write("try-out", kind, tmp_path))
    page = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    for module, name in re.findall(r"^from (risdoa[\w.]*) import (.*)$", text, re.MULTILINE):
        assert f"`{module}.{name}`" in page
    assert {*re.findall(r"^import (risdoa.*)$", text, re.MULTILINE)} == {
        "risdoa",
        "risdoa.testing",
    }
    used = {*re.findall(r"\brisdoa\.([A-Za-z]\w*)", text)}
    assert used - {"errors", "steering", "testing"} <= {*risdoa.__all__}


@every_kind
@pytest.mark.parametrize("name", ["x", LONG])
def test_it_is_clean_as_it_is(kind, name, tmp_path):
    assert len(LONG) == LONGEST
    write(name, kind, tmp_path)
    config = tmp_path / name / "ruff.toml"
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    config.write_text(
        'extend = "../pyproject.toml"\n[lint.per-file-ignores]\n"tests/**" = ["ANN", "D", "S"]\n'
    )
    for words in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        finished = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "."],
            cwd=tmp_path / name,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("My_Loss", "did you mean 'my-loss'?"),
        ("9lives", "as in my-plugin"),
        ("", "as in my-plugin"),
        ("a/b", "as in my-plugin"),
        ("../up", "as in my-plugin"),
        ("a--b", "did you mean 'a-b'?"),
        ("größe", "as in my-plugin"),
        ("a" * (LONGEST + 1), "at most 32 letters, got 33"),
        ("lambda", "a word of Python"),
        ("tests", "another meaning"),
        ("torch", "there is a module torch"),
        ("json", "there is a module json"),
        ("gt-projection", "the bare name is the loss that is built in"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name, says, tmp_path):
    with pytest.raises(InputError) as caught:
        write(name, "loss", tmp_path)
    assert says in f"{caught.value.message}; {caught.value.hint}"
    assert list(tmp_path.iterdir()) == []


def test_a_built_in_name_of_another_kind_is_free(tmp_path):
    assert write("nmse", "backend", tmp_path)


def test_an_installed_plugin_can_be_begun_anew(tmp_path, monkeypatch):
    site = tmp_path / "site"
    (site / "try_out").mkdir(parents=True)
    (site / "try_out" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(site))
    with pytest.raises(InputError, match="there is a module try_out"):
        write("try-out", "loss", tmp_path)
    info = site / "try_out-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: try-out\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[risdoa]\ntry-out = try_out\n")
    assert write("try-out", "loss", tmp_path)


def test_writing_needs_nothing_heavy(tmp_path, python):
    says = "{'torch', 'numpy', 'scipy', 'pydantic'} & {*sys.modules}"
    text = f"import sys; from risdoa.scaffold import write; write('a', 'loss', '.'); print({says})"
    assert python("-c", text.replace("'.'", repr(str(tmp_path)))).out == "set()\n"


def test_a_kind_without_a_template_is_refused(tmp_path):
    with pytest.raises(UnknownNameError, match="no template for a 'scenario'") as caught:
        write("try-out", "scenario", tmp_path)
    assert caught.value.hint == "use loss, steering, backend, model"


def test_what_is_there_stays_as_it_is(tmp_path):
    (tmp_path / "try-out").mkdir()
    with pytest.raises(InputError, match="it exists already"):
        write("try-out", "loss", tmp_path)
    assert files_of(tmp_path) == []


def test_a_folder_that_is_none_is_an_input_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        write("try-out", "loss", tmp_path / "file")


def test_folders_on_the_way_are_made(tmp_path):
    assert write("try-out", "loss", tmp_path / "a" / "b")[0].is_relative_to(tmp_path / "a" / "b")


def test_nothing_is_left_where_writing_breaks_off(tmp_path, monkeypatch):
    def full(self, text, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match="No space left on device"):
        write("try-out", "loss", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_python_compiled_is_not_copied(tmp_path, monkeypatch):
    installed = tmp_path / "installed" / "templates"
    shutil.copytree(resources.files("risdoa.scaffold") / "templates", installed)
    cache = installed / "loss" / "my_loss" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "loss.cpython-311.pyc").write_bytes(b"\xff")
    monkeypatch.setattr(writing.resources, "files", lambda package: installed.parent)
    assert len(write("try-out", "loss", tmp_path / "out")) == 5
