import numpy as np
import pandas as pd
import pytest

from byrote.data.columns import Column
from byrote.data.quantities import quantities, quantities_of_classes
from byrote.errors import UserError


@pytest.mark.parametrize(
    "given",
    [
        np.array([1, 2, 30]),
        np.array([[1.0], [2.0], [30.0]]),
        np.array(["1", " 2.0", "3e1"]),
        np.array([1, "2", 30.0], dtype=object),
        np.array(["1,0", "2,00", "30"]),
        pd.Series([1, 2, 30], dtype="Int64").to_numpy(),
        np.array([b"1", b"2", b"30"]).astype(str),
    ],
)
def test_numbers_and_what_writes_them(given):
    found = quantities(Column(given, "y"))
    assert found.dtype == np.float64
    assert found.tolist() == [1.0, 2.0, 30.0]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([1.0, np.nan, 2.0, np.nan], r"^y, row 1 .*: the target is missing, as in 2 rows \(1, 3, counting from 0\);"),
        (["1", "", "2"], r"^y, row 1 \(counting from 0\): the target is missing; fill in"),
        ([1.0, -np.inf], r"^y, row 1 .*: the target is infinite"),
        (["1", "dear"], r"^y, row 1 .*: the target 'dear' is no number; correct it"),
        (["1,234", "5,678"], r"^y, row 0 \(counting from 0\): '1,234' may be 1234 or 1.234; write numbers"),
        (["1,5", "1.234"], r"^y, row 1 \(counting from 0\): '1.234' has a point, where y has decimal commas, and may"),
        ([[1.0, 2.0], [3.0, 4.0]], r"^targets of y have shape \(2, 2\), expected one number for each example"),
    ],
)
def test_what_is_no_number_is_said_with_its_rows(given, sentence):
    with pytest.raises(UserError, match=sentence):
        quantities(Column(np.array(given), "y"))


def test_decimal_commas_are_told_of_what_was_given():
    with pytest.warns(UserWarning, match=r"^numbers in y have decimal commas: 0,5 is read as 0.5$"):
        quantities(Column(np.array(["1,5", "2"]), "y"))


def test_classes_that_are_called_by_numbers():
    assert quantities_of_classes(np.array([1, 0, 1]), ("3", "7.5"), "d").tolist() == [7.5, 3.0, 7.5]
    with pytest.raises(UserError, match=r"labels of d are classes \(cat, dog\), expected numbers"):
        quantities_of_classes(np.array([0]), ("cat", "dog"), "d")
