"""Corrected labels as a file of its own, for somebody to confirm: the data themselves are never changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from byrote.errors import UserError
from byrote.files import make_folder, write_table

COLUMNS = ("split", "place", "given_label", "label", "p_wrong", "p_low", "p_high", "reason", "confirmed")


def check_place_of_fixes(path: Path, stages: Sequence[str]) -> None:
    """Before anything is made.

    Raises:
        UserError: a file is there already, in which somebody may have confirmed labels; or no stage looks for them.
    """
    if path.exists():
        raise UserError(f"got --fix {path}, which is there already: move it away, or give another name")
    if "labels" not in stages:
        raise UserError(f"got --fix {path} without the stage labels, which finds what to fix: add it to --stages")


def label_fixes(wrong_labels: pd.DataFrame) -> pd.DataFrame:
    """Of the rows in wrong_labels.csv those that are more likely wrong than right, with the label that is suggested and
    a column `confirmed` to fill in."""
    chances = pd.to_numeric(wrong_labels["p_wrong"], errors="coerce")
    found = wrong_labels[chances > 0.5].rename(columns={"suggested_label": "label"})
    return found.assign(confirmed="")[list(COLUMNS)]


def write_label_fixes(path: Path, wrong_labels: pd.DataFrame) -> int:
    """Writes them; returns their number."""
    fixes = label_fixes(wrong_labels)
    make_folder(path.parent)
    write_table(path, fixes)
    return len(fixes)
