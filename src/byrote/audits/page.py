"""The page of an audit, and what a notebook shows of it."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from byrote import __version__
from byrote.audits.stages import STAGES
from byrote.charts.sections import Section
from byrote.data.kinds import in_words_of_parts
from byrote.evidence.finding import Finding
from byrote.files import make_folder, write_file
from byrote.report.rendering import chart, distinct, environment, theme, write_figure

if TYPE_CHECKING:
    from byrote.audits.audit import Audit
    from byrote.audits.recorded_audit import RecordedAudit


_CORRECTION = (
    "All p-values of this page together are held to 5% by Holm's correction: on data and a model with nothing to find, "
    "the chance that any of them is called significant is at most 5%."
)


def write_page(path: Path, audit: Audit) -> None:
    """Writes the page, and its figures into a folder beside it."""
    parts = sections(audit)
    write_parts(path, parts, render(audit, parts))


def write_parts(path: Path, parts: Sequence[Section], page: str) -> None:
    """Writes the page of any audit, and the figures of its parts into a folder beside it."""
    make_folder(path.parent)
    for part in parts:
        for figure in part.figures:
            write_figure(path.parent / "figures", figure, "screen", ("svg",))
    write_file(path, page)


def sections(audit: Audit) -> list[Section]:
    """Of all stages that were made."""
    return [
        section
        for name, result in audit.results.items()
        if result.figures
        for section in STAGES[name].sections(audit.case, result)
    ]


def render(audit: Audit, parts: Sequence[Section]) -> str:
    """The page as HTML, which asks the browser for nothing else."""
    case, titles = audit.case, {name: STAGES[name].title for name in audit.results}
    return page_html(audit, titles, parts, notes(audit), title=case.material.title, model=case.subject.name)


def page_html(
    audit: Audit | RecordedAudit,
    titles: Mapping[str, str],
    parts: Sequence[Section],
    notes: Sequence[str],
    *,
    title: str,
    model: str,
) -> str:
    """What pages of all audits are made of.

    Args:
        titles: of its stages.
    """
    stages = [
        {"name": name, "title": titles[name], "result": result, "findings": audit.findings_of(name)}
        for name, result in audit.results.items()
    ]
    template = environment().get_template("audit.html.jinja")
    return template.render(
        headline=headline(audit.findings),
        title=title,
        model=model,
        stages=stages,
        sections=parts,
        style="screen",
        theme=theme("screen"),
        chart_of=lambda figure: chart(figure, "screen"),
        notes=notes,
        command=audit.command,
        environments=distinct([{"byrote": __version__}]),
    )


def headline(findings: Sequence[Finding]) -> str:
    """The first sentence of the first finding."""
    return findings[0].statement.split(". ")[0].rstrip(".") + "." if findings else "Nothing was audited."


def notes(audit: Audit) -> list[str]:
    """How to read the page."""
    case, material = audit.case, audit.case.material
    chance = case.metric.in_words(case.metric.chance(material.test.labels))
    split = f" Data came without a test split: {material.split_in_words}." if material.split_in_words else ""
    kind = "targets that are quantities" if material.of_quantities else f"{material.num_classes} classes"
    about = (
        f"Data: {material.title}, {kind}, {len(material.train):,} training and {len(material.test):,} test rows.{split}"
    )
    labels = f"{material.label_word}s"
    turned = " It is an error with its sign turned, so that larger is better." if case.metric.has_units else ""
    metric = f"The metric is {case.metric.title}.{turned}"
    found = [
        about,
        *([in_words_of_parts(material.parts)] if material.parts else []),
        *([f"Pictures show {material.look.in_words}."] if material.parts and material.look.kind == "images" else []),
        f"{metric} Chance is the best constant prediction on the test {labels}: {chance}.",
        _CORRECTION,
        "Nothing left this machine, and nothing was written outside of the folder of this audit.",
    ]
    return [*found, *([case.subject.in_words] if case.subject.in_words else [])]


def findings_table(findings: Sequence[Finding]) -> str:
    """What a notebook shows of an audit."""
    rows = "".join(
        f'<tr><td style="text-align: left">{html.escape(each.claim)}</td><td>{html.escape(each.outcome)}</td>'
        f'<td style="text-align: left">{html.escape(each.statement)}</td></tr>'
        for each in findings
    )
    return f"<p><b>{html.escape(headline(findings))}</b></p><table>{rows}</table>"
