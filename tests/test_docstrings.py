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
