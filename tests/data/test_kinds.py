"""What is done to images, to vectors and to token ids, and what the page says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from byrote.data.dataset import Dataset, Split
from byrote.data.kinds import constant_features, in_words, preprocessing_of
from byrote.errors import UserError


def of_kind(kind: str, tiny: Dataset) -> Dataset:
    if kind == "images":
        return tiny
    dtype = np.int64 if kind == "tokens" else np.float32
    splits = [replace(split, inputs=split.inputs.reshape(-1, 64).astype(dtype)) for split in (tiny.train, tiny.test)]
    return replace(tiny, train=splits[0], test=splits[1], pixel_max=1.0)


@pytest.mark.parametrize(
    ("kind", "done", "refused"),
    [
        ("images", "whiten", []),
        ("vectors", "standardize", ["whiten"]),
        ("tokens", "none", ["whiten", "standardize"]),
    ],
)
def test_each_kind_has_its_own(tiny: Dataset, kind: str, done: str, refused: list[str]) -> None:
    data = of_kind(kind, tiny)
    assert data.kind == kind
    assert preprocessing_of(data, "auto") == done
    for asked in ("whiten", "standardize", "none"):
        if asked in refused:
            with pytest.raises(UserError, match=f"got preprocessing='{asked}' for tiny, whose inputs are"):
                preprocessing_of(data, asked)
        else:
            assert preprocessing_of(data, asked) == asked


def test_constant_features_are_counted(tiny: Dataset) -> None:
    data = of_kind("vectors", tiny)
    expected = np.flatnonzero(data.train.inputs.std(axis=0) == 0)
    assert 0 < len(expected) < 64
    np.testing.assert_array_equal(constant_features(data), expected)


@pytest.mark.parametrize(
    ("kind", "done", "said"),
    [
        ("images", "whiten", "images of 1 x 8 x 8 values; each image has its own mean subtracted"),
        ("images", "none", "they reach the network as they are, scaled to [0, 1]."),
        ("vectors", "standardize", "vectors of 64 features; each feature has its mean over the training set"),
        ("vectors", "standardize", "that never vary there and are left at 0 (what vectors get unless"),
        ("vectors", "none", "they reach the network as they are."),
        ("tokens", "none", "sequences of 64 token ids, whole numbers up to the network."),
    ],
)
def test_in_words(tiny: Dataset, kind: str, done: str, said: str) -> None:
    assert said in in_words(of_kind(kind, tiny), done)


def test_one_constant_feature_in_words() -> None:
    split = Split.clean(np.array([[1, 5], [2, 5]], np.float32), np.array([0, 1]))
    words = in_words(Dataset("table", split, split, ("a", "b"), pixel_max=1.0), "standardize")
    assert "but for 1 that never varies there and is left at 0" in words
