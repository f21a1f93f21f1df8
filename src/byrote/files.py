"""Files that byrote leaves for its user: each whole or not at all, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import errno
import io
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from byrote.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

_ROWS_AT_ONCE = 10_000
# What spreadsheets take for the start of a formula, at the start of a cell or after what some of them split cells at.
_FORMULA = re.compile(r"(^|[;\t\r\n])(?=\s*[=+\-@＝＋－＠]|[\t\r])")
_REMEDIES = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "the quota is used up: make room",
    errno.EFBIG: "files may not become so large here: raise the limit, or name another folder",
    errno.EACCES: "you may not write there: allow it, or name another folder",
    errno.EPERM: "you may not write there: allow it, or name another folder",
    errno.EROFS: "the disk is read-only: allow writing there, or name another folder",
    errno.EISDIR: "a folder of that name is in the way: move it away, or name another folder",
    errno.ENOTDIR: "a file is in the way of a folder: move it away, or name another folder",
    errno.EEXIST: "a file is in the way of a folder: move it away, or name another folder",
    errno.ENAMETOOLONG: "the name is too long: give a shorter one",
}


def remedy(error: OSError) -> str:
    """What is in the way of a file, and what to do about it."""
    return _REMEDIES.get(error.errno or 0, f"{error.strerror or error}: name another folder")


def make_folder(path: Path) -> None:
    """Makes the folder, with those above it, where it is not there yet.

    Raises:
        UserError: it cannot be made or written to.
    """
    with explained(path):
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".{uuid.uuid4().hex}"
        try:
            probe.touch()
        finally:
            probe.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside that of the file, whose content becomes the file's in one moment once the body has ended: what it
    raises leaves the file as it was."""
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_file(path: Path, content: str | bytes) -> None:
    """Replaces the file, in one moment: an interrupt or a full disk leaves the old one.

    Raises:
        UserError: it cannot be written.
    """
    with explained(path), replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """The table as csv, without its index; texts that a spreadsheet would execute get a quote before them.

    Raises:
        UserError: the file cannot be written.
    """
    with explained(path), replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        write_csv(file, [table])


def write_csv(file: TextIO, tables: Iterable[pd.DataFrame]) -> int:
    """Writes tables with the same columns as one, some rows at a time; gives how many rows there were."""
    num_written = 0
    for number, table in enumerate(tables):
        for first in range(0, max(len(table), 1), _ROWS_AT_ONCE):
            part = harmless_table(table.iloc[first : first + _ROWS_AT_ONCE])
            part.to_csv(file, index=False, header=not (number or first))
        num_written += len(table)
    return num_written


def harmless_table(table: pd.DataFrame) -> pd.DataFrame:
    """The table with `harmless` entries and names of columns."""
    import pandas as pd

    columns = [
        column if pd.api.types.is_numeric_dtype(column.dtype) else column.astype(object).map(harmless)
        for _, column in table.items()
    ]
    safe = pd.concat(columns, axis=1) if columns else table
    return safe.set_axis([harmless(name) for name in table.columns], axis=1)


def write_rows(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """The rows as csv, as `write_table` does it.

    Raises:
        UserError: the file cannot be written.
    """
    text = io.StringIO(newline="")
    csv.writer(text).writerows([harmless(cell) for cell in row] for row in rows)
    write_file(path, text.getvalue().encode(errors="backslashreplace"))


def harmless(cell: Any) -> Any:
    """A text that a spreadsheet would take for a formula, with a quote before it; all else as it is.

    As advised by OWASP, "CSV Injection". Numbers written as texts, such as "-1.5", stay numbers.
    """
    if not isinstance(cell, str) or _is_number(cell):
        return cell
    return _FORMULA.sub(r"\1'", cell)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text[:1] not in "\t\r\n"


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raises UserError, with a remedy, where the body cannot write the file or folder."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {path}: {remedy(error)}; then run it again, finished runs are kept") from error
