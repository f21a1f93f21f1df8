import math

import numpy as np
import pytest

from byrote.audits.honest_score import honest_score, score_and_lead
from byrote.audits.metric import Metric, Prediction
from byrote.evidence.intervals import binomial_interval

ACCURACY = Metric("accuracy", 2)


def test_without_leaked_rows():
    labels = np.zeros(100, np.int64)
    said = labels.copy()
    said[:20] = 1
    clean = np.arange(100) < 60
    found = honest_score(ACCURACY, labels, [Prediction(said)], clean)
    assert found.everything.mean == 0.8
    assert found.honest.mean == pytest.approx(40 / 60)
    assert found.difference.mean == pytest.approx(0.8 - 40 / 60)
    assert found.difference.low > 0


def test_no_leak_no_difference_and_nothing_honest_left():
    labels = np.arange(50) % 2
    none = honest_score(ACCURACY, labels, [Prediction(labels)], np.ones(50, bool))
    assert (none.difference.low, none.difference.high) == (0.0, 0.0)
    everything = honest_score(ACCURACY, labels, [Prediction(labels)], np.zeros(50, bool))
    assert math.isnan(everything.honest.mean)


def test_the_interval_covers_the_clean_score():
    covered = 0
    for seed in range(100):
        draw = np.random.default_rng(seed)
        labels = draw.integers(0, 2, 1000)
        leaked = np.arange(1000) < 200
        right = np.where(leaked, draw.random(1000) < 0.99, draw.random(1000) < 0.85)
        found = honest_score(ACCURACY, labels, [Prediction(np.where(right, labels, 1 - labels))], ~leaked)
        covered += found.honest.low <= 0.85 <= found.honest.high
    assert covered >= 45


@pytest.mark.slow
def test_the_interval_covers_the_clean_score_of_quantities(monkeypatch):
    """A share of the test rows is leaked and foretold exactly."""
    monkeypatch.setattr("byrote.audits.honest_score._RESAMPLES", 200)
    metric, covered = Metric("r2", 0), 0
    for seed in range(100):
        draw = np.random.default_rng(seed)
        signal, leaked = 2 * draw.standard_normal(200), np.arange(200) < 60
        targets = signal + draw.standard_normal(200)
        said = np.where(leaked, targets, signal + draw.standard_normal(200))
        found = honest_score(metric, targets, [Prediction(said)], ~leaked)
        covered += found.honest.low <= 1 - 2 / 5 <= found.honest.high
    assert covered >= 45


def test_groups_widen_the_interval():
    draw = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 10)
    labels = np.zeros(200, np.int64)
    said = draw.integers(0, 2, 20)[groups]
    clean = np.ones(200, bool)
    alone = honest_score(ACCURACY, labels, [Prediction(said)], clean).everything
    grouped = honest_score(ACCURACY, labels, [Prediction(said)], clean, groups).everything
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize("times", [1, 2, 5])
def test_copies_within_the_test_split_are_one_witness(times):
    copies = np.repeat(np.arange(100), times)
    clean, covered = np.ones(len(copies), bool), 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        says = (draw.random(100) > 0.85).astype(np.int64)[copies]
        found = honest_score(ACCURACY, np.zeros_like(says), [Prediction(says)], clean, copies=copies).honest
        covered += found.low <= 0.85 <= found.high
    assert covered >= 184


def test_groups_that_are_all_right_leave_something_open():
    labels, groups = np.arange(200) % 2, np.repeat(np.arange(20), 10)
    found = honest_score(ACCURACY, labels, [Prediction(labels)], np.ones(200, bool), groups).everything
    assert (found.low, found.high) == (binomial_interval(1.0, 20).low, 1.0)


