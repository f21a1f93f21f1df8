import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import norm

from byrote.data.dataset import Dataset, Split
from byrote.evidence.learning import (
    beside_guessing,
    examples_wanted,
    far_above_guessing,
    lead_is_kept,
    learning,
    learning_columns,
    learning_sides,
    top_guessing,
    yardsticks,
)
from byrote.evidence.seed_tests import LEVEL
from byrote.studies.study import Planned, Results, Study, tabulate
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec


@dataclass(frozen=True, eq=False)
class OwnStudy(Study):
    data: Dataset
    outcomes: tuple[TrainOutcome, ...]
    name = title = "own"

    def plan(self):
        return [Planned(outcome.spec) for outcome in self.outcomes]

    def summarise(self, results):
        table = tabulate(self.name, Results.of(self, results))
        return table.assign(**learning_columns(results, self.data))

    def verdict(self, table):
        return []


@pytest.fixture
def runs(make_outcome):
    """The table of runs on true labels, one for each row of predictions of test examples with these labels."""

    def make(labels, predictions, *, num_classes=10, leaked=(), inputs=None):
        labels, leaked = np.asarray(labels), np.asarray(leaked, dtype=np.int64)
        outcomes = []
        for seed, found in enumerate(np.atleast_2d(predictions)):
            right = found == labels
            outcomes.append(
                make_outcome(
                    TrainSpec(model="net", seed=seed),
                    n_test=len(labels),
                    test_predictions=found,
                    test_accuracy=float(right.mean()),
                    test_leaked=leaked,
                    test_leaked_correct=int(right[leaked].sum()),
                    num_classes=num_classes,
                )
            )
        inputs = np.arange(len(labels)) if inputs is None else np.asarray(inputs)
        split = Split.clean(inputs[:, None].astype(np.float32), labels.astype(np.int64))
        data = Dataset("made up", split, split, tuple(map(str, range(num_classes))))
        return OwnStudy(data, tuple(outcomes)).summarise(outcomes)

    return make


def predictions(labels, accuracy, generator, num_classes):
    """Right with this chance, otherwise another class."""
    others = (labels + generator.integers(1, num_classes, len(labels))) % num_classes
    return np.where(generator.random(len(labels)) < accuracy, labels, others)


@pytest.mark.parametrize(
    ("num_classes", "n_test", "num_seeds"), [(2, 360, 1), (10, 50, 1), (2, 50, 3), (10, 360, 3), (2, 360, 5)]
)
def test_nothing_is_learned_in_most_of_many_nulls(runs, num_classes, n_test, num_seeds):
    """Seeds predict much the same, and labels have nothing to do with it."""
    generator = np.random.default_rng(0)
    labels = np.arange(n_test) % num_classes
    found = []
    for _ in range(40):
        common = generator.integers(0, num_classes, n_test)
        own = generator.integers(0, num_classes, (num_seeds, n_test))
        shared = generator.random((num_seeds, n_test)) < 0.8
        found.append(learning(runs(labels, np.where(shared, common, own), num_classes=num_classes)).outcome)
    assert found.count("learns") <= 4  # 2.5% of 40 is one: more than four would come once in 250 times


def test_a_network_that_is_mostly_right_learns(runs):
    labels = np.arange(360) % 10
    found = learning(runs(labels, predictions(labels, 0.9, np.random.default_rng(0), 10)))
    assert found.outcome == "learns"
    assert "of 360 test examples (95% interval" in found.words
    assert found.words.endswith("where guessing, which is to name the largest class always, gives 10.0%")
    assert not found.wanted


@pytest.mark.parametrize(("n_test", "outcome"), [(50, "not known"), (10_000, "no better than guessing")])
def test_no_lead_is_a_finding_only_where_noise_leaves_none_open(runs, n_test, outcome):
    labels = np.arange(n_test) % 10
    found = learning(runs(labels, np.zeros(n_test, dtype=np.int64)))
    assert found.outcome == outcome
    assert ("test examples would tell" in found.wanted) == (outcome == "not known")


def test_the_largest_class_is_what_guessing_gives(runs):
    """95% of one class: 92% is less than always naming it, and balanced accuracy is that of a coin."""
    generator = np.random.default_rng(0)
    labels = (np.arange(2000) % 20 == 0).astype(np.int64)
    found = learning(runs(labels, (generator.random(2000) < 0.05).astype(np.int64), num_classes=2))
    assert found.guessing == 0.95
    assert found.outcome != "learns"
    assert "classes are unequal, and balanced accuracy is 5" in found.words


