"""The share of right answers in each group of test rows, and which groups differ from all others.

Rows with a copy in training are left out, and so are all but the first of copies within the test split; that a group
is in training too is no reason to leave it out here, since what are compared are groups of one test split. Each share
has Wilson's interval, and is compared with that of all other rows by Fisher's exact test (1922), Holm-corrected over
groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64
from scipy.stats import fisher_exact

from byrote.audits.metric import Prediction
from byrote.audits.stage import interval_figure
from byrote.evidence.comparisons import holm
from byrote.evidence.intervals import Interval, binomial_interval

FEWEST_ROWS = 5
"""A smaller group says nothing of itself."""
_MOST_GROUPS = 200
"""The largest: of more, the correction leaves none."""


@dataclass(frozen=True)
class GroupShare:
    """How often a group is right, beside all others."""

    group: int
    right: Interval
    """The share of its rows that are right; n of them."""
    others: float
    """The share of all other rows."""
    p_value: float
    """That it is as right as the others, corrected over groups."""


def errors_by_group(
    predictions: Sequence[Prediction],
    labels: Int64[np.ndarray, " N"],
    groups: Int64[np.ndarray, " N"],
    counted: Bool[np.ndarray, " N"],
) -> list[GroupShare]:
    """The largest groups, those that are least often right first; none where there are not two.

    Args:
        predictions: of several fits, whose mean share is told; counts are rounded to whole rows.
        counted: the rows that have no copy in training, nor one before them.
    """
    right = np.mean([each.labels == labels for each in predictions], axis=0)[counted]
    names, codes, sizes = np.unique(groups[counted], return_inverse=True, return_counts=True)
    hits, total = np.bincount(codes, right), float(right.sum())
    chosen = [place for place in np.argsort(-sizes, kind="stable")[:_MOST_GROUPS] if sizes[place] >= FEWEST_ROWS]
    if len(chosen) < 2:
        return []
    found = []
    for place in chosen:
        own, rest = round(hits[place]), round(total) - round(hits[place])
        table = np.array([[own, sizes[place] - own], [rest, max(len(right) - sizes[place] - rest, 0)]], np.int64)
        found.append(float(fisher_exact(table).pvalue))
    shares = [
        GroupShare(
            int(names[place]),
            binomial_interval(float(hits[place] / sizes[place]), int(sizes[place])),
            float((total - hits[place]) / (len(right) - sizes[place])),
            float(p_value),
        )
        for place, p_value in zip(chosen, holm(found), strict=True)
    ]
    return sorted(shares, key=lambda each: (each.right.mean, each.group))


def group_figures(shares: Sequence[GroupShare], names: Sequence[str]) -> list[dict[str, Any]]:
    """As audit.json has them."""
    return [
        {
            "group": names[each.group] if each.group < len(names) else str(each.group),
            "right": interval_figure(each.right),
            "others": each.others,
            "p": each.p_value,
        }
        for each in shares
    ]
