"""Shattering, shown: every labeling of a few examples, and which of them training fits.

Claim      A network fits all 2^n labelings of n examples: it shatters them.
Command    byrote measure rademacher --data digits --models mlp-1x512 --exhaustive --n-train 12
Expected   All fitted by any network of some width; a network of one or two units misses some.
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017), section 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from byrote.errors import UserError
from byrote.evidence.columns import Column
from byrote.evidence.finding import Finding
from byrote.evidence.obstacles import check_failed, unfinished
from byrote.studies.columns import CALCULATION, DATA, EXAMPLES_SEED, FAILED_CHECKS, MODEL, OF_RECIPE, PARAMETERS, STUDY
from byrote.studies.rademacher.calculations import BLOCK, MOST_POINTS, Shattering
from byrote.studies.random_labels import RandomLabelStudy
from byrote.studies.study import Planned

_FEW = 10
_PATIENCE = 10
"""Times the recipe's epochs, for an epoch of few examples is a single step."""


@dataclass(frozen=True, eq=False)
class ShatteringStudy(RandomLabelStudy):
    """All labelings of `n_train` examples with two classes, 10 unless told otherwise.

    A labeling that is not fitted is tried again with the next of the seeds. The limit of epochs is ten times that of
    the recipe.

    >>> import byrote
    >>> byrote.ShatteringStudy(byrote.load("digits"), "mlp-1x16", n_train=6)
    <ShatteringStudy 'shattering' on Digits: 1 calculation>
    """

    name: ClassVar[str] = "shattering"
    title: ClassVar[str] = "Shattering"
    presented_by: ClassVar[str] = "byrote.studies.rademacher.shattering_page"
    columns: ClassVar[Sequence[Column]] = (
        STUDY,
        CALCULATION,
        MODEL,
        Column("n_train", "int64", "The number of examples."),
        Column("seed", "int64", "What the labelings' own seeds, and with them the initial weights, follow from."),
        EXAMPLES_SEED,
        Column("first", "int64", "The number of the first labeling of the block."),
        Column("tries", "int64", "The most networks that are trained on a labeling that is not fitted."),
        Column("num_labelings", "int64", "The number of labelings in the block."),
        Column("num_fitted", "int64", "The labelings of which a network had all labels right."),
        Column("complexity", "float64", "The mean over labelings of twice the training accuracy minus 1."),
        Column("num_interrupted", "int64", "The networks of the last try that their limit of epochs or steps ended."),
        PARAMETERS,
        FAILED_CHECKS,
        DATA,
        Column("seconds", "float64", "The seconds that the block took."),
        Column("key", "str", "What the store has the block under."),
        *OF_RECIPE.values(),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.largest > MOST_POINTS:
            raise UserError(
                f"got n_train={self.largest} with exhaustive, which would train 2^{self.largest} networks; "
                f"choose at most {MOST_POINTS} examples, or leave exhaustive out"
            )

    @property
    def num_classes(self) -> int:
        return 2

    @property
    def largest(self) -> int:
        return self.n_train or min(len(self.data.train), _FEW)

    def plan(self) -> list[Planned]:
        recipe = self.recipe
        if recipe.stop == "at_interpolation":
            recipe = recipe.model_copy(update={"epochs": _PATIENCE * recipe.epochs})
        return [
            Planned(
                Shattering(
                    model=model,
                    recipe=recipe,
                    n_train=self.largest,
                    data_seed=self.data_seed,
                    first=first,
                    tries=self.seeds,
                )
            )
            for model in self.models
            for first in range(0, 2**self.largest, BLOCK)
        ]

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return [self._shatters(model, table) for model in self.models]

    def _shatters(self, model: str, table: pd.DataFrame) -> Finding:
        n = self.largest
        claim = f"{model} shatters these {n} examples"
        own = table[table["model"] == model] if len(table) else table
        num_tried = int(own["num_labelings"].sum()) if len(own) else 0
        if num_tried < 2**n:
            return Finding(claim, "no conclusion", unfinished(2**n - num_tried, 2**n, "labelings"))
        failed = "; ".join(sorted(set(own["failed_checks"]) - {""}))
        if failed:
            return Finding(claim, "no conclusion", check_failed(failed))
        fitted = int(own["num_fitted"].sum())
        if fitted == 2**n:
            return Finding(
                claim,
                "supported",
                f"All {2**n:,} labelings are fitted: the VC dimension of the networks of this architecture is at least "
                f"{n}, and their Rademacher complexity on these examples is 1.",
            )
        complexity = np.average(own["complexity"], weights=own["num_labelings"])
        interrupted = int(own["num_interrupted"].sum())
        limit = f" {interrupted:,} runs were ended by their limit of epochs or steps." if interrupted else ""
        return Finding(
            claim,
            "no conclusion",
            f"{fitted:,} of {2**n:,} labelings are fitted, and the complexity on these examples is at least "
            f"{complexity:.3f}.{limit} That training misses a labeling does not prove that no weights "
            "fit it: try more epochs (`--epochs`), more seeds (`--seeds`), which are further tries, or a larger model.",
        )
