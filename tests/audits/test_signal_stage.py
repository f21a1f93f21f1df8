import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyClassifier
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import byrote
from byrote.audits.signal_stage import EXCHANGES, SignalStage, _histogram


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


def test_as_good_as_a_constant_is_no_better():
    draw = np.random.default_rng(0)
    labels = (np.arange(1200) < 120).astype(np.int64)
    says = draw.random(1200) < np.where(labels == 1, 0.8, 0.12)  # right no oftener than one that always says 0
    inputs = draw.standard_normal((1200, 2))
    data = {"data": (inputs, labels), "test": (inputs[::-1], labels), "predictions": says.astype(np.int64)}
    audit = byrote.audit(stages=["signal"], quiet=True, **data)
    figures = audit.results["signal"].figures
    assert figures["p"] <= 0.001
    assert figures["lead"]["high"] < 0.008
    assert audit.findings[0].outcome == "not supported"
    assert "a constant scores as well" in audit.findings[0].statement
    assert audit.alarms == {"no-signal": 1.0}


def test_where_a_constant_leaves_four_points_such_a_lead_is_not_little():
    """Of sixteen rare rows, half are found."""
    labels = (np.arange(400) < 16).astype(np.int64)
    says = np.where((np.arange(400) % 2 == 0) & (labels == 1), 1, 0)
    says[-4:] = 1
    data = {"data": (np.zeros((400, 1)), labels), "test": (np.ones((400, 1)), labels), "predictions": says}
    audit = byrote.audit(stages=["signal"], quiet=True, **data)
    assert audit.results["signal"].figures["lead"]["mean"] > 0.009
    assert audit.findings[0].outcome == "no conclusion"
    assert "whether a constant scores as well, more test rows would tell" in audit.findings[0].statement


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
    assert leaking.results["signal"].figures["score"]["mean"] > 0.6
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


@pytest.mark.slow
def test_slow_metrics_are_computed_less_often(tiny, monkeypatch):
    monkeypatch.setattr("byrote.audits.honest_score._RESAMPLES", 50)
    audit = audited(DecisionTreeClassifier(), tiny)
    slow = byrote.audit(DecisionTreeClassifier(), tiny, metric="f1_macro", stages=["data"], quiet=True)
    assert SignalStage().estimate(audit.case).smaller == ""
    figures = SignalStage().run(slow.case, 1.0).figures
    assert figures["num_exchanges"] < EXCHANGES
    assert figures["p"] < 0.01


