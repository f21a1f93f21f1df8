from dataclasses import replace

import numpy as np
import pytest

from byrote.studies.paper_numbers import as_printed, is_cifar10, is_imagenet, is_mnist, published


@pytest.mark.parametrize(("table", "rows"), [("table1", 19), ("table2", 7), ("table4", 6), ("linear", 5)])
def test_published_tables_come_with_the_package(table, rows) -> None:
    assert len(published(table)) == rows


def test_numbers_keep_the_digits_that_are_printed() -> None:
    assert "99.90" in set(as_printed("table1")["train_accuracy"])
    assert as_printed("linear")["min_norm"].iloc[-1] == ""


@pytest.mark.parametrize(
    ("name", "title", "expected"),
    [
        ("cifar10:/data", "", True),
        ("parquet:/data/x", "CIFAR-10 (JPEG copy)", True),
        ("cifar100:/data", "CIFAR-100", False),
        ("mnist", "", False),
    ],
)
def test_cifar10_is_known_by_name_or_title(data, name, title, expected) -> None:
    assert is_cifar10(replace(data, name=name, title=title)) is expected


@pytest.mark.parametrize(
    ("name", "title", "shape", "expected"),
    [
        ("mnist:/data", "", (1, 28, 28), True),
        ("npz:/data/x.npz", "MNIST", (1, 28, 28), True),
        ("fashion-mnist:/data", "Fashion-MNIST", (1, 28, 28), False),
        ("parquet:/data/kmnist", "", (1, 28, 28), False),
        ("mnist:/data", "", (1, 8, 8), False),
    ],
)
def test_mnist_is_known_by_name_and_size(data, name, title, shape, expected) -> None:
    train = replace(data.train, inputs=np.zeros((len(data.train), *shape), np.uint8))
    assert is_mnist(replace(data, name=name, title=title, train=train)) is expected


@pytest.mark.parametrize(
    ("name", "title", "num_classes", "expected"),
    [
        ("images:/data/ImageNet", "", 1000, True),
        ("parquet:/data/x", "ILSVRC 2012", 1000, True),
        ("images:/data/tiny-imagenet", "", 200, False),
        ("images:/data/x", "", 1000, False),
    ],
)
def test_imagenet_is_known_by_name_and_classes(data, name, title, num_classes, expected) -> None:
    named = replace(data, name=name, title=title, class_names=tuple(map(str, range(num_classes))))
    assert is_imagenet(named) is expected
