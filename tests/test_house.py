"""Rules of the house that no linter holds: sizes, where output and catch-all handlers may be."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    path
    for folder in ("risdoa", "plugins", "examples")
    for path in (ROOT / folder).rglob("*.py")
    if "tests" not in path.parts
)
SHIPPED = [path for path in MODULES if path.parts[len(ROOT.parts)] != "examples"]

BOUNDARIES = {"risdoa/registry/containment.py", "risdoa/cli/app.py"}
"""The plugin boundary and the outermost frame of the command line may catch everything."""

every_module = pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(ROOT))
)
shipped = pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))


def _nodes(path, *kinds):
    return [
        node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, kinds)
    ]


def _length(function):
    documented = ast.get_docstring(function) is not None
    first = function.body[0]
    docstring = first.end_lineno - first.lineno + 1 if documented else 0
    return function.end_lineno - function.lineno + 1 - docstring


def _names(node):
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    return {part.id for part in parts if isinstance(part, ast.Name)}


@every_module
def test_modules_have_at_most_400_lines(path):
    assert len(path.read_text("utf-8").splitlines()) <= 400


@every_module
def test_functions_have_at_most_60_lines(path):
    functions = _nodes(path, ast.FunctionDef, ast.AsyncFunctionDef)
    assert [each.name for each in functions if _length(each) > 60] == []


@shipped
def test_nothing_prints(path):
    calls = [node.func for node in _nodes(path, ast.Call)]
    assert "print" not in [func.id for func in calls if isinstance(func, ast.Name)]


@shipped
def test_only_the_boundaries_catch_everything(path):
    broad = [
        handler.lineno
        for handler in _nodes(path, ast.ExceptHandler)
        if handler.type is None or _names(handler.type) & {"Exception", "BaseException"}
    ]
    assert broad == [] or (str(path.relative_to(ROOT)) in BOUNDARIES and len(broad) == 1)


@shipped
def test_nothing_is_unpickled(path):
    imports = _nodes(path, ast.Import, ast.ImportFrom)
    modules = {getattr(node, "module", None) for node in imports}
    modules |= {alias.name for node in imports for alias in node.names}
    assert not modules & {"pickle", "dill", "cloudpickle", "joblib"}
    calls = {ast.unparse(node.func) for node in _nodes(path, ast.Call)}
    assert "torch.load" not in calls
    assert all(
        isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        for call in _nodes(path, ast.Call)
        for keyword in call.keywords
        if keyword.arg == "allow_pickle"
    )
