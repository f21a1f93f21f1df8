import numpy as np
import pytest

from byrote.audits.label_votes import suspicion
from byrote.audits.planted_labels import drawn_errors, error_chances, planted_errors


@pytest.fixture
def votes_and_labels():
    """Class 0 looks like itself but for ten rows, labelled 0, that look like 1."""
    labels = np.arange(300) % 3
    votes = np.eye(3, dtype=np.float32)[labels]
    votes[:30:3] = np.eye(3)[1]
    return votes, labels


def test_uniform_errors_strike_all_rows_and_other_labels_alike(votes_and_labels):
    chances = error_chances("uniform", *votes_and_labels)
    np.testing.assert_allclose(chances, (1 - np.eye(3)) / 6)


def test_confused_errors_go_as_rows_look_otherwise_than_they_are_labelled(votes_and_labels):
    chances = error_chances("confused", *votes_and_labels)
    assert chances.sum() == pytest.approx(1)
    sure_of_none = error_chances("confused", *votes_and_labels, np.zeros(300))
    np.testing.assert_allclose(sure_of_none, error_chances("uniform", *votes_and_labels))
    assert chances[1, 0] == pytest.approx((10 + 1 / 6) / 11)
    assert (np.diag(chances) == 0).all()


def test_errors_are_wrong_labels_of_rows_of_their_class():
    labels = np.array([0, 0, 1, 1, 1, 1])
    chances = np.array([[0, 0.25, 0.25], [0.5, 0, 0], [0, 0, 0]])
    rows, wrong = drawn_errors(chances, labels, 4000, np.random.default_rng(0))
    assert (labels[rows] != wrong).all()
    np.testing.assert_allclose([(labels[rows] == 1).mean(), (wrong == 2).mean()], [0.5, 0.25], atol=0.03)
    assert np.ptp(np.bincount(rows)[2:]) <= 1


def test_classes_without_rows_are_left_out():
    chances = np.array([[0, 0.5], [0.5, 0]])
    rows, wrong = drawn_errors(chances, np.zeros(5, np.int64), 50, np.random.default_rng(0))
    assert (wrong == 1).all()
    assert len(rows) == 50


def test_scores_of_planted_errors_are_those_of_their_wrong_labels(votes_and_labels):
    votes, labels = votes_and_labels
    planted = planted_errors(error_chances("uniform", votes, labels), votes, labels, 100, np.random.default_rng(0))
    looks_right = (votes.argmax(axis=1) == labels)[planted.rows]
    assert (planted.scores[looks_right] == 1).all()
    assert (suspicion(votes, labels)[votes.argmax(axis=1) == labels] == -1).all()
