"""The exceptions that carry a sentence for the user: what came, what was expected, what to do."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches

from byrote.masking import masked

_DIGESTS = re.compile(r"(?<![\w./@-])[\w.]+@[0-9a-f]{12}:(?=\S)")
"""Where what a notebook defines lies, as names of `references` have it: "__main__@0123456789ab:"."""


class UserError(ValueError):
    """The user's input is wrong. The command line prints the sentence and exits with code 2.

    >>> import byrote
    >>> byrote.load("digit")
    Traceback (most recent call last):
        ...
    byrote.errors.UserError: got data 'digit', expected one of digits, ...
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(_DIGESTS.sub("", masked(sentence)))


class StoreError(RuntimeError):
    """The store of runs cannot be read or written as it is. Also exit code 2: its remedy is the user's.

    >>> import byrote
    >>> byrote.Store("nowhere/runs.db")
    Traceback (most recent call last):
        ...
    byrote.errors.StoreError: there is no folder ...nowhere for the store ...runs.db: make it, or name another store
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(masked(sentence))


class StoreUnreachable(StoreError):
    """The server of the store does not answer, as when it is started anew: waiting may help."""


class WorkerDied(RuntimeError):
    """A process to which work was given has ended without a word."""


class RankLost(RuntimeError):
    """One of the processes that train a group together has ended, or has given it up."""


def suggestion(word: str, known: Collection[str]) -> str:
    """ "; did you mean 'demo'?", to end a sentence with, where something known is near, in any case; else ""."""
    by_lower_case = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), by_lower_case, n=1, cutoff=0.6)
    return f"; did you mean {by_lower_case[close[0]]!r}?" if close else ""
