import re

import numpy as np
import pytest

from byrote.errors import UserError
from byrote.theory.memorizers.broken_line import BrokenLine, draw_line


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
