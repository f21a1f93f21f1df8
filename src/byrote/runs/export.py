"""The runs of a store as one table in a file, with the columns of results.csv; some at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from byrote.errors import UserError
from byrote.files import explained, replacing, write_csv
from byrote.runs.codec import from_row
from byrote.runs.store import Store
from byrote.runs.tables import RUNS
from byrote.studies.study import tabulate

_AT_ONCE = 1000
_KINDS = {"int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_(), "Int64": pa.int64()}
"""Of columns that are no texts."""
SUFFIXES = (".parquet", ".csv")


def check_format(path: Path) -> None:
    """Raises UserError for a file of another kind."""
    if path.suffix not in SUFFIXES:
        raise UserError(f"got --export {path}, expected a file that ends in {' or '.join(SUFFIXES)}")


def export(store: Store, keys: Sequence[str], path: Path) -> int:
    """Writes these runs, in this order, as parquet or csv by the file's name; gives how many could not be read.

    No study is named, and each test example counts as one: what it is worth in a study is known with its data.

    Raises:
        UserError: another ending of the file's name, or it cannot be written.
    """
    check_format(path)
    write = _write_parquet if path.suffix == ".parquet" else _write_csv
    with explained(path), replacing(path) as temporary:
        num_written = write(temporary, _tables(store, keys))
    return len(keys) - num_written


def _tables(store: Store, keys: Sequence[str]) -> Iterator[pd.DataFrame]:
    yield tabulate("", [])
    for first in range(0, len(keys), _AT_ONCE):
        found = {}
        for row in store.rows(RUNS, keys[first : first + _AT_ONCE]):
            with contextlib.suppress(ValueError):
                found[row["key"]] = from_row(row)
        yield tabulate("", [found[key] for key in keys[first : first + _AT_ONCE] if key in found])


def _write_parquet(path: Path, tables: Iterator[pd.DataFrame]) -> int:
    kinds = tabulate("", []).dtypes
    schema = pa.schema([(str(name), _KINDS.get(str(kind), pa.string())) for name, kind in kinds.items()])
    num_written = 0
    with pq.ParquetWriter(path, schema) as writer:
        for table in tables:
            writer.write_table(pa.Table.from_pandas(table, schema, preserve_index=False))
            num_written += len(table)
    return num_written


def _write_csv(path: Path, tables: Iterator[pd.DataFrame]) -> int:
    with path.open("w", encoding="utf-8", newline="") as file:
        return write_csv(file, tables)
