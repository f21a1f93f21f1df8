import numpy as np
import pytest

from byrote.evidence.planted_errors import Planted, error_rates


def drawn(seed, num_rows, num_errors, lead=5.0, num_planted=20_000):
    """Rows whose scores are normal, those of errors `lead` deviations higher; and errors planted in the right ones."""
    draw = np.random.default_rng(seed)
    own = draw.standard_normal(num_rows)
    wrong = np.arange(num_rows) < num_errors
    scores = np.where(wrong, lead - own, own) - lead / 2
    rows = np.resize(draw.permutation(num_rows), num_planted)
    planted = np.where(wrong[rows], own[rows], lead - own[rows]) - lead / 2
    return scores, Planted(rows, planted), wrong


@pytest.mark.parametrize("num_errors", [20, 150, 600])
def test_numbers_of_errors_and_rates_are_those_of_the_truth(num_errors):
    scores, planted, wrong = drawn(0, 3000, num_errors)
    rates = error_rates(scores, {"uniform": planted})
    assert rates.num_errors.low <= num_errors <= rates.num_errors.high
    assert rates.num_errors.mean == pytest.approx(num_errors, rel=0.15)
    assert rates.is_pure
    for size in (num_errors // 2, num_errors, 2 * num_errors):
        cut = rates.cut_at(size)
        truth = 1 - wrong[rates.order[: rates.cut_sizes[cut]]].mean()
        assert rates.false_share[cut] == pytest.approx(truth, abs=0.1)
        assert rates.false_low[cut] - 0.05 <= truth <= rates.false_high[cut] + 0.05


def test_chances_fall_along_the_list_and_sum_to_the_errors():
    scores, planted, _ = drawn(1, 2000, 100)
    rates = error_rates(scores, {"uniform": planted})
    assert (np.diff(rates.p_wrong[rates.order]) <= 1e-12).all()
    assert rates.p_wrong.sum() == pytest.approx(rates.num_errors.mean, rel=0.02)
    assert (rates.p_low <= rates.p_wrong).all()
    assert (rates.p_wrong <= rates.p_high).all()


def test_no_errors_in_clean_rows():
    scores, planted, _ = drawn(2, 2000, 0, lead=8.0)
    rates = error_rates(scores, {"uniform": planted})
    assert rates.num_errors.mean < 2
    assert rates.num_errors.low == 0
    assert rates.num_errors.high < 10


def test_where_errors_look_like_right_rows_the_number_is_only_bounded():
    draw = np.random.default_rng(3)
    x = draw.standard_normal(20_000) + 2 * (np.arange(20_000) % 2)
    suspicion = np.where(np.arange(20_000) % 2, 1 - x, x - 1)
    rates = error_rates(suspicion, {"uniform": Planted(np.arange(20_000), -suspicion)})
    assert not rates.is_pure


def test_the_first_kind_decides_and_recall_is_told_of_all():
    scores, planted, _ = drawn(4, 1500, 80)
    easy = Planted(planted.rows, planted.scores + 10)
    both = error_rates(scores, {"uniform": planted, "easy": easy})
    assert both.num_errors.mean == pytest.approx(error_rates(scores, {"uniform": planted}).num_errors.mean, rel=0.02)
    cut = both.cut_at(80)
    assert both.recall_by_kind["easy"][cut] > both.recall_by_kind["uniform"][cut]


@pytest.mark.slow
@pytest.mark.parametrize(("num_errors", "lead"), [(100, 4.0), (100, 6.0), (400, 4.0), (0, 6.0)])
def test_intervals_hold_the_truth(num_errors, lead):
    """Over 100 draws of 4,000 rows: the number at least 93 times, the rate of a list as long as that within 0.07 in
    half of them. Of 100 errors four deviations away it is up to 0.13 off in nine of ten."""
    held, apart = 0, []
    for seed in range(100):
        scores, planted, wrong = drawn(seed, 4000, num_errors, lead)
        rates = error_rates(scores, {"uniform": planted}, seed)
        held += rates.num_errors.low <= num_errors <= rates.num_errors.high
        if num_errors:
            cut = rates.cut_at(num_errors)
            apart.append(abs(rates.false_share[cut] - 1 + wrong[rates.order[: rates.cut_sizes[cut]]].mean()))
    assert held >= 93
    assert not apart or np.median(apart) < 0.07
