"""The house keeps its shape: imports point down, names say what files hold, and torch is imported late."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
import pytest
from beartype.roar import BeartypeCallHintParamViolation
from jaxtyping import TypeCheckError

import byrote

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "byrote"

# A part may import itself and every part on a lower floor.
FLOORS = (
    {"masking", "source_files"},
    {"errors"},
    {"randomness", "files", "records", "durations", "input_parts"},
    {"isolation", "live_code"},
    {"references"},
    {"data", "models"},
    {"training", "recording"},
    {"theory"},
    {"evidence"},
    {"charts"},
    {"studies"},
    {"runs", "report"},
    {"audits"},
    {""},  # the public names: for the command line and for users; all may ask for __version__
    {"cli", "pytest_plugin"},
    {"__main__"},
)
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}


def module_name(path: Path) -> str:
    """src/byrote/data/dataset.py is byrote.data.dataset, src/byrote/data/__init__.py is byrote.data."""
    parts = ("byrote", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
ENGINE = "byrote.training.engine"
# A file without functions, such as errors.py, has nothing to run.
WITH_TESTS = [
    path for path in FILES.values() if path.stem not in ("__init__", "__main__") and "def " in path.read_text()
]


def part_of(module: str) -> str:
    """The child of the package that holds the module: "data" for byrote.data.dataset."""
    return module.removeprefix("byrote").lstrip(".").partition(".")[0]


def imports(source: str) -> Iterator[tuple[str, int]]:
    """Every imported name in full, with its line; lazy and type-checking imports count like all others."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from ((f"{origin}.{alias.name}", node.lineno) for alias in node.names)


@cache
def own_imports(module: str) -> tuple[tuple[str, str], ...]:
    """The modules of this package that a module imports, each with the place of the import."""
    found = []
    for name, line in imports(FILES[module].read_text()):
        place = f"{FILES[module].relative_to(ROOT)}:{line}"
        assert not name.startswith("."), f"{place}: relative import; write it from byrote on"
        if name.partition(".")[0] != "byrote" or name == "byrote.__version__":
            continue
        target = name if name in FILES else name.rpartition(".")[0]
        assert target in FILES, f"{place}: no module {target}"
        found.append((target, place))
    return tuple(found)


def test_every_part_has_its_floor() -> None:
    assert sorted({part_of(module) for module in FILES} - {*FLOOR}) == []


def test_imports_point_down() -> None:
    upward = [
        f"{place}: {part_of(module)} must not import {target}"
        for module in FILES
        for target, place in own_imports(module)
        if part_of(target) != part_of(module) and FLOOR[part_of(target)] >= FLOOR[part_of(module)]
    ]
    assert upward == []


def test_runs_know_studies_by_their_contracts_only() -> None:
    # Judging trains one study and computes another over what it stored: the one place that knows both.
    contracts = {"byrote.studies.study", "byrote.studies.judge.study"}
    known = {target for module in FILES if part_of(module) == "runs" for target, _ in own_imports(module)}
    assert {target for target in known if part_of(target) == "studies"} <= contracts


def test_theory_computes_and_never_trains() -> None:
    trains = [place for m in FILES if part_of(m) == "theory" for target, place in own_imports(m) if target == ENGINE]
    assert trains == []


def test_no_studys_folder_imports_another_ones() -> None:
    # Presets make other studies' studies: they lie beside the folders.
    strays = [
        place
        for module in FILES
        if module.count(".") == 3 and part_of(module) == "studies"
        for target, place in own_imports(module)
        if target.count(".") == 3 and part_of(target) == "studies" and target.split(".")[2] != module.split(".")[2]
    ]
    assert strays == []


def test_a_plan_is_made_without_what_pages_need() -> None:
    question = (
        "import sys, byrote\n"
        "study = byrote.RandomizationStudy(data=byrote.load('digits'), models=['mlp-1x8'])\n"
        "assert study.plan()\n"
        "sys.exit(any(name in sys.modules for name in ('altair', 'vl_convert', 'jinja2')))"
    )
    answer = subprocess.run([sys.executable, "-c", question], check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr or "planning imports what pages need"


def test_no_module_imports_itself_on_a_detour() -> None:
    # But for a study or an audit and its page, which is imported when a page is made.
    with_pages = ("studies", "audits")
    TopologicalSorter(
        {m: {t for t, _ in own_imports(m) if not (part_of(m) in with_pages and t.endswith("page"))} for m in FILES}
    ).prepare()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import byrote.data.dataset", ["byrote.data.dataset"]),
        ("from byrote.data import dataset, corruptions", ["byrote.data.dataset", "byrote.data.corruptions"]),
        ("def f():\n    from ..errors import UserError", ["..errors.UserError"]),
        ("if TYPE_CHECKING:\n    import torch as t", ["torch"]),
    ],
)
def test_every_way_to_import_is_seen(source: str, found: list[str]) -> None:
    assert [name for name, _ in imports(source)] == found


def test_names_say_what_a_file_holds() -> None:
    say_nothing = {"utils", "util", "helpers", "helper", "common", "misc"}
    paths = [path for folder in (PACKAGE, ROOT / "tests", ROOT / "benchmarks") for path in folder.rglob("*")]
    assert [path for path in paths if path.stem.removeprefix("test_") in say_nothing] == []


def test_tests_mirror_the_package() -> None:
    tests = [path.relative_to(PACKAGE).with_name(f"test_{path.name}") for path in WITH_TESTS]
    assert [str(test) for test in tests if not (ROOT / "tests" / test).is_file()] == []


@pytest.mark.parametrize(
    "statement",
    [
        "import byrote",
        "import byrote.data.corruptions",
        "import byrote.training.spec",
        "from byrote.cli import main; main(['--help'])",
    ],
)
def test_torch_is_imported_late(statement: str) -> None:
    question = f"import sys\n{statement}\nsys.exit('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", question], check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr or f"{statement} imports torch"


def test_annotated_axes_are_checked_at_calls_and_in_records() -> None:
    from byrote.data.dataset import Split
    from byrote.evidence.rank_correlation import rank_correlation

    labels = np.zeros(3, np.int64)
    with pytest.raises(BeartypeCallHintParamViolation, match="dimension M is 4"):
        rank_correlation(np.zeros(3), np.zeros(4))
    with pytest.raises(TypeCheckError, match="N="):
        Split(np.zeros((4, 1), np.float32), labels, labels, np.zeros(3, bool))


def test_every_public_name_resolves() -> None:
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text())
    names = [a.asname or a.name for node in stub.body if isinstance(node, ast.ImportFrom) for a in node.names]
    assert [name for name in names if name not in byrote.__all__ or not getattr(byrote, name).__doc__] == []
