import json

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

import byrote
from byrote.audits.rote_stage import MOST_FITS, SCORES, RoteStage


class Lookup(ClassifierMixin, BaseEstimator):
    """Knows the rows that it has seen, and says class 0 of all others."""

    def fit(self, x, y):
        self.classes_ = np.unique(y)
        self.known_ = {row.tobytes(): label for row, label in zip(np.asarray(x), y, strict=True)}
        return self

    def predict(self, x):
        return np.array([self.known_.get(row.tobytes(), 0) for row in np.asarray(x)])


def audited(model, data, **options):
    return byrote.audit(model, data, stages=["rote"], quiet=True, **options)


def outcomes(audit):
    return [finding.outcome for finding in audit.findings]


def test_a_lookup_table_knows_all_by_rote_and_betrays_it(tiny):
    audit = audited(Lookup(), tiny)
    assert outcomes(audit) == ["supported", "supported"]
    table = audit.results["rote"].tables[SCORES]
    known = table[table["label"] != "0"]
    assert (known["memorization"] == 1).all()
    assert (table[table["label"] == "0"]["memorization"] == 0).all()
    assert audit.results["rote"].figures["num_surely"] == len(known)
    assert audit.alarms["members-told"] > 0.5


def test_a_constant_knows_nothing_by_rote(tiny):
    audit = audited(DummyClassifier(strategy="constant", constant=3), tiny)
    assert outcomes(audit) == ["not supported", "not supported"]
    figures = audit.results["rote"].figures
    assert figures["memorization"]["low"] <= 0 <= figures["memorization"]["high"]
    assert figures["lira"]["auc"]["low"] <= 0.5 <= figures["lira"]["auc"]["high"]
    assert audit.alarms == {"members-told": 0.0}


@pytest.mark.slow
def test_a_network_is_asked_by_its_stored_runs(tiny, tmp_path):
    audit = audited("mlp-1x8", tiny, out=tmp_path, budget=20, steps=20)
    figures = audit.results["rote"].figures
    assert figures["num_fits"] in (16, 48, MOST_FITS)
    assert len(outcomes(audit)) == 2
    audit.write(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "Known by rote" in page
    assert "Who it was fitted on" in page
    assert (tmp_path / SCORES).is_file()
    assert json.loads((tmp_path / "audit.json").read_text())["stages"]["rote"]["status"] == "done"


def test_a_budget_takes_fewer_fits_and_then_fewer_rows(tiny, monkeypatch):
    case = audited(LogisticRegression(max_iter=200), byrote.load("digits"), budget=0.001).case
    monkeypatch.setattr(type(case.subject), "seconds_of_fit", lambda _, rows: len(rows) / 1000)
    whole = RoteStage().estimate(case)
    assert whole.smaller == ""
    less = RoteStage().estimate(case, whole.seconds / 3)
    assert "instead of 96 fits were made" in less.smaller
    least = RoteStage().estimate(case, 1e-6)
    assert least.smaller.startswith("It was fitted on halves of")
    assert audited(GaussianNB(), tiny, budget=0.0001).results["rote"].status == "skipped"


def pipeline(table, labels, seed):
    return 0.5


@pytest.mark.parametrize("kind", ["predictions", "pipeline"])
def test_what_cannot_be_fitted_on_halves_skips_it(tiny, kind):
    if kind == "pipeline":
        audit = audited(pipeline, (np.arange(40.0).reshape(20, 2), np.arange(20) % 2))
    else:
        audit = byrote.audit(data=tiny, predictions=tiny.test.labels, stages=["rote"], quiet=True)
    assert audit.results["rote"].status == "skipped"
    assert outcomes(audit) == ["no conclusion"]