@pytest.mark.parametrize(("rate", "told"), [(0.1, 0.9), (0.3, 0.9), (0.45, 0.9)])
def test_a_lead_of_nothing_is_seldom_found(rate, told, monkeypatch):
    """Answers that say much of the labels, and are right no oftener than the commonest class."""
    monkeypatch.setattr("byrote.audits.honest_score._RECHOSEN", 10)
    above = below = 0
    for seed in range(300):
        draw = np.random.default_rng(seed)
        labels = (draw.random(1000) < rate).astype(np.int64)
        says = draw.random(1000) < np.where(labels == 1, told, told * rate / (1 - rate))
        _, found = score_and_lead(ACCURACY, labels, [Prediction(says.astype(np.int64))])
        above, below = above + (found.low > 0), below + (found.high < 0)
    assert above <= 15
    assert below <= 15


@pytest.mark.parametrize(("kind", "num"), [("ten classes", 60), ("quantities", 25)])
def test_a_little_lead_of_few_rows_is_seldom_denied(kind, num, monkeypatch):
    """Over what a constant has on other rows; on these it was chosen, and is better."""
    monkeypatch.setattr("byrote.audits.honest_score._RESAMPLES", 60)
    monkeypatch.setattr("byrote.audits.honest_score._RECHOSEN", 20)
    denied = 0
    for seed in range(num):
        draw = np.random.default_rng(seed)
        if kind == "quantities":
            known = draw.standard_normal(10)
            metric, targets, says, most = Metric("r2", 0), 0.1 * known + draw.standard_normal(10), 0.1 * known, 0.0
        else:
            metric, targets, most = Metric("accuracy", 10), draw.integers(0, 10, 50), 0.04
            says = np.where(draw.random(50) < 0.145, targets, (targets + draw.integers(1, 10, 50)) % 10)
        _, lead = score_and_lead(metric, targets, [Prediction(says)])
        denied += lead.high <= most
    assert denied <= num // 15


def test_few_groups_of_different_sizes_leave_enough_open(monkeypatch):
    monkeypatch.setattr("byrote.audits.honest_score._RESAMPLES", 200)
    num_groups, covered = 8, 0
    for seed in range(50):
        draw = np.random.default_rng(seed)
        sizes = np.maximum(np.round(10 * np.exp(draw.standard_normal(num_groups))), 1).astype(int)
        groups = np.repeat(np.arange(num_groups), sizes)
        says = (draw.random(len(groups)) > draw.beta(2, 1, num_groups)[groups]).astype(np.int64)
        clean = np.ones(len(groups), dtype=bool)
        found = honest_score(ACCURACY, np.zeros(len(groups), np.int64), [Prediction(says)], clean, groups).honest
        covered += found.low <= 2 / 3 <= found.high
    assert covered >= 45


def test_leads_by_other_metrics_and_in_groups(monkeypatch):
    monkeypatch.setattr("byrote.audits.honest_score._RESAMPLES", 80)
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 200)
    score = np.clip(0.5 + 0.4 * (labels - 0.5) + 0.2 * draw.standard_normal(200), 0, 1)
    fits = [Prediction((score > 0.5).astype(np.int64), np.stack([1 - score, score], axis=1))]
    for metric in ("roc_auc", "balanced_accuracy", "neg_log_loss"):
        _, found = score_and_lead(Metric(metric, 2), labels, fits)
        assert 0 < found.low < found.mean < found.high
    (score, lead), (of_rows, _) = (
        score_and_lead(ACCURACY, labels, fits, groups) for groups in (np.arange(200) // 10, None)
    )
    assert 0 < lead.low < lead.mean < lead.high
    assert score.mean == of_rows.mean
    of_few = score_and_lead(ACCURACY, labels, fits, np.arange(200) // 100)
    assert math.isnan(of_few[0].low)
    assert math.isnan(of_few[1].low)


def test_other_metrics_and_several_fits(monkeypatch):
    monkeypatch.setattr("byrote.audits.honest_score._RESAMPLES", 60)
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 200)
    fits = []
    for _ in range(3):
        score = np.clip(0.5 + 0.2 * (labels - 0.5) + 0.2 * draw.standard_normal(200), 0, 1)
        fits.append(Prediction((score > 0.5).astype(np.int64), np.stack([1 - score, score], axis=1)))
    found = honest_score(Metric("roc_auc", 2), labels, fits, np.arange(200) < 150)
    assert found.honest.low < found.honest.mean < found.honest.high
