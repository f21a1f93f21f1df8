import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

import byrote
from byrote.audits.labels_stage import LabelsStage


def audited(model, data, stages=("labels",), **options):
    return byrote.audit(model, data, stages=stages, quiet=True, **options)


@pytest.fixture(scope="module")
def spoilt():
    """Digits with 8% of the labels of both splits changed, and which they are, by place."""
    data = byrote.load("digits")
    draw = np.random.default_rng(0)
    sides, wrong = [], set()
    for name, side in (("train", data.train), ("test", data.test)):
        chosen = draw.random(len(side)) < 0.08
        sides.append(np.where(chosen, (side.labels + draw.integers(1, 10, len(side))) % 10, side.labels))
        wrong |= {(name, side.place(row)) for row in np.flatnonzero(chosen).tolist()}
    made = byrote.from_arrays(data.train.inputs, sides[0], data.test.inputs, sides[1], name="spoilt")
    order = {("train", data.train.place(row)): made.train.place(row) for row in range(len(made.train))}
    order |= {("test", data.test.place(row)): made.test.place(row) for row in range(len(made.test))}
    return made, {(split, order[split, place]) for split, place in wrong}


@pytest.fixture(scope="module")
def of_bayes(spoilt):
    return audited(GaussianNB(), spoilt[0])


def test_the_list_has_the_users_rows(spoilt, of_bayes):
    (_, wrong), audit = spoilt, of_bayes
    table = audit.results["labels"].tables["wrong_labels.csv"]
    assert list(table.columns) == [
        *("place", "split", "given_label", "suggested_label", "p_wrong", "p_low", "p_high"),
        *("false_discovery_rate", "false_discovery_most", "reason", "duplicate_of"),
    ]
    likely = table[table["p_wrong"] > 0.5]
    hits = np.array([pair in wrong for pair in zip(likely["split"], likely["place"], strict=True)])
    stated = audit.results["labels"].figures["listed_false_share"]
    assert stated["mean"] == pytest.approx(1 - hits.mean(), abs=0.07)
    assert hits.sum() > 0.85 * len(wrong)
    assert set(table["split"]) == {"train", "test"}
    assert (likely["given_label"] != likely["suggested_label"]).all()
    assert likely["reason"].str.contains("nearest rows are").mean() > 0.9
    assert audit.findings[0].outcome == "not supported"
    assert audit.alarms["wrong-labels"] == pytest.approx(audit.results["labels"].figures["share_wrong"]["low"])
    assert 0.02 < audit.alarms["wrong-labels"] < 0.09


@pytest.mark.slow
def test_it_is_kept_and_its_page_has_pictures(spoilt, tmp_path):
    data, _ = spoilt
    audit = audited(DummyClassifier(), data, out=tmp_path)
    audit.write(tmp_path)
    again = audited(DummyClassifier(), data, out=tmp_path)
    assert again.findings == audit.findings
    assert again.alarms == audit.alarms
    page = (tmp_path / "report.html").read_text()
    assert "The list of wrong labels" in page
    assert page.count('<figure class="tile">') >= 24
    again.write(tmp_path)
    assert (tmp_path / "report.html").read_text() == page


def test_tables_show_their_rows(tmp_path):
    table, labels = load_breast_cancer(as_frame=True, return_X_y=True)
    audit = audited(GaussianNB(), (table, labels.where(labels.index >= 40, 1 - labels)))
    sections = LabelsStage().sections(audit.case, audit.results["labels"])
    assert sections[-1].table.header[:2] == ("row", "mean radius")
    assert len(sections[-1].table.blocks[""][0]) == len(sections[-1].table.header)


def test_noise_gives_no_conclusion_and_no_alarm():
    draw = np.random.default_rng(0)
    audit = audited(GaussianNB(), (draw.standard_normal((500, 4)), draw.integers(0, 2, 500)))
    assert audit.findings[0].outcome == "no conclusion"
    assert "wrong-labels" not in audit.alarms
    assert audit.results["labels"].tables["wrong_labels.csv"]["p_wrong"].isna().all()


def test_few_rows_give_no_conclusion():
    audit = audited(GaussianNB(), (np.arange(80.0).reshape(40, 2), np.arange(40) % 2))
    assert audit.findings[0].outcome == "no conclusion"
    assert "too few to plant errors in" in audit.findings[0].statement
    assert audit.alarms == {}


def test_copies_are_named():
    draw = np.random.default_rng(0)
    x = draw.integers(0, 256, (200, 1, 10, 10)).astype(np.uint8)
    y = np.arange(200) % 2
    x[y == 1, 0, 2:4] = 255
    x[1] = x[0]
    audit = audited(GaussianNB(), byrote.from_arrays(x[:160], y[:160], x[160:], y[160:]), ("data", "labels"))
    table = audit.results["labels"].tables["wrong_labels.csv"]
    row = table[(table["split"] == "train") & (table["place"] == audit.case.material.train.place(1))]
    assert row["duplicate_of"].tolist() == [f"train: {audit.case.material.train.place(0)}"]
    assert row["reason"].tolist() == ["a copy of it is labelled 0"]


def test_a_budget_leaves_out_the_model_and_then_rows(spoilt, of_bayes):
    audit, stage = of_bayes, LabelsStage()
    whole = stage.estimate(audit.case)
    assert whole.smaller == ""
    assert GaussianNB.__name__ in audit.results["labels"].figures["planted_found_by"]
    assert "1,797 rows" in stage.estimate(audit.case, 0.1).smaller
    assert "looked at, for want of time" in stage.run(audit.case, 2.2).statement


def test_predictions_and_pipelines_are_not_fitted():
    draw = np.random.default_rng(0)
    labels = np.arange(300) % 2
    table = pd.DataFrame(draw.standard_normal((300, 5)) + 3 * labels[:, None])
    audit = audited(lambda table, labels, seed: 0.5, (table, labels))
    assert set(audit.results["labels"].figures["planted_found_by"]) == {"neighbours", "ridge", "all together"}


def test_a_list_may_be_empty(tmp_path):
    draw = np.random.default_rng(4)
    audit = audited(DecisionTreeClassifier(), (draw.standard_normal((120, 5)), draw.integers(0, 2, 120)))
    assert not len(audit.results["labels"].tables["wrong_labels.csv"])
    assert audit.results["labels"].figures["rows"]["rows"] == []
    assert audit.findings[0].outcome == "no conclusion"
    audit.write(tmp_path)
