import numpy as np
import pytest

from byrote.data.subsets import subset
from byrote.theory.calculation import compute
from byrote.theory.complexity.rademacher import massart_bound, rademacher_complexity
from byrote.theory.complexity.stump_complexity import StumpComplexity
from byrote.theory.complexity.stumps import Stumps


@pytest.mark.parametrize(("n", "is_exact", "num_draws"), [(8, True, 256), (60, False, 32)])
def test_it_is_that_of_stumps_on_the_raw_features(tiny, n, is_exact, num_draws):
    computed = compute(StumpComplexity(n_train=n, draws=32), tiny)
    stumps = Stumps(subset(tiny, n, 0).train.inputs.reshape(n, -1))
    expected = rademacher_complexity(stumps, draws=32)
    values = dict(computed.values)
    assert (values["is_exact"], values["num_draws"]) == (is_exact, num_draws)
    assert (values["complexity"], values["low"], values["high"]) == (expected.value, expected.low, expected.high)
    assert values["upper_bound"] == pytest.approx(massart_bound(stumps.num_patterns, n))
    assert np.isfinite(list(values.values())).all()
    assert computed.calculation.label == f"decision stumps, n = {n}"
