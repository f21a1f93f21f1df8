import numpy as np
import pandas as pd

from byrote.audits.columns import codes_of, numbers_of, seconds_of


def test_dates_are_seconds():
    assert seconds_of(pd.Series(["1970-01-02", None])).tolist()[0] == 86400.0
    assert np.isnan(seconds_of(pd.Series(["1970-01-02", None]))[1])
    assert seconds_of(pd.Series(["Rome", "Oslo"])) is None
    assert seconds_of(pd.Series([1.0, 2.0])) is None


def test_what_is_missing_is_a_group_of_its_own():
    codes, names = codes_of(pd.Series(["a", None, "b", None, "a"]))
    assert codes[0] == codes[4] != codes[2]
    assert len({codes[1], codes[3], codes[0], codes[2]}) == 4
    assert names[:2] == ("a", "b")


def test_numbers_of_every_column():
    table = pd.DataFrame({"n": [2.0, np.nan], "t": ["b", "a"], "d": ["1970-01-01", "1970-01-02"]})
    found = numbers_of(table)
    assert found[:, 1].tolist() == [1.0, 0.0]
    assert found[:, 2].tolist() == [0.0, 86400.0]
    assert np.isnan(found[1, 0])
