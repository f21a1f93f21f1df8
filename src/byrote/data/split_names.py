"""How folders and files of training and test examples are called."""

from __future__ import annotations

import re
from collections.abc import Iterable

TRAIN = ("train", "training")
HELD_OUT = ("test", "testing", "eval", "evaluation", "validation", "valid", "val", "dev")
"""The split to test on is the first of these that is there and has labels. Both as in the Hugging Face library datasets
(`datasets.data_files`), in any case."""


def split_of(name: str) -> str | None:
    """The split that a word of a name means: "train" of "train-00000-of-00002", "seg_train" and "TrainSet"."""
    for word in re.findall("[a-z]+", name.lower()):
        for stem in (word, re.sub("(set|data|images|imgs|files)$", "", word)):
            if stem in (*TRAIN, *HELD_OUT):
                return TRAIN[0] if stem in TRAIN else stem
    return None


def listed(names: Iterable[str]) -> str:
    """All of a few names, the first of many."""
    names = list(names)
    return ", ".join(names if len(names) <= 6 else [*names[:5], f"… and {len(names) - 5} more"])
