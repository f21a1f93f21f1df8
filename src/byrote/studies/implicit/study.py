"""Implicit regularisers: what early stopping and batch norm do to the accuracy on unseen data.

Claim      Early stopping and batch norm regularise, a little: batch norm improves test accuracy by 3-4 points on
           CIFAR-10, early stopping helps on ImageNet but not on CIFAR-10. Neither explains why networks generalise.
Command    byrote reproduce figure2 --data cifar10:DIR --scale laptop    (or --scale paper)
Cost       laptop: four runs, 31 minutes on one AMD EPYC core in bfloat16, 13 of them for the MLP's two.
Expected   2a: test accuracy stays near its best while training goes on, and falls from it only under label noise.
           2b: with batch norm training accuracy rises much sooner, and test accuracy ends higher. At laptop scale
           Inception without it is not fitted at the end, so that speed alone can be judged.
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017),
           section 3 (implicit regularization), Figure 2 and Table 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from byrote.errors import UserError
from byrote.evidence.columns import Column
from byrote.evidence.early_stopping import EARLY_STOPPING, early_stopping_columns
from byrote.evidence.finding import Finding
from byrote.studies.columns import OF_RUNS
from byrote.studies.design import ModelStudy, PerModel, label_corruptions
from byrote.studies.implicit.batch_norm import (
    AGAINST_TWIN,
    OF_LEARNING,
    batch_norm_pairs,
    learning_columns,
    twin_columns,
)
from byrote.studies.implicit.findings import findings
from byrote.studies.paper_numbers import is_cifar10
from byrote.studies.paper_settings import PAPER_STEPS
from byrote.studies.study import Planned
from byrote.training.outcome import TrainOutcome
from byrote.training.recipe import Recipe

VALIDATION = 0.1
"""The share of the training set that chooses when to stop: a usual one."""
IMPLICIT_RECIPE = Recipe(
    stop="at_steps", steps=PAPER_STEPS, validation=VALIDATION, evaluation_spacing=1, evaluation_share=1
)
"""Evaluated after every epoch, or as often as evaluation costs no more than training."""


@dataclass(frozen=True, eq=False)
class ImplicitStudy(ModelStudy):
    """Each model at each rate of label corruption, with each seed, all for a fixed number of steps.

    A model and its twin whose name ends in -no-batchnorm (or _no_batchnorm) are compared with one another.

    >>> import byrote
    >>> byrote.ImplicitStudy(byrote.load("digits"), ["mlp-1x16"], rates=(0.0, 0.4), seeds=2)
    <ImplicitStudy 'implicit' on Digits: 4 runs>

    Args, beside those of every ModelStudy:
        rates: levels of label corruption, for all models or in a mapping with each model's own. Labels held out for
            validation stay true, like those of the test set.

    Raises:
        UserError: a rate outside [0, 1], none, a recipe that does not stop after a number of steps, or what ModelStudy
            refuses.
    """

    name: ClassVar[str] = "implicit"
    title: ClassVar[str] = "Implicit regularisers"
    presented_by: ClassVar[str] = "byrote.studies.implicit.page"
    columns: ClassVar[Sequence[Column]] = (
        *OF_RUNS,
        Column("num_validation", "int64", "The number of examples that were held out."),
        *EARLY_STOPPING,
        *OF_LEARNING,
        *AGAINST_TWIN,
    )

    recipe: PerModel[Recipe] = IMPLICIT_RECIPE
    rates: PerModel[Sequence[float]] = (0.0,)

    def __post_init__(self) -> None:
        super().__post_init__()
        for model in self.model_names:
            rates = self.own(self.rates, "rates", model)
            if not rates or not all(0 <= rate <= 1 for rate in rates):
                raise UserError(f"got rates={rates!r} for {model}, expected label corruptions between 0 and 1")
            self.require_steps(
                model, "a run that stops at interpolation does not show what training on would have done"
            )

    def plan(self) -> list[Planned]:
        return [
            Planned(self.make_spec(model, seed, label_corruptions(rate)))
            for model, rate in self._conditions()
            for seed in self.seed_list
        ]

    def completed(self, table: pd.DataFrame, outcomes: Sequence[TrainOutcome]) -> pd.DataFrame:
        available = len(self.data.train)
        entries = early_stopping_columns(outcomes) | learning_columns(outcomes)
        entries |= twin_columns(outcomes, self.data.test.true_labels, self.pairs)
        table["num_validation"] = [(outcome.spec.n_train or available) - outcome.n_train for outcome in outcomes]
        return table.assign(**entries)

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return findings(self._conditions(), self.pairs, table, len(self.seed_list), on_cifar10=is_cifar10(self.data))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Models with and without batch norm."""
        return batch_norm_pairs(self.model_names)

    def _conditions(self) -> list[tuple[str, float]]:
        """Models with label rates, each once."""
        return [
            (model, rate) for model in self.model_names for rate in dict.fromkeys(self.own(self.rates, "rates", model))
        ]
