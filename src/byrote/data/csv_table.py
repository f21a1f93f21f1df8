"""csv files -> Reading."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import numpy as np

from byrote.data.assembly import Examples, Reading
from byrote.data.columns import Column
from byrote.errors import UserError

# What stands for a missing number in a csv file.
_MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "None", "null")


def read_csv(path: Path, label: str | None) -> Reading:
    """A column of labels; all others are features, except `split` where it holds only "train" and "test"."""
    import pandas as pd

    try:
        columns = list(pd.read_csv(path, nrows=0).columns)
        if label is None:
            raise UserError(f"{path} needs the name of its label column: --label NAME, one of {', '.join(columns)}")
        if label not in columns:
            near = get_close_matches(label, columns, 1)
            raise UserError(
                f"{path} has no column {label!r}{f', did you mean {near[0]!r}?' if near else ''} "
                f"Its columns are {', '.join(columns)}"
            )
        # Labels are text, whatever it says: a class may be called "NA".
        table = pd.read_csv(
            path,
            dtype={label: str},
            keep_default_na=False,
            na_values={column: _MISSING for column in columns if column != label},
            index_col=False,
            skipinitialspace=True,
            low_memory=False,
        )
    except UserError:
        raise
    except (ValueError, OSError) as error:
        raise UserError(
            f"{path} cannot be read as csv: {str(error).strip()}; expected comma-separated UTF-8 text with a header"
        ) from error
    labels = table.pop(label).str.strip()
    numbers = pd.to_numeric(labels, errors="coerce")
    if numbers.notna().all():
        labels = numbers
    is_test = np.zeros(len(table), dtype=bool)
    if "split" in table and set(table["split"]) <= {"train", "test"}:
        is_test = (table.pop("split") == "test").to_numpy()
    for column in table.columns:
        if len(table) and table[column].dtype.kind not in "biuf":
            row = int(pd.to_numeric(table[column], errors="coerce").isna().to_numpy().argmax())
            raise UserError(
                f"{path}, row {row} (counting from 0), column {column!r}: got {table[column].iloc[row]!r}, expected a "
                "number; drop the column or encode it"
            )
    with np.errstate(over="ignore"):
        features = table.to_numpy(np.float32)
    everything = Examples(Column(features, str(path)), Column(labels.to_numpy(), str(path)))
    if not is_test.any():
        return Reading((everything,))
    return Reading(tuple(everything.take(np.flatnonzero(chosen)) for chosen in (~is_test, is_test)))
