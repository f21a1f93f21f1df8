import numpy as np
import pytest

from byrote.data.columns import Column, check_rows
from byrote.errors import UserError


def test_joined_columns_keep_their_places() -> None:
    joined = Column.joined([Column(np.arange(2), "a"), Column(np.arange(0), "b"), Column(np.arange(3), "c")], "all")
    places = [f"{name}, row {row} (counting from 0)" for name, row in ("a0", "a1", "c0", "c1", "c2")]
    assert [joined.place(row) for row in range(5)] == places
    assert joined.take(np.array([4, 0])).take(slice(0, 1)).place(0) == places[4]


def test_the_first_wrong_row_is_named_and_all_are_counted() -> None:
    column = Column(np.zeros((4, 2)), "x")
    check_rows(np.zeros((4, 2), dtype=bool), column, "nothing", "nothing")
    with pytest.raises(UserError, match=r"^x, row 1 \(counting from 0\): bad \(2 such rows\); mend it$"):
        check_rows(np.array([[0, 0], [0, 1], [1, 1], [0, 0]], dtype=bool), column, "bad", "mend it")
