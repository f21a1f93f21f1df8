import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import byrote
from byrote.audits.data_stage import DataStage


def audited(model, data, **options):
    return byrote.audit(model, data, stages=["data"], quiet=True, **options)


def outcome(audit, claim):
    return next(finding.outcome for finding in audit.findings if claim in finding.claim)


def test_leaked_rows_are_left_out_of_the_score():
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((500, 8)), draw.integers(0, 2, 500)
    x[400:450], y[400:450] = x[:50], y[:50]
    audit = audited(KNeighborsClassifier(1), (x[:400], y[:400]), test=(x[400:], y[400:]))
    figures = audit.results["data"].figures
    assert figures["num_test_leaked"] == 50
    assert figures["score"]["all"]["mean"] > 0.7
    assert figures["score"]["honest"]["low"] < 0.5 < figures["score"]["honest"]["high"]
    assert audit.alarms["leakage"] == 1.0
    assert outcome(audit, "rows which training does not know") == "not supported"
    assert "without 50 rows known from training it is" in audit.findings[0].statement
    tables = audit.results["data"].tables
    assert (tables["clean_split.csv"]["clean_split"] == "left out").sum() == 50
    assert len(tables["duplicates.csv"]) == 50


def test_clean_data_raise_no_alarm():
    draw = np.random.default_rng(0)
    audit = audited(DecisionTreeClassifier(), (draw.standard_normal((400, 10)), draw.integers(0, 2, 400)))
    assert audit.alarms == {"leakage": 0.0, "label-conflicts": 0.0}
    assert outcome(audit, "rows which training does not know") == "supported"
    assert outcome(audit, "No example has a copy") == "supported"


def test_groups_times_and_columns():
    draw = np.random.default_rng(0)
    n = 300
    labels = draw.integers(0, 2, n)
    table = pd.DataFrame(
        {
            "who": draw.integers(0, 40, n),
            "when": draw.integers(0, 100, n),
            "x": draw.standard_normal(n),
            "code": np.where(labels == 1, "B", "A"),
            "y": labels,
        }
    )
    audit = audited(DecisionTreeClassifier(), table[:200], test=table[200:], label="y", groups="who", time="when")
    assert outcome(audit, "No group is on both sides") == "not supported"
    assert outcome(audit, "nothing of the future") == "not supported"
    assert outcome(audit, "No single column gives the label away") == "not supported"
    assert audit.alarms["leakage"] == 1.0


def test_identical_inputs_with_other_labels():
    draw = np.random.default_rng(0)
    x, y = draw.integers(0, 256, (200, 1, 10, 10)).astype(np.uint8), np.arange(200) % 2
    x[1], x[3] = x[0], x[2]
    audit = audited(DecisionTreeClassifier(), (x, y))
    assert outcome(audit, "Identical inputs have one label") == "not supported"
    assert audit.alarms["label-conflicts"] == pytest.approx(4 / 200)


def test_a_budget_takes_a_sample(tiny):
    audit = audited(DecisionTreeClassifier(), tiny)
    full, tight = DataStage().estimate(audit.case), DataStage().estimate(audit.case, 0.05)
    assert full.smaller == ""
    assert "Copies are looked for among" in tight.smaller or tight.seconds <= full.seconds


def test_training_rows_come_first():
    audit = audited(DecisionTreeClassifier(), (np.arange(40.0).reshape(20, 2), np.arange(20) % 2))
    whole = audit.case.material.whole()
    assert (whole.labels[:16] == audit.case.material.train.labels).all()
    assert len(whole) == 20


def test_without_a_score_copies_are_found_all_the_same():
    def pipeline(table, labels, seed):
        return 0.5

    x = np.random.default_rng(0).standard_normal((120, 6))
    x[100:110] = x[:10]
    audit = audited(pipeline, (x[:100], np.arange(100) % 2), test=(x[100:], np.arange(20) % 2))
    assert audit.alarms["leakage"] == 1.0
    assert "there are no predictions to score" in audit.findings[0].statement


def test_leaked_rows_and_conflicts_of_quantities():
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((500, 8)), 50 + 10 * draw.standard_normal(500)
    x[400:450], y[400:450] = x[:50], y[:50]
    x[61], y[61] = x[60], y[60] + 3
    train, test = (x[:400], y[:400]), (x[400:], y[400:])
    audit = audited(KNeighborsRegressor(1), train, test=test, metric="neg_mean_absolute_error")
    score = audit.results["data"].figures["score"]
    assert score["honest"]["n"] == 50
    assert score["honest"]["low"] < -10 < score["honest"]["high"]
    assert score["difference"]["low"] > 3
    assert audit.alarms["leakage"] == 1.0
    conflict = next(finding for finding in audit.findings if finding.claim == "Identical inputs have one label")
    assert conflict.outcome == "not supported"
    assert "the largest difference is 3.00." in conflict.statement
    assert "points" not in " ".join(finding.statement for finding in audit.findings)
    assert set(audit.results["data"].tables["duplicates.csv"]["label_1"]) <= set(map(str, y))


def test_a_column_that_gives_a_quantity_away_and_sorted_rows():
    draw = np.random.default_rng(0)
    price = np.sort(np.exp(draw.standard_normal(300)))
    table = pd.DataFrame({"area": draw.standard_normal(300), "with_tax": 1.2 * price, "price": price})
    audit = audited(DecisionTreeRegressor(), table, label="price")
    assert outcome(audit, "No single column gives the label away") == "not supported"
    assert outcome(audit, "Rows are in no order of their targets") == "not supported"
    assert audit.alarms["leakage"] == 1.0
