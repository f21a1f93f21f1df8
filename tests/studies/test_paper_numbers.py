from dataclasses import replace

import pytest

from byrote.studies.paper_numbers import is_cifar10, is_imagenet, published


@pytest.mark.parametrize(("table", "rows"), [("table1", 19), ("table2", 7), ("table4", 6), ("linear", 5)])
def test_published_tables_come_with_the_package(table, rows) -> None:
    assert len(published(table)) == rows


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
