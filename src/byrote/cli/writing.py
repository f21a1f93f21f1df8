"""What a command leaves behind when it ends: the report, and the verdict on standard output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from byrote.cli.interruption import shown


def write(
    study: Any,
    results: Sequence[Any],
    out: Path,
    arguments: Sequence[str],
    failures: Sequence[Any],
    style: Any,
    formats: Sequence[Any],
) -> None:
    """Writes the report of a study into `out`, and prints its verdict."""
    from byrote.report.page import write_report

    path = out / "report.html"
    findings = write_report(
        path, study, results, command=shown(arguments), failures=failures, style=style, formats=formats
    )
    for finding in findings:
        print(f"{finding.claim}: {finding.outcome}\n    {finding.statement}")
    print(f"Report: {path}")
