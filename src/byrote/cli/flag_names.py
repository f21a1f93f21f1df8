"""Sentences of the library, with its names for arguments as the flags that stand for them on the command line."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Collection, Iterable

_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_NOT_WITHIN = r"(?<![\w.\-/'\"`=?&])"
"""A path, an address, a word in quotes."""
_CALL = rf"\w\((?:{_QUOTED}|[^()'\"]|\([^()]*\))*\)"
"""Of Python, with its arguments."""
_BRACKETS = (r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]", r"\((?:[^()]|\([^()]*\))*\)", r"\{(?:[^{}]|\{[^{}]*\})*\}")
_VALUE = rf"{_QUOTED}|{'|'.join(_BRACKETS)}|[\w.]*{_CALL}|[^\s;:)]*[^\s;:),.]"


def as_flags(sentence: str, flags: Collection[str]) -> str:
    """The sentence with "n_train=2" as "--n-train 2", and n_train as --n-train, where there is such a flag.

    What stands in quotes, in a path or in a call of Python is somebody's own word, and stays.

    Args:
        flags: without the hyphens before them.

    >>> as_flags("got n_train=2 and models=['a', 'b']: see net/n_train.py, or f(kind=2)", ["n-train", "models", "kind"])
    'got --n-train 2 and --models a b: see net/n_train.py, or f(kind=2)'
    """
    names = {flag.replace("-", "_"): flag for flag in flags}
    given = re.compile(rf"{_CALL}|{_NOT_WITHIN}({_any(names)})=({_VALUE})")
    told = given.sub(lambda found: _given(names[found[1]], found[2]) if found[1] else found[0], sentence)
    long = _any(name for name in names if "_" in name)
    alone = re.compile(rf"{_CALL}|{_NOT_WITHIN}({long})(?![\w(/'\"`=]|\.\w)")
    told = alone.sub(lambda found: f"--{names[found[1]]}" if found[1] else found[0], told)
    return re.sub(r"(--[\w-]+ [\w-]+) \(`\1`\)", r"\1", told)  # sentences that name both


def _any(names: Iterable[str]) -> str:
    return "|".join(sorted(names, key=len, reverse=True)) or "(?!)"


def _given(flag: str, text: str) -> str:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):  # what prints itself in another way
        return f"--{flag} {text.strip('[]')}"
    if value is None or value is False:
        return f"no --{flag}"
    if value is True:
        return f"--{flag}"
    if text[0] not in "[({":  # 1,000 would be two numbers
        return f"--{flag} {_word(value, text)}"
    values = [each for pair in value.items() for each in pair] if isinstance(value, dict) else value
    return " ".join([f"--{flag}", *(_word(each, str(each)) for each in values)])


def _word(value: object, text: str) -> str:
    """As it is typed: numbers as they were written."""
    if not isinstance(value, str):
        return text
    return value if re.fullmatch(r"\S+", value) else shlex.quote(value)
