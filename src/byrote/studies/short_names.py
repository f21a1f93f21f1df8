"""What readers call the user's own code: by its short name, with its place where two are called alike."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from byrote.references import is_reference, short_names

_COLUMNS = ("model", "optimizer", "augmentation", "schedule")


def readers_names(names: Iterable[str]) -> dict[str, str]:
    """The short name of each reference among them."""
    return {name: short for name, short in short_names(names).items() if is_reference(name)}


def readers_names_in(table: pd.DataFrame, models: Iterable[str]) -> dict[str, str]:
    """That of each reference in the table of a study, and of its models. Findings call corruptions by their titles."""
    found = [name for column in _COLUMNS if column in table for name in table[column].dropna().unique()]
    return readers_names([*models, *found])
