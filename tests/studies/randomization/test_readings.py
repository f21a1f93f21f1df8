import pandas as pd
import pytest
from scipy import stats

from byrote.studies.randomization.readings import by_luck, one_class_suffices


def make_runs(**fields):
    return pd.DataFrame([{"n_train": 100, "num_classes": 2, "ceiling": 1.0, "largest_class": 0.5} | fields])


@pytest.mark.parametrize(("accuracy", "likely"), [(1.0, False), (0.75, False), (0.55, True)])
def test_one_class_is_right_so_often_by_luck(accuracy, likely):
    runs = make_runs(train_accuracy=accuracy)
    right = round(100 * accuracy)
    assert by_luck(runs) == pytest.approx(min(1.0, 2 * stats.binom.sf(right - 1, 100, 0.5)))
    assert (by_luck(runs) > 0.05) == likely


@pytest.mark.parametrize(("largest", "ceiling", "suffices"), [(0.5, 1.0, False), (0.995, 1.0, True), (0.7, 0.7, True)])
def test_naming_one_class_may_count_as_fitted(largest, ceiling, suffices):
    assert bool(one_class_suffices(make_runs(largest_class=largest, ceiling=ceiling))) == suffices
