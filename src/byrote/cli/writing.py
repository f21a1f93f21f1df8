"""What a command leaves behind when it ends: the report, and the verdict on standard output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from byrote.cli.interruption import shown


def write(
    study: Any,
    outcomes: Sequence[Any],
    out: Path,
    arguments: Sequence[str],
    failures: Sequence[Any],
    style: Any,
    formats: Sequence[Any],
) -> None:
    """Writes the report of a study or an analysis into `out`, and prints its verdict."""
    from byrote.report.page import write_report
    from byrote.report.short_names import names_on_page, with_short_names

    path = out / "report.html"
    write_report(
        path,
        study,
        outcomes,
        command=shown(arguments),
        failures=failures,
        style=style,
        formats=formats,
    )
    findings = study.verdict(study.summarise(outcomes))
    for finding in with_short_names(findings, names_on_page(study, outcomes)):
        print(f"{finding.claim}: {finding.outcome}\n    {finding.statement}")
    print(f"Report: {path}")
