import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from byrote.audits.metric import Metric, Prediction, mean_prediction
from byrote.errors import UserError


@pytest.fixture
def two():
    draw = np.random.default_rng(0)
    labels, scores = draw.integers(0, 2, 60), draw.random(60)
    return labels, Prediction((scores > 0.5).astype(np.int64), np.stack([1 - scores, scores], axis=1))


def test_any_scorer_of_scikit_learn(two):
    labels, prediction = two
    assert Metric("roc_auc", 2).value(labels, prediction) == roc_auc_score(labels, prediction.probabilities[:, 1])
    assert Metric("accuracy", 2).value(labels, prediction) == (labels == prediction.labels).mean()
    assert not Metric("accuracy", 2).needs_probabilities
    assert Metric("neg_log_loss", 2).needs_probabilities


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "roc_auc", "f1"])
def test_many_labellings_are_as_each_alone(two, name):
    labels, prediction = two
    metric, draw = Metric(name, 2), np.random.default_rng(1)
    labellings = np.stack([draw.permutation(labels) for _ in range(5)])
    alone = [metric.value(each, prediction) for each in labellings]
    assert metric.values(labellings, prediction) == pytest.approx(alone)


def test_chance_is_the_best_constant():
    labels = np.array([0] * 30 + [1] * 10)
    assert Metric("accuracy", 2).chance(labels) == 0.75
    assert Metric("balanced_accuracy", 2).chance(labels) == 0.5
    assert Metric("roc_auc", 2).chance(labels) == 0.5
    assert Metric("f1", 2).chance(labels) == pytest.approx(0.4)
    entropy = 0.75 * math.log(0.75) + 0.25 * math.log(0.25)
    assert Metric("neg_log_loss", 2).chance(labels) == pytest.approx(entropy)


def test_unknown_and_unfit_metrics():
    with pytest.raises(UserError, match=r"got metric='accurracy', expected .*; did you mean 'accuracy'"):
        Metric("accurracy", 2)
    with pytest.raises(UserError, match="got metric='roc_auc', which scikit-learn does not compute for 3 classes"):
        Metric("roc_auc", 3)


def test_several_fits_vote_or_share_their_chances(two):
    _, prediction = two
    flipped = Prediction(1 - prediction.labels, prediction.probabilities[:, ::-1])
    assert mean_prediction([prediction, flipped]).probabilities == pytest.approx(0.5)
    votes = [Prediction(np.array([0, 1])), Prediction(np.array([0, 1])), Prediction(np.array([1, 0]))]
    assert mean_prediction(votes).labels.tolist() == [0, 1]


def test_words():
    metric = Metric("accuracy", 2)
    assert metric.in_words(0.941) == "94.1%"
    assert metric.in_words(0.02, signed=True) == "+2.0%"
    assert metric.range_in_words(0.889, 0.904) == "88.9 to 90.4%"
    assert Metric("roc_auc", 2).in_words(0.5) == "0.500"
