import math
from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.studies.min_norm.rows import KernelRow, published_rows, rows_of


def images(data, name, shape):
    train = replace(data.train, inputs=np.zeros((len(data.train), *shape), np.uint8))
    return replace(data, name=name, title="", train=train, test=train)


def test_the_papers_rows_go_with_its_data(data):
    mnist = published_rows(images(data, "mnist:/data", (1, 28, 28)))
    assert mnist == {KernelRow("inputs"): (pytest.approx(0.012), 220), KernelRow("gabor"): (pytest.approx(0.006), 390)}
    assert rows_of(images(data, "mnist:/data", (1, 28, 28))) == tuple(mnist)
    cifar10 = published_rows(images(data, "cifar10:/data", (3, 32, 32)))
    assert [(row, published.test_error) for row, published in cifar10.items()] == [
        (KernelRow("inputs"), 0.46),
        (KernelRow("random-convolutions"), 0.17),
        (KernelRow("random-convolutions", regularized=True), 0.15),
    ]
    assert all(math.isnan(published.norm) for published in cifar10.values())


def test_other_images_get_all_rows_that_they_are_large_enough_for_and_vectors_those_without_images(data):
    assert published_rows(data) == {}
    assert [row.name for row in rows_of(images(data, "made up", (1, 7, 9)))] == [
        "raw inputs",
        "Gabor wavelets",
        "random convolutions",
        "random convolutions, with l2",
    ]
    assert rows_of(images(data, "made up", (1, 9, 6))) == (KernelRow("inputs"), KernelRow("gabor"))
    split = Split.clean(np.zeros((40, 6), dtype=np.float32), np.arange(40) % 10)
    assert rows_of(Dataset("made up", split, split, tuple("abcdefghij"))) == (KernelRow("inputs"),)
