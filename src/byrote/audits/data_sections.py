"""What the page shows of the data stage: the score with and without leaks, copies with their pictures, classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from byrote.audits.metric import quantity_in_words
from byrote.audits.stage import Case, figure_interval, picture_rows
from byrote.charts.sections import PageTable, Section

_SHOWN_GROUPS = 20


def sections_of_data(case: Case, figures: Mapping[str, Any]) -> list[Section]:
    """In the order of the page."""
    scores = [_score_section(case, figures)] if "score" in figures else []
    groups = [_groups_section(figures)] if figures.get("by_group") else []
    law = _targets_section(figures) if figures["classes"] is None else _classes_section(figures)
    return [*scores, *groups, _copies_section(case, figures), law]


def _score_section(case: Case, figures: Mapping[str, Any]) -> Section:
    metric, score = case.metric, figures["score"]

    def row(title: str, name: str) -> list[str]:
        each = figure_interval(score[name])
        return [title, metric.in_words(each.mean), metric.range_in_words(each.low, each.high), f"{each.n:,}"]

    rows = [
        row("all test rows", "all"),
        row("without rows known from training", "honest"),
        row("difference", "difference"),
    ]
    table = PageTable(("", metric.title, "95% interval", "rows"), {"": rows})
    lead = (
        f"Here is the {metric.title} on all test rows, and on those that have no copy and no shared group in training."
    )
    fits = (
        f" Means over {score['seeds']} fits."
        if score["seeds"] > 1
        else " One fit: the interval is that of the test rows."
    )
    assumption = case.material.test.assumption
    chance = "–" if score["chance"] is None else metric.in_words(score["chance"])
    return Section(
        "honest-score",
        "The honest score",
        lead,
        table=table,
        note=f"Guessing, the best constant, gives {chance}.{fits}{f' {assumption}' if assumption else ''}",
    )


def _groups_section(figures: Mapping[str, Any]) -> Section:
    rows = [
        [
            each["group"],
            f"{100 * each['right']['mean']:.1f}%",
            f"{100 * each['right']['low']:.1f} to {100 * each['right']['high']:.1f}%",
            f"{each['right']['n']:,}",
            f"{100 * each['others']:.1f}%",
            f"{each['p']:.2g}",
        ]
        for each in figures["by_group"][:_SHOWN_GROUPS]
    ]
    return Section(
        "by-group",
        "Right answers by group",
        "These groups are least often right, on test rows that have no copy in training.",
        table=PageTable(("group", "right", "95% interval", "rows", "all others", "p"), {"": rows}),
        note=f"The p-value is Fisher's, corrected over {len(figures['by_group']):,} groups (Holm).",
    )


def _copies_section(case: Case, figures: Mapping[str, Any]) -> Section:
    copies = figures["copies"]
    near = copies["near"] or {}
    rows = [
        [
            "test rows with a copy in training",
            f"{copies['num_identical_test_in_train']:,}",
            f"{near.get('num_test_with_copy_in_train', 0):,}",
        ],
        ["pairs within training", f"{copies['num_identical_within_train']:,}", f"{near.get('num_within_train', 0):,}"],
        [
            "pairs within the test split",
            f"{copies['num_identical_within_test']:,}",
            f"{near.get('num_within_test', 0):,}",
        ],
        [
            f"with another {case.material.label_word}",
            f"{copies['num_disagreeing']:,}",
            f"{near.get('num_other_label', 0):,}",
        ],
    ]
    note = (
        "Near: the nearest example leads those behind it by more than unrelated examples of this data do, at a rate of "
        "1% false pairs. `duplicates.csv` lists all, `clean_split.csv` has the rows that are left."
    )
    look = case.material.look
    if look.in_words:
        note += f" Near ones are looked for in {look.in_words} alone."
    what = "images" if case.material.kind == "images" else "rows"
    return Section(
        "copies",
        "Copies",
        f"Here are {what} that occur more than once.",
        table=PageTable(("", "identical", "near"), {"": rows}),
        note=note,
        pictures=picture_rows(figures),
    )


def _targets_section(figures: Mapping[str, Any]) -> Section:
    columns = {
        "lowest": "lowest",
        "quarter": "a quarter below",
        "median": "median",
        "three_quarters": "three quarters below",
        "highest": "highest",
        "mean": "mean",
        "deviation": "standard deviation",
    }
    rows = [
        [
            {"train": "training", "test": "test"}[each["split"]],
            *(quantity_in_words(each[name], each["deviation"]) for name in columns),
        ]
        for each in figures["targets"]
    ]
    return Section(
        "targets",
        "Targets",
        "So the targets of both sides are spread.",
        table=PageTable(("", *columns.values()), {"": rows}),
    )


def _classes_section(figures: Mapping[str, Any]) -> Section:
    most = sorted(figures["classes"], key=lambda each: -each["num_train"])
    shown = most if len(most) <= 20 else [*most[:10], *most[-10:]]
    rows = [[each["class"], f"{each['num_train']:,}", f"{each['num_test']:,}"] for each in shown]
    lead = "So many rows each class has."
    if len(most) > 20:
        lead = "So many rows the ten largest and the ten smallest classes have."
    return Section("classes", "Classes", lead, table=PageTable(("class", "training", "test"), {"": rows}))
