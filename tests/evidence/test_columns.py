import pandas as pd
import pytest

from byrote.evidence.columns import Column, as_declared, nullable

NAME = Column("name", "str", "What it is called.")
COUNT = Column("count", "int64", "How many there are.")
SHARE = Column("share", "float64", "What share they are.")
SOUND = Column("sound", "bool", "Whether it is sound.")


def test_columns_come_in_their_order_and_of_their_types():
    table = as_declared(pd.DataFrame({"sound": [True], "count": [3.0], "name": ["a"]}), [NAME, COUNT, SHARE, SOUND])
    assert table.dtypes.astype(str).to_dict() == {"name": "str", "count": "int64", "share": "float64", "sound": "bool"}
    assert table.isna().to_numpy().tolist() == [[False, False, True, False]]


def test_an_empty_table_has_them_too():
    table = as_declared(pd.DataFrame(), [NAME, COUNT, SOUND])
    assert table.empty
    assert table.dtypes.astype(str).to_dict() == {"name": "str", "count": "int64", "sound": "bool"}


def test_what_some_rows_do_not_have_is_missing():
    table = as_declared(pd.DataFrame({"count": [1, None], "sound": [None, True]}), nullable([NAME, COUNT, SOUND]))
    assert table.dtypes.astype(str).to_dict() == {"name": "str", "count": "Int64", "sound": "boolean"}
    assert table.isna().to_numpy().tolist() == [[True, False, True], [True, True, False]]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"name": ["a"], "other": [1], "count": [1], "sound": [True]}, "got the columns other, which are not declared"),
        (
            {"name": ["a"], "count": [1], "sound": [None]},
            "got missing entries of sound, which is declared to have none",
        ),
        ({"name": ["a"], "sound": [True]}, "non-finite"),
    ],
)
def test_what_is_not_as_declared_is_refused(table, told):
    with pytest.raises(ValueError, match=told):
        as_declared(pd.DataFrame(table), [NAME, COUNT, SOUND])
