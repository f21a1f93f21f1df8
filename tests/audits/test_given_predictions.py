import numpy as np
import pandas as pd
import pytest

from byrote.audits.given_predictions import GivenPredictions
from byrote.audits.metric import Metric
from byrote.audits.reading import read_material
from byrote.errors import UserError


@pytest.fixture(scope="module")
def material():
    x, y = np.random.default_rng(0).random((20, 3)), np.array(["cat", "dog"] * 10)
    return read_material((x, y), test=(x[:4] + 1, y[:4]))


@pytest.mark.parametrize("is_table", [True, False])
def test_rows_that_byrote_would_draw_itself_were_not_predicted(is_table):
    """As many predictions as it would hold out may be of other rows, without a sign of it."""
    x, y = np.random.default_rng(0).random((20, 3)), np.arange(20) % 2
    with pytest.raises(UserError, match="data without a test split, where a fifth of each class, drawn at random"):
        GivenPredictions(y[:4], read_material((pd.DataFrame(x) if is_table else x, y)))


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
        ({"cat": ["0.1", "x", "", "1"], "dog": [0.9] * 4}, r"row 1 \(counting from 0\): got 'x' for cat, expected a"),
        ({"cat": [0.1] * 4, "dog": [0.9, 0.9, float("inf"), 1]}, "row 2 .* got 'inf' for dog"),
        ({"a": list("1234"), "b": list("1234")}, "expected one called prediction"),
        ({"prediction": ["cat"] * 4, "row": [0, 1, 1, 2]}, "each number from 0 to 3 once"),
    ],
)
def test_what_is_wrong_is_said(material, table, sentence):
    with pytest.raises(UserError, match=sentence):
        GivenPredictions(pd.DataFrame(table), material)


def test_a_metric_of_probabilities_is_no_score_of_classes_alone(material):
    labels, auc = ["dog", "cat", "dog", "cat"], Metric("roc_auc", 2)
    with pytest.raises(UserError, match="takes a probability or score of each class, and predictions that are classes"):
        GivenPredictions(labels, material).refuse_unscored(auc)
    GivenPredictions(labels, material).refuse_unscored(Metric("f1_macro", 2))
    scores = np.array([[0.1, 0.9], [0.6, 0.4], [0.5, 0.5], [1, 0]])
    GivenPredictions(scores, material).refuse_unscored(auc)
    scores[2, 1] = np.nan
    with pytest.raises(UserError, match=r"predictions, row 2 .*: NaN or infinity"):
        GivenPredictions(scores, material)
    with pytest.raises(UserError, match=r"shape \(4, 2\) that are no numbers .*, expected a probability or score"):
        GivenPredictions(np.array([["dog", "cat"]] * 4), material)


def test_other_rows_were_not_predicted(material):
    with pytest.raises(UserError, match="of the test examples alone"):
        GivenPredictions(["dog"] * 4, material).fit(material.train, 0)(material.train)


def test_quantities(tmp_path):
    x, y = np.random.default_rng(0).random((20, 3)), np.arange(20) / 2
    material = read_material((x, y), test=(x[:3] + 1, y[:3]), of_quantities=True)
    pd.DataFrame({"row": [2, 1, 0], "prediction": ["1.5", "2", "-3e2"]}).to_csv(tmp_path / "p.csv")
    assert given(tmp_path / "p.csv", material).labels.tolist() == [-300.0, 2.0, 1.5]
    assert given(np.array([[1.0], [2.0], [3.0]]), material).labels.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(UserError, match=r"row 1 .*: the prediction 'cat' is no number"):
        given(pd.DataFrame({"prediction": ["1", "cat", "2"]}), material)
    with pytest.raises(UserError, match=r"got predictions of shape \(2,\), expected \(3,\) numbers"):
        given([1.0, 2.0], material)
    with pytest.raises(UserError, match="expected one called prediction with a number in each row"):
        given(pd.DataFrame({"a": [1, 2, 3], "b": [1, 2, 3]}), material)
