import pandas as pd
import pytest

from byrote.studies.randomization.readings import one_class_suffices


def make_runs(**fields):
    return pd.DataFrame([{"n_train": 100, "num_classes": 2, "ceiling": 1.0, "largest_class": 0.5} | fields])


@pytest.mark.parametrize(("largest", "ceiling", "suffices"), [(0.5, 1.0, False), (0.995, 1.0, True), (0.7, 0.7, True)])
def test_naming_one_class_may_count_as_fitted(largest, ceiling, suffices):
    assert bool(one_class_suffices(make_runs(largest_class=largest, ceiling=ceiling))) == suffices
