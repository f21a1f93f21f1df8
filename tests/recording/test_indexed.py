"""Examples say their rows, whatever they are, and labels are told where a data set holds them apart."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest
import torch
from torch.utils.data import Subset, TensorDataset

from byrote.errors import UserError
from byrote.recording.indexed import IndexedDataset, labels_of
from byrote.recording.recorder import Recorder

Pair = namedtuple("Pair", "x y")


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        (("x", "y"), (1, "x", "y")),
        (["x", "y"], (1, "x", "y")),
        (Pair("x", "y"), (1, "x", "y")),
        ({"x": 3}, {"x": 3, "index": 1}),
        ("x", (1, "x")),
    ],
)
def test_row_comes_first_or_under_its_key(example: object, expected: object) -> None:
    assert IndexedDataset([example, example])[1] == expected


def test_a_loop_over_it_ends() -> None:
    assert list(IndexedDataset([("a",), ("b",)])) == [(0, "a"), (1, "b")]


def test_a_key_that_is_taken_is_refused() -> None:
    with pytest.raises(UserError, match="already"):
        IndexedDataset([{"index": 5}])[0]


class Images(list):
    targets = (1, 0, 2)


def test_labels_are_told() -> None:
    whole = TensorDataset(torch.zeros(3, 2), torch.tensor([1, 0, 2]))
    assert labels_of(whole).tolist() == labels_of(Images("abc")).tolist() == [1, 0, 2]
    assert labels_of(Subset(whole, [2, 0])).tolist() == [2, 1]


@pytest.mark.parametrize("targets", ["abc", [0.5, 1, 2], [[1], [0], [2]], [1, 0], None, np.array([-1, 0, 1])])
def test_labels_that_may_be_others_are_not_told(targets: object) -> None:
    images = Images("abc")
    images.targets = targets
    assert labels_of(images) is None


def test_labels_that_are_changed_on_the_way_are_not_told() -> None:
    images = Images("abc")
    images.target_transform = abs
    assert labels_of(images) is None
    assert labels_of(TensorDataset(torch.zeros(3, 2), torch.arange(3), torch.arange(3))) is None


@pytest.mark.parametrize(("data", "sentence"), [([1, 2], "2 examples for a recorder of 3"), (iter([1]), "no rows")])
def test_another_data_set_is_refused(data: object, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Recorder(3).indexed(data)
