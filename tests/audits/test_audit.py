import json

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

import byrote
from byrote.audits.audit import Audit, Limit, estimated, parse_budget, parse_limits
from byrote.audits.stage import StageResult
from byrote.audits.stages import STAGES
from byrote.errors import UserError


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("audit")
    audit = byrote.audit(GaussianNB(), tiny, out=out, quiet=True, command="byrote audit")
    audit.write(out)
    return audit, out


def test_the_json_has_its_schema(made):
    _, out = made
    found = json.loads((out / "audit.json").read_text())
    assert found["schema"] == 1
    assert set(found) == {"schema", "byrote", "model", "data", "metric", "alarms", "stages"}
    for stage in found["stages"].values():
        assert set(stage) == {"status", "statement", "findings", "figures", "p_values"}
        assert stage["status"] in ("done", "skipped", "no conclusion")
        assert all(set(finding) == {"claim", "outcome", "statement"} for finding in stage["findings"])
    assert found["stages"]["signal"]["p_values"]["signal"] == {"p": 1e-4, "significant": True}
    assert {"report.html", "duplicates.csv", "clean_split.csv"} <= {path.name for path in out.iterdir()}


def test_what_is_there_is_not_made_again(made, tiny, monkeypatch):
    _, out = made
    monkeypatch.setattr(GaussianNB, "fit", lambda *_: pytest.fail("fitted again"))
    audit = byrote.audit(GaussianNB(), tiny, out=out, quiet=True)
    assert [finding.outcome for finding in audit.findings] == [finding.outcome for finding in made[0].findings]


def test_another_model_is_another_audit(made, tiny):
    _, out = made
    audit = byrote.audit(DecisionTreeClassifier(max_depth=1), tiny, out=out, quiet=True)
    assert audit.results["data"].figures["score"]["all"]["mean"] < 0.4


def test_all_flags_are_corrected_together(made):
    case = made[0].case
    flags = {"data": {"near": 0.02, "column": 0.01}, "signal": {"signal": 0.03}}
    audit = Audit(case, {name: StageResult("done", p_values=values) for name, values in flags.items()})
    assert audit.significant == {"data": {"near": True, "column": True}, "signal": {"signal": True}}
    flags["signal"]["signal"] = 0.2
    audit = Audit(case, {name: StageResult("done", p_values=values) for name, values in flags.items()})
    assert audit.significant["data"] == {"near": True, "column": True}
    flags["data"]["column"] = 0.04
    audit = Audit(case, {name: StageResult("done", p_values=values) for name, values in flags.items()})
    assert not any(audit.significant["data"].values())


def test_a_model_that_raises_leaves_the_rest(tiny):
    class Broken(DecisionTreeClassifier):
        def fit(self, x, y):
            raise ValueError("too hot")

    audit = byrote.audit(Broken(), tiny, quiet=True)
    assert "too hot" in audit.traces["signal"]
    assert audit.results["data"].figures["copies"]["num_identical_pairs"] == 0
    assert "score" not in audit.results["data"].figures
    assert audit.findings[-1].outcome == "no conclusion"
    assert "no-signal" not in audit.alarms


def test_limits():
    limits = parse_limits("leakage, label-conflicts>2%,")
    assert limits == [Limit("leakage", 0.0), Limit("label-conflicts", 0.02)]
    assert limits[1].is_passed({"label-conflicts": 0.03})
    assert not limits[1].is_passed({"label-conflicts": 0.02})
    assert limits[0].is_passed({})
    assert not limits[0].is_passed({"leakage": 0.0})
    with pytest.raises(UserError, match=r"got --fail-on leaks, expected one of .*; did you mean 'leakage'"):
        parse_limits("leaks")
    with pytest.raises(UserError, match="expected a number or a percentage"):
        parse_limits("leakage>much")


def test_budgets():
    assert [parse_budget(text) for text in ("90s", "10min", "2h", 30, None)] == [90, 600, 7200, 30, None]
    with pytest.raises(UserError, match="expected a time such as 90s"):
        parse_budget("soon")


def test_estimates_come_without_an_audit(tiny):
    found = estimated(GaussianNB(), tiny, budget="1h")
    assert list(found) == list(STAGES)
    assert all(each.seconds >= 0 for each in found.values())


def test_what_cannot_be_audited():
    with pytest.raises(UserError, match="got no data to audit"):
        byrote.audit(GaussianNB())
    with pytest.raises(UserError, match="got seeds=0"):
        byrote.audit(GaussianNB(), (np.zeros((4, 2)), [0, 1, 0, 1]), seeds=0)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_nulls_raise_few_flags():
    """At 5% more than 18 of 200 are flagged in one of a hundred draws. What is true of a tree on random labels is no
    false alarm: it fits them, knows them by rote, and tells by its errors which rows it was fitted on."""
    raised = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        data = draw.standard_normal((120, 5)), draw.integers(0, 2, 120)
        audit = byrote.audit(DecisionTreeClassifier(), data, quiet=True)
        flags = {flag for found in audit.significant.values() for flag, yes in found.items() if yes}
        alarms = {name for name, value in audit.alarms.items() if (value > 0) != (name == "no-signal")}
        raised += bool((alarms | flags) - {"fits-random-labels", "by-rote", "members-told"})
    assert raised <= 18