def test_balanced_accuracy_shows_what_accuracy_hides(runs):
    """Four in five of the rare class for one in twenty of the other: no gain in accuracy, and much learned."""
    labels = (np.arange(2000) % 20 == 0).astype(np.int64)
    wrong = np.arange(2000) % 19 == 3
    predicted = np.where((labels == 1) & (np.arange(2000) % 100 > 0), 1, np.where((labels == 0) & wrong, 1, 0))
    found = learning(runs(labels, predicted, num_classes=2))
    assert found.accuracy.mean < found.guessing + 0.01
    assert found.outcome == "learns"


def test_examples_that_are_in_training_do_not_count(runs):
    """Half of the test set is known by heart, the rest is a coin."""
    labels = np.arange(400) % 2
    guesses = np.random.default_rng(0).integers(0, 2, 400)
    predicted = np.where(np.arange(400) < 200, labels, guesses)
    found = learning(runs(labels, predicted, num_classes=2, leaked=np.arange(200)))
    assert found.outcome != "learns"
    assert found.accuracy.mean == pytest.approx((guesses == labels)[200:].mean())
    assert "200 test examples that are not in training" in found.words


@pytest.mark.parametrize(
    ("mean", "threshold", "number"), [(0.6, 0.5, 97), (0.13, 0.1, 490), (0.5, 0.5, None), (0.1001, 0.1, None)]
)
def test_so_many_examples_would_tell(mean, threshold, number):
    assert examples_wanted(mean, threshold) == number


def test_of_classes_that_the_test_set_lacks_nothing_is_learned(runs):
    """A constant has all of a test set of one class, and half of the balanced accuracy on one of two."""
    generator = np.random.default_rng(0)
    of_one = learning(runs(np.zeros(50, dtype=np.int64), generator.integers(0, 20, 50) == 0, num_classes=2))
    assert of_one.outcome == "not known"
    assert of_one.words.endswith("where guessing gives 100.0%")
    labels = np.repeat([0, 1], [45, 5])
    found = [learning(runs(labels, generator.choice(10, 50, p=[0.45, 0.45] + [0.0125] * 8))).outcome for _ in range(40)]
    assert "learns" not in found


def test_one_lucky_example_of_a_rare_class_is_no_learning(runs):
    labels = np.repeat([0, 1], [49, 1])
    almost = np.repeat([0, 1, 0, 1], [45, 4, 0, 1])
    found = learning(runs(labels, almost, num_classes=2))
    assert found.outcome == "not known"
    assert "test examples would tell" in found.wanted
    assert learning(runs(np.repeat([0, 1], [45, 10]), np.repeat([0, 1], [46, 9]), num_classes=2)).outcome == "learns"


def test_more_examples_tell_where_seeds_cannot(runs):
    """Ten test examples leave balanced accuracy open, and accuracy is known to be no better than guessing."""
    labels = np.repeat([0, 1], [8, 2])
    found = learning(runs(labels, np.repeat([0, 1, 1], [3, 5, 2]), num_classes=2))
    assert found.outcome == "not known"
    assert found.wanted == "Some 61 test examples would tell."


def test_what_is_said_of_a_single_test_example(runs):
    found = learning(runs(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), num_classes=2))
    assert found.words.startswith("100.0% of 1 test example (")
    assert found.wanted == "Test examples of more than one class would tell."


def test_no_interval_passes_what_accuracies_can_be(runs):
    labels = np.arange(50) % 2
    seeds = np.stack([labels, labels, np.where(np.arange(50) < 4, 1 - labels, labels)])
    assert "to 100.0%)" in learning(runs(labels, seeds, num_classes=2)).words


def test_copies_of_an_example_count_once(runs):
    """Of 40 examples 26 are right: a lead over a coin that noise explains, if each is there ten times too."""
    labels = np.arange(40) % 2
    right = np.arange(40) < 26
    once = np.where(right, labels, 1 - labels)
    told = {
        copies: learning(
            runs(
                np.repeat(labels, copies),
                np.repeat(once, copies),
                num_classes=2,
                inputs=np.arange(40 * copies) // copies,
            )
        )
        for copies in (1, 10)
    }
    assert told[1].outcome == told[10].outcome == "not known"
    assert told[10].accuracy.low == pytest.approx(told[1].accuracy.low)
    assert "of 400 test examples that count as 40, since their inputs repeat" in told[10].words
    assert "test examples that differ would tell" in told[10].wanted


