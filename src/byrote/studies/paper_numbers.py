"""The numbers that the paper published, as data, and whether our data are the paper's."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import pandas as pd

from byrote.data.dataset import Dataset

PAPER = "Zhang, Bengio, Hardt, Recht, Vinyals: Understanding deep learning requires rethinking generalization (2017)"
CIFAR10_TRAIN = 50_000
MNIST_TRAIN = 60_000
IMAGENET_TRAIN = 1_281_167


@cache
def published(table: str) -> pd.DataFrame:
    """A table of the paper ("table1", "table2", "table4", "linear"), as published: accuracies in percent."""
    with _file(table).open(encoding="utf-8") as file:
        return pd.read_csv(file)


@cache
def as_printed(table: str) -> pd.DataFrame:
    """The same with every number as the paper prints it, so that its last digit is known; "" where it has none."""
    with _file(table).open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)


def _file(table: str) -> Traversable:
    return files("byrote.studies").joinpath("paper", f"{table}.csv")


def is_cifar10(data: Dataset) -> bool:
    """Whether the data call themselves CIFAR-10."""
    return re.search(r"cifar[-_ ]?10(?!0)", f"{data.name} {data.title}", re.IGNORECASE) is not None


def is_mnist(data: Dataset) -> bool:
    """By name and by the size of its images; Fashion-MNIST and others of similar names are not."""
    named = re.search(r"(?<![a-z])(?<!fashion[-_ ])mnist(?![a-z])", f"{data.name} {data.title}", re.IGNORECASE)
    return named is not None and data.input_shape == (1, 28, 28)


def is_imagenet(data: Dataset) -> bool:
    """By name and by its thousand classes, which smaller data of similar names have not."""
    named = re.search(r"imagenet|ilsvrc", f"{data.name} {data.title}", re.IGNORECASE) is not None
    return named and data.num_classes == 1000
