import numpy as np
import pandas as pd
import pytest
from scipy import stats

from byrote.evidence.fitting_by_luck import by_luck, by_luck_of_class, chance_of_accuracies, luck_in_words


def make_runs(**fields):
    return pd.DataFrame({"n_train": 100, "num_classes": 2} | fields, index=range(np.size(fields["train_accuracy"])))


@pytest.mark.parametrize(("accuracy", "likely"), [(1.0, False), (0.75, False), (0.55, True)])
def test_one_class_is_right_so_often_by_luck(accuracy, likely):
    runs = make_runs(train_accuracy=accuracy)
    right = round(100 * accuracy)
    assert by_luck(runs) == pytest.approx(min(1.0, 2 * stats.binom.sf(right - 1, 100, 0.5)))
    assert (by_luck(runs) > 0.05) == likely


def test_few_labels_are_fitted_by_luck_and_the_least_lucky_of_runs_counts():
    assert chance_of_accuracies([1.0], 4, 2) == pytest.approx(1 / 8)
    assert chance_of_accuracies([1.0, 0.5], 100, 2) == 1
    assert luck_in_words(1 / 8).startswith(" But naming one class always does so well by luck with p = 0.12")
    assert luck_in_words(0.05) == ""


def test_what_the_class_tells_is_right_so_often_by_luck_and_the_least_lucky_run_counts():
    """A rule that knows each class of labels that are asymmetric at rate 0.4 is taken for memory in 5% at most."""
    right = np.random.default_rng(0).binomial(1000, 0.6, (4000, 2)) / 1000
    found = [by_luck_of_class(make_runs(n_train=1000, predictable=0.6, train_accuracy=pair)) for pair in right]
    assert np.mean(np.array(found) <= 0.05) <= 0.05
    assert by_luck_of_class(make_runs(train_accuracy=1.0, predictable=0.6)) < 1e-20
    assert by_luck_of_class(make_runs(train_accuracy=1.0, predictable=1.0)) == 1
    assert np.isnan(by_luck_of_class(make_runs(train_accuracy=1.0, predictable=np.nan)))
