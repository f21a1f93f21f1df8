import re

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from byrote.errors import UserError
from byrote.theory.memorizers.broken_line import BrokenLine, draw_line, evaluate_pieces, exact_slopes, sum_of_hinges


def line(x: object, y: object, **options: object) -> BrokenLine:
    return draw_line(x, y, **{"num_classes": None, "outputs": "index", "seed": 0} | options)


def test_points_in_order_and_a_knot_one_mean_gap_before() -> None:
    found = line([4.0, 1.0, 2.0, 1.0], [0.5, 7.0, -1.0, 7.0])
    assert found.knots.tolist() == [-0.5, 1.0, 2.0, 4.0]
    assert found.values.tolist() == [0.0, 7.0, -1.0, 0.5]
    assert found.is_new.tolist() == [True, False, True, True]
    assert found.targets.tolist() == [0.5, 7.0, -1.0, 7.0]
    assert found.num_classes is None


@pytest.mark.parametrize(("x", "first"), [(0.0, -1.0), (3.0, 0.0), (-1e20, -2e20)])
def test_one_point_has_a_first_knot_too(x: float, first: float) -> None:
    assert line([x], [1.0]).knots.tolist() == [first, x]


@pytest.mark.parametrize(
    ("y", "num_classes", "expected"),
    [
        ([0, 2, 1], None, 3),
        ([0, 2, 1], 5, 5),
        ([0.0, 2.0, 1.0], 3, 3),
        ([0.0, 2.0, 1.0], None, None),
        ([0, -2, 1], None, None),
    ],
)
def test_whole_numbers_are_classes_unless_negative(
    y: list[float], num_classes: int | None, expected: int | None
) -> None:
    found = line([1.0, 2.0, 3.0], y, num_classes=num_classes)
    assert found.num_classes == expected
    assert found.targets.tolist() == y


def test_an_output_for_each_class() -> None:
    found = line([1.0, 3.0, 2.0], [0, 2, 1], outputs="classes", num_classes=4)
    assert found.targets.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]]
    assert found.values.tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        ([0, 1, 1, 0], {"outputs": "one"}, 'got outputs=\'one\', expected "index" or "classes"'),
        ([0.0, 1, 1, 0], {"outputs": "classes"}, 'got outputs="classes" and real targets, expected classes as whole'),
        (
            [0, 1, 9, 0],
            {"num_classes": 3},
            "row 2 of y (counting from 0) is 9, expected a class 0..2 as num_classes=3",
        ),
        ([0, 0.5, 1, 0], {"num_classes": 3}, "row 1 of y (counting from 0) is 0.5, expected a class 0..2"),
        ([0, 1, 1, 1], {}, "rows 0 and 3 of x (counting from 0) are equal and their targets differ (1 such pairs)"),
        (
            [0, 1, 1, 1],
            {"outputs": "classes"},
            "rows 0 and 3 of x (counting from 0) are equal and their targets",
        ),
    ],
)
def test_targets_that_cannot_be_are_refused(y: list[float], options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        line(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [1.0, 2.0]]), y, **options)


