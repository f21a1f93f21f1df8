import numpy as np
import pytest

from byrote.errors import UserError
from byrote.theory.complexity.linear_class import LinearClass
from byrote.theory.complexity.rademacher import all_signs, rademacher_complexity


def test_the_supremum_is_that_of_a_search_over_directions():
    inputs = np.random.default_rng(0).standard_normal((6, 2))
    angles = np.linspace(0, 2 * np.pi, 20_000)
    weights = 1.5 * np.stack([np.cos(angles), np.sin(angles)])
    signs = all_signs(6)
    searched = (signs @ inputs @ weights).max(axis=1) / 6
    np.testing.assert_allclose(LinearClass(inputs, 1.5).suprema(signs), searched, rtol=1e-6)


def test_one_point_is_its_norm():
    point = np.array([[3.0, 4.0]])
    assert rademacher_complexity(LinearClass(point, 2.0)).value == pytest.approx(10)
    assert LinearClass(point, 2.0).upper_bound == pytest.approx(10)


@pytest.mark.parametrize("n", [2, 5, 9])
def test_orthogonal_points_meet_the_upper_bound(n):
    found = rademacher_complexity(LinearClass(3 * np.eye(n)))
    assert found.value == pytest.approx(3 / np.sqrt(n))
    assert found.value == pytest.approx(found.upper_bound)


def test_equal_points_walk_at_random():
    """E |sum of n signs| is n binom(n - 1, (n - 1) / 2) / 2^(n - 1) for odd n."""
    found = rademacher_complexity(LinearClass(np.full((5, 1), 2.0)))
    assert found.value == pytest.approx(2 * 6 / 2**4)


def test_the_mean_is_within_khintchines_constant_of_the_bound():
    found = rademacher_complexity(LinearClass(np.random.default_rng(1).standard_normal((10, 4))))
    assert found.upper_bound / np.sqrt(2) <= found.value <= found.upper_bound


def test_ranges_are_reached():
    inputs = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(LinearClass(inputs, 2.0).ranges, [10, 0])


def test_a_bound_that_allows_nothing_is_refused():
    with pytest.raises(UserError, match="got norm=0, expected a positive bound"):
        LinearClass(np.eye(2), 0.0)
