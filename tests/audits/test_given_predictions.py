import numpy as np
import pandas as pd
import pytest

from byrote.audits.given_predictions import GivenPredictions
from byrote.audits.reading import read_material
from byrote.errors import UserError


@pytest.fixture(scope="module")
def material():
    x, y = np.random.default_rng(0).random((20, 3)), np.array(["cat", "dog"] * 10)
    return read_material((x, y), test=(x[:4] + 1, y[:4]))


def given(found, material):
    return GivenPredictions(found, material).fit(material.train, 0)(material.test)


def test_classes_in_order_or_by_row(material, tmp_path):
    pd.DataFrame({"row": [3, 2, 1, 0], "prediction": ["dog", "cat", "cat", "cat"]}).to_csv(tmp_path / "p.csv")
    assert given(tmp_path / "p.csv", material).labels.tolist() == [0, 0, 0, 1]
    assert given(["dog", "cat", "dog", "cat"], material).labels.tolist() == [1, 0, 1, 0]


def test_probabilities_of_each_class(material):
    table = pd.DataFrame({"dog": [0.9, 0.2, 0.6, 0.1], "cat": [0.1, 0.8, 0.4, 0.9]})
    found = given(table, material)
    assert found.labels.tolist() == [1, 0, 1, 0]
    assert found.probabilities[:, 1].tolist() == [0.9, 0.2, 0.6, 0.1]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"prediction": ["cat"]}, "has 1 rows, expected one for each of 4"),
        ({"prediction": ["cat", "cow", "cat", "dog"]}, r"row 1 .*: got 'cow', expected one of the classes cat, dog"),
        ({"a": list("1234"), "b": list("1234")}, "expected one called prediction"),
        ({"prediction": ["cat"] * 4, "row": [0, 1, 1, 2]}, "each number from 0 to 3 once"),
    ],
)
def test_what_is_wrong_is_said(material, table, sentence):
    with pytest.raises(UserError, match=sentence):
        GivenPredictions(pd.DataFrame(table), material)


def test_other_rows_were_not_predicted(material):
    with pytest.raises(UserError, match="of the test examples alone"):
        GivenPredictions(["dog"] * 4, material).fit(material.train, 0)(material.train)
