import re
from dataclasses import replace

import numpy as np
import pytest

from byrote.studies.table2.rows import Table2Row, published_rows
from byrote.studies.table2.study import Table2Study

RANDOM, IN_SPITE, NONE, STOP_DECAYED, STOP = range(5)
MOST = Table2Row(True, True, True)
RANDOM_ROW, DROPOUT = Table2Row(random_labels=True), Table2Row(False, True, True, True)
ROWS = tuple(published_rows())


@pytest.fixture
def verdict(data, make_outcome):
    """The findings where the rows do as the paper's (on ten classes: 10% where that has chance), but for `changes`."""

    def give(changes=None, *, seeds=1, drop=0, rows=ROWS, imagenet=False, own=data):
        names = tuple(str(k) for k in range(1000)) if imagenet else own.class_names
        known = replace(own, name="images:imagenet" if imagenet else "made up", class_names=names)
        study = Table2Study(data=known, models=["net"], rows=rows, seeds=seeds)
        outcomes = []
        for spec, row in zip(study.tasks(), list(rows) * seeds, strict=True):
            paper = published_rows().get(row, {})
            train, top5 = paper.get("train_accuracy", 0.9), paper.get("test_top5_accuracy", 0.5)
            test = 0.1 if row.random_labels else paper.get("test_accuracy", 0.6)
            best = 0.1 if row.random_labels else np.nan_to_num(paper.get("best_on_test", 0.6), nan=test)
            fields = {"train_accuracy": train, "test_accuracy": test, "test_top5_accuracy": top5, "best": best}
            fields |= (changes or {}).get(row, {})
            last, best = fields["test_accuracy"], fields.pop("best")
            accuracies = np.array([np.nan, 0.1, 0.1, best, 0.1, 0.1, last])[-fields.pop("evaluations", 7) :]
            step = np.arange(1.0, len(accuracies) + 1)
            curve = {"epoch": step, "step": 10 * step, "test_accuracy": accuracies}
            curve["validation_accuracy"] = np.full(len(step), np.nan)
            fields["steps_to_fit"] = fields.get("steps_to_fit", 100 if not row.random_labels else None)
            outcomes.append(make_outcome(spec, curve=curve, n_test=10_000, steps_run=70, **fields))
        return study.verdict(study.summarise(outcomes[drop:]))

    return give


def test_the_papers_own_figures_support_every_claim(verdict):
    found = verdict(seeds=2)
    assert [finding.outcome for finding in found] == ["supported"] * 5
    assert [finding.claim for finding in found] == [
        "net fits random labels far above chance, and tests at chance",
        "Explicit regularisers do not keep net from fitting random labels",
        "net generalises without explicit regularisers: they are not necessary",
        "Stopping early could raise the test accuracy of net with weight decay",
        "Stopping early could raise the test accuracy of net without regularisers",
    ]
    assert "After 70 steps not all random labels of 40 examples are fitted: train accuracy 95.2% top-1" in (
        found[RANDOM].statement
    )
    assert "at chance (10.0%; 9.3% to 10.7% is chance for 99.9% of all renamings of the classes, 2 seeds)" in (
        found[RANDOM].statement
    )
    assert "91.2% with dropout, weight decay, 87.8% with weight decay, where guessing gives 10.0% (2 seeds)" in (
        found[IN_SPITE].statement
    )
    assert (
        "its top-5 accuracy is 80.4%, where guessing has 50.0%. With all three, the most regularised row, it has"
        in (found[NONE].statement)
    )
    assert "a test accuracy of 77.8% (77.0% to 78.6%), where guessing has 10.0%" in found[NONE].statement
    assert "without any, 72% to 75% of its lead over guessing in test accuracy are there (50% are enough;" in (
        found[NONE].statement
    )
    assert "tests at 63.2% at its best along training (after 40 of 70 steps) and at 59.8% at the end: +3.4 points" in (
        found[STOP].statement
    )
    assert "by Bonferroni over 6 evaluations in 2 rows; 2 seeds). This is an upper bound" in found[STOP].statement
    assert "The paper" not in found[STOP].statement


def test_on_imagenet_the_papers_gain_stands_beside_ours(verdict):
    found = verdict(imagenet=True)
    assert "The paper: +3.36 points." in found[STOP].statement
    assert "The paper: +5.39 points." in found[STOP_DECAYED].statement
    other = verdict(imagenet=True, rows=(Table2Row(dropout=True),))
    assert len(other) == 1
    assert "The paper" not in other[0].statement


