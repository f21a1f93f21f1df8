"""Sentences of the library, with its names for arguments as the flags that stand for them on the command line."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

_NOT_WITHIN = r"(?<![\w.\-/'\"`=])(?<!\w\()"
"""A path, a word in quotes, a call of Python."""
_VALUE = r"'[^']*'|\"[^\"]*\"|\[[^\]]*\]|\([^)]*\)|[^\s;:)]*[^\s;:),.]"


def as_flags(sentence: str, flags: Collection[str]) -> str:
    """The sentence with "n_train=2" as "--n-train 2", and n_train as --n-train, where there is such a flag.

    What stands in quotes, in a path or in a call of Python is somebody's own word, and stays.

    Args:
        flags: without the hyphens before them.

    >>> as_flags("got n_train=2 and models=['a', 'b']: see net/n_train.py, or f(kind=2)", ["n-train", "models", "kind"])
    'got --n-train 2 and --models a b: see net/n_train.py, or f(kind=2)'
    """
    names = {flag.replace("-", "_"): flag for flag in flags}
    given = re.compile(rf"{_NOT_WITHIN}({_any(names)})=({_VALUE})")
    told = given.sub(lambda found: _given(names[found[1]], found[2]), sentence)
    alone = re.compile(rf"{_NOT_WITHIN}({_any(name for name in names if '_' in name)})(?![\w(/'\"`=]|\.\w)")
    told = alone.sub(lambda found: f"--{names[found[1]]}", told)
    return re.sub(r"(--[\w-]+ [\w-]+) \(`\1`\)", r"\1", told)  # sentences that name both


def _any(names: Iterable[str]) -> str:
    return "|".join(sorted(names, key=len, reverse=True)) or "(?!)"


def _given(flag: str, value: str) -> str:
    if value == "None":
        return f"no --{flag}"
    values = value.strip("[]()").split(",") if value[0] in "[(" else [value]
    words = [word.strip().strip("'\"") for word in values]
    return " ".join([f"--{flag}", *filter(None, words)])
