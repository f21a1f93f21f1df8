import math

import pandas as pd
import pytest

from byrote.evidence.intervals import Interval
from byrote.evidence.published import Ours, PublishedFigure, in_percent, ours_of_runs

N = 50_000


def figure(printed: str, ours: Ours | None, in_percent: bool = True) -> PublishedFigure:
    return PublishedFigure("Table 1", "net", "no regulariser", "test accuracy", printed, N, ours, in_percent)


def ours(mean: float, low: float = math.nan, high: float = math.nan, n_train: int = N, **fields) -> Ours:
    return Ours(Interval(mean, low, high, 3), n_train, 3, **fields)


@pytest.mark.parametrize(
    ("printed", "own", "mark", "agreement"),
    [
        ("89.05", None, "not run", "does not compare"),
        ("89.05", ours(89.0, 88.5, 89.5), "within the interval", "agrees"),
        ("89.05", ours(88.0, 87.5, 88.5), "off by -1.05 points", "differs"),
        ("89.05", ours(89.5, 89.054, 89.9), "within the interval", "agrees"),  # 89.05 was rounded
        ("89.05", ours(89.5, 89.06, 89.9), "off by +0.45 points", "differs"),
        ("89.05", ours(89.0), "off by -0.05 points", "differs"),  # one seed has no interval
        ("100.0", ours(99.96), "the same", "agrees"),
        ("100.0", ours(99.94), "off by -0.06 points", "differs"),
        ("89.05", ours(89.05, 89.0, 90.0, n_train=2000), "other size", "does not compare"),
        ("89.05", ours(89.05, 89.0, 90.0, n_train=2000, others=("data",)), "other data", "does not compare"),
        ("89.05", ours(89.05, 89.0, 90.0, n_train=2000, others=("model",)), "other model and size", "does not compare"),
        ("89.05", ours(89.05, 89.0, 90.0, blocked="a check failed"), "a check failed", "does not compare"),
        ("failed to converge", ours(10.0, words="failed to converge"), "the same", "agrees"),
        ("failed to converge", ours(100.0), "not as in the paper", "differs"),
    ],
)
def test_marks(printed, own, mark, agreement):
    compared = figure(printed, own)
    assert (compared.mark, compared.agreement) == (mark, agreement)


def test_what_is_not_in_percent_differs_in_its_own_unit():
    assert figure("220", ours(91.04), in_percent=False).mark == "off by -129.0"
    assert figure("1649402", ours(1_649_402.0), in_percent=False).mark == "the same"
    assert figure("1649402", ours(1_700_000.0), in_percent=False).mark == "off by +50,598"


def runs(*accuracies: float, **columns) -> pd.DataFrame:
    fields = {"n_train": N, "n_test": 10_000, "n_test_effective": 10_000.0, "failed_checks": ""} | columns
    return pd.DataFrame({"train_accuracy": accuracies, "test_accuracy": accuracies}).assign(**fields)


def test_intervals_say_where_one_more_network_would_lie():
    found = ours_of_runs(runs(0.80, 0.81, 0.82), "train_accuracy", ())
    # Student's t of two degrees of freedom, times the deviation, times the root of 1 + 1/3.
    assert found.interval.high - found.interval.mean == pytest.approx(100 * 4.3027 * 0.01 * math.sqrt(4 / 3), rel=1e-3)
    assert found.num_seeds == 3
    tested = ours_of_runs(runs(0.80, 0.81, 0.82), "test_accuracy", ())
    assert tested.interval.low < found.interval.low  # test examples are drawn too
    assert ours_of_runs(runs(1.0, 0.9), "test_accuracy", ()).interval.high == 100


def test_one_seed_has_the_interval_of_its_test_examples_alone():
    assert math.isnan(ours_of_runs(runs(0.8), "train_accuracy", ()).interval.low)
    interval = ours_of_runs(runs(0.8), "test_accuracy", ()).interval
    assert interval.high - interval.low == pytest.approx(200 * 3.29 * math.sqrt(0.8 * 0.2 / 10_000), rel=0.01)


def test_runs_that_are_not_there_or_not_measured_have_nothing():
    assert ours_of_runs(runs(), "test_accuracy", ()) is None
    assert ours_of_runs(pd.DataFrame(), "test_accuracy", ()) is None
    assert ours_of_runs(runs(0.5), "test_top5_accuracy", ()) is None
    assert ours_of_runs(runs(0.5, math.nan), "test_accuracy", ()) is None


def test_a_failed_check_blocks():
    assert ours_of_runs(runs(0.5, 0.6, failed_checks=["", "labels"]), "test_accuracy", ()).blocked == "a check failed"


def test_in_percent():
    assert in_percent(Interval(0.5, 0.25, 0.75, 3)) == Interval(50.0, 25.0, 75.0, 3)


def test_another_recipe_is_marked_where_it_matters():
    assert figure("89.05", ours(89.05)).of_another_recipe().mark == "other recipe"
    assert figure("89.05", None).of_another_recipe().mark == "not run"
    assert (
        figure("1,649,402".replace(",", ""), ours(1649402.0), in_percent=False).of_another_recipe().mark == "the same"
    )
