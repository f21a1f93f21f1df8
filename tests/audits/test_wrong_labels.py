from functools import cache

import numpy as np
import pytest

import byrote
from byrote.audits.label_features import label_features
from byrote.audits.label_votes import RidgeFeatures, nearest_rows, neighbour_votes
from byrote.audits.reading import read_material
from byrote.audits.wrong_labels import find_wrong_labels


@cache
def digits():
    material = read_material(byrote.load("digits"))
    rows = material.whole()
    features = label_features(material, rows)
    near, ridge = nearest_rows(features), RidgeFeatures(features)
    voters = {"neighbours": lambda y: neighbour_votes(near, y, 10), "ridge": lambda y: ridge.votes(y, 10)}
    return rows.labels, near, voters


def found_in(labels, seed=0):
    _, near, voters = digits()
    return find_wrong_labels(voters, labels, 10, neighbour_votes(near, labels, 10), seed)


def flipped(seed, rate=0.08):
    truth = digits()[0]
    draw = np.random.default_rng(seed)
    wrong = draw.random(len(truth)) < rate
    return np.where(wrong, (truth + draw.integers(1, 10, len(truth))) % 10, truth), wrong, truth


@pytest.mark.slow
def test_planted_errors_in_digits_are_found_at_the_stated_rate():
    labels, wrong, truth = flipped(0)
    found = found_in(labels)
    rates, num = found.rates, int(wrong.sum())
    assert wrong[rates.order[:num]].mean() > 0.9
    assert rates.num_errors.low <= num <= rates.num_errors.high
    listed = rates.order[: found.rates.num_likely]
    cut = rates.cut_at(found.rates.num_likely)
    assert rates.false_low[cut] - 0.02 <= 1 - wrong[listed].mean() <= rates.false_high[cut] + 0.02
    assert rates.false_share[cut] == pytest.approx(1 - wrong[listed].mean(), abs=0.1)
    assert (found.suggested[listed][wrong[listed]] == truth[listed][wrong[listed]]).mean() > 0.9
    assert found.num_hidden == 50
    assert found.rise == pytest.approx(50, abs=15)


def test_as_they_are_digits_have_hardly_any():
    found = found_in(digits()[0])
    assert found.rates.num_errors.high < 12
    assert found.rates.num_likely < 10
    assert set(found.hidden) == {"confused", "uniform"}


def test_the_voter_that_finds_most_is_taken():
    labels, _, _ = flipped(1)
    _, near, voters = digits()
    noise = np.random.default_rng(0).standard_normal((len(labels), 10)).astype(np.float32)
    found = find_wrong_labels(voters | {"noise": lambda y: noise}, labels, 10, neighbour_votes(near, labels, 10))
    assert found.found_by["noise"] < 0.3
    assert found.voter != "noise"
    assert found.found_by[found.voter] == max(found.found_by.values())


def test_without_looks_only_uniform_errors_are_hidden():
    labels, _, _ = flipped(2)
    assert set(find_wrong_labels(digits()[2], labels, 10).hidden) == {"uniform"}


def test_labels_that_rows_do_not_show():
    draw = np.random.default_rng(0)
    x, y = draw.standard_normal((800, 6)).astype(np.float32), draw.integers(0, 3, 800)
    near = nearest_rows(x)
    found = find_wrong_labels({"neighbours": lambda z: neighbour_votes(near, z, 3)}, y, 3, neighbour_votes(near, y, 3))
    assert found.agreement < 0.2


@pytest.mark.slow
def test_hidden_errors_come_out_at_the_stated_rate_over_many_draws():
    """40 draws: of 80 comparisons at 2.5%, at most 7 (99.5% of Binomial(80, 0.025)) fall out of line."""
    p_values = [each.p_value for seed in range(40) for each in found_in(flipped(seed, 0.05)[0], seed).hidden.values()]
    assert (np.array(p_values) < 0.025).sum() <= 7
