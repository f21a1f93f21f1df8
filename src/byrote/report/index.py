"""One page that links those of several studies, with the paper's figures beside ours."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from byrote.charts.sections import Cell, PageTable, Tone
from byrote.charts.theme import Style
from byrote.evidence.finding import Finding
from byrote.evidence.published import Agreement, PublishedFigure
from byrote.files import make_folder, write_file, write_table
from byrote.masking import masked
from byrote.report.rendering import distinct, environment
from byrote.report.short_names import Verbatim

_TONES: Mapping[Agreement, Tone] = {"agrees": "good", "differs": "bad", "does not compare": "quiet"}
_NOTES = (
    "`the same`: to the last digit that the paper prints.",
    (
        "`within the interval`: the paper trained one network for each, and its number lies where one more network "
        "like ours would lie (95%, over seeds and, for accuracies on test examples, over these too). One seed says "
        "nothing of others: its interval is 99.9%, over the test examples alone, and its training accuracy has none. "
        "Test errors of section 5 have 95% intervals over the test examples, and norms have none."
    ),
    (
        "`off by`: ours minus the paper's, outside that interval, or where there is none. Where ours were trained for "
        "fewer steps than the paper's, that may be all; the study's own page has the recipe."
    ),
    (
        "`other data`, `other size`, `other model`, `other recipe`: ours are of data, a number of training examples, a "
        "network or, by a flag of the command, a recipe that the paper's number is not of: nothing follows from "
        "their difference."
    ),
    "`not run`: no run of ours has this number; see the study.",
    "All of it is in paper.csv beside this page.",
)


@dataclass(frozen=True)
class IndexEntry:
    """A study, as the index shows it."""

    name: str
    description: str
    reason: str = ""
    """Why it has not been run; "" where it has."""
    headline: str = ""
    findings: Sequence[Finding] = ()
    num_failures: int = 0
    environments: Sequence[Mapping[str, str]] = field(default=(), repr=False)

    @property
    def link(self) -> str:
        """The address of its page; "" without one."""
        return "" if self.reason else f"{self.name}/report.html"

    @property
    def outcomes(self) -> Counter[str]:
        """How many findings have each outcome."""
        return Counter(finding.outcome for finding in self.findings)


def write_index(
    path: Path,
    data: str,
    entries: Sequence[IndexEntry],
    figures: Sequence[PublishedFigure],
    *,
    command: str,
    remarks: Sequence[str] = (),
    style: Style = "screen",
) -> None:
    """Writes `path`, and paper.csv beside it; each entry has its page there as NAME/report.html.

    Args:
        data: what the page calls the data.
        figures: the paper's, those of one place together.
        command: what the user typed, shown as it is.
        remarks: sentences below the headline.
    """
    make_folder(path.parent)
    html = (
        environment()
        .get_template("index.html.jinja")
        .render(
            style=style,
            data=data,
            headline=headline(figures),
            remarks=remarks,
            studies=entries,
            tables=tables(figures),
            notes=_NOTES,
            command=Verbatim(masked(command)),
            environments=distinct(each for entry in entries for each in entry.environments),
        )
    )
    write_table(path.with_name("paper.csv"), as_table(figures))
    write_file(path, html)


def headline(figures: Sequence[PublishedFigure]) -> str:
    """How many of the paper's numbers agree with ours."""
    counts = Counter(figure.agreement for figure in figures)
    compared = counts["agrees"] + counts["differs"]
    if not compared:
        return f"None of the paper's {len(figures)} numbers compares with ours."
    rest = f"; {len(figures) - compared} do not compare" if compared < len(figures) else ""
    return f"{counts['agrees']} of {compared} numbers of the paper agree with ours{rest}."


def tables(figures: Sequence[PublishedFigure]) -> dict[str, PageTable]:
    """One for each place in the paper."""
    header = ("setting", "paper", "ours", "interval", "n", "seeds", "")
    blocks: dict[str, dict[str, list[list[str | Cell]]]] = {}
    for figure in figures:
        blocks.setdefault(figure.place, {}).setdefault(figure.block, []).append(_cells(figure))
    return {place: PageTable(header=header, blocks=own) for place, own in blocks.items()}


def as_table(figures: Sequence[PublishedFigure]) -> pd.DataFrame:
    """A row for each figure; percent where the paper has percent, NaN where there is no number."""
    rows = []
    for figure in figures:
        ours = figure.ours
        rows.append(
            {
                "place": figure.place,
                "block": figure.block,
                "setting": figure.setting,
                "quantity": figure.quantity,
                "paper": figure.printed,
                "ours": ours.interval.mean if ours else math.nan,
                "low": ours.interval.low if ours else math.nan,
                "high": ours.interval.high if ours else math.nan,
                "difference": figure.difference,
                "paper_n_train": figure.n_train,
                "n_train": ours.n_train if ours else math.nan,
                "seeds": ours.num_seeds if ours else math.nan,
                "mark": figure.mark,
                "agreement": figure.agreement,
            }
        )
    return pd.DataFrame(rows)


def _cells(figure: PublishedFigure) -> list[str | Cell]:
    name = Cell(figure.setting, note=figure.quantity) if figure.setting else Cell(figure.quantity)
    paper = Cell(_printed(figure), "quiet")
    mark = Cell(figure.mark, _TONES[figure.agreement])
    ours = figure.ours
    if ours is None:
        return [name, paper, *["–"] * 4, mark]
    low, high = (_number(figure, end) for end in (ours.interval.low, ours.interval.high))
    bounded = not math.isnan(ours.interval.low) and ours.interval.low < ours.interval.high
    own = ours.words or _number(figure, ours.interval.mean)
    between = f"{low} to {high}" if bounded else "–"
    return [name, paper, own, between, f"{ours.n_train:,}", str(ours.num_seeds), mark]


def _printed(figure: PublishedFigure) -> str:
    if math.isnan(figure.value):
        return figure.printed
    return f"{figure.printed}%" if figure.in_percent else f"{int(figure.printed):,}"


def _number(figure: PublishedFigure, value: float) -> str:
    if figure.in_percent:
        return f"{value:.2f}%"
    return f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"
