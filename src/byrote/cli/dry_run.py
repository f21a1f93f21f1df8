"""`--dry-run`: what a command would make, and what that takes, in a small table; makes and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from byrote.references import short_name

if TYPE_CHECKING:
    from byrote.runs.forecast import Forecast

_HEADER = ("", "conditions", "runs", "calculations", "already there", "time")
_WIDTH = 110


def show(forecasts: Mapping[str, Forecast | str]) -> None:
    """Prints a row for each study, or of a single one for each of its models and calculations, and what all need.

    Args:
        forecasts: by the study's name; or the sentence that says why it is not run.
    """
    from byrote.runs.forecast import size, together

    told = {name: each for name, each in forecasts.items() if not isinstance(each, str)}
    whole = together(list(told.values()))
    rows: dict[str, Forecast] = told
    if len(forecasts) == 1:
        rows = {short_name(kind): part for each in told.values() for kind, part in each.parts().items()}
    table = Table(*_HEADER, box=SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[1:5]:
        column.justify = "right"
    for name, each in rows.items():
        table.add_row(name, *_cells(each))
    if len(rows) > 1:
        table.add_section()
        table.add_row("all", *_cells(whole))
    Console(highlight=False, markup=False, width=_WIDTH).print(table)
    for name, refusal in forecasts.items():
        if isinstance(refusal, str):
            print(f"{name} is not run: {refusal}")
    if any(each.is_at_most for each in rows.values()):
        print('"At most" is less where networks fit early, for then they stop, and searches ask for fewer of them.')
    print(
        f"It takes some {size(whole.num_bytes)} of memory a process and {size(whole.disk_bytes)} of disk, pages aside. "
        "Times are of cores that do nothing else.\nNothing was made or written."
    )


def _cells(each: Forecast) -> list[str]:
    return [
        f"{each.num_conditions:,}",
        f"{each.num_runs:,}",
        f"{each.num_calculations:,}",
        f"{len(each.stored):,}",
        each.time(),
    ]
