"""What a reader finds on a page: the words of its tables, and whether charts draw their data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from byrote.charts.figure import Figure
from byrote.charts.sections import Cell, PageTable, Presentation
from byrote.studies.study import Results, Study


def page_of(study: Study, results: Sequence[Any], table: pd.DataFrame) -> Presentation:
    """As a report asks for it."""
    return study.page(Results.of(study, results), table, study.verdict(table))


def rows(table: PageTable) -> dict[str, list[list[str]]]:
    """The rows under each heading."""
    return {heading: [[_words(entry) for entry in row] for row in block] for heading, block in table.blocks.items()}


def is_whole(table: PageTable) -> bool:
    """Whether all rows, and the line above the header if there is one, are as wide as the header."""
    widths = {len(row) for block in table.blocks.values() for row in block} | {len(table.header)}
    return len(widths) == 1 and sum(count for _, count in table.spans) in (0, *widths)


def assert_draws_its_data(figure: Figure) -> None:
    """And nothing else."""
    (drawn,) = figure.spec["datasets"].values()
    # NaN is null in JSON.
    expected = json.loads(figure.data.to_json(orient="records", double_precision=15))
    pd.testing.assert_frame_equal(pd.DataFrame(drawn), pd.DataFrame(expected), check_dtype=False)


def _words(entry: str | Cell) -> str:
    return entry if isinstance(entry, str) else f"{entry.text} {entry.note}".strip()
