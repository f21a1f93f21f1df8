import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import byrote
from byrote.audits.memorization_stage import MemorizationStage


class Lookup(ClassifierMixin, BaseEstimator):
    """Knows the rows that it has seen, and names the largest class for all others."""

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        self.known_ = {row.tobytes(): label for row, label in zip(np.asarray(x), y, strict=True)}
        self.common_ = np.bincount(y).argmax()
        return self

    def predict(self, x):
        return np.array([self.known_.get(row.tobytes(), self.common_) for row in np.asarray(x)])


def audited(model, data, **options):
    return byrote.audit(model, data, stages=["memorization"], quiet=True, **options)


def outcomes(audit):
    return [finding.outcome for finding in audit.findings]


TABLES = {"breast cancer": load_breast_cancer, "wine": load_wine}


@pytest.fixture(scope="module", params=["digits", *TABLES])
def data(request):
    return TABLES[request.param](as_frame=True, return_X_y=True) if request.param in TABLES else byrote.load("digits")


def test_a_lookup_table_is_a_memoriser(data):
    audit = audited(Lookup(), data)
    assert "It is a memoriser" in audit.findings[0].statement
    assert outcomes(audit) == ["not supported", "supported", "no conclusion", "no conclusion"]
    assert audit.alarms == {"memorises": 1.0}


def test_a_constant_is_unable_to_fit(data):
    audit = audited(DummyClassifier(), data)
    assert "It is unable to fit" in audit.findings[0].statement
    assert outcomes(audit) == ["not supported", "not supported", "no conclusion", "no conclusion"]
    assert audit.alarms == {"memorises": 0.0}
    assert audit.results["memorization"].figures["largest_n"]["n"] is None


def test_the_nearest_neighbour_is_tempered(data):
    audit = audited(KNeighborsClassifier(1), data)
    assert outcomes(audit)[:2] == ["supported", "supported"]
    assert outcomes(audit)[2] in ("no conclusion", "not supported")
    assert "tempered" in audit.findings[3].statement
    assert "it swallows them" in audit.findings[2].statement
    assert audit.alarms == {"memorises": 0.0}


@pytest.mark.slow
def test_a_forest_is_a_learner(data):
    audit = audited(RandomForestClassifier(), data)
    assert outcomes(audit)[:3] == ["supported"] * 3
    assert "It is a learner" in audit.findings[0].statement
    assert audit.alarms == {"memorises": 0.0}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_small_network_is_a_learner(data):
    """From true labels it learns everywhere; through wrong ones only on digits: on a few hundred rows it keeps hardly
    more than copying does."""
    audit = audited("mlp-1x512", data)
    assert "It is a learner" in audit.findings[0].statement
    assert "tempered" in audit.findings[3].statement
    assert (outcomes(audit)[2] == "supported") == (not isinstance(data, tuple))
    assert audit.alarms == {"memorises": 0.0}


def test_what_does_not_fit_noise_sees_through_it():
    audit = audited(make_pipeline(StandardScaler(), LogisticRegression()), load_breast_cancer(return_X_y=True))
    assert outcomes(audit) == ["supported", "not supported", "supported", "no conclusion"]
    assert "sees through most of them" in audit.findings[2].statement
    assert 5 < audit.results["memorization"].figures["largest_n"]["n"] < 100


def test_where_nothing_can_be_learnt_nothing_is_called_a_memoriser():
    draw = np.random.default_rng(0)
    audit = audited(Lookup(), (draw.standard_normal((400, 4)), draw.integers(0, 2, 400)))
    assert audit.alarms == {}
    assert outcomes(audit)[0] == "no conclusion"
    assert "nothing to be learnt" in audit.findings[0].statement


def test_a_budget_takes_a_smaller_version(tiny, monkeypatch):
    stage = MemorizationStage()
    case = audited(DecisionTreeClassifier(), tiny).case
    monkeypatch.setattr(type(case.subject), "seconds_of_fit", lambda _, rows: len(rows) / 1000)
    whole = stage.estimate(case)
    assert whole.smaller == ""
    less = stage.estimate(case, whole.seconds)
    assert "instead of 32 draws" in less.smaller
    assert stage.run(case, 1e-9).status == "skipped"


def test_what_cannot_be_fitted_again_is_skipped(tiny):
    audit = byrote.audit(predictions=tiny.test.labels, data=tiny, stages=["memorization"], quiet=True)
    assert audit.results["memorization"].status == "skipped"
    assert "cannot be fitted on other labels" in audit.findings[0].statement
    assert audit.alarms == {}


def test_it_is_stored(tiny, tmp_path, monkeypatch):
    first = audited(DecisionTreeClassifier(), tiny, out=tmp_path)
    monkeypatch.setattr(DecisionTreeClassifier, "fit", lambda *_: pytest.fail("fitted again"))
    again = audited(DecisionTreeClassifier(), tiny, out=tmp_path)
    assert [each.statement for each in again.findings] == [each.statement for each in first.findings]


def test_a_training_function_is_called_on_noisy_labels(tiny):
    seen = []

    def train(model, train_set):
        seen.append(train_set.tensors[1].numpy())
        inputs = train_set.tensors[0].numpy().reshape(len(train_set), -1)
        tree = KNeighborsClassifier(1).fit(inputs, seen[-1])
        return lambda asked: tree.predict(asked.numpy().reshape(len(asked), -1))

    audit = audited(None, tiny, train_fn=train)
    assert audit.results["memorization"].figures["draws"] == 32
    assert min((labels == seen[0][: len(labels)]).mean() for labels in seen if len(labels) == 121) < 0.3
