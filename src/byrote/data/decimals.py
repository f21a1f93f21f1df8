"""Numbers as people write them: with a decimal comma, with thousands apart. What may be read in two ways is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from byrote.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

_BLANKS = "[ \u00a0\u2009\u202f']"
_WITH_BLANKS = rf"[+-]?[1-9]\d{{0,2}}(?:{_BLANKS}\d{{3}})+(?:[.,]\d+)?"
_COMMA_DECIMAL = r"[+-]?(?:\d+|[1-9]\d{0,2}(?:\.\d{3})+)?,\d+(?:[eE][+-]?\d+)?"
_COMMA_THOUSANDS = r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?"
_DOT_THOUSANDS = r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+"
_PLAIN = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"


def parse_decimals(
    table: pd.DataFrame, name: str, raw: Callable[[str], pd.Series]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The table with numbers in place of text that writes numbers, and what is to be said of it.

    Args:
        name: what messages call the table; of a single column that is called so too, they speak of no columns.
        raw: column -> how it is written, for those that were read as numbers already.

    Raises:
        UserError: "1,234" and "1.234", where the file does not tell what they are.
    """
    found, unsure, with_commas = {}, [], ""
    for column in table.columns:
        values = table[column]
        if values.dtype.kind in "biuf" or not column:
            continue
        text = values.dropna().astype(str).str.strip().str.replace("\u2212", "-")
        if not len(text) or not text.str.contains(r"\d").all() or text.str.contains(r"[A-DF-Za-df-z]").any():
            continue
        spaced = text.str.fullmatch(_WITH_BLANKS)
        text = text.where(~spaced, text.str.replace(_BLANKS, "", regex=True))
        is_decimal, is_thousands = text.str.fullmatch(_COMMA_DECIMAL), text.str.fullmatch(_COMMA_THOUSANDS)
        is_dotted, is_plain = text.str.fullmatch(_DOT_THOUSANDS), text.str.fullmatch(_PLAIN)
        if (is_plain).all():
            found[column] = text.astype(float).reindex(table.index)
        elif (is_decimal | is_plain).all() and (is_decimal & ~is_thousands).any():
            found[column] = _with_decimal_commas(text, column, name).reindex(table.index)
            with_commas = with_commas or column
        elif (is_thousands | is_plain).all():
            if (is_thousands & ~is_decimal).any():
                found[column] = text.str.replace(",", "").astype(float).reindex(table.index)
            else:
                unsure.append((column, text))
        elif (is_dotted | text.str.fullmatch(r"[+-]?\d+")).all():
            found[column] = text.str.replace(".", "").astype(float).reindex(table.index)
    for column, text in unsure:
        if not with_commas:
            row = int(text.index[text.str.contains(",")][0])
            raise UserError(
                f"{_place(name, row, column)}: {text[row]!r} may be "
                f"{text[row].replace(',', '')} or {text[row].replace(',', '.')}; write numbers with a decimal point "
                "and nothing between thousands"
            )
        found[column] = _with_decimal_commas(text, column, name).reindex(table.index)
    if with_commas:
        for column in table.columns:
            if column not in found and table[column].dtype.kind == "f":
                _refuse_dotted(raw(column), column, with_commas, name)
    others = "" if with_commas == name else f" ({with_commas!r} among others)"
    notes = (f"numbers in {name} have decimal commas{others}: 0,5 is read as 0.5",) if with_commas else ()
    return table.assign(**found) if found else table, notes


def _place(name: str, row: int, column: str) -> str:
    return f"{name}, row {row} (counting from 0)" + ("" if column == name else f", column {column!r}")


def _with_decimal_commas(text: pd.Series, column: str, name: str) -> pd.Series:
    dotted = text.str.contains(r"\.")
    if dotted.any() and not (dotted & text.str.contains(",")).any():
        _refuse_dotted(text, column, column, name, any_dot=True)
    return text.str.replace(".", "").str.replace(",", ".").astype(float)


def _refuse_dotted(text: pd.Series, column: str, with_commas: str, name: str, *, any_dot: bool = False) -> None:
    """Beside decimal commas, a dot may stand between thousands: "1.234"."""
    dotted = text[text.str.contains(r"\.")]
    if len(dotted) and (any_dot or dotted.str.strip().str.fullmatch(_DOT_THOUSANDS).all()):
        row = int(dotted.index[0])
        others = name if with_commas == name else f"column {with_commas!r}"
        raise UserError(
            f"{_place(name, row, column)}: {text[row]!r} has a point, where {others} has decimal commas, and may be "
            "meant either way; write all numbers with a decimal point"
        )
