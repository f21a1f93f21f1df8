"""What people hold in their hands, of NumPy, PyTorch, pandas, SciPy and others -> Columns, without a loss unsaid."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from byrote.data.columns import Column, check_rows
from byrote.data.labels import one_hot_codes
from byrote.data.memory import refuse_too_large
from byrote.data.tables import features, has_names, matched, without_row_numbers
from byrote.errors import UserError, kind_of

if TYPE_CHECKING:
    import pandas as pd


def columns_of(pairs: Sequence[tuple[Any, Any]], names: Sequence[tuple[str, str]]) -> tuple[list[Column], list[str]]:
    """Inputs and labels of one split or two, in turn; and what is to be said of them.

    Tables are matched by the names of their columns.

    Raises:
        UserError: what cannot be made an array of numbers, or of labels, as it is.
    """
    tables = [_table_or_array(x, name) for (x, _), (name, _) in zip(pairs, names, strict=True)]
    for x, (_, y), (x_name, y_name) in zip(tables, pairs, names, strict=True):
        refuse_other_order(x, y, x_name, y_name)
    inputs, notes = input_columns(tables, [name for name, _ in names])
    labels = [label_column(y, name) for (_, y), (_, name) in zip(pairs, names, strict=True)]
    return [column for pair in zip(inputs, labels, strict=True) for column in pair], notes


def input_columns(values: Sequence[Any], names: Sequence[str]) -> tuple[list[Column], list[str]]:
    """The inputs of one split or two; and what is to be said of them.

    Raises:
        UserError: what cannot be made an array of numbers as it is.
    """
    notes: list[str] = []
    inputs = [_table_or_array(x, name) for x, name in zip(values, names, strict=True)]
    if all(_is_table(x) for x in inputs):
        if len(inputs) == 2:
            inputs[1], notes = matched(inputs[0], inputs[1], *names)
        if has_names(inputs[0]):
            left_out, about_rows = without_row_numbers(inputs[0], names[0])
            inputs = [x.drop(columns=left_out) for x in inputs]
            notes += about_rows
    return [_inputs(x, name) for x, name in zip(inputs, names, strict=True)], notes


def as_array(values: Any, name: str) -> np.ndarray:
    """An array of the same values; sparse ones are filled in where there is room for that.

    Raises:
        UserError: rows of several shapes, or no array at all.
    """
    if is_lazy_list(values):
        values = list(values)
    if hasattr(values, "detach"):
        values = _from_torch(values, name)
    elif isinstance(values, list | tuple) and len(values) and is_pillow(values[0]):
        images = [image_array(image, f"{name}, row {row} (counting from 0)") for row, image in enumerate(values)]
        values = _stacked(images, name)
    elif hasattr(values, "toarray") and hasattr(values, "nnz"):  # SciPy's
        refuse_too_large(math.prod(values.shape) * values.dtype.itemsize, f"{name}, a sparse array,")
        values = values.toarray()
    elif isinstance(values, list | tuple) and len(values) and getattr(values[0], "shape", ()) != ():
        values = _stacked([as_array(value, name) for value in values], name)
    try:
        array = np.asanyarray(values)
    except (ValueError, TypeError) as error:
        raise UserError(f"{name} cannot be made an array ({error}); give all rows one shape") from error
    if array.ndim == 0:
        raise UserError(f"{name} is {kind_of(values)}, expected an array with one row for each example")
    return array


def is_lazy_list(values: Any) -> bool:
    """A column of Hugging Face's, which reads its values when they are asked for."""
    return hasattr(values, "column_name") and hasattr(values, "source")


def is_pillow(value: Any) -> bool:
    """An image of Pillow, without importing it."""
    return hasattr(value, "mode") and hasattr(value, "convert") and hasattr(value, "getpalette")


def image_array(image: Any, place: str) -> np.ndarray:
    """The pixels of an image of Pillow, [H, W] or [H, W, C]; never the numbers of its palette."""
    if image.mode in ("P", "1") and "transparency" not in image.info:
        image = image.convert("RGB" if image.mode == "P" else "L")
    if image.mode not in ("L", "RGB"):
        raise UserError(f"{place}: an image of mode {image.mode}, expected L or RGB; convert it: .convert('RGB')")
    return np.asarray(image)


def _from_torch(values: Any, name: str) -> Any:
    """A tensor as an array, without importing torch."""
    if getattr(values, "is_nested", False):
        raise UserError(f"{name} is a nested tensor, whose rows differ in shape; pad them to one shape")
    if getattr(values, "is_meta", False):
        raise UserError(f"{name} is a tensor without values (meta); give it its values")
    values = values.detach()
    if getattr(values, "is_quantized", False):
        values = values.dequantize()
    if "strided" not in str(values.layout):
        refuse_too_large(values.numel() * values.element_size(), f"{name}, a sparse tensor,")
        values = values.to_dense()
    values = values.cpu().resolve_conj().resolve_neg()
    if values.is_floating_point() and str(values.dtype) not in ("torch.float16", "torch.float32", "torch.float64"):
        values = values.float()  # bfloat16 and smaller ones, which NumPy has not
    return values.numpy()


