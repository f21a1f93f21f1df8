from __future__ import annotations

import csv
import errno
import math
from pathlib import Path

import pandas as pd
import pytest

from byrote.errors import UserError
from byrote.files import harmless, make_folder, write_file, write_rows, write_table

FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    '=HYPERLINK("http://x","y")',
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "＝1",
    "-cmd|' /C x'!A0",
    "-",
]
HARMLESS = ["-1.5", "+2e-3", "-inf", "1e5", "mlp-1x512", "a=b", "a, -b; c", "", "true-labels", "n = -3", "ä@b"]


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_formula_becomes_a_text(cell):
    assert harmless(cell) == f"'{cell}" or harmless(cell)[:1] == "'"
    assert harmless(harmless(cell)) == harmless(cell)


@pytest.mark.parametrize("cell", [*HARMLESS, -1.5, 3, None, True, math.nan])
def test_all_else_stays(cell):
    assert harmless(cell) is cell or harmless(cell) == cell


def test_no_part_of_a_cell_that_another_separator_makes_is_a_formula():
    assert harmless("a;=1+1\nb\t@x") == "a;'=1+1\nb\t'@x"


def test_a_table_is_harmless_in_cells_and_header(tmp_path):
    table = pd.DataFrame(
        {
            "=name": ["=1", "-1.5", None],
            "number": [-1.5, math.nan, 2.0],
            "kind": pd.Categorical(["@a", "b", "@a"]),
            "mixed": [-1, "+x", False],
            "text": pd.array(["=a", "b", None], dtype="string"),
        }
    )
    write_table(tmp_path / "t.csv", table)
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["'=name", "number", "kind", "mixed", "text"],
        ["'=1", "-1.5", "'@a", "-1", "'=a"],
        ["-1.5", "", "b", "'+x", "b"],
        ["", "2.0", "'@a", "False", ""],
    ]
    write_table(tmp_path / "none.csv", pd.DataFrame({"a": []}))
    assert (tmp_path / "none.csv").read_text() == "a\n"


def test_columns_of_one_name_stay_two(tmp_path):
    write_table(tmp_path / "t.csv", pd.DataFrame([[1, "=x"]], columns=["a", "a"]))
    assert (tmp_path / "t.csv").read_text() == "a,a\n1,'=x\n"


def test_rows_are_harmless(tmp_path):
    write_rows(tmp_path / "r.csv", [("file", "reason"), ("=a.png", "bro\udcffken")])
    assert (tmp_path / "r.csv").read_bytes() == b"file,reason\r\n'=a.png,bro\\udcffken\r\n"


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "the disk is full: make room"), (errno.EROFS, "read-only"), (errno.EIO, "Input/output error")],
)
def test_a_failed_write_is_a_sentence_and_leaves_the_old_file(tmp_path, monkeypatch, number, remedy):
    file = tmp_path / "report.html"
    write_file(file, "old")

    def fail(self: Path, content: bytes) -> int:
        raise OSError(number, "Input/output error")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(UserError, match=rf"cannot write .*report\.html: .*{remedy}.*finished runs are kept"):
        write_file(file, "new")
    monkeypatch.undo()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_an_interrupt_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "report.html"
    write_file(file, "old")

    def interrupt(self: Path, content: bytes) -> int:
        self.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_file(file, "new")
    monkeypatch.undo()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "out").write_text("")
    for path in (tmp_path / "out", tmp_path / "out" / "below"):
        with pytest.raises(UserError, match=r"cannot write .*out.*: a file is in the way of a folder: move it away"):
            make_folder(path)
    (tmp_path / "report.html").mkdir()
    with pytest.raises(UserError, match=r"report\.html: a folder of that name is in the way"):
        write_file(tmp_path / "report.html", "text")
    make_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
