from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from byrote.studies.chance import chance_deviation, chance_interval, is_at_chance


def enumerated(labels, predictions, num_classes):
    """Over all renamings, one by one."""
    names = [np.array(order) for order in permutations(range(num_classes))]
    return np.std([np.mean(order[predictions] == labels) for order in names])


@given(st.integers(2, 5), st.data())
def test_the_deviation_is_that_of_all_renamings(num_classes, data):
    length = data.draw(st.integers(1, 30))
    labels, predictions = (
        data.draw(hnp.arrays(np.int64, length, elements=st.integers(0, num_classes - 1))) for _ in range(2)
    )
    expected = enumerated(labels, predictions, num_classes)
    assert chance_deviation(labels, predictions, num_classes) == pytest.approx(expected, abs=1e-12)


def test_a_die_has_the_deviation_of_its_throws():
    generator = np.random.default_rng(0)
    labels, predictions = generator.integers(0, 10, (2, 50_000))
    assert chance_deviation(labels, predictions, 10) == pytest.approx(np.sqrt(0.09 / 50_000), rel=0.3)


def test_one_class_is_always_right():
    assert chance_deviation(np.zeros(3, np.int64), np.zeros(3, np.int64), 1) == 0


def make_runs(accuracies, deviation):
    return pd.DataFrame(
        {"test_accuracy": accuracies, "chance_deviation": deviation, "num_classes": 10, "n_test": 10_000}
    )


def test_an_accuracy_that_renamings_explain_is_chance():
    """1,000 random labels: 11.5% of 10,000 examples right is five deviations of a die, and one and a half of these."""
    assert is_at_chance(make_runs([0.115], 0.0098), 0.999)
    assert not is_at_chance(make_runs([0.115], 0.0), 0.999)
    assert not is_at_chance(make_runs([0.2], 0.0098), 0.999)


def test_seeds_narrow_it():
    one, four = (chance_interval(make_runs([0.1] * n, 0.01), 0.95) for n in (1, 4))
    assert one.mean == four.mean == 0.1
    assert one.high - 0.1 == pytest.approx(2 * (four.high - 0.1))


def test_two_classes_tell_nothing():
    """Either name of two classes is as likely: a network right in 90% would have been right in 10%."""
    labels = np.arange(100) % 2
    predictions = np.where(np.arange(100) < 10, 1 - labels, labels)
    assert chance_deviation(labels, predictions, 2) == pytest.approx(0.4)
