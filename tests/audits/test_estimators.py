import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import FunctionTransformer, make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from byrote.audits.estimators import EstimatorSubject, encoder, is_estimator
from byrote.audits.reading import read_material
from byrote.audits.subject import SubjectFailed
from byrote.errors import UserError


@pytest.fixture(scope="module")
def messy():
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 120)
    table = pd.DataFrame(
        {
            "city": np.where(labels == 1, "Rome", draw.choice(["Oslo", "Bern"], 120)),
            "age": np.where(draw.random(120) < 0.1, np.nan, 30.0 + draw.standard_normal(120)),
            "day": [f"2024-02-{1 + row % 28:02d}" for row in range(120)],
            "who": [f"p{row}" for row in range(120)],
        }
    )
    return read_material((table, labels), groups="who")


def test_a_bare_classifier_gets_numbers(messy):
    subject = EstimatorSubject(RandomForestClassifier, messy)
    found = subject.fit(messy.train, 0)(messy.test)
    assert (found.labels == messy.test.labels).mean() > 0.8
    assert found.probabilities.shape == (24, 2)
    assert "takes numbers alone" in subject.in_words


def test_a_pipeline_gets_the_table_as_it_came(messy):
    seen = []

    def look(table):
        seen.append(list(table.columns))
        return (table[["city"]] == "Rome").to_numpy(float)

    subject = EstimatorSubject(make_pipeline(FunctionTransformer(look), DecisionTreeClassifier()), messy)
    assert (subject.fit(messy.train, 0)(messy.test).labels == messy.test.labels).mean() > 0.8
    assert seen[0] == ["city", "age", "day", "who"]


def test_seeds_decide_and_the_users_object_stays(messy):
    forest = RandomForestClassifier(5)
    subject = EstimatorSubject(forest, messy)
    first, again, other = (subject.fit(messy.train, seed)(messy.test).probabilities for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()
    assert not hasattr(forest, "classes_")
    assert subject.identity == EstimatorSubject(RandomForestClassifier(5), messy).identity
    assert subject.identity != EstimatorSubject(RandomForestClassifier(6), messy).identity


def test_decision_functions_and_images(tiny):
    material = read_material(tiny)
    found = EstimatorSubject(LinearSVC(), material).fit(material.train, 0)(material.test)
    assert found.probabilities.sum(axis=1) == pytest.approx(1)
    assert (found.labels == found.probabilities.argmax(axis=1)).all()


def test_what_is_no_classifier(messy):
    with pytest.raises(UserError, match="which is no classifier"):
        EstimatorSubject(RandomForestRegressor(), messy)
    assert is_estimator(RandomForestClassifier)
    assert not is_estimator(np.mean)


def test_a_regressor_gets_quantities(messy):
    table = pd.concat([messy.train.inputs, messy.test.inputs])
    material = read_material((table, (table["city"] == "Rome") * 10.0), groups="who", of_quantities=True)
    found = EstimatorSubject(RandomForestRegressor, material).fit(material.train, 0)(material.test)
    assert found.labels.dtype == np.float64
    assert found.probabilities is None
    assert np.abs(found.labels - material.test.labels).max() < 2
    with pytest.raises(UserError, match="which is no regressor"):
        EstimatorSubject(RandomForestClassifier(), material)


def test_errors_of_the_users_carry_their_trace(messy):
    def broken(table):
        raise KeyError("town")

    subject = EstimatorSubject(make_pipeline(FunctionTransformer(broken), DecisionTreeClassifier()), messy)
    with pytest.raises(SubjectFailed, match="town") as failed:
        subject.fit(messy.train, 0)
    assert "in broken" in failed.value.trace


def test_the_encoder_takes_what_it_has_not_seen(messy):
    table = messy.features(messy.train.inputs)
    made = encoder(table).fit(table)
    new = pd.DataFrame({"city": [None], "age": [np.nan], "day": ["never"]})
    assert np.isfinite(made.transform(new)).all()


def test_a_function_that_cannot_make_one_is_told_with_its_line():
    def make():
        raise RuntimeError("no licence")

    with pytest.raises(UserError, match=r"calling make\(\) failed: RuntimeError: no licence .*line \d+, in make"):
        is_estimator(make)