def test_labels_in_time_are_moved_along_it():
    draw = np.random.default_rng(0)
    table = pd.DataFrame({"t": np.arange(400), "x": draw.standard_normal(400), "y": np.arange(400) // 20 % 2})
    audit = audited(DecisionTreeClassifier(), table, label="y", time="t")
    figures = audit.results["signal"].figures
    assert figures["exchange"] == "by moving all together along time, in 80 ways"
    assert figures["least_p"] == 1 / 80
    assert figures["p"] >= 1 / 200
    assert "Intervals take neighbours in time for independent" in audit.findings[0].statement


def scored_in_time(table, labels, seed):
    return float(np.mean(labels == (table["x"] > 0)))


def trained_on_the_first(table, labels, seed):
    columns = table[["t", "x"]] if "t" in table else table
    model = DecisionTreeClassifier(random_state=0).fit(columns[:150], labels[:150])
    return float(np.mean(model.predict(columns[150:]) == labels[150:]))


def test_a_trend_in_common_beats_nothing():
    """Labels and inputs know of each other that both grow with time, and no more."""
    draw, times = np.random.default_rng(0), np.arange(400)
    labels = (draw.random(400) < times / 400).astype(int)
    table = pd.DataFrame({"t": times, "x": times / 100 - 2 + 0.5 * draw.standard_normal(400), "y": labels})
    data = {"label": "y", "time": "t", "test": table, "stages": ["signal"], "quiet": True}
    audit = byrote.audit(data=table, predictions=(table["x"] > 0).to_numpy().astype(int), **data)
    figures = audit.results["signal"].figures
    assert figures["p"] <= 0.02
    assert figures["lead"]["low"] > 0.1
    assert figures["p_beyond_trend"] > 0.1
    assert audit.findings[0].outcome == "no conclusion"
    assert "without the trends, p = 0." in audit.findings[0].statement


def test_of_a_whole_pipeline_nothing_is_supported_in_time():
    labels = np.random.default_rng(0).integers(0, 2, 400)
    table = pd.DataFrame({"t": np.arange(400), "x": 2 * labels - 1, "y": labels})
    whole = byrote.audit(scored_in_time, table, label="y", time="t", stages=["signal"], quiet=True)
    assert whole.results["signal"].figures["p"] <= 0.02
    assert whole.findings[0].outcome == "no conclusion"
    assert "predictions by row would tell" in whole.findings[0].statement


def test_a_sound_pipeline_in_time_is_not_called_leaking():
    """A slow feature foretells labels of the next quarter that are moved along time, and no label is seen before."""
    draw = np.random.default_rng(0)
    walks = np.cumsum(draw.standard_normal((2, 200)), axis=1)
    labels = (walks[0] > np.median(walks[0])).astype(int)
    table = pd.DataFrame({"t": np.arange(200), "x": walks[1], "y": labels})
    data = {"label": "y", "stages": ["signal"], "quiet": True, "retrain": 99}
    in_time = byrote.audit(trained_on_the_first, table, time="t", **data)
    on_exchanged = in_time.results["signal"].figures["on_exchanged_labels"]
    assert on_exchanged["low"] > in_time.results["signal"].figures["chance"]
    assert (in_time.findings[1].outcome, in_time.alarms) == ("no conclusion", {"no-signal": 1.0})
    assert "without `--time`, they are exchanged row by row" in in_time.findings[1].statement
    by_row = byrote.audit(trained_on_the_first, table, **data)
    assert by_row.alarms["leaking-pipeline"] == 0


def test_quantities_beat_the_best_constant_or_do_not():
    draw = np.random.default_rng(0)
    x, noise = draw.standard_normal((300, 4)), draw.standard_t(3, 300)
    for metric in ("r2", "neg_mean_absolute_error"):
        audit = audited(LinearRegression(), (x, 2 * x[:, 0] + noise), metric=metric)
        figures = audit.results["signal"].figures
        assert figures["p"] == 1e-4
        assert 0 < figures["lead"]["low"] < figures["lead"]["mean"] < figures["lead"]["high"]
        assert audit.findings[0].outcome == "supported"
        assert "With targets exchanged among 60 rows" in audit.findings[0].statement
        null = audited(DecisionTreeRegressor(), (x, noise), metric=metric)
        assert null.findings[0].outcome != "supported"
        assert null.alarms == {"no-signal": 1.0}


def test_a_shift_makes_what_is_known_worth_less_than_a_constant():
    draw = np.random.default_rng(0)
    targets = draw.standard_normal(400)
    shifted = targets + 0.5 * draw.standard_normal(400) + 3
    data = {"data": (draw.standard_normal((400, 2)), targets), "test": (draw.standard_normal((400, 2)), targets)}
    audit = byrote.audit(stages=["signal"], quiet=True, metric="r2", predictions=shifted, **data)
    assert audit.results["signal"].figures["p"] == 1e-4
    assert audit.findings[0].outcome == "not supported"
    assert "knows something of the targets, but a constant scores as well" in audit.findings[0].statement


def test_test_rows_of_one_target_tell_nothing():
    x = np.arange(40.0).reshape(20, 2)
    audit = audited(LinearRegression(), (x, np.arange(20.0)), test=(x[:4] + 0.5, np.zeros(4)))
    assert "they have one target" in audit.findings[0].statement


def best_chosen_before(table, labels, seed):
    chosen = SelectKBest(f_regression, k=10).fit_transform(table, labels)
    return cross_val_score(LinearRegression(), chosen, labels, cv=5, scoring="r2").mean()


def test_selection_before_the_split_is_found_of_quantities():
    draw = np.random.default_rng(0)
    data = draw.standard_normal((80, 300)), draw.standard_normal(80)
    leaking = audited(best_chosen_before, data, retrain=30, metric="r2")
    assert leaking.results["signal"].figures["score"]["mean"] > 0.2
    assert leaking.alarms["leaking-pipeline"] == 1.0


def test_values_that_differ_by_rounding_alone_are_one_bar():
    (bar,) = _histogram(np.array([-0.3, np.nextafter(-0.3, 0), np.nan]))
    assert bar["count"] == 2
    assert len(_histogram(np.array([0.0, 0.5, 1.0]))) == 3