def _stacked(rows: list[np.ndarray], name: str) -> np.ndarray:
    for row, value in enumerate(rows):
        if value.shape != rows[0].shape:
            raise UserError(
                f"{name}, row {row} (counting from 0), has shape {value.shape}, where row 0 has {rows[0].shape}; give "
                "all rows one shape"
            )
    return np.ma.stack(rows) if any(isinstance(row, np.ma.MaskedArray) for row in rows) else np.stack(rows)


def _is_table(values: Any) -> bool:
    """Of pandas, without importing it."""
    return hasattr(values, "iloc") and hasattr(values, "columns")


def _table_or_array(values: Any, name: str) -> Any:
    """Tables of any library as pandas' own; all else as it is."""
    if not _is_table(values) and hasattr(values, "to_pandas") and hasattr(values, "columns"):  # polars, pyarrow
        try:
            return values.to_pandas()
        except ImportError as error:
            raise UserError(f"{name} cannot be made a table of pandas ({error}); give an array of numbers") from error
    if isinstance(values, np.ndarray) and values.dtype.names:
        import pandas as pd

        return pd.DataFrame({field: list(values[field]) for field in values.dtype.names})
    return values


def _inputs(values: Any, name: str) -> Column:
    if _is_table(values):
        if has_names(values) or not all(isinstance(kind, np.dtype) and kind.kind in "biuf" for kind in values.dtypes):
            return features(values, name)
        return Column(values.to_numpy(), name)
    array = as_array(values, name)
    column = Column(array, name)
    if isinstance(array, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(array)
        check_rows(mask, column, "a masked value", "fill it in (.filled(...)), or leave the row out")
        column = Column(array.data, name)
    elif array.dtype.kind == "O":
        column = Column(_numbers(array, column), name)
    return column


def _numbers(array: np.ndarray, column: Column) -> np.ndarray:
    """Python's numbers, whose types differ, as float64; arrays in an array as one."""
    if array.ndim == 1 and len(array) and all(hasattr(value, "shape") and value.shape for value in array):
        return _stacked([np.asarray(value) for value in array], column.name)
    flat = array.reshape(len(array), -1)
    for row, values in enumerate(flat):
        for value in values:
            if not (isinstance(value, numbers.Real | Decimal | np.bool_) or _is_missing(value)):
                raise UserError(
                    f"{column.place(row)}: got {value!r:.80}, which is not a number; {column.name} holds values that "
                    "are not numbers: drop or encode them"
                )
    floats = [np.nan if _is_missing(value) else float(value) for value in array.ravel()]
    return np.array(floats, dtype=np.float64).reshape(array.shape)


def _is_missing(value: Any) -> bool:
    """None, and what pandas has in its place."""
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def label_column(values: Any, name: str) -> Column:
    """Labels as they came.

    Raises:
        UserError: they cannot be made an array with one label a row.
    """
    values = _table_or_array(list(values) if is_lazy_list(values) else values, name)
    if _is_table(values):
        values = _from_label_table(values)
    elif isinstance(values, list | tuple):
        values = _from_label_list(values, name)
    array = as_array(values, name)
    if isinstance(array, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(array)
        array = array.data
        if mask.any():
            array = array.astype(object)
            array[mask] = None
    return Column(np.asarray(array), name)


def _from_label_table(table: pd.DataFrame) -> Any:
    """One column, or one-hot columns, whose names are those of the classes."""
    values = table.to_numpy()
    if values.shape[1] == 1:
        return table.iloc[:, 0].to_numpy()
    if has_names(table) and (codes := one_hot_codes(values)) is not None:
        return np.array([str(column) for column in table.columns])[codes]
    return values


def _from_label_list(values: Sequence[Any], name: str) -> Any:
    """NumPy would write nan among names as "nan", and True among numbers as 1."""
    values = [None if value is np.ma.masked else value for value in values]
    if any(isinstance(value, list | tuple | set) for value in values):
        lengths = {len(value) if isinstance(value, list | tuple | set) else -1 for value in values}
        if len(lengths) > 1:
            raise UserError(
                f"{name} has rows with different numbers of labels: byrote trains on one class for each example; give "
                "the one that each is to count as"
            )
        return values
    if any(hasattr(value, "__array__") for value in values) or len({type(value) for value in values}) == 1:
        return values
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def refuse_other_order(x: Any, y: Any, x_name: str, y_name: str) -> None:
    """Raises UserError for inputs and labels of pandas, whose rows have names as well, that are in different orders."""
    if not (hasattr(x, "iloc") and hasattr(y, "iloc")) or len(x) != len(y) or x.index.equals(y.index):
        return
    import pandas as pd

    remedy = f"match them by {y_name}.loc[{x_name}.index], or, if they match, call .reset_index(drop=True) on both"
    if x.index.is_unique and y.index.is_unique and set(x.index) == set(y.index):
        raise UserError(f"{x_name} and {y_name} have the same index in different orders: {remedy}")
    if not any(isinstance(index, pd.RangeIndex) for index in (x.index, y.index)):
        row, (ours, theirs) = next(
            (row, pair) for row, pair in enumerate(zip(x.index, y.index, strict=True)) if pair[0] != pair[1]
        )
        raise UserError(
            f"the rows of {x_name} and {y_name} have different names: row {row} is {ours} in the one and {theirs} in "
            f"the other; {remedy}"
        )
