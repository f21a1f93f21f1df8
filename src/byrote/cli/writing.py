"""What a command leaves behind when it ends: the report, and the verdict on standard output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from byrote.cli.interruption import shown

if TYPE_CHECKING:
    from byrote.report.page import Written


def write(
    study: Any,
    results: Sequence[Any],
    out: Path,
    arguments: Sequence[str],
    failures: Sequence[Any],
    style: Any,
    formats: Sequence[Any],
    note: str = "",
) -> Written:
    """Writes the report of a study into `out`, and prints its verdict.

    Args:
        note: said below the page's headline.
    """
    from byrote.report.page import write_page

    path = out / "report.html"
    written = write_page(
        path, study, results, command=shown(arguments), failures=failures, style=style, formats=formats, note=note
    )
    for finding in written.findings:
        print(f"{finding.claim}: {finding.outcome}\n    {finding.statement}")
    print(f"Report: {path}")
    return written
