import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

import byrote
from byrote.audits.errors_by_group import errors_by_group
from byrote.audits.metric import Prediction


def test_shares_and_p_values():
    labels, groups = np.zeros(300, np.int64), np.repeat([3, 1, 7, 9], [100, 100, 97, 3])
    says = np.zeros(300, np.int64)
    says[100:160] = 1  # of group 1, 60 of 100 wrong
    counted = np.ones(300, bool)
    counted[:10] = False
    found = errors_by_group([Prediction(says, None)], labels, groups, counted)
    assert [(each.group, each.right.n) for each in found] == [(1, 100), (3, 90), (7, 97)]
    assert (found[0].right.mean, found[0].others) == (0.4, 1.0)
    assert found[0].p_value < 1e-6
    assert found[0].right.low < 0.4 < found[0].right.high
    assert errors_by_group([Prediction(says, None)], labels, np.zeros(300, np.int64), counted) == []


@pytest.mark.slow
def test_equal_groups_raise_few_alarms():
    draw = np.random.default_rng(0)
    groups, labels = np.arange(400) % 20, np.zeros(400, np.int64)
    alarms = 0
    for _ in range(200):
        says = (draw.random(400) < 0.2).astype(np.int64)
        found = errors_by_group([Prediction(says, None)], labels, groups, np.ones(400, bool))
        alarms += min(each.p_value for each in found) <= 0.05
    assert alarms <= 16


def test_the_audit_names_the_group_that_fares_worse(tmp_path):
    draw = np.random.default_rng(1)
    table = pd.DataFrame(draw.standard_normal((900, 3)), columns=list("abc"))
    table["site"] = np.array(["north", "south", "west"])[np.arange(900) % 3]
    truth = table["a"] > 0
    table["y"] = np.where((table["site"] == "west") & (draw.random(900) < 0.5), ~truth, truth).astype(int)
    model = DecisionTreeClassifier(max_depth=2)
    asked = {"test": table[600:], "label": "y", "groups": "site", "stages": ["data"], "quiet": True}
    made = byrote.audit(model, table[:600], **asked)
    finding = next(each for each in made.findings if each.claim == "Some groups have more errors than others")
    assert finding.outcome == "supported"
    assert "surely differ: west has" in finding.statement
    assert made.json()["stages"]["data"]["figures"]["by_group"][0]["group"] == "west"
    made.report(tmp_path / "report.html")
    assert "Right answers by group" in (tmp_path / "report.html").read_text()