@st.composite
def lines(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Knots whose gaps differ by up to twelve orders of magnitude, and values."""
    size = draw(st.integers(2, 40))
    gaps = draw(st.lists(st.integers(-40, 0), min_size=size - 1, max_size=size - 1))
    values = draw(st.lists(st.floats(-100, 100), min_size=size, max_size=size))
    return np.cumsum([draw(st.floats(-3, 3)), *(2.0**gap for gap in gaps)]), np.array(values)


@example((np.array([0.0, 1.0]), np.array([0.0, 2.0**-1002])))
@example((np.array([0.0, 1.0, 3.0]), np.array([0.0, 5e-324, 3e-310])))
@given(lines())
def test_slopes_are_the_exact_sums_of_their_differences(line: tuple[np.ndarray, np.ndarray]) -> None:
    knots, values = line
    slopes = exact_slopes(knots, values)
    np.testing.assert_array_equal(np.cumsum(np.diff(slopes, prepend=0)), slopes)
    plain = np.diff(values) / np.diff(knots)
    padded = np.pad(np.abs(plain), 1)
    nearby = np.max([padded[:-2], padded[1:-1], padded[2:]], axis=0)
    assert (np.abs(slopes - plain) <= 2.0**-52 * nearby).all()


def test_a_steep_piece_leaves_no_error_behind() -> None:
    """Of plain differences, the sums that follow would be off by 1e-3."""
    knots = np.array([0.0, 1.0, 1.0 + 2.0**-45, 3.0, 4.0])
    values = np.array([0.0, 0.3, 1.0, 0.7, 0.1])
    slopes = exact_slopes(knots, values)
    assert slopes[0] == pytest.approx(0.3, rel=0.02)
    assert slopes[-1] == pytest.approx(-0.6, rel=1e-15)


def test_slopes_beyond_float64_are_not_finite() -> None:
    assert not np.isfinite(exact_slopes(np.array([0.0, 5e-324]), np.array([0.0, 1.0]))).any()
    assert exact_slopes(np.array([0.0, 1.0]), np.array([1.0, 1.0])).tolist() == [0.0]


def by_definition(z: np.ndarray, thresholds: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.maximum(z[:, None] - thresholds, 0) @ weights


def both(z: np.ndarray, thresholds: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    tensors = [torch.from_numpy(array) for array in (z, thresholds, weights)]
    return [sum_of_hinges(*tensors).numpy(), evaluate_pieces(*tensors).numpy()]


@pytest.mark.parametrize("outputs", [(), (1,), (3,)])
@pytest.mark.parametrize(("num_z", "n"), [(1, 1), (0, 3), (33, 7), (100, 5000)])
def test_both_ways_to_sum_agree_with_the_definition(num_z: int, n: int, outputs: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    z, thresholds = 3 * generator.standard_normal(num_z), generator.standard_normal(n)
    weights = generator.standard_normal((n, *outputs))
    expected = by_definition(z, thresholds, weights)
    for found in both(z, thresholds, weights):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * n)


def test_at_knots_equal_knots_and_outside() -> None:
    thresholds, weights = np.array([1.0, 0.0, 1.0, 2.0]), np.array([1.0, 2.0, -2.0, 5.0])
    z = np.array([-np.inf, -1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0])
    for found in both(z[1:], thresholds, weights):
        assert found.tolist() == [0.0, 0.0, 1.0, 2.0, 2.5, 3.0, 9.0]


@given(lines())
def test_pieces_pass_through_their_values(line: tuple[np.ndarray, np.ndarray]) -> None:
    knots, values = line
    values[0] = 0
    weights = np.diff(exact_slopes(knots, values), prepend=0)
    found = both(knots, knots[:-1], weights)
    # Of the plain sum, a term is as large as the largest weight times the range.
    terms = np.abs(weights).max() * np.ptp(knots)
    np.testing.assert_allclose(found[0], values, rtol=0, atol=1e-15 * len(knots) * terms + 1e-300)
    gaps = np.diff(knots)
    slopes = np.abs(np.diff(values)) / gaps
    steep = np.max([slopes, np.pad(slopes, (1, 0))[:-1], np.pad(slopes, (0, 1))[1:]], axis=0)
    np.testing.assert_allclose(found[1], values, rtol=0, atol=2.0**-51 * (steep * gaps).sum() + 1e-12)


def test_the_gradient_is_that_of_the_sum() -> None:
    generator = torch.Generator().manual_seed(0)
    z, thresholds = (torch.randn(num, generator=generator, dtype=torch.float64) for num in (40, 9))
    weights = torch.randn(9, 2, generator=generator, dtype=torch.float64)
    leaves = [tensor.requires_grad_() for tensor in (z, thresholds, weights)]
    plain = (z[:, None] - thresholds).relu() @ weights
    pull = torch.randn(40, 2, generator=generator, dtype=torch.float64)
    expected = torch.autograd.grad(plain, leaves, pull)
    for a, b in zip(torch.autograd.grad(sum_of_hinges(*leaves), leaves, pull), expected, strict=True):
        torch.testing.assert_close(a, b)


def test_memory_for_gradients_does_not_grow_with_the_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("byrote.theory.memorizers.broken_line._TILE", (4, 8))
    saved: list[int] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        saved.append(tensor.numel())
        return tensor

    z, thresholds, weights = (torch.randn(num, dtype=torch.float64, requires_grad=True) for num in (40, 80, 80))
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        sum_of_hinges(z, thresholds, weights)
    assert max(saved, default=0) <= 80
