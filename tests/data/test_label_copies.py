from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.data.label_copies import label_copies, label_copy_remarks

LABELS = np.arange(60) % 3


def table(*columns: np.ndarray) -> Dataset:
    own = np.random.default_rng(0).normal(size=60)
    split = Split.clean(np.stack([own, *columns], axis=1).astype(np.float32), LABELS)
    return Dataset("made up", split, split, ("a", "b", "c"), pixel_max=1.0)


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (LABELS, [1]),
        (np.array([7.5, -2.0, 0.0])[LABELS], [1]),
        (np.minimum(LABELS, 1), []),  # tells one class from the others
        (LABELS + (np.arange(60) == 5), []),
        (np.ones(60), []),
    ],
)
def test_a_feature_that_is_a_one_to_one_function_of_the_label_is_found(column: np.ndarray, found: list[int]) -> None:
    assert label_copies(table(column)) == found


def test_a_class_of_one_example_tells_nothing() -> None:
    data = table(LABELS)
    assert label_copies(replace(data, train=data.train.take(np.arange(4)))) == []


def test_it_is_said() -> None:
    assert label_copy_remarks(table(np.ones(60))) == []
    (one,) = label_copy_remarks(table(LABELS))
    assert one.startswith("Feature 1 (counting from 0) tells the label: in the training set it has one value")
    (two,) = label_copy_remarks(table(LABELS, -LABELS))
    assert two.startswith("Features 1, 2 (counting from 0) tell the label: in the training set each has one")
