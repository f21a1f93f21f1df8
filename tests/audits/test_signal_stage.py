import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import byrote
from byrote.audits.signal_stage import EXCHANGES, SignalStage


def audited(model, data, **options):
    return byrote.audit(model, data, stages=["signal"], quiet=True, **options)


def test_breast_cancer_in_groups_of_one_label():
    table, labels = load_breast_cancer(as_frame=True, return_X_y=True)
    order = np.argsort(labels.to_numpy(), kind="stable")
    groups = np.empty(len(order), np.int64)
    groups[order] = np.arange(len(order)) // 5
    groups[labels.to_numpy() == 1] += 10_000
    model = make_pipeline(StandardScaler(), LogisticRegression())
    audit = audited(model, (table.assign(group=groups), labels), groups="group")
    figures = audit.results["signal"].figures
    assert figures["p"] <= 0.01
    assert "each of which has one label" in figures["exchange"]
    assert audit.findings[0].outcome == "supported"
    assert audit.alarms == {"no-signal": 0.0}


def test_noise_is_no_signal():
    draw = np.random.default_rng(0)
    audit = audited(DecisionTreeClassifier(), (draw.standard_normal((300, 4)), draw.integers(0, 2, 300)))
    assert audit.results["signal"].figures["p"] > 0.01
    assert audit.findings[0].outcome != "supported"
    assert audit.alarms == {"no-signal": 1.0}


def test_a_constant_beats_nothing(tiny):
    audit = audited(DummyClassifier(), tiny)
    assert audit.results["signal"].figures["p"] == 1.0
    assert audit.findings[0].outcome == "not supported"


def selected_before(table, labels, seed):
    chosen = SelectKBest(k=10).fit_transform(table, labels)
    return cross_val_score(LogisticRegression(), chosen, labels, cv=5).mean()


def selected_within(table, labels, seed):
    model = make_pipeline(SelectKBest(k=10), LogisticRegression())
    return cross_val_score(model, table, labels, cv=5).mean()


def test_selection_before_the_split_is_found():
    draw = np.random.default_rng(0)
    data = draw.standard_normal((80, 300)), np.arange(80) % 2
    leaking = audited(selected_before, data, retrain=30)
    assert leaking.results["signal"].figures["score"]["mean"] > 0.7
    assert leaking.findings[0].outcome != "supported"
    assert leaking.findings[1].outcome == "not supported"
    assert leaking.alarms == {"no-signal": 1.0, "leaking-pipeline": 1.0}
    sound = audited(selected_within, data, retrain=30)
    assert sound.findings[1].outcome == "supported"


def test_fits_on_exchanged_labels(tiny):
    audit = audited(DecisionTreeClassifier(), tiny, retrain=19)
    retrained = audit.results["signal"].figures["retrained"]
    assert retrained["p"] == 1 / 20
    assert retrained["mean"] < 0.3


def test_test_rows_of_one_class_tell_nothing():
    x = np.arange(40.0).reshape(20, 2)
    audit = audited(DecisionTreeClassifier(), (x, np.arange(20) % 2), test=(x[:4] + 0.5, np.zeros(4, int)))
    assert audit.findings[0].outcome == "no conclusion"
    assert audit.alarms == {"no-signal": 1.0}


def test_slow_metrics_are_computed_less_often(tiny):
    audit = audited(DecisionTreeClassifier(), tiny)
    slow = audited(DecisionTreeClassifier(), tiny, metric="f1_macro", budget=4)
    assert SignalStage().estimate(audit.case).smaller == ""
    assert slow.results["signal"].figures["num_exchanges"] <= EXCHANGES
    assert slow.results["signal"].figures["p"] < 0.01


def test_blocks_of_time():
    draw = np.random.default_rng(0)
    table = pd.DataFrame({"t": np.arange(400), "x": draw.standard_normal(400), "y": np.arange(400) // 20 % 2})
    audit = audited(DecisionTreeClassifier(), table, label="y", time="t")
    assert "blocks of time" in audit.results["signal"].figures["exchange"]
