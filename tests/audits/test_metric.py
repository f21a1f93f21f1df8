import math

import numpy as np
import pytest
from sklearn.metrics import get_scorer, roc_auc_score

from byrote.audits.metric import Metric, Prediction, scores_quantities
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
    for name in ("r2", "neg_mean_squared_error"):
        with pytest.raises(
            UserError, match=f"got metric='{name}', which is a score of quantities, of labels that are classes"
        ):
            Metric(name, 2)


def test_words():
    metric = Metric("accuracy", 2)
    assert metric.in_words(0.941) == "94.1%"
    assert metric.difference_in_words(0.02, -0.001, 0.03) == "2.0 points (-0.1 to 3.0)"
    assert metric.range_in_words(0.889, 0.904) == "88.9 to 90.4%"
    assert Metric("roc_auc", 2).in_words(0.5) == "0.500"


OF_QUANTITIES = (
    *("r2", "explained_variance", "neg_mean_squared_error", "neg_root_mean_squared_error", "neg_mean_absolute_error"),
    *("neg_median_absolute_error", "neg_max_error", "neg_mean_squared_log_error", "neg_mean_poisson_deviance"),
    *("neg_mean_absolute_percentage_error", "d2_absolute_error_score", "neg_mean_gamma_deviance"),
)


@pytest.mark.parametrize("name", OF_QUANTITIES)
def test_quantities_are_scored_as_by_scikit_learn(name):
    draw = np.random.default_rng(0)
    metric, scorer = Metric(name, 0), get_scorer(name)
    labellings, said = 1 + draw.random((4, 30)), 1 + draw.random(30)
    own = [scorer._sign * scorer._score_func(each, said, **scorer._kwargs) for each in labellings]
    assert scores_quantities(name)
    assert metric.values(labellings, Prediction(said)) == pytest.approx(own)
    assert metric.value(labellings[0], Prediction(said)) == pytest.approx(own[0])
    best = max(metric.value(labellings[0], Prediction(np.full(30, each))) for each in labellings[0])
    assert metric.chance(labellings[0]) >= best - 1e-6
    assert math.isnan(metric.value(labellings[0], Prediction(np.full(30, np.nan))))
    assert math.isnan(metric.value(labellings[0, :0], Prediction(said[:0])))


def test_the_best_constant_of_quantities():
    targets = np.exp(2 * np.random.default_rng(0).standard_normal(101))

    def constant(name):
        return Metric(name, 0).best_constant(targets).labels[0]

    assert Metric("r2", 0).chance(targets) == 0.0
    assert constant("neg_mean_squared_error") == constant("neg_mean_poisson_deviance") == targets.mean()
    assert constant("neg_mean_absolute_error") == np.median(targets)
    assert constant("neg_max_error") == (targets.min() + targets.max()) / 2
    assert constant("neg_mean_squared_log_error") == pytest.approx(np.expm1(np.log1p(targets).mean()), rel=1e-4)
    assert math.isnan(Metric("r2", 0).chance(np.ones(5)))


def test_rows_drawn_again_have_a_constant_of_their_own():
    targets = np.array([0.0, 0.0, 4.0, 8.0])
    metric = Metric("r2", 0)
    assert metric.constant_value(targets[1:], metric.best_constant(targets).take(np.arange(1, 4))) == 0.0


def test_quantities_in_words():
    metric = Metric("neg_mean_absolute_error", 0)
    assert metric.in_words(-12345.6) == "-12,346"
    assert metric.in_words(-0.012345) == "-0.01235"
    assert metric.range_in_words(-1021.4, -98.76) == "-1,021 to -99"
    assert metric.difference_in_words(20.13, 9.27, 29.51) == "20.13 (9.27 to 29.51)"
    assert metric.in_words(0.0) == "0.000"
    assert Metric("r2", 0).in_words(0.45678) == "0.457"
    assert Metric("r2", 0).in_words(-1234.5) == "-1,234"
    with pytest.raises(UserError, match="got metric='accuracy', which is no score of quantities"):
        Metric("accuracy", 0)
