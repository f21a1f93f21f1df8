import json

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from torch import nn

import byrote
from byrote.audits.audit import Audit, Limit, estimated, parse_limits
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
    audit = byrote.audit(DecisionTreeClassifier(max_depth=1), tiny, stages=["data"], out=out, quiet=True)
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


def test_estimates_come_without_an_audit(tiny):
    found = estimated(GaussianNB(), tiny, budget="1h")
    assert list(found) == list(STAGES)
    assert all(each.seconds >= 0 for each in found.values())


def test_a_regressor_is_audited_where_a_stage_makes_sense(tmp_path):
    draw = np.random.default_rng(0)
    table = pd.DataFrame({"rooms": draw.integers(1, 9, 200), "city": draw.choice(["Oslo", "Bern"], 200)})
    table["area"] = np.where(draw.random(200) < 0.1, np.nan, 20 * table["rooms"] + 10 * draw.standard_normal(200))
    table["price"] = 1000 * table["rooms"] + 900 * draw.standard_normal(200)
    audit = byrote.audit(DecisionTreeRegressor(max_depth=4), table, label="price", quiet=True)
    audit.write(tmp_path)
    found = json.loads((tmp_path / "audit.json").read_text())
    assert (found["metric"], found["data"]["target"], found["data"]["class_names"]) == ("r2", "quantities", [])
    status = {name: stage["status"] for name, stage in found["stages"].items()}
    assert status == {name: "done" if name in ("data", "signal") else "skipped" for name in STAGES}
    assert all("quantities" in found["stages"][name]["statement"] for name in STAGES if status[name] == "skipped")
    assert found["alarms"] == {"leakage": 0.0, "label-conflicts": 0.0, "no-signal": 0.0}
    page = (tmp_path / "report.html").read_text()
    assert "has an R² of 0." in page
    assert "points" not in page.split("<script", 1)[0]
    costs = estimated(DecisionTreeRegressor(), table, label="price", stages=["signal", "rote"], budget="1h")
    assert costs["rote"].seconds == 0.0
    assert "quantities" in costs["rote"].smaller


def test_what_cannot_be_audited():
    with pytest.raises(UserError, match="got no data to audit"):
        byrote.audit(GaussianNB())
    with pytest.raises(UserError, match="got seeds=0"):
        byrote.audit(GaussianNB(), (np.zeros((4, 2)), [0, 1, 0, 1]), seeds=0)
    draw = np.random.default_rng(0)
    ages = pd.DataFrame({"a": draw.normal(size=200), "age": np.repeat(np.arange(50), 4)})
    with pytest.warns(UserWarning, match="160 training rows have 50 classes, which are whole numbers"):
        estimated(DecisionTreeClassifier(), ages, label="age", stages=["signal"])


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


class OfSeveral(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.image, self.meta = nn.Linear(64, num_classes), nn.Linear(2, num_classes)

    def forward(self, inputs):
        return self.image(inputs["image"].flatten(1)) + self.meta(inputs["meta"])


def test_several_inputs_are_audited_as_one(tmp_path):
    """Two test rows are in training too; a third has the image of one, and other numbers beside it."""
    digits, draw = load_digits(), np.random.default_rng(0)
    inputs = {"image": digits.images[:400].astype(np.uint8), "meta": draw.normal(size=(400, 2)).astype(np.float32)}
    train, test = ({name: values[part] for name, values in inputs.items()} for part in (slice(300), slice(300, 400)))
    test["image"][:3] = train["image"][[5, 6, 7]]
    test["meta"][:2] = train["meta"][[5, 6]]
    labels = digits.target[:300], np.concatenate([digits.target[5:8], digits.target[303:400]])
    data = byrote.from_arrays(train, labels[0], test, labels[1], pixel_max=16.0)
    audit = byrote.audit(OfSeveral, data, stages=["data", "signal"], quiet=True, epochs=12, learning_rate=0.3)
    copies = audit.results["data"].figures["copies"]
    assert copies["num_identical_test_in_train"] == 2
    assert copies["near"]["num_test_with_copy_in_train"] == 1
    assert audit.results["data"].figures["column"]["column"] in ("meta[0]", "meta[1]")
    assert audit.results["data"].figures["score"]["honest"]["mean"] > 0.7
    assert len(audit.results["data"].figures["pictures"][0]["pictures"]) == 4
    assert audit.json()["data"]["kind"] == "dict"
    audit.write(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "The network gets several inputs by name, each as it comes: image, images of 8 x 8 values" in page
    assert "near ones were looked for in the pixels of image alone, identical ones in all inputs" in page


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_nulls_of_quantities_raise_few_flags():
    """Heavy tails, ties, groups that share an effect in inputs and targets, targets of which most are 0."""
    raised = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        inputs, groups = draw.standard_normal((120, 5)), draw.permutation(np.repeat(np.arange(24), 5))
        targets = (
            draw.standard_t(1.5, 120),
            draw.poisson(1.0, 120).astype(float),
            draw.standard_normal(24)[groups],
            2 * draw.standard_normal(24)[groups] + draw.standard_normal(120),
            np.where(draw.random(120) < 0.9, 0.0, draw.standard_normal(120)),
        )[seed % 5]
        in_groups = {"groups": groups} if seed % 5 in (2, 3) else {}
        if in_groups:
            inputs = 0.3 * inputs + draw.standard_normal((24, 5))[groups]
        metric = ("r2", "neg_mean_absolute_error")[seed % 2]
        audit = byrote.audit(DecisionTreeRegressor(), (inputs, targets), metric=metric, quiet=True, **in_groups)
        flags = {flag for found in audit.significant.values() for flag, yes in found.items() if yes}
        alarms = {name for name, value in audit.alarms.items() if (value > 0) != (name == "no-signal")}
        raised += bool(alarms | flags)
    assert raised <= 18
