import numpy as np
import pytest

from byrote.audits.label_votes import (
    RidgeFeatures,
    folds_of,
    model_votes,
    nearest_rows,
    neighbour_votes,
    suggested,
    suspicion,
    together,
)
from byrote.audits.material import Rows
from byrote.audits.metric import Prediction
from byrote.audits.subject import Subject


@pytest.fixture
def blobs():
    draw = np.random.default_rng(0)
    labels = np.arange(240) % 3
    return (draw.standard_normal((240, 6)) + 4 * np.eye(3, 6)[labels]).astype(np.float32), labels


def test_no_vote_depends_on_the_rows_own_label(blobs):
    features, labels = blobs
    near, ridge = nearest_rows(features), RidgeFeatures(features)
    changed = labels.copy()
    changed[7] = (labels[7] + 1) % 3
    assert (neighbour_votes(near, labels, 3)[7] == neighbour_votes(near, changed, 3)[7]).all()
    # The mean that is taken off, and the strength, are of all rows: what is left of the own label is a few thousandths.
    np.testing.assert_allclose(ridge.votes(labels, 3)[7], ridge.votes(changed, 3)[7], atol=0.01)


def test_the_ridge_takes_rows_that_lie_on_a_line():
    for features in (np.linspace(-2, 2, 400), np.random.default_rng(0).standard_normal(400)):
        votes = RidgeFeatures(features.astype(np.float32)[:, None]).votes((features > 0).astype(np.int64), 2)
        assert (votes.argmax(axis=1) == (features > 0)).mean() > 0.98


def test_the_ridge_without_a_row_is_that_fitted_without_it(blobs):
    features, labels = blobs
    targets = np.eye(3)[labels] - np.eye(3)[labels].mean(axis=0)
    made = RidgeFeatures(features, centres=40)
    votes = made.votes(labels, 3)
    basis = made._basis.astype(np.float64)
    others = np.arange(240) != 5
    found = []
    for strength in (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0):
        gram = basis[others].T @ basis[others] + strength * np.eye(basis.shape[1])
        found.append(basis[5] @ np.linalg.solve(gram, basis[others].T @ targets[others]))
    expected = np.array(found) + np.eye(3)[labels].mean(axis=0)
    assert np.abs(expected - votes[5]).max(axis=1).min() < 1e-3


def test_voters_find_what_was_planted(blobs):
    features, labels = blobs
    changed = labels.copy()
    changed[:12] = (labels[:12] + 1) % 3
    for votes in (neighbour_votes(nearest_rows(features), changed, 3), RidgeFeatures(features).votes(changed, 3)):
        likeliest = np.argsort(-suspicion(votes, changed))[:12]
        assert (likeliest < 12).sum() >= 9
        assert (suggested(votes, changed)[:12] == labels[:12]).sum() >= 9


class Knowing(Subject):
    name = identity = "knowing"

    def __init__(self, named_alone=False):
        self.asked = []
        self.named_alone = named_alone

    def fit(self, train, seed):
        known = set(train.sources.tolist())

        def predict(rows):
            assert not known & set(rows.sources.tolist())
            self.asked += rows.sources.tolist()
            chances = np.tile([0.0, 0.25, 0.75], (len(rows), 1))
            return Prediction(np.full(len(rows), 2), None if self.named_alone else chances)

        return predict


@pytest.mark.parametrize("named_alone", [False, True])
def test_a_model_is_asked_about_each_row_once_and_of_none_that_it_was_fitted_on(blobs, named_alone):
    features, labels = blobs
    subject = Knowing(named_alone)
    votes = model_votes(subject, Rows(features, labels, np.arange(240)), labels, 3)
    assert sorted(subject.asked) == list(range(240))
    assert (votes.argmax(axis=1) == 2).all()
    assert votes.min() == pytest.approx(np.log(1e-3))


def test_folds_keep_groups_whole_and_rare_classes_in():
    labels = np.array([0] * 30 + [1] * 2)
    assert sorted(np.bincount(folds_of(Rows(np.zeros((32, 1)), labels, np.arange(32)), labels, 5))) == [6, 6, 6, 7, 7]
    groups = np.arange(32) // 4
    parts = folds_of(Rows(np.zeros((32, 1)), labels, np.arange(32), groups=groups), labels, 5)
    assert all(len(np.unique(parts[groups == group])) == 1 for group in range(8))


def test_a_voter_that_knows_nothing_is_given_no_weight(blobs):
    features, labels = blobs
    good = neighbour_votes(nearest_rows(features), labels, 3)
    noise = np.random.default_rng(1).standard_normal(good.shape).astype(np.float32)
    summed = together([good, noise], labels)
    assert np.corrcoef(summed.ravel(), good.ravel())[0, 1] > 0.98
