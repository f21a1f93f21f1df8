import numpy as np
import pandas as pd
import pytest

from byrote.evidence.comparisons import compare, discordant_columns
from byrote.evidence.intervals import accuracy_interval
from byrote.evidence.tested import Tested, worth

NONE = np.empty(0, dtype=np.int64)


@pytest.mark.parametrize(
    ("inputs", "leaked", "expected"),
    [
        (np.arange(10), NONE, 1.0),
        (np.arange(10) // 5, NONE, 1 / 5),  # each five times
        ([0, 0, 0, 1], NONE, 4 / 10),
        ([0, 0, 0, 1], np.arange(3), 1.0),  # what is in training does not count,
        ([0, 0, 0, 1], np.arange(4), 4 / 10),  # unless all is
        ([], NONE, 1.0),
    ],
)
def test_an_example_that_is_there_k_times_is_worth_one(inputs, leaked, expected):
    assert worth(np.asarray(inputs, dtype=np.uint64), leaked) == pytest.approx(expected)


def test_words_say_what_repeats():
    runs = pd.DataFrame({"n_test": [720], "n_test_effective": [360.0], "num_test_leaked": [20]})
    assert Tested.on_all(runs).in_words == "720 test examples that count as 360, since their inputs repeat"
    unseen = Tested.on_unseen(runs)
    assert unseen.in_words == ("700 test examples that are not in training and count as 350, since their inputs repeat")
    assert Tested(1, 1).in_words == "1 test example"
    assert Tested(1000, 1000.0).in_words == "1,000 test examples"


@pytest.mark.parametrize("copies", [1, 2, 5])
@pytest.mark.parametrize("num_seeds", [1, 3])
def test_intervals_cover_the_accuracy_however_often_examples_repeat(copies, num_seeds):
    """200 examples, each there `copies` times: seeds agree on most of them."""
    generator = np.random.default_rng(0)
    covered, naive = 0, 0
    for _ in range(400):
        right = generator.random((num_seeds, 200)) < np.where(generator.random(200) < 0.8, 0.95, 0.1)
        accuracies = np.repeat(right, copies, axis=1).mean(axis=1)
        share = worth(np.repeat(np.arange(200, dtype=np.uint64), copies), NONE)
        own = accuracy_interval(accuracies, 200 * copies * share, strict=0.95)
        every = accuracy_interval(accuracies, 200 * copies, strict=0.95)
        covered += own.low <= 0.78 <= own.high
        naive += every.low <= 0.78 <= every.high
    assert covered >= 0.93 * 400
    if copies == 5 and num_seeds == 1:  # the spread of seeds hides some of it
        assert naive < 0.8 * 400


def test_equal_conditions_differ_as_rarely_on_copies():
    """Two conditions that are equally good are told apart in 5%, though each example is there four times."""
    generator = np.random.default_rng(0)
    apart = 0
    for _ in range(300):
        first, second = (np.repeat(generator.random((1, 100)) < 0.7, 4, axis=1) for _ in range(2))
        counts = discordant_columns("other", list(first), list(second), [0])
        apart += compare(*counts.values(), Tested(400, 100.0)).p_value < 0.05
    assert apart <= 0.08 * 300


def test_rows_of_few_categories_are_draws_of_their_own():
    """Of 64 kinds of rows, those of the test set that training lacks are few, and hardly any is there twice."""
    generator = np.random.default_rng(0)
    chances = generator.dirichlet(np.ones(64))
    train, test = (generator.choice(64, number, p=chances).astype(np.uint64) for number in (800, 200))
    assert worth(test, np.flatnonzero(np.isin(test, train))) > 0.7
    assert worth(test, NONE) < 0.3
