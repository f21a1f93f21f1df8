import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from byrote.errors import UserError
from byrote.theory.memorizers.projection import choose_projection, project, projections

floats = st.floats(-1e6, 1e6).map(lambda value: value if abs(value) > 1e-100 else 0.0)
shapes = st.tuples(st.integers(1, 20), st.integers(2, 9))


def exact_products(x: np.ndarray, direction: np.ndarray) -> list[Fraction]:
    """<direction, x> in rational numbers."""
    return [sum(Fraction(a) * Fraction(b) for a, b in zip(row, direction, strict=True)) for row in x.tolist()]


def smallest_gap(values: np.ndarray) -> float:
    return float(np.diff(np.sort(values)).min())


@given(arrays(np.float64, shapes, elements=floats), st.integers(0, 99))
def test_a_projection_is_accurate_to_the_last_bits(x: np.ndarray, seed: int) -> None:
    direction = np.random.default_rng(seed).standard_normal(x.shape[1])
    exact = exact_products(x, direction)
    # What is cut off lies below 2**-60 of the largest number; the sum of what is left is rounded a few times.
    cut = 2.0**-58 * np.abs(x * direction).max(1) * x.shape[1]
    error = np.array([abs(float(Fraction(z) - e)) for z, e in zip(project(x, direction).tolist(), exact, strict=True)])
    assert (error <= cut + 2.0**-51 * np.abs(np.array(exact, dtype=float))).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("d", [2, 3, 100, 3072])
def test_a_projection_is_the_same_in_any_batch(d: int, dtype: type) -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((60, d)).astype(dtype)
    direction = generator.standard_normal(d)
    values = project(x, direction)
    np.testing.assert_array_equal(np.concatenate([project(row[None], direction) for row in x]), values)
    order = generator.permutation(60)
    np.testing.assert_array_equal(project(x[order], direction), values[order])
    np.testing.assert_array_equal(project(np.concatenate([x, 1e9 * x]), direction)[:60], values)
    np.testing.assert_allclose(values, projections(x, direction[:, None])[:, 0], rtol=0, atol=1e-12 * d)


def test_ordinary_products_with_pixels_are_exact() -> None:
    """So the ordinary forward pass sees the same projections as the construction."""
    x = np.random.default_rng(0).integers(0, 256, (50, 3, 32, 32), dtype=np.uint8)
    chosen = choose_projection(x)
    ordinary = projections(x, chosen.direction[:, None])[:, 0]
    np.testing.assert_array_equal(chosen.values, ordinary)
    np.testing.assert_array_equal(x.reshape(50, -1)[:, ::-1].astype(float) @ chosen.direction[::-1], ordinary)


@given(arrays(np.float64, shapes, elements=st.floats(-9, 9, width=16)), st.integers(0, 99))
def test_distinct_points_stay_distinct_and_equal_points_equal(x: np.ndarray, seed: int) -> None:
    chosen = choose_projection(x, seed=seed)
    assert len(np.unique(chosen.values)) == len(np.unique(x, axis=0))
    assert (np.diff(chosen.values[chosen.order]) >= 0).all()
    # Half-precision inputs of one size make exact products; beside very small ones the last bit of a sum is rounded.
    terms = np.abs(x) @ np.abs(chosen.direction)
    assert (np.abs(chosen.values - x @ chosen.direction) <= 2.0**-50 * terms).all()


def test_the_direction_with_the_largest_relative_gap_is_chosen() -> None:
    x = np.random.default_rng(3).standard_normal((200, 5))
    chosen = choose_projection(x)
    assert [each.kind for each in chosen.tried] == ["random"] * 4 + ["principal"] * 4
    assert chosen.chosen.relative_gap == max(each.relative_gap for each in chosen.tried) > 0
    assert chosen.smallest_gap == smallest_gap(chosen.values)
    assert chosen.relative_gap == chosen.smallest_gap / np.ptp(chosen.values)
    assert chosen.chosen.relative_gap == pytest.approx(chosen.relative_gap, rel=1e-6)


def test_copies_do_not_count_as_a_gap() -> None:
    x = np.random.default_rng(3).standard_normal((200, 5))
    once, twice = choose_projection(x), choose_projection(np.concatenate([x, x[::-1], x]))
    np.testing.assert_array_equal(np.unique(twice.values), np.unique(project(x, twice.direction)))
    assert twice.smallest_gap > 0
    # The samples that scales are read off differ, and so do the directions: gaps are of one size only.
    assert 0.01 < twice.relative_gap / once.relative_gap < 100


def test_equidistant_points_on_a_line_stay_equidistant() -> None:
    x = np.arange(100.0)[:, None] * np.linspace(-1, 1, 8)
    gaps = [each.relative_gap for each in choose_projection(x).tried]
    np.testing.assert_allclose(gaps, 1 / 99, rtol=1e-3)


def test_features_count_equally_whatever_their_scale() -> None:
    """Points that differ in the small feature alone are told apart, beside one a trillion times as large."""
    generator = np.random.default_rng(0)
    x = np.stack([generator.standard_normal(100), 1e12 * generator.integers(0, 2, 100)], axis=1)
    assert choose_projection(x).relative_gap > 1e-6


def test_a_feature_that_is_constant_but_for_one_point_still_counts() -> None:
    x = np.zeros((5000, 3))
    x[:, 0] = np.arange(5000) // 2
    x[1::2, 1] = 0
    x[4, 2] = 1e-3
    with pytest.raises(UserError, match="differ"):
        choose_projection(np.where(np.arange(3) == 2, 1e30 + x, x))
    assert len(np.unique(choose_projection(x).values)) == 2501


def test_one_dimension_needs_no_direction() -> None:
    x = np.array([3.0, -1.0, 0.5])
    chosen = choose_projection(x)
    assert (chosen.chosen.kind, chosen.direction.tolist(), chosen.values.tolist()) == ("identity", [1.0], x.tolist())
    assert (chosen.smallest_gap, chosen.relative_gap) == (1.5, 0.375)


@pytest.mark.parametrize("x", [np.ones((1, 4)), np.ones((7, 4)), np.zeros((3, 1))])
def test_points_that_are_all_equal_have_no_gap(x: np.ndarray) -> None:
    chosen = choose_projection(x)
    assert np.isnan(chosen.smallest_gap)
    assert np.isnan(chosen.relative_gap)
    assert len(set(chosen.values.tolist())) == 1


def test_the_seed_draws_the_directions() -> None:
    x = np.random.default_rng(0).standard_normal((50, 4))
    a, b, c = (choose_projection(x, seed=seed).direction.tolist() for seed in (0, 0, 1))
    assert a == b != c


def test_points_that_float64_cannot_tell_apart_are_named() -> None:
    x = np.array([[1000.0, 1.0], [2000.0, 1000.0], [1000.0, np.nextafter(1, 2)]])
    with pytest.raises(UserError, match=re.escape("rows 0 and 2 of x (counting from 0) differ, but float64 cannot")):
        choose_projection(x)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
@pytest.mark.parametrize("n", [5, 5000])
def test_values_that_are_not_finite_are_refused(n: int, value: float) -> None:
    x = np.random.default_rng(0).standard_normal((n, 3))
    x[3, 2] = value
    with pytest.raises(UserError, match="row 3 of points"):
        choose_projection(x, name="points")
