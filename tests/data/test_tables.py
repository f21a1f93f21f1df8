from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from byrote.data.tables import features, has_names, matched, without_row_numbers
from byrote.errors import UserError


@pytest.mark.parametrize(
    "column",
    [
        [1, 0, 1],
        [1.0, 0.0, 1.0],
        [True, False, True],
        np.array([1, 0, 1], np.uint8),
        np.array([1, False, 1.0], object),
        [Decimal(1), Decimal(0), Decimal(1)],
        pd.array([1, 0, 1], dtype="Int64"),
        pd.array([True, False, True], dtype="boolean"),
        pd.array([1.0, 0.0, 1.0], dtype="Float32"),
        pd.array([1, 0, 1], dtype=pd.SparseDtype(int, 0)),
        pd.array([1.0, 0.0, 1.0], dtype="float64[pyarrow]"),
    ],
)
def test_numbers_of_any_type_are_features(column: Any) -> None:
    found = features(pd.DataFrame({"a": column, "b": [2, 3, 4]}), "x")
    np.testing.assert_array_equal(found.values, [[1, 2], [0, 3], [1, 4]])
    assert found.values.dtype == np.float64
    assert found.field(0) == "column 'a'"


def test_what_is_missing_stays_missing() -> None:
    table = pd.DataFrame(
        {"a": pd.array([1, None], dtype="Int64"), "b": np.array([None, 2.0], object), "c": [np.nan, 1]}
    )
    np.testing.assert_array_equal(features(table, "x").values, [[1, np.nan, np.nan], [np.nan, 2, 1]])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            ["1", "2"],
            r"^x, row 0 \(counting from 0\), column 'a': got '1', expected a number, not text; drop the column",
        ),
        (["1", "red"], r"^x, row 1 \(counting from 0\), column 'a': got 'red', expected a number, not text; drop"),
        ([[1], [2]], r"^x, row 0 .*, column 'a': got \[1\], expected a number; drop"),
        (pd.Categorical([1, 2]), r"^x, column 'a', holds categories, expected numbers; encode it"),
        (pd.to_datetime(["2024-01-01", "2024-02-01"]), r"^x, column 'a', holds values of type datetime64"),
        (
            pd.to_datetime(["2024-01-01"] * 2).tz_localize("Europe/Oslo"),
            r"^x, column 'a', holds values of type datetime",
        ),
        (pd.to_timedelta([1, 2], "h"), r"^x, column 'a', holds values of type timedelta64"),
        (pd.period_range("2024", periods=2), r"^x, column 'a', holds values of type period"),
        ([1j, 2], r"^x, column 'a', holds complex numbers; give real and imaginary parts as two columns"),
        (
            [2**53 + 1, 0],
            r"^x, column 'a', holds whole numbers up to 9007199254740993, more than floats",
        ),
        (np.array([2**63, 0], np.uint64), r"^x, column 'a', holds whole numbers up to 9223372036854775808, more"),
    ],
)
def test_other_columns_are_named_with_a_remedy(column: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        features(pd.DataFrame({"a": column}), "x")


def test_a_name_may_occur_once() -> None:
    with pytest.raises(UserError, match=r"^x has the column 'a' 2 times: give each column a name of its own"):
        features(pd.DataFrame(np.eye(3), columns=["a", "b", "a"]), "x")


def test_columns_are_matched_by_their_names() -> None:
    train = pd.DataFrame({"a": [1], "b": [2], "c": [3]})
    found, notes = matched(train, train[["c", "a", "b"]], "x", "x_test")
    assert found.to_numpy().tolist() == [[1, 2, 3]]
    assert notes == ["x_test has the columns of x in another order: they are matched by their names"]
    assert matched(train, train, "x", "x_test")[1] == []
    numbered = pd.DataFrame([[1, 2, 3]])
    assert not has_names(numbered)
    found, notes = matched(numbered, numbered[[2, 0, 1]], "x", "x_test")
    assert found.to_numpy().tolist() in ([[3, 1, 2]], [[1, 2, 3]])
    found, notes = matched(train, numbered, "x", "x_test")
    assert found.columns.tolist() == ["a", "b", "c"]
    assert notes == ["the columns of x have names, those of x_test have none: they are taken by their position"]
    for test, message in (
        (train[["a", "b"]], r"^x_test lacks the column 'c', where x has 'a', 'b', 'c': give both the same columns$"),
        (train.assign(d=1), r"^x_test has 'd' besides, where x has"),
        (train.rename(columns={"a": "A"}), r"^x_test lacks the column 'a' and has 'A' besides, where"),
    ):
        with pytest.raises(UserError, match=message):
            matched(train, test, "x", "x_test")


@pytest.mark.parametrize(
    ("name", "values", "left_out", "said"),
    [
        ("Unnamed: 0", range(30), True, "names the rows: it is left out"),
        ("", range(1, 31), True, "names the rows: it is left out"),
        ("", [f"row {number}" for number in range(30)], True, "names the rows: it is left out"),
        ("", [1.0] * 30, False, None),
        ("id", range(30), False, "counts the rows from 0 to 29, and"),
        ("id", [float(number) for number in range(1, 31)], False, "counts the rows from 1 to 30, and"),
        ("id", np.random.default_rng(0).permutation(30), False, "counts the rows from 0 to 29, in another order"),
        ("id", [3 * number + number % 2 for number in range(30)], False, "grows from row to row"),
        ("age", [20 + number % 29 for number in range(30)], False, None),
        ("size", [0.5 + number for number in range(30)], False, None),
    ],
)
def test_columns_that_number_the_rows(name: str, values: Any, left_out: bool, said: str | None) -> None:
    columns, notes = without_row_numbers(pd.DataFrame({"a": np.arange(30) % 7, name: list(values)}), "x")
    assert columns == ([name] if left_out else [])
    assert len(notes) == (said is not None)
    assert said is None or said in notes[0]


def test_numbered_columns_in_another_order_are_matched() -> None:
    train = pd.DataFrame(np.arange(12.0).reshape(4, 3))
    test, notes = matched(train, train[[2, 1, 0]], "x_train", "x_test")
    pd.testing.assert_frame_equal(test, train)
    assert "matched by their names" in notes[0]
