from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

from byrote.data import memory
from byrote.data.arrays import as_array, columns_of
from byrote.data.sources import from_arrays
from byrote.errors import UserError

X = np.array([[0.5, 2.0], [1.0, 0.0], [0.0, 3.0]])
Y = np.array([0, 1, 1])


def inputs_of(x: Any) -> np.ndarray:
    return columns_of([(x, Y)], [("x", "y")])[0][0].values


def labels_of(y: Any) -> list[Any]:
    return columns_of([(X, y)], [("x", "y")])[0][1].values.tolist()


@pytest.mark.parametrize(
    "x",
    [
        X,
        X.tolist(),
        tuple(map(tuple, X)),
        list(X),
        X.astype(object),
        [[Decimal("0.5"), 2], [Fraction(1), False], [0, np.float32(3)]],
        np.array([*map(np.array, X), None], object)[:3],
        torch.tensor(X),
        torch.tensor(X, requires_grad=True),
        torch.tensor(X).to(torch.bfloat16),
        torch.tensor(X).to_sparse(),
        torch.tensor(X).to_sparse_csr(),
        torch.tensor(X * 1j).conj().imag.neg(),
        list(torch.tensor(X)),
        scipy.sparse.csr_array(X),
        scipy.sparse.coo_matrix(X),
        np.ma.masked_array(X, np.zeros_like(X)),
        np.matrix(X),
        pd.DataFrame(X),
        pd.DataFrame(X, columns=["a", "b"]),
        pd.DataFrame(X, columns=["a", "b"]).astype(pd.SparseDtype(float, 0.0)),
        np.array(list(map(tuple, X)), dtype=[("a", "f8"), ("b", "f8")]),
    ],
)
def test_inputs_of_any_library(x: Any) -> None:
    np.testing.assert_array_equal(inputs_of(x), X)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (Y.tolist(), [0, 1, 1]),
        (torch.tensor(Y), [0, 1, 1]),
        (list(torch.tensor(Y)), [0, 1, 1]),
        (pd.Series(["b", "a", "a"], index=[5, 6, 7]), ["b", "a", "a"]),
        (pd.DataFrame({"kind": ["b", "a", "a"]}), ["b", "a", "a"]),
        (pd.get_dummies(pd.Series(["b", "a", "a"])), ["b", "a", "a"]),
        (np.ma.masked_array(["b", "a", "a"]), ["b", "a", "a"]),
        (["a", float("nan"), "b"], ["a", pytest.approx(np.nan, nan_ok=True), "b"]),
        ([True, 2, 1], [True, 2, 1]),
        (np.ma.masked_array(Y, [0, 1, 0]), [0, None, 1]),
        ([[1, 0], [0, 1], [0, 1]], [[1, 0], [0, 1], [0, 1]]),
    ],
)
def test_labels_of_any_library(y: Any, expected: list[Any]) -> None:
    assert labels_of(y) == expected


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[1], [2, 3]], r"^x cannot be made an array \(.*\); give all rows one shape$"),
        ([np.zeros(2), np.zeros(3)], r"^x, row 1 \(counting from 0\), has shape \(3,\), where row 0 has \(2,\); give"),
        (iter(X), r"^x is an iterator, expected an array with one row for each example$"),
        (5, r"^x is an int, expected an array"),
        (
            np.array([[1, "a"]], object),
            r"^x, row 0 .*: got 'a', which is not a number",
        ),
        (np.array([[1, "2"]], object), r"^x, row 0 .*: got '2', which is not a number"),
        (np.array([[1, 2j]], object), r"^x, row 0 .*: got 2j, which is not a number"),
        (np.ma.masked_greater(X, 2), r"^x, row 2 .*: a masked value \(1 such rows\); fill it in"),
        (torch.nested.nested_tensor([torch.ones(1), torch.ones(2)]), r"^x is a nested tensor, whose rows differ"),
        (torch.ones(3, 2, device="meta"), r"^x is a tensor without values \(meta\)"),
        (pd.DataFrame(X, columns=["a", "a"]), r"^x has the column 'a' 2 times"),
        (pd.DataFrame({"a": ["u", "v", "w"]}), r"^x, row 0 .*, column 'a': got 'u', expected a number, not text"),
    ],
)
def test_inputs_that_are_none(x: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        inputs_of(x)


def test_missing_numbers_stay_missing() -> None:
    x = np.array([[1, None], [pd.NA, 2], [np.nan, True]], object)
    np.testing.assert_array_equal(inputs_of(x), [[1, np.nan], [np.nan, 2], [np.nan, 1]])


def test_labels_of_several_classes_are_refused() -> None:
    with pytest.raises(UserError, match=r"^y has rows with different numbers of labels: byrote trains on one class"):
        labels_of([["a"], ["a", "b"], []])


@pytest.mark.parametrize("x", [scipy.sparse.coo_array((10**6, 10**6)), torch.sparse_coo_tensor(size=(10**6, 10**6))])
def test_sparse_arrays_are_filled_in_where_there_is_room(x: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 10**9)
    with pytest.raises(UserError, match=r"^x, a sparse (array|tensor), says that it holds [48],000,000,000,000 bytes"):
        as_array(x, "x")


def test_rows_of_pandas_are_matched_or_refused() -> None:
    x = pd.DataFrame(X, index=[3, 4, 5])
    for y in (pd.Series(Y), pd.Series(Y, index=[3, 4, 5])):
        assert labels_of(Y) == columns_of([(x, y)], [("x", "y")])[0][1].values.tolist()
    with pytest.raises(UserError, match=r"^x and y have the same index in different orders: match them"):
        columns_of([(x, pd.Series(Y, index=[5, 4, 3]))], [("x", "y")])
    with pytest.raises(UserError, match=r"^the rows of x and y have different names: row 1 is 4 in the one and 7"):
        columns_of([(x, pd.Series(Y, index=[3, 7, 5]))], [("x", "y")])


def test_tables_are_matched_and_row_numbers_said() -> None:
    train = pd.DataFrame({"Unnamed: 0": range(30), "a": 2.0, "no": range(30)})
    test = pd.DataFrame({"a": [3.0], "no": [4], "Unnamed: 0": [0]})
    columns, notes = columns_of([(train, np.zeros(30)), (test, [0])], [("x", "y"), ("x_test", "y_test")])
    assert columns[2].values.tolist() == [[3.0, 4]]
    assert columns[0].fields == ("column 'a'", "column 'no'")
    for note, said in zip(notes, ("in another order", "it is left out", "column 'no' counts the rows"), strict=True):
        assert said in note


def test_masks_of_rows_are_kept() -> None:
    """NumPy stacks masked rows without their masks."""
    with pytest.raises(UserError, match=r"x_train, row 0 \(counting from 0\): a masked value"):
        from_arrays(list(np.ma.masked_greater(np.eye(4), 0.5)), [0, 1, 0, 1])
    with pytest.raises(UserError, match=r"y_train, row 1 \(counting from 0\): a label that is missing"):
        from_arrays(np.eye(4), list(np.ma.masked_equal([0, 1, 0, 0], 1)))