def test_copies_of_a_rare_class_count_once(runs):
    """Three examples of the rare class, each ten times, do not show what 30 would."""
    labels = np.repeat([0, 1], [570, 30])
    inputs = np.concatenate([np.arange(570), np.repeat([1000, 1001, 1002], 10)])
    same = {"num_classes": 2, "predictions": labels}
    copied, whole = (runs(labels, inputs=own, **same) for own in (inputs, None))
    assert copied["balanced_half_width"].iloc[0] > 4 * whole["balanced_half_width"].iloc[0]


@pytest.mark.parametrize(("share", "outcome"), [(0.25, "not supported"), (0.0, "no conclusion")])
def test_naming_the_largest_class_is_not_far_above_guessing(runs, share, outcome):
    """90% right of ten classes, one of which has 90%: by 1/K that would be nearly all there is to learn."""
    generator = np.random.default_rng(0)
    labels = np.where(generator.random(5000) < 0.9, 0, generator.integers(1, 10, 5000))
    sticks = yardsticks(runs(labels, np.zeros(5000, dtype=np.int64)))
    assert [stick.name for stick in sticks] == ["test accuracy", "balanced accuracy"]
    assert far_above_guessing(sticks, share) == outcome


def test_what_is_right_of_rare_classes_is_a_lead(runs):
    """As many wrong as always naming the largest class has, and most of the rare class right."""
    labels = (np.arange(2000) % 20 == 0).astype(np.int64)
    predicted = np.where(labels == 1, np.arange(2000) % 100 > 0, np.arange(2000) % 19 == 3).astype(np.int64)
    sticks = yardsticks(runs(labels, predicted, num_classes=2))
    assert far_above_guessing(sticks, 0.25) == "supported"
    assert "and a balanced accuracy of" in beside_guessing(sticks)


def test_the_best_that_knows_nothing_leaves_no_lead_to_keep(runs):
    labels = np.arange(2000) % 2
    below, guesses = (runs(labels, np.where(np.arange(2000) < right, labels, 1 - labels), num_classes=2)
                      for right in (800, 1000))  # fmt: skip
    assert lead_is_kept(yardsticks(below), yardsticks(guesses), 0.5) == "not supported"
    assert lead_is_kept(yardsticks(guesses), yardsticks(guesses), 0.5) == "no conclusion"


def test_without_two_classes_no_yardstick_is_left(runs):
    assert yardsticks(runs(np.zeros(50, dtype=np.int64), np.zeros(50, dtype=np.int64), num_classes=2)) == []
    assert far_above_guessing([], 0.25) == "no conclusion"
    assert beside_guessing([]).startswith("has nothing to show it on")


def test_five_classes_at_once_are_guessed_by_the_largest_five():
    labels = np.repeat(np.arange(10), [40, 20, 10, 10, 10, 2, 2, 2, 2, 2]).astype(np.int64)
    split = Split.clean(np.arange(100, dtype=np.float32)[:, None], labels)
    assert (top_guessing(split, 1), top_guessing(split, 5)) == (0.4, 0.9)
    assert math.isnan(top_guessing(split.take(np.arange(0)), 1))


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_the_level_of_learning_is_the_one_at_which_its_interval_begins_to_tell(runs, seeds):
    """It is that of Wilson's score test for a single seed, and on the interval's side of 5% for all."""
    generator = np.random.default_rng(seeds)
    labels = np.repeat(np.arange(4), 50)
    for share in (0.0, 0.02, 0.08, 0.3):
        right = generator.random((seeds, 200)) < 0.25 + share
        table = runs(labels, np.where(right, labels, (labels + 1) % 4), num_classes=4)
        found = learning_sides(table)
        assert (found.above <= LEVEL) == (learning(table).outcome == "learns")
        assert (found.below <= LEVEL) == (learning(table).outcome == "no better than guessing")
        lead = right.mean() - 0.25
        if seeds == 1 and lead > 0:
            assert found.above == pytest.approx(max(2 * norm.sf(lead / (0.25 * 0.75 / 200) ** 0.5), 1e-9), rel=0.05)
