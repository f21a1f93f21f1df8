"""Classes without examples: refused where nothing could be concluded, else said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from byrote.data.classes import class_remarks, refuse_too_few
from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError


def of_labels(train: list[int], test: list[int], k: int) -> Dataset:
    splits = [Split.clean(np.arange(len(y), dtype=np.float32)[:, None], np.array(y)) for y in (train, test)]
    return Dataset("made up", splits[0], splits[1], tuple("abcdefghij"[:k]), pixel_max=1.0)


def test_a_subset_has_room_for_each_class(tiny: Dataset) -> None:
    for n_train in (None, 10, 121):
        refuse_too_few(tiny, n_train)
    with pytest.raises(UserError, match=r"got n_train=9 for tiny, .* have 10 classes: choose at least 10"):
        refuse_too_few(tiny, 9)
    refuse_too_few(of_labels([0, 1, 0, 1], [0, 1], 10), 2)


def test_nothing_is_said_where_all_classes_have_examples(tiny: Dataset) -> None:
    assert class_remarks(tiny, 121) == []


@pytest.mark.parametrize(
    ("train", "test", "k", "smallest", "said"),
    [
        ([0, 1] * 9, [0, 1], 3, 18, "There is no training example of class 'c'"),
        ([0, 1, 2] * 9, [0, 1], 3, 27, "There is no test example of class 'c': test accuracy says nothing of it."),
        ([0, 1] * 9 + [2], [0, 1, 2], 3, 19, "The smallest training set, of 19, has one example at most of class 'c'"),
        ([0, 1, 2] * 9, [0, 1, 2], 3, 3, "of 3, has one example at most of each of the classes 'a', 'b', 'c'"),
        (list(range(10)) * 3, [0, 1, 2], 10, 30, "of classes 'd', 'e', 'f', 'g', 'h' and 2 more"),
    ],
)
def test_what_is_missing_is_said(train: list[int], test: list[int], k: int, smallest: int, said: str) -> None:
    assert any(said in remark for remark in class_remarks(of_labels(train, test, k), smallest))


def test_the_labels_that_the_data_said_count(tiny: Dataset) -> None:
    shuffled = replace(tiny.train, labels=np.zeros_like(tiny.train.labels))
    assert class_remarks(replace(tiny, train=shuffled), 121) == []
