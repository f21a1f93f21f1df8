import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byrote.data.subsets import subset
from byrote.theory.calculation import compute
from byrote.theory.complexity.rademacher import all_signs, draw_signs, massart_bound, rademacher_complexity
from byrote.theory.complexity.stumps import StumpComplexity, Stumps


def all_patterns(inputs):
    """The slow way: every threshold on every feature, and both directions."""
    n, d = inputs.shape
    patterns = {(1.0,) * n, (-1.0,) * n}
    for feature in range(d):
        for threshold in inputs[:, feature]:
            above = np.where(inputs[:, feature] > threshold, 1.0, -1.0)
            patterns |= {tuple(above), tuple(-above)}
    return np.array(sorted(patterns))


@settings(max_examples=25)
@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 6), st.integers(0, 100))
def test_sorting_finds_what_trying_all_thresholds_finds(n, d, num_values, seed):
    inputs = np.random.default_rng(seed).integers(0, num_values, (n, d)).astype(np.float64)
    stumps, patterns, signs = Stumps(inputs), all_patterns(inputs), draw_signs(20, n, seed)
    np.testing.assert_allclose(stumps.suprema(signs), (signs @ patterns.T).max(axis=1) / n, atol=1e-12)
    assert stumps.num_patterns == len(patterns)


def test_one_point_is_always_right():
    found = rademacher_complexity(Stumps(np.array([[0.3]])))
    assert found.value == 1.0
    assert Stumps(np.array([[0.3]])).num_patterns == 2


def test_points_that_no_feature_tells_apart_are_told_nothing():
    stumps = Stumps(np.full((4, 3), 2.0))
    np.testing.assert_allclose(stumps.suprema(all_signs(4)), np.abs(all_signs(4).mean(axis=1)))


@pytest.mark.parametrize("n", [1, 4, 9])
def test_thresholds_on_a_line_make_2n_patterns(n):
    assert Stumps(np.arange(n, dtype=np.float64)[:, None]).num_patterns == 2 * n


def test_as_many_features_as_points_fit_two_points_but_not_all():
    """On the corners of a simplex a stump cuts off one point, so three points are shattered and four are not."""
    assert rademacher_complexity(Stumps(np.eye(3))).value == 1.0
    assert rademacher_complexity(Stumps(np.eye(4))).value < 1.0


def test_the_complexity_is_below_massarts_bound_and_falls_with_n():
    inputs = np.random.default_rng(0).standard_normal((400, 5))
    few, many = (rademacher_complexity(Stumps(inputs[:n]), draws=200) for n in (100, 400))
    assert many.value < few.value
    for found in (few, many):
        assert found.value < found.upper_bound < 2 * found.value


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
