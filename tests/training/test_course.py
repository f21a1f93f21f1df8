from __future__ import annotations

import numpy as np
from scipy import stats

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


def test_full_evaluation_is_due_near_the_next_threshold() -> None:
    near = [Course().is_near_threshold(accuracy, 1.0) for accuracy in (0.96, 0.975)]
    near += [evaluated(199).is_near_threshold(accuracy, 1.0) for accuracy in (0.975, 0.985)]
    assert [*near, evaluated(200).is_near_threshold(1.0, 1.0)] == [False, True, False, True, False]


def test_a_sample_is_near_unless_it_is_very_unlikely() -> None:
    least = next(k for k in range(1001) if Course().is_near_in_sample(k, 1000, 1.0))
    assert least == 970
    assert stats.binom.cdf(least - 1, 1000, 0.99) < 1e-3
    for size in (32, 100):
        small = next(k for k in range(size + 1) if Course().is_near_in_sample(k, size, 1.0))
        assert stats.binom.cdf(small - 1, size, 0.99) < 1e-3
    fitted, interpolated = evaluated(9950, 10_000), evaluated(10_000, 10_000)
    # Who has interpolated has a sample without mistakes.
    assert [fitted.is_near_in_sample(k, 1000, 1.0) for k in (998, 999, 1000)] == [False, False, True]
    assert not interpolated.is_near_in_sample(1000, 1000, 1.0)


def test_below_a_ceiling_a_sample_may_have_mistakes() -> None:
    fitted = evaluated(7950, 10_000, of=8000)
    least = next(k for k in range(1001) if fitted.is_near_in_sample(k, 1000, 0.8))
    assert 700 < least < 760
    assert stats.binom.cdf(least - 1, 1000, 0.8) < 1e-3
