"""How many draws the examples of a test set are worth: copies of one are right or wrong together.

A network gives equal inputs equal answers, so that m copies of an example say no more than one of them. An accuracy on
groups of m_1, m_2, ... equal inputs, n examples in all, has the variance of one on n² / sum m_j² independent ones
(Kish, Survey sampling, 1965): n / k where each is there k times. Equal rows may be draws of their own, as in a table of
few categories; but those are in training as well, and left out here: what repeats in the test set, and is not in
training, has been copied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int64, Shaped

from byrote.evidence.columns import Column

EFFECTIVE = Column(
    "n_test_effective", "float64", "How many independent draws the test examples are worth: equal inputs count as one."
)


@dataclass(frozen=True)
class Tested:
    """On what an accuracy rests."""

    number: int
    """Of test examples."""
    worth: int | float
    """Of how many independent draws; never more than their number."""
    unseen: bool = False
    """Whether they are those alone that are not in training, and there are others."""

    @classmethod
    def on_all(cls, runs: pd.DataFrame) -> Tested:
        """The whole test set of these runs, by their columns n_test and n_test_effective."""
        return cls(int(runs["n_test"].min()), float(runs["n_test_effective"].min()))

    @classmethod
    def on_unseen(cls, runs: pd.DataFrame) -> Tested:
        """What of it is not in training."""
        every, number = cls.on_all(runs), int((runs["n_test"] - runs["num_test_leaked"]).min())
        share = every.worth / every.number if every.number else 1.0
        return cls(number, number * share, bool(runs["num_test_leaked"].max()))

    @property
    def in_words(self) -> str:
        """ "360 test examples", "720 test examples that count as 360, since their inputs repeat"."""
        words = f"{self.number:,} test example{'' if self.number == 1 else 's'}"
        if self.unseen:
            words += " that are not in training"
        count = round(self.worth)
        if count == self.number:
            return words
        joint = " and" if self.unseen else " that"
        return f"{words}{joint} count as {max(count, 1):,}, since their inputs repeat"


def worth(inputs: Shaped[np.ndarray, " T"], leaked: Int64[np.ndarray, " L"]) -> float:
    """What one of T test examples is worth, in independent draws: 1 where no two are equal.

    Args:
        inputs: equal where those of the examples are.
        leaked: the rows that are in training, which do not count unless all are.
    """
    kept = np.delete(inputs, leaked)
    sizes = np.unique(kept if len(kept) else inputs, return_counts=True)[1]
    return float(sizes.sum() / (sizes.astype(float) ** 2).sum()) if len(sizes) else 1.0
