"""What a reader makes of it is in test_csv_table.py; here is what the table keeps."""

import numpy as np
import pandas as pd
import pytest

from byrote.data.decimals import parse_decimals
from byrote.errors import UserError


def test_rows_without_a_value_keep_their_place_and_other_columns_stay() -> None:
    table = pd.DataFrame({"a": ["0,5", None, "-2"], "b": [1, 2, 3], "c": ["x", "y", "z"]})
    found, notes = parse_decimals(table, "t", lambda _: pd.Series(["1", "2", "3"]))
    np.testing.assert_array_equal(found["a"], [0.5, np.nan, -2])
    assert found["b"] is not None
    assert found["c"].tolist() == ["x", "y", "z"]
    assert notes == ("numbers in t have decimal commas ('a' among others): 0,5 is read as 0.5",)


def test_what_reads_in_two_ways_is_refused() -> None:
    table = pd.DataFrame({"a": ["1,234", "5,678"]})
    with pytest.raises(UserError, match=r"^t, row 0 \(counting from 0\), column 'a': '1,234' may be 1234 or 1.234; "):
        parse_decimals(table, "t", lambda column: table[column])
    table = pd.DataFrame({"a": ["1,2", "5,678"], "b": [1.234, 2.5]})
    found, _ = parse_decimals(table, "t", lambda _: pd.Series(["1.234", "2.5"]))
    assert found["a"].tolist() == [1.2, 5.678]
    with pytest.raises(UserError, match=r"^t, row 1 .*, column 'b': '2.500' has a point, where column 'a' has decimal"):
        parse_decimals(table, "t", lambda _: pd.Series(["1", "2.500"]))
