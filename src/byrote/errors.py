"""The exceptions that carry a sentence for the user: what came, what was expected, what to do."""

from __future__ import annotations

from byrote.masking import masked


class UserError(ValueError):
    """The user's input is wrong. The command line prints the sentence and exits with code 2."""

    def __init__(self, sentence: str) -> None:
        super().__init__(masked(sentence))


class StoreError(RuntimeError):
    """The store of runs cannot be read or written as it is. Also exit code 2: its remedy is the user's."""

    def __init__(self, sentence: str) -> None:
        super().__init__(masked(sentence))
