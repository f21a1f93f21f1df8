import re
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from byrote.evidence.chance import (
    chance_deviation,
    chance_interval,
    seeds_for_power,
    verdict_in_words,
)
from byrote.evidence.chance import (
    tests_at_chance as outcome_of,
)


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


def make_runs(accuracies, deviation=0.0, num_classes=10, n_test=10_000, n_train=1000):
    return pd.DataFrame(
        {
            "test_accuracy": accuracies,
            "chance_deviation": deviation,
            "num_classes": num_classes,
            "n_test": n_test,
            "n_test_effective": float(n_test),
            "n_train": n_train,
        }
    )


@pytest.mark.parametrize(
    ("runs", "outcome", "words"),
    [
        # 1,000 random labels: 11.5% of 10,000 examples right is five deviations of a die, and one and a half of these.
        (make_runs([0.115], 0.0098), "supported", "at chance (10.0%; 6.8% to 13.2% is chance for 99.9% of all"),
        (make_runs([0.115], 0.0), "not supported", "away from chance"),
        (make_runs([0.2], 0.0098), "not supported", "away from chance"),
        (
            make_runs([0.1], 0.05),
            "no conclusion",
            "tells nothing of chance: chance is 10.0%, .* from 0.0% to 26.5%",
        ),
        (make_runs([0.1], n_test=100), "supported", "at chance"),
        # Seeds of networks that are better than chance may be right on the same examples: of 50, too few.
        (make_runs([0.1] * 5, n_test=50), "no conclusion", "leaves more than 9.0 points open; some 292 test examples"),
        (make_runs([0.1], 0.08, n_test=100), "no conclusion", "leaves more than 9.0 points open; some 13 seeds"),
        (make_runs([0.1], 0.01, n_train=9), "no conclusion", "9 training examples cannot show all 10 classes"),
        # With two classes, a network that is right everywhere would have been wrong everywhere as often.
        (make_runs([0.96], 0.46, 2), "no conclusion", "with 2 classes, .* 11 seeds would tell"),
        (make_runs([0.5], 0.0, 2), "no conclusion", "11 seeds would tell"),
        (make_runs([0.5] * 11, 0.01, 2), "supported", "at chance"),
        (make_runs([0.96] * 11, 0.46, 2), "not supported", "away from chance"),
        (make_runs([0.333], 0.01, 3), "no conclusion", "3 seeds would tell"),
    ],
)
def test_noise_that_explains_an_accuracy_does_not_make_it_chance(runs, outcome, words):
    assert outcome_of(runs) == outcome
    assert re.search(words.replace("(", r"\("), verdict_in_words(runs)), verdict_in_words(runs)


@pytest.mark.parametrize("num_classes", [2, 3, 4, 10])
def test_so_many_seeds_tell_a_network_that_is_right_everywhere(num_classes):
    labels = np.arange(60 * num_classes) % num_classes
    deviation = chance_deviation(labels, labels, num_classes)
    needed = seeds_for_power(make_runs([1.0], deviation, num_classes))
    assert outcome_of(make_runs([1.0] * needed, deviation, num_classes)) == "not supported"
    assert needed == 1 or chance_interval(make_runs([1.0] * (needed - 1), deviation, num_classes), 0.999).high == 1


def test_random_labels_are_seldom_called_away_from_chance():
    """Networks that call whole classes by one random name each, which is as far from dice as can be."""
    generator = np.random.default_rng(0)
    labels = np.arange(360) % 10
    outcomes = []
    for _ in range(400):
        predictions = generator.integers(0, 10, 10)[labels]
        accuracy = float((predictions == labels).mean())
        outcomes.append(outcome_of(make_runs([accuracy], chance_deviation(labels, predictions, 10), n_test=360)))
    assert outcomes.count("not supported") <= 0.05 * len(outcomes)
    assert outcomes.count("supported") <= 0.05 * len(outcomes)


def test_seeds_narrow_it():
    one, four = (chance_interval(make_runs([0.1] * n, 0.01), 0.95) for n in (1, 4))
    assert one.mean == four.mean == 0.1
    assert one.high - 0.1 == pytest.approx(2 * (four.high - 0.1))


def test_two_classes_tell_nothing():
    """Either name of two classes is as likely: a network right in 90% would have been right in 10%."""
    labels = np.arange(100) % 2
    predictions = np.where(np.arange(100) < 10, 1 - labels, labels)
    assert chance_deviation(labels, predictions, 2) == pytest.approx(0.4)
