import math

import numpy as np
import pytest

from byrote.audits.honest_score import honest_score
from byrote.audits.metric import Metric, Prediction

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
    assert covered >= 90


def test_groups_widen_the_interval():
    draw = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 10)
    labels = np.zeros(200, np.int64)
    said = draw.integers(0, 2, 20)[groups]
    clean = np.ones(200, bool)
    alone = honest_score(ACCURACY, labels, [Prediction(said)], clean).everything
    grouped = honest_score(ACCURACY, labels, [Prediction(said)], clean, groups).everything
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_other_metrics_and_several_fits(monkeypatch):
    monkeypatch.setattr("byrote.audits.honest_score._RESAMPLES", 200)
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 200)
    fits = []
    for _ in range(3):
        score = np.clip(0.5 + 0.2 * (labels - 0.5) + 0.2 * draw.standard_normal(200), 0, 1)
        fits.append(Prediction((score > 0.5).astype(np.int64), np.stack([1 - score, score], axis=1)))
    found = honest_score(Metric("roc_auc", 2), labels, fits, np.arange(200) < 150)
    assert found.honest.low < found.honest.mean < found.honest.high
