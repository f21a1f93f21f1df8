"""The exceptions that carry a sentence for the user: what came, what was expected, what to do."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from pathlib import Path
from types import FrameType

from byrote.masking import masked
from byrote.source_files import is_users

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


def warn(note: str) -> None:
    """A UserWarning at the line of the user's own code that has called byrote, from however deep within it."""
    frames = list(_callers(sys._getframe(1)))
    outside = [frame for frame in frames if not _is_byrotes(frame)]
    own = (frame for frame in outside if is_users(frame.f_code))
    at = next(own, outside[0] if outside else frames[-1])
    warnings.warn_explicit(
        note,
        UserWarning,
        at.f_code.co_filename,
        at.f_lineno,
        module=at.f_globals.get("__name__"),
        registry=at.f_globals.setdefault("__warningregistry__", {}),
    )


_WITHIN = (f"{Path(__file__).parent}{os.sep}", "<frozen ")


def _is_byrotes(frame: FrameType) -> bool:
    """Also where it is in no file of byrote's, as the `__init__` that dataclasses write."""
    module = str(frame.f_globals.get("__name__"))
    return frame.f_code.co_filename.startswith(_WITHIN) or module.partition(".")[0] == "byrote"


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


_SPOKEN_WITH_A_VOWEL = re.compile(
    r"[FHLMNRSX](?![a-z])|ndarray|(?!U(?![a-z])|(?i:eu|one|uni|u[ist]))[aeiouAEIOU]"  # an LSTM, a UNet, a uint8
)


def with_article(name: str) -> str:
    """ "an int", "a list", by how it is spoken."""
    return f"{'an' if _SPOKEN_WITH_A_VOWEL.match(name.lstrip('_')) else 'a'} {name}"


def kind_of(value: object) -> str:
    """The type of a value in a sentence: "an int", "a list"."""
    return with_article(type(value).__name__)


def suggestion(word: str, known: Collection[str]) -> str:
    """ "; did you mean 'demo'?", to end a sentence with, where something known is near, in any case; else ""."""
    by_lower_case = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), by_lower_case, n=1, cutoff=0.6)
    return f"; did you mean {by_lower_case[close[0]]!r}?" if close else ""
