import pandas as pd
import pytest
from scipy import stats

from byrote.evidence.fitting_by_luck import by_luck, chance_of_accuracies, luck_in_words


def make_runs(**fields):
    return pd.DataFrame([{"n_train": 100, "num_classes": 2} | fields])


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
