import numpy as np
import pytest
from scipy import stats

from byrote.studies.early_stopping import compare_with_last, early_stopping_columns, evaluations
from byrote.training.spec import TrainSpec

NAN = np.nan
TEST = [NAN, 0.3, 0.6, NAN, 0.6, 0.5]
VALIDATION = [NAN, 0.5, 0.3, NAN, 0.5, 0.4]


@pytest.fixture
def run(make_outcome):
    def make(test=TEST, validation=VALIDATION, **fields):
        epoch = np.arange(1.0, len(test) + 1)
        curve = {"epoch": epoch, "step": 10 * epoch, "test_accuracy": np.array(test)}
        curve["validation_accuracy"] = np.array(validation)
        return make_outcome(TrainSpec(model="net"), curve=curve, test_accuracy=test[-1], **fields)

    return make


def test_evaluations_are_the_epochs_with_a_test_accuracy(run):
    rows = evaluations(run())
    assert rows["epoch"].tolist() == [2, 3, 5, 6]
    assert rows["best_so_far"].tolist() == [0.3, 0.6, 0.6, 0.6]
    # Of equal accuracies the first is the best.
    assert rows["best_on_test"].tolist() == [False, True, False, False]
    assert rows["best_on_validation"].tolist() == [True, False, False, False]
    assert rows["last"].tolist() == [False, False, False, True]


def test_the_three_figures_of_a_run(run):
    columns = early_stopping_columns([run(), run(validation=[NAN] * 6)])
    assert columns["num_evaluations"] == [4, 4]
    assert columns["best_on_test"] == [0.6, 0.6]
    assert columns["steps_to_best_on_test"] == [30, 30]
    np.testing.assert_allclose(columns["best_on_validation"], [0.3, NAN])
    np.testing.assert_allclose(columns["steps_to_best_on_validation"], [20, NAN])
    np.testing.assert_allclose(columns["early_stopping_gain"], [-0.2, NAN])
    np.testing.assert_allclose(columns["optimism"], [0.3, NAN])


def test_without_evaluations_nothing_is_known(run):
    columns = early_stopping_columns([run(test=[NAN, NAN], validation=[NAN, NAN])])
    assert columns.pop("num_evaluations") == [0]
    assert all(np.isnan(values).all() for values in columns.values())
    assert early_stopping_columns([]) == {}


@pytest.mark.parametrize(
    ("earlier", "last", "low", "high"),
    # Newcombe (1998), table II, method 10, the cases of equal sizes.
    [(9, 3, 0.1705, 0.8090), (0, 0, -0.2775, 0.2775), (10, 0, 0.6075, 1.0)],
)
def test_one_seed_is_judged_as_two_separate_test_sets(earlier, last, low, high):
    gap = compare_with_last([earlier / 10], [last / 10], 10)
    assert (gap.num_seeds, gap.difference.n) == (1, 10)
    assert (gap.difference.low, gap.difference.high) == pytest.approx((low, high), abs=1e-4)
    assert gap.difference.mean == pytest.approx((earlier - last) / 10)
    assert gap.p_value == pytest.approx(stats.fisher_exact([[earlier, 10 - earlier], [last, 10 - last]]).pvalue)


def test_newcombes_interval_covers_as_often_as_it_says():
    generator = np.random.default_rng(0)
    n, p, q = 60, 0.7, 0.6
    gaps = [
        compare_with_last([x / n], [y / n], n).difference
        for x, y in zip(generator.binomial(n, p, 600), generator.binomial(n, q, 600), strict=True)
    ]
    covered = np.mean([gap.low <= p - q <= gap.high for gap in gaps])
    assert 0.92 < covered < 0.98


def test_several_seeds_are_judged_by_their_differences():
    earlier, last = [0.6, 0.62, 0.63], [0.5, 0.53, 0.52]
    gap = compare_with_last(earlier, last, 1000)
    assert gap.num_seeds == gap.difference.n == 3
    assert gap.difference.mean == pytest.approx(0.1)
    assert gap.p_value == pytest.approx(stats.ttest_rel(earlier, last).pvalue)
