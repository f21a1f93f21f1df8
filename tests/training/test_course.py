from __future__ import annotations

import numpy as np

from byrote.training.course import Course
from byrote.training.evaluation import Evaluation


def evaluated(
    num_correct: int, n: int = 200, course: Course | None = None, epoch: int = 1, **attainable: int
) -> Course:
    found = Evaluation(0.5, num_correct / n, 0.25, 0.75, num_correct, np.zeros(n, np.int64))
    return (course or Course()).after_train(found, most_correct=attainable.get("of", n), epoch=epoch, step=10 * epoch)


def test_fitted_at_99_percent_and_interpolated_at_all_of_the_attainable() -> None:
    course = Course()
    for epoch, num_correct in enumerate([100, 148, 149, 120, 150, 149], start=1):
        course = evaluated(num_correct, course=course, epoch=epoch, of=150)
    # 0.99 of 150 is 148.5.
    assert (course.epochs_to_fit, course.steps_to_fit) == (3, 30)
    assert (course.epochs_to_interpolate, course.steps_to_interpolate) == (5, 50)
    assert course.train is not None
    assert course.train.num_correct == 149


def test_fewest_right_labels_that_reach_the_next_threshold() -> None:
    for attainable in (1, 3, 99, 100, 150, 200):
        fewest = Course().fewest_correct(attainable)
        assert fewest is not None
        assert evaluated(fewest, of=attainable).steps_to_fit
        assert evaluated(fewest - 1, of=attainable).steps_to_fit is None
    fitted, interpolated = evaluated(149, of=150), evaluated(150, of=150)
    assert (fitted.fewest_correct(150), interpolated.fewest_correct(150)) == (150, None)
