"""What people call inputs, labels and splits: x_train, train_images, X_tr, trainX, test.labels."""

from __future__ import annotations

import re
from typing import Literal

INPUT_WORDS = ("x", "xs", "data", "image", "images", "img", "imgs", "input", "inputs", "feature", "features", "pixels")
LABEL_WORDS = ("y", "ys", "label", "labels", "target", "targets", "class")
SPLITS: dict[str, str] = {
    **dict.fromkeys(("train", "training", "tr", "trn"), "train"),
    **dict.fromkeys(("test", "testing", "te", "tst"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
}
HELD_OUT = ("test", "validation")
"""Names of the split to test on, the first that is there and has labels."""


def role_of(name: str) -> tuple[str, Literal["inputs", "labels"]] | None:
    """The split ("train", "test", "validation", or "" for all) and the half of an example that a name says, if any."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", name)]
    words = [part for word in words for part in _parted(word)]
    splits = [SPLITS[word] for word in words if word in SPLITS]
    kinds = [word in INPUT_WORDS for word in words if word in (*INPUT_WORDS, *LABEL_WORDS)]
    if len(kinds) != 1 or len(splits) > 1 or len(words) != len(kinds) + len(splits):
        return None
    return (splits[0] if splits else "", "inputs" if kinds[0] else "labels")


def _parted(word: str) -> list[str]:
    """ "Xtrain" and "ytest" are two words without a sign between them."""
    for kind in (*INPUT_WORDS, *LABEL_WORDS):
        for rest in (word.removeprefix(kind), word.removesuffix(kind)):
            if rest != word and rest in SPLITS:
                return [rest, kind]
    return [word]
