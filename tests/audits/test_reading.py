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


def test_quantities_are_split_as_groups_and_times_say():
    priced = table().assign(price=[str(row) for row in range(60)]).drop(columns="y")
    material = read_material(priced, label="price", groups="who", of_quantities=True)
    assert material.of_quantities
    assert not np.isin(material.test.groups, material.train.groups).any()
    assert sorted([*material.train.labels, *material.test.labels]) == list(range(60))
    assert len(material.test) == 10
    latest = read_material(priced, label="price", time=np.arange(60), of_quantities=True)
    assert latest.test.labels.tolist() == list(range(48, 60))


@pytest.mark.parametrize("of_quantities", [False, True])
def test_groups_of_arrays_in_one_piece_stay_with_their_rows(of_quantities):
    x, y = np.arange(60.0).reshape(20, 3), np.arange(20) % 2
    material = read_material((x, y), groups=np.arange(20) // 2, of_quantities=of_quantities)
    for rows in (material.train, material.test):
        assert (rows.groups == rows.inputs[:, 0] // 6).all()
        assert (rows.labels == rows.sources % 2).all()
    assert not np.isin(material.test.groups, material.train.groups).any()
    with pytest.raises(UserError, match="belong to one group, expected at least two"):
        read_material((x, y), groups=np.zeros(20), of_quantities=of_quantities)


@pytest.mark.parametrize(
    ("targets", "sentence"),
    [
        (np.full(20, 3.0), "all training rows of arrays have one target, 3"),
        (np.where(np.arange(20) == 4, np.nan, 1.0), "y_train, row 4 .*: the target is missing"),
        (np.ones((20, 2)), r"targets of y_train have shape \(20, 2\)"),
    ],
)
def test_what_are_no_targets(targets, sentence):
    with pytest.raises(UserError, match=sentence):
        read_material((np.arange(40.0).reshape(20, 2), targets), of_quantities=True)


def test_quantities_of_other_sources(tmp_path, tiny):
    x, y = np.random.default_rng(0).random((20, 3)), np.arange(20) / 7
    np.savez(tmp_path / "d.npz", x=x, y=y)
    material = read_material(f"npz:{tmp_path / 'd.npz'}", of_quantities=True)
    assert np.isin(material.test.labels, y).all()
    assert read_material(tiny, of_quantities=True).train.labels.dtype == np.float64


def test_a_classifier_of_whole_numbers_that_may_be_quantities_is_told_of_regressors():
    prices = pd.DataFrame({"area": np.arange(60.0), "price": np.arange(60) * 100})
    with pytest.raises(UserError, match=r"has test rows alone .*; if these are quantities, audit a regressor"):
        read_material(prices, label="price", time="area")


def test_two_data_sets_stay_what_they_are_where_there_are_groups():
    draw = np.random.default_rng(0)
    x, labels = draw.normal(size=(40, 2)), np.arange(40) % 2
    material = read_material(((x[:25], labels[:25]), (x[25:], labels[25:])), groups=np.arange(40) // 2)
    np.testing.assert_array_equal(material.train.inputs, x[:25].astype(np.float32))
    np.testing.assert_array_equal(material.test.groups[:2], [12, 13])
    assert material.split_in_words == ""
