"""The rows of Table 2, and the paper's figures for them: Inception V3 on ImageNet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from byrote.data.dataset import Dataset
from byrote.models.catalog import takes_dropout
from byrote.studies.paper_numbers import published

TOP = 5
"""How many classes a top-5 accuracy may name."""
MEASURES = {
    "train_accuracy": "top1_train",
    "train_top5_accuracy": "top5_train",
    "test_accuracy": "top1_test",
    "test_top5_accuracy": "top5_test",
    "best_on_test": "best_top1_test",
}
"""What our table calls a measure, and what the paper's csv does. A curve holds no top-5 accuracy, so that of the best
moment is the paper's alone."""


@dataclass(frozen=True)
class Table2Row:
    """Which regularisers a row has, and on which labels."""

    augmentation: bool = False
    dropout: bool = False
    weight_decay: bool = False
    random_labels: bool = False

    @classmethod
    def of(cls, augmentation: str, dropout: float, weight_decay: float) -> Table2Row:
        """The row, on true labels, of a run with these regularisers."""
        return cls(augmentation != "none", bool(dropout > 0), bool(weight_decay > 0))

    @property
    def num_regularizers(self) -> int:
        """How many regularisers it has."""
        return self.augmentation + self.dropout + self.weight_decay

    @property
    def regularizers(self) -> str:
        """In words: "dropout, weight decay"; "all three"; "none"."""
        used = (("augmentation", self.augmentation), ("dropout", self.dropout), ("weight decay", self.weight_decay))
        names = [name for name, is_used in used if is_used]
        return "all three" if len(names) == len(used) else ", ".join(names) or "none"

    @property
    def label(self) -> str:
        """The column `row`: "dropout, weight decay", "none, random labels"."""
        return f"{self.regularizers}{', random labels' if self.random_labels else ''}"


@cache
def published_rows() -> dict[Table2Row, dict[str, float]]:
    """MEASURES of the paper's seven rows, in its order, as fractions; NaN where it gives none."""
    rows = published("table2").to_dict("records")
    return {
        Table2Row(
            augmentation=row["augmentation"] == "yes",
            dropout=row["dropout"] == "yes",
            weight_decay=row["weight_decay"] == "yes",
            random_labels=row["labels"] == "random",
        ): {ours: float(row[theirs]) / 100 for ours, theirs in MEASURES.items()}
        for row in rows
    }


def paper_accuracy(row: Table2Row, measure: str) -> float:
    """What the paper reports of a row; NaN where it has none."""
    return published_rows().get(row, {}).get(measure, np.nan)


def rows_for(model: str, data: Dataset) -> tuple[Table2Row, ...]:
    """The paper's rows; without augmentation where there are no images, and without dropout for a model that takes no
    rate of it."""
    augmented, dropped = data.is_images, takes_dropout(model)
    return tuple(
        row for row in published_rows() if (augmented or not row.augmentation) and (dropped or not row.dropout)
    )


def most_regularized(rows: Sequence[Table2Row]) -> Table2Row | None:
    """On true labels, the first of those with most regularisers; None where no row has any."""
    regularized = [row for row in rows if row.num_regularizers and not row.random_labels]
    return max(regularized, key=lambda row: row.num_regularizers, default=None)