@pytest.mark.parametrize(
    ("changes", "which", "outcome", "words"),
    [
        ({RANDOM_ROW: {"train_accuracy": 0.5}}, RANDOM, "no conclusion", "More steps may fit more"),
        ({RANDOM_ROW: {"test_accuracy": 0.2}}, RANDOM, "not supported", "is 20.0%, away from chance"),
        ({RANDOM_ROW: {"steps_to_fit": 10}}, RANDOM, "supported", "After 70 steps all random labels"),
        ({RANDOM_ROW: {"failed": ("rate",)}}, RANDOM, "no conclusion", "A self-check failed"),
        ({RANDOM_ROW: {"train_accuracy": 0.5}}, IN_SPITE, "supported", "91.2% with dropout"),
        (
            {DROPOUT: {"train_accuracy": 0.5}},
            IN_SPITE,
            "no conclusion",
            "More may fit more: try `--steps 140`",
        ),
        ({DROPOUT: {"stop_reason": "non-finite loss"}}, IN_SPITE, "no conclusion", "finite"),
        ({Table2Row(): {"steps_to_fit": None}}, NONE, "no conclusion", "stopped before it had fitted"),
        ({Table2Row(): {"test_accuracy": 0.4}}, NONE, "not supported", "42% to 47% of its lead"),
        ({Table2Row(): {"test_accuracy": 0.1}, MOST: {"test_accuracy": 0.11}}, NONE, "no conclusion", "0% to 103% of"),
        ({MOST: {"test_accuracy": 0.1}}, NONE, "no conclusion", "learned nothing to compare"),
        ({MOST: {"failed": ("rate",)}}, NONE, "no conclusion", "A self-check failed"),
        ({MOST: {"test_accuracy": 0.3}}, NONE, "supported", "241% to 257% of its lead"),
        ({Table2Row(): {"best": 0.61}}, STOP, "no conclusion", r"\+1.2 points"),
        ({Table2Row(): {"best": 0.3}}, STOP, "no conclusion", r"\+0.0 points"),
        ({Table2Row(): {"best": 0.7, "evaluations": 4}}, STOP, "no conclusion", "evaluated only 4 times"),
        ({Table2Row(): {"failed": ("rate",)}}, STOP, "no conclusion", "A self-check failed"),
        ({Table2Row(): {"failed": ("rate",)}}, STOP_DECAYED, "supported", r"\+5.4 points"),
    ],
)
def test_each_way_a_claim_can_come_out(verdict, changes, which, outcome, words):
    finding = verdict(changes)[which]
    assert finding.outcome == outcome, finding
    assert re.search(words, finding.statement), finding


def test_a_gain_that_is_surely_small_is_none(verdict, monkeypatch):
    monkeypatch.setattr("byrote.studies.table2.findings.NO_HELP", 0.03)
    assert verdict({Table2Row(): {"best": 0.3}})[STOP].outcome == "not supported"


def test_missing_runs_decide_nothing(verdict):
    found = verdict(drop=7, seeds=2)
    assert [finding.outcome for finding in found] == ["no conclusion"] * 5
    assert "1 of 2 runs have not finished" in found[RANDOM].statement


def test_without_dropout_the_most_regularised_row_left_is_compared_with(verdict):
    rows = [row for row in ROWS if not row.dropout]
    (finding,) = (f for f in verdict(rows=rows) if "necessary" in f.claim)
    assert finding.outcome == "supported"
    assert "With augmentation, the most regularised row, it has a test accuracy of 73.0%" in finding.statement


def test_claims_are_made_only_of_the_rows_there_are(verdict):
    assert [finding.claim for finding in verdict(rows=(MOST,))] == []
    (finding,) = (f for f in verdict(rows=(Table2Row(),)) if "necessary" in f.claim)
    assert finding.outcome == "supported"
    assert finding.statement.endswith("guessing has 50.0% (one seed, so no interval over seeds).")


@pytest.mark.parametrize("rows", [ROWS, (Table2Row(),)])
def test_naming_the_largest_class_is_no_generalising(verdict, unequal, rows):
    runs = {Table2Row(): {"test_accuracy": 0.95}, MOST: {"test_accuracy": 0.96}}
    finding = next(one for one in verdict(runs, rows=rows, own=unequal) if "necessary" in one.claim)
    assert finding.outcome != "supported"
    assert "where guessing has 95.0%" in finding.statement
