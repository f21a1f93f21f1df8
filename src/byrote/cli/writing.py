"""What a command leaves behind when it ends: the report, the verdict on standard output, how to go on."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


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

    path = out / "report.html"
    write_report(
        path,
        study,
        outcomes,
        command=shlex.join(["byrote", *arguments]),
        failures=failures,
        style=style,
        formats=formats,
    )
    for finding in study.verdict(study.summarise(outcomes)):
        print(f"{finding.claim}: {finding.outcome}\n    {finding.statement}")
    print(f"Report: {path}")


def interrupted(store: str, out: Path, arguments: Sequence[str]) -> int:
    """Says how to go on; returns the exit code."""
    print(
        f"\nInterrupted. What is finished is kept in {store}; to go on with the rest: "
        f"{shlex.join(['byrote', *arguments])}\n"
        f"To report on what there is: byrote report {shlex.quote(str(out))}",
        file=sys.stderr,
    )
    return 130
