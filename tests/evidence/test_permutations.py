import numpy as np
import pytest
from scipy import stats

from byrote.evidence.permutations import pair_exchanges, stand_out


def test_what_stands_out_is_larger_than_exchanges_make_any():
    """Of twenty exchanges one may come to as much, the data themselves."""
    exchanged = np.random.default_rng(0).uniform(-2, 2, (20, 4))
    exchanged[0] = [5.0, 2.5, 2.5, 0.0]
    assert stand_out([exchanged]).tolist() == [True, True, True, False]
    exchanged[7, 0] = 3.0  # which hides the others until the first is taken away
    assert stand_out([exchanged]).tolist() == [True, True, True, False]
    exchanged[7, 3] = 3.0
    assert stand_out([exchanged]).tolist() == [True, False, False, False]
    exchanged[7, 3] = 6.0
    assert not stand_out([exchanged]).any()
    exchanged[0, 3] = -9.0  # and surely goes the other way
    assert stand_out([exchanged], [-8.0]).tolist() == [True, True, True, False]
    assert not stand_out([exchanged[:19]], [-8.0]).any()


def test_sources_of_luck_add_in_squares():
    exchanged = np.zeros((20, 1))
    exchanged[1] = 1.0
    for place, found in ((1.5, True), (1.3, False)):
        exchanged[0] = place
        assert stand_out([exchanged]).tolist() == [True]
        assert stand_out([exchanged, exchanged]).tolist() == [found]


def test_infinite_statistics_and_constants_are_compared():
    exchanged = np.zeros((20, 3))
    exchanged[0] = [np.inf, -np.inf, 0.0]
    assert stand_out([exchanged]).tolist() == [True, False, False]
    exchanged[5, 1] = np.inf
    assert not stand_out([exchanged]).any()


@pytest.mark.parametrize("num", [6, 9])
def test_pairs_are_exchanged_one_by_one(num):
    generator = np.random.default_rng(2)
    x = generator.normal(size=num)
    y = x + generator.normal(size=num)

    def statistic(x, y):
        return float(np.corrcoef(x, y)[0, 1])

    expected = stats.permutation_test(
        (x, y), statistic, permutation_type="pairings", n_resamples=10_000, alternative="greater", rng=1
    ).pvalue
    assert pair_exchanges(x, y, statistic) == pytest.approx(expected, abs=0.003 if num == 6 else 0.015)


def test_no_p_value_is_0():
    far = np.arange(40.0)
    assert 0 < pair_exchanges(far, far, lambda x, y: float(x @ y)) < 0.001
