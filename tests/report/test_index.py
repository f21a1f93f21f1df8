from __future__ import annotations

import math
import re

import pandas as pd
import pytest
from parsed_page import Page

from byrote.evidence.finding import Finding
from byrote.evidence.intervals import Interval
from byrote.evidence.published import Ours, PublishedFigure
from byrote.report.index import IndexEntry, as_table, headline, tables, write_index

N = 50_000


def figure(printed: str, ours: Ours | None, place: str = "Table 1", **fields) -> PublishedFigure:
    return PublishedFigure(place, "net", "no regulariser", "test accuracy", printed, N, ours, **fields)


def ours(mean: float, n_train: int = N, **fields) -> Ours:
    return Ours(Interval(mean, mean - 0.5, mean + 0.5, 3), n_train, 3, **fields)


FIGURES = [
    figure("89.05", ours(89.3)),
    figure("81.22", ours(70.0)),
    figure("50.39", ours(50.0, n_train=100)),
    figure("failed to converge", ours(100.0), "Table 4"),
    PublishedFigure("Section 5", "MNIST", "<raw> inputs", "norm", "220", 60_000, None, in_percent=False),
]
ENTRIES = [
    IndexEntry(
        "table1",
        "regularisers",
        headline="Regularisers help.",
        findings=[Finding("a", "supported", "so"), Finding("b", "supported", "so"), Finding("c", "no conclusion", "")],
        environments=[{"device": "A fine processor"}, {"device": "A fine processor"}],
        num_failures=2,
    ),
    IndexEntry("table4", "random labels", reason="got `--epochs 3`, which <it> does not take"),
]


@pytest.fixture
def page(tmp_path):
    write_index(tmp_path / "index.html", "Digits", ENTRIES, FIGURES, command="byrote reproduce all --data digits")
    return Page((tmp_path / "index.html").read_text(encoding="utf-8"))


def test_the_page_is_whole_and_links_the_others(page, tmp_path):
    assert page.open == []
    assert {address for address in page.loaded if not address.startswith("data:")} == {
        "table1/report.html",
        "table1/report.html#failures",
    }
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in html
    assert not re.search(r"@import|url\(\s*['\"]?http|<script", html)
    in_order = [
        "1 of 3 numbers of the paper agree with ours; 2 do not compare.",
        "table1: 2 failed",
        "Regularisers help.",
        "2 supported",
        "1 no conclusion",
        "Not run: got --epochs 3 , which <it> does not take",
        "Table 1",
        "Table 4",
        "Section 5",
        "<raw> inputs",
        "How to read this",
        "byrote reproduce all --data digits",
        "A fine processor",
    ]
    text = page.text.replace(" :", ":")
    places = [text.index(words) for words in in_order]
    assert places == sorted(places)
    assert text.count("A fine processor") == 1
    assert "0 not supported" not in text


def test_each_number_stands_beside_ours_with_its_mark(page):
    for row in (
        "89.05% 89.30% 88.80% to 89.80% 50,000 3 within the interval",
        "81.22% 70.00% 69.50% to 70.50% 50,000 3 off by -11.22 points",
        "50.39% 50.00% 49.50% to 50.50% 100 3 other size",
        "failed to converge 100.00% 99.50% to 100.50% 50,000 3 not as in the paper",
        "220 – – – – not run",
    ):
        assert row in page.text


def test_the_table_beside_the_page_has_all(page, tmp_path):
    table = pd.read_csv(tmp_path / "paper.csv")
    assert list(table["mark"]) == [each.mark for each in FIGURES]
    assert list(table) == list(as_table(FIGURES))
    assert table["difference"][1] == pytest.approx(-11.22)
    assert math.isnan(table["ours"][4])


def test_a_number_that_is_counted_is_no_percentage():
    counted = figure("1649402", Ours(Interval(1_649_402.0, math.nan, math.nan, 1), N, 1), in_percent=False)
    (row,) = tables([counted])["Table 1"].blocks["net"]
    assert [getattr(cell, "text", cell) for cell in row][1:4] == ["1,649,402", "1,649,402", "–"]


def test_the_headline_says_where_nothing_compares():
    assert headline(FIGURES[2:3]) == "None of the paper's 1 numbers compares with ours."


def test_remarks_stand_below_the_headline(tmp_path):
    remarks = ["The recipe is not the paper's: `--steps 50`."]
    write_index(tmp_path / "index.html", "Digits", ENTRIES, FIGURES, command="byrote", remarks=remarks)
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<code>--steps 50</code>" in html.split("</header>")[0]
