"""Examples in docstrings are true."""

from __future__ import annotations

import ast
import doctest
import importlib
from pathlib import Path

import pytest

import byrote

PACKAGE = Path(byrote.__file__).parent
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
WITH_EXAMPLES = [path for path in sorted(PACKAGE.rglob("*.py")) if ">>>" in path.read_text()]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_examples_in_docstrings_run_as_shown(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(".".join(("byrote", *path.relative_to(PACKAGE).with_suffix("").parts)))
    said: list[str] = []
    shown = 0
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    # From the source: doctest's own search passes over functions whose annotations the tests check.
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, DOCUMENTED) and ">>>" in (text := ast.get_docstring(node) or ""):
            name, line = getattr(node, "name", path.stem), getattr(node, "lineno", 1)
            examples = doctest.DocTestParser().get_doctest(text, dict(vars(module)), name, str(path), line)
            shown += len(examples.examples)
            runner.run(examples, out=said.append)
    assert shown
    assert not runner.failures, "".join(said)


def test_every_exported_name_has_an_example() -> None:
    names = [name for name in byrote.__all__ if ">>>" not in (getattr(byrote, name).__doc__ or "")]
    assert names == []


def _without_words(path: Path) -> list[str]:
    """Public classes and functions without a docstring, and public methods of classes that override nothing."""
    tree = ast.parse(path.read_text())
    owners = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef) and not node.bases)]
    return [
        f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}"
        for owner in owners
        for node in owner.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
        and not f"{getattr(owner, 'name', '')} {node.name}".startswith("_")
        and not node.name.startswith("_")
        and not any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list)
        and not ast.get_docstring(node)
    ]


def test_whatever_is_public_says_what_it_is() -> None:
    assert [found for path in sorted(PACKAGE.rglob("*.py")) for found in _without_words(path)] == []
