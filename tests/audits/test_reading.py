import numpy as np
import pandas as pd
import pytest

from byrote.audits.reading import read_material
from byrote.errors import UserError


def table(n=60):
    return pd.DataFrame(
        {
            "who": [f"p{row // 5}" for row in range(n)],
            "day": [f"2024-01-{1 + row % 28:02d}" for row in range(n)],
            "age": [np.nan if row == 3 else row for row in range(n)],
            "city": ["Rome" if row % 3 else "Oslo" for row in range(n)],
            "y": ["yes" if row // 5 % 2 else "no" for row in range(n)],
        }
    )


def test_a_table_keeps_its_columns_as_they_came(tmp_path):
    table().to_csv(tmp_path / "t.csv", index=False)
    material = read_material(f"csv:{tmp_path / 't.csv'}", label="y")
    assert material.kind == "table"
    assert list(material.train.inputs) == ["who", "day", "age", "city"]
    assert material.train.inputs["city"].iloc[0] == "Oslo"
    assert material.train.inputs["age"].isna().sum() + material.test.inputs["age"].isna().sum() == 1
    assert material.class_names == ("no", "yes")
    assert len(material.test) == 12


def test_groups_are_split_whole():
    material = read_material(table(), label="y", groups="who")
    assert not np.isin(material.test.groups, material.train.groups).any()
    assert "groups, whole" in material.split_in_words


def test_the_latest_are_held_out():
    material = read_material(table(), label="y", time="day")
    assert material.train.times.max() <= material.test.times.min()


def test_a_column_split_decides(tmp_path):
    given = table().assign(split=["test" if row < 10 else "train" for row in range(60)])
    given.to_csv(tmp_path / "t.csv", index=False)
    material = read_material(f"csv:{tmp_path / 't.csv'}", label="y", groups="who")
    assert material.test.sources.tolist() == list(range(10))
    assert material.split_in_words == ""


def test_groups_of_arrays_are_values_of_both_splits():
    x, y = np.random.default_rng(0).random((10, 3)), np.arange(10) % 2
    material = read_material((x, y), test=(x[:4] + 1, y[:4]), groups=np.arange(14))
    assert material.test.groups.tolist() == [10, 11, 12, 13]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"label": "z"}, "the table has no column 'z'"),
        ({}, "got a table without label="),
        ({"label": "y", "groups": "whom"}, "got groups='whom', which is no column; did you mean 'who'?"),
        ({"label": "y", "time": "city"}, "of which '.*' is the first, expected dates or numbers"),
    ],
)
def test_what_is_wrong_is_said(given, sentence):
    with pytest.raises(UserError, match=sentence):
        read_material(table(), **given)
