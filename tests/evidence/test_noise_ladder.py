import math

import numpy as np
import pytest

from byrote.evidence.noise_ladder import (
    BENIGN_KEEPS,
    HALF,
    against_guessing,
    balanced_accuracy,
    effect,
    kept_beyond,
    kept_share,
)

LABELS = np.arange(200) % 4


def copied(seed, keeps, labels=LABELS, draws=4, accuracy=0.9, groups=1):
    """Which rows are right on true labels, and under draws of noise of which a row, or a group, keeps its answer with
    the chance `keeps` and has a random class otherwise."""
    draw = np.random.default_rng(seed)
    before = np.repeat(draw.random(len(labels) // groups) < accuracy, groups)
    stays = np.repeat(draw.random((draws, len(labels) // groups)) < keeps, groups, axis=1)
    lucky = np.repeat(draw.random((draws, len(labels) // groups)) < 0.25, groups, axis=1)
    return np.where(stays, before, lucky), np.tile(before, (draws, 1))


@pytest.mark.parametrize("groups", [1, 10])
def test_what_copies_labels_is_rarely_said_to_learn(groups):
    """At 5%, more than 20 of 200 happen once in 500 times."""
    codes = None if groups == 1 else np.arange(200) // groups
    labels = LABELS if groups == 1 else np.arange(200) // groups % 4
    found = [
        kept_beyond(1 - HALF, *copied(seed, 1 - HALF, labels, groups=groups), labels, 4, codes) for seed in range(200)
    ]
    assert sum(each.p_above <= 0.05 for each in found) <= 20
    assert sum(each.p_below <= 0.05 for each in found) <= 20


def test_luck_that_all_rows_share_is_no_evidence():
    """A draw of noise moves all rows of a model with few parameters at once."""
    draw = np.random.default_rng(0)
    found = []
    for seed in range(200):
        after, before = copied(seed, 0.5 + 0.0, draws=4)
        shift = np.clip(0.5 + 0.15 * draw.standard_normal((4, 1)), 0, 1)
        after = np.where(draw.random(after.shape) < shift, before, draw.random(after.shape) < 0.25)
        found.append(kept_beyond(0.5, after, before, LABELS, 4).p_above)
    assert np.mean(np.array(found) <= 0.05) <= 0.1


def test_what_keeps_more_is_found_and_its_share_measured():
    after, before = copied(0, 0.95)
    assert kept_beyond(BENIGN_KEEPS, after, before, LABELS, 4).p_above < 0.005
    kept = kept_share(after, before, LABELS, 4)
    assert kept.low < 0.95 < kept.high
    assert kept.low > BENIGN_KEEPS
    copies = kept_share(*copied(1, 0.5), LABELS, 4)
    assert copies.low < 0.5 < copies.high


@pytest.mark.slow
def test_the_interval_of_the_share_covers_it():
    found = [kept_share(*copied(seed, 0.7), LABELS, 4) for seed in range(100)]
    assert sum(each.low <= 0.7 <= each.high for each in found) >= 90


def test_a_constant_has_no_lead():
    constant = np.tile(LABELS == 2, (4, 1))
    assert balanced_accuracy(constant, LABELS).mean == pytest.approx(0.25)
    assert against_guessing(constant, LABELS).p_above == pytest.approx(0.5)
    assert against_guessing(constant, LABELS, margin=0.04).p_below < 1e-3
    assert math.isnan(kept_share(constant, constant, LABELS, 4).mean)


def test_unequal_classes_count_alike():
    labels = np.repeat([0, 1], [190, 10])
    always = np.tile(labels == 0, (3, 1))
    assert balanced_accuracy(always, labels).mean == pytest.approx(0.5)


def test_few_rows_that_all_agree_are_not_believed():
    values = np.full((4, 5), 0.2)
    assert effect(values, np.array([0, 1, 0, 1, 0])).p_above > 0.05
    assert effect(np.full((4, 500), 0.2), np.arange(500) % 2).p_above < 1e-6


def test_one_draw_tells_nothing_of_others():
    after, before = copied(0, 0.95, draws=1)
    assert kept_beyond(0.5, after, before, LABELS, 4).p_above == 1
    assert balanced_accuracy(after, LABELS).low > 0
