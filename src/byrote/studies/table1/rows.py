"""The rows of Table 1, the paper's figures for them, and the orderings of test accuracy that they let one try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Literal, NamedTuple, TypeAlias

from byrote.data.dataset import Dataset
from byrote.studies.paper_numbers import published

LADDER = ("inception", "alexnet", "mlp-3x512", "mlp-1x512")
"""The paper's architectures, the one that generalises best first."""

Rival = Literal["no_crop", "no_weight_decay", "weight_decay_alone", "no_batch_norm", "next_model"]
RIVALS: Mapping[Rival, str] = {
    "no_crop": "the same row without random cropping, with the same seed",
    "no_weight_decay": "the same row without weight decay, with the same seed",
    "weight_decay_alone": "the row with weight decay in place of random cropping, with the same seed",
    "no_batch_norm": "the same row of the model without batch norm, with the same seed",
    "next_model": f"the same row of the next model in {', '.join(LADDER)}, with the same seed",
}
"""What a row is compared with."""


@dataclass(frozen=True)
class Table1Row:
    """A row of Table 1, but for its model."""

    random_crop: bool = False
    weight_decay: bool = False
    random_labels: bool = False

    @property
    def regularizers(self) -> str:
        """Those that it has, in words."""
        names = ["random crop"] * self.random_crop + ["weight decay"] * self.weight_decay
        return " and ".join(names) or "no regulariser"

    @property
    def label(self) -> str:
        """The column `row`: "random crop and weight decay", "no regulariser, random labels"."""
        return f"{self.regularizers}{', random labels' if self.random_labels else ''}"


Condition: TypeAlias = tuple[str, Table1Row]
"""A model and a row."""

ROWS = (
    Table1Row(True, True),
    Table1Row(True, False),
    Table1Row(False, True),
    Table1Row(),
    Table1Row(random_labels=True),
)
"""For models that the paper does not have: as it has them for Inception."""


class PublishedRow(NamedTuple):
    """What the paper reports of one row."""

    parameters: int
    train_accuracy: float
    """In percent, like the next."""
    test_accuracy: float


@cache
def published_rows() -> dict[Condition, PublishedRow]:
    """The paper's nineteen rows, in its order."""
    found = {}
    for model, parameters, crop, decay, labels, train, test in published("table1").itertuples(index=False):
        row = Table1Row(crop == "yes", decay == "yes", labels == "random")
        found[model, row] = PublishedRow(parameters, train, test)
    return found


def rows_of(model: str, data: Dataset) -> tuple[Table1Row, ...]:
    """The rows that the paper has for `model`, all five for other models; without crops where there are no images."""
    rows = tuple(row for name, row in published_rows() if name == model) or ROWS
    return tuple(row for row in rows if data.is_images or not row.random_crop)


@dataclass(frozen=True)
class Ordering:
    """`first` is compared with `second`, and expected to have the higher test accuracy unless `reversed`."""

    rival: Rival
    first: Condition
    second: Condition
    reversed: bool = False

    @property
    def claim(self) -> str:
        """The claim, in words."""
        model, row = self.first
        verb = "lowers" if self.reversed else "raises"
        if self.rival == "no_crop":
            return f"Random cropping {verb} the test accuracy of {model}{_beside(replace(row, random_crop=False))}"
        if self.rival == "no_weight_decay":
            return f"Weight decay {verb} the test accuracy of {model}{_beside(replace(row, weight_decay=False))}"
        if self.rival == "weight_decay_alone":
            than = "less" if self.reversed else "more"
            return f"Random cropping raises the test accuracy of {model} {than} than weight decay does"
        if self.rival == "no_batch_norm":
            return f"Batch norm {verb} the test accuracy of {model}{_beside(row)}"
        better, worse = (self.second, self.first) if self.reversed else (self.first, self.second)
        return f"{better[0]} generalises better than {worse[0]} without explicit regularisers"


def orderings(rows: Mapping[str, Sequence[Table1Row]], *, as_published: bool) -> list[Ordering]:
    """All that the rows of these models allow, regularisers expected to help.

    Args:
        as_published: expect the paper's own order where it has both rows. In two of them weight decay lowered its
            test accuracy, by 0.1 and by 0.3 points.
    """
    there = {(model, row): None for model, own in rows.items() for row in own if not row.random_labels}
    pairs: list[tuple[Rival, Condition, Condition]] = []
    for model, row in there:
        if row.random_crop:
            pairs.append(("no_crop", (model, row), (model, replace(row, random_crop=False))))
        if row.weight_decay:
            pairs.append(("no_weight_decay", (model, row), (model, replace(row, weight_decay=False))))
        if row == Table1Row(random_crop=True):
            pairs.append(("weight_decay_alone", (model, row), (model, Table1Row(weight_decay=True))))
        pairs.append(("no_batch_norm", (model, row), (f"{model}-no-batchnorm", row)))
    ladder = [(model, Table1Row()) for model in LADDER if (model, Table1Row()) in there]
    pairs += [("next_model", first, second) for first, second in pairwise(ladder)]
    paper = published_rows() if as_published else {}
    return [
        Ordering(rival, first, second, _is_below(paper, first, second))
        for rival, first, second in pairs
        if second in there
    ]


def _beside(row: Table1Row) -> str:
    return "" if row in (Table1Row(), Table1Row(random_labels=True)) else f" beside {row.regularizers}"


def _is_below(paper: Mapping[Condition, PublishedRow], first: Condition, second: Condition) -> bool:
    both = first in paper and second in paper
    return both and paper[first].test_accuracy < paper[second].test_accuracy
