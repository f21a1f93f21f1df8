"""Table 1: what explicit regularisers do to train and test accuracy, on true labels, beside random labels.

Claim      Random cropping and weight decay improve generalisation but are not necessary for it: without them
           networks still fit and still generalise; cropping gives more than weight decay; batch norm gives a little.
           The same networks fit random labels, and then test at chance.
Command    byrote reproduce table1 --data cifar10:DIR --scale laptop    (or --scale paper)
Cost       laptop: 50 minutes on two AMD EPYC cores in bfloat16: the six rows of the MLPs take 15 minutes, alexnet's
           five 9, inception's five 17 and the three without batch norm 9, which is too short for these to fit.
Expected   On all of CIFAR-10 the paper's nineteen rows: test accuracy 86-89% (Inception), 76-81% (AlexNet), 50-53%
           (MLPs), about 10% on random labels. On fewer examples lower levels, and as far as noise allows its orderings.
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017),
           section 3 and Table 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.evidence.chance import CHANCE_DEVIATION, chance_deviations
from byrote.evidence.columns import Column
from byrote.evidence.comparisons import columns_against, discordant_columns, right_where_unseen
from byrote.evidence.finding import Finding
from byrote.evidence.learning import LEARNING, learning_columns
from byrote.studies.columns import OF_RUNS, ROW
from byrote.studies.design import ModelStudy, PerModel, label_corruptions
from byrote.studies.paper_numbers import is_cifar10
from byrote.studies.paper_settings import (
    LAPTOP,
    PAPER_MODELS,
    PAPER_STEPS,
    QUICK_MODELS,
    WEIGHT_DECAY,
    Scale,
    sized,
    sizes_at,
)
from byrote.studies.study import Planned
from byrote.studies.table1.findings import findings, runs_of
from byrote.studies.table1.rows import RIVALS, ROWS, Condition, Table1Row, orderings, published_rows, rows_of
from byrote.training.outcome import TrainOutcome
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

_RECIPE = Recipe(stop="at_steps", steps=PAPER_STEPS, weight_decay=WEIGHT_DECAY)


@dataclass(frozen=True, eq=False)
class Table1Study(ModelStudy):
    """Each model under each of its rows with each seed, all for the same number of steps.

    >>> import byrote
    >>> byrote.Table1Study(byrote.load("digits"), ["mlp-1x16"], seeds=2)
    <Table1Study 'table1' on Digits: 10 runs>

    Args, beside those of every ModelStudy:
        rows: which rows, for all models or in a mapping with each model's own. The recipe's weight decay is that of
            the rows that have it.

    Raises:
        UserError: a recipe that does not stop after a number of steps, has no weight decay, or has another regulariser
            of its own; or what ModelStudy refuses.
    """

    name: ClassVar[str] = "table1"
    title: ClassVar[str] = "Table 1: explicit regularisers"
    presented_by: ClassVar[str] = "byrote.studies.table1.page"
    columns: ClassVar[Sequence[Column]] = (
        *OF_RUNS,
        ROW,
        Column("random_crop", "bool", "Whether it is one with random cropping."),
        CHANCE_DEVIATION,
        *LEARNING,
        *(
            Column(
                f"paper_{split}_accuracy",
                "float64",
                f"The {split} accuracy of the same row in the paper's Table 1; missing on other data than CIFAR-10, "
                "and for models and rows that the paper does not have.",
            )
            for split in ("train", "test")
        ),
        *(
            Column(f"{split}_difference", "float64", f"Our {split} accuracy minus the paper's, in percentage points.")
            for split in ("train", "test")
        ),
        *(column for rival, told in RIVALS.items() for column in columns_against(rival, told)),
    )

    recipe: PerModel[Recipe] = _RECIPE
    rows: PerModel[Sequence[Table1Row]] = ROWS

    def __post_init__(self) -> None:
        super().__post_init__()
        for model in self.rows_by_model:
            recipe = self.own(self.recipe, "recipe", model)
            self.require_steps(model, "Table 1 compares final accuracies")
            self.require_unregularized(model, but=("weight_decay",))
            if not recipe.weight_decay:
                raise UserError(
                    f"got weight_decay=0 for {model}, but Table 1 trains with and without: give that of the rows that "
                    "have it"
                )

    @property
    def rows_by_model(self) -> dict[str, Sequence[Table1Row]]:
        """Which rows each model has."""
        return {model: self.own(self.rows, "rows", model) for model in self.model_names}

    def plan(self) -> list[Planned]:
        return [
            Planned(self._spec((model, row), seed), {"row": row.label, "random_crop": row.random_crop})
            for model, rows in self.rows_by_model.items()
            for seed in self.seed_list
            for row in rows
        ]

    def completed(self, table: pd.DataFrame, outcomes: Sequence[TrainOutcome]) -> pd.DataFrame:
        table["chance_deviation"] = chance_deviations(outcomes, self.data.test.true_labels)
        table = table.assign(**learning_columns(outcomes, self.data))
        self._put_beside_paper(table)
        right = {o.key: right_where_unseen(o, self.data.test.true_labels) for o in outcomes}
        for ordering in orderings(self.rows_by_model, as_published=False):
            first, second = (
                runs_of(table, c).reset_index().set_index("seed") for c in (ordering.first, ordering.second)
            )
            shared = first.index.intersection(second.index)
            own, others = ([right[key] for key in runs.loc[shared, "key"]] for runs in (first, second))
            for name, values in discordant_columns(ordering.rival, own, others, [ordering] * len(shared)).items():
                table.loc[first.loc[shared, "index"], name] = values
        return table

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return findings(self.rows_by_model, table, len(self.seed_list), on_cifar10=is_cifar10(self.data))

    def _spec(self, condition: Condition, seed: int) -> TrainSpec:
        model, row = condition
        return self.make_spec(
            model,
            seed,
            label_corruptions(float(row.random_labels)),
            augmentation="random-crop" if row.random_crop else "none",
            weight_decay=self.own(self.recipe, "recipe", model).weight_decay if row.weight_decay else 0.0,
        )

    def _put_beside_paper(self, table: pd.DataFrame) -> None:
        paper = {
            (model, row.label, published.parameters, 0.0): (published.train_accuracy, published.test_accuracy)
            for (model, row), published in (published_rows() if is_cifar10(self.data) else {}).items()
        }
        runs = zip(*(table[name] for name in ("model", "row", "parameters", "dropout")), strict=True)
        table[["paper_train_accuracy", "paper_test_accuracy"]] = [paper.get(run, (np.nan, np.nan)) for run in runs]
        table[["paper_train_accuracy", "paper_test_accuracy"]] /= 100
        for split in ("train", "test"):
            table[f"{split}_difference"] = 100 * (table[f"{split}_accuracy"] - table[f"paper_{split}_accuracy"])


def table1_study(data: Dataset, scale: Scale, seeds: int = 1, models: Sequence[str] | None = None) -> Table1Study:
    """The rows of the paper's Table 1, with the paper's hyper-parameters.

    Args:
        scale: "paper" is every row on the whole training set for 100 epochs. "laptop" is the MLPs' rows on the whole
            set for 60, alexnet's on 2,000 and inception's on 1,000 examples; "quick" those of mlp-1x512 and conv-small
            on 500.
        models: others than the paper's five; those that it does not have get the five rows that Inception has.
    """
    # conv-small takes as few steps here as the others: with more, the runs that stores have would not count.
    sizes = sizes_at(scale, data, {**LAPTOP, "conv": LAPTOP[""]})
    own = sized(data, models, QUICK_MODELS if scale == "quick" else PAPER_MODELS, sizes, weight_decay=WEIGHT_DECAY)
    return Table1Study(**own, seeds=seeds, rows={model: rows_of(model, data) for model in own["recipe"]})
