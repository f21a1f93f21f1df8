"""Table 2: regularisers, random labels and early stopping at the scale of ImageNet.

Claim      With a thousand classes and 1.28 million images it is the same: random labels are fitted far above chance,
           though not all, with and without regularisers; without any, top-5 accuracy on true labels remains high;
           stopping early gains some points where there is no augmentation.
Command    byrote reproduce table2 --data images:DIR --scale laptop    (or --scale paper)
           Inception V3 is torchvision's, called by three lines of your own in FILE.py (--models FILE.py:inception_v3
           --learning-rate 0.1 --image-size 342, of which crops of 299 are taken):
               def inception_v3(*, input_shape, num_classes, dropout=0.0):
                   return torchvision.models.inception_v3(
                       num_classes=num_classes, dropout=dropout, aux_logits=False, init_weights=True)
Expected   On ImageNet the paper's seven rows: 88-95% of random labels, 59.8% top-1 and 80.4% top-5 without any
           regulariser, 77.8% and 93.9% with all three, and 3.4 points more at the best moment of training.
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017),
           sections 2 and 3 and Table 2.
Assumed    The recipe, as on CIFAR-10: SGD with momentum 0.9, batch size 128, rate 0.1 (Inception and ResNet; others
           0.01, models of your own among them unless --learning-rate says otherwise) times 0.95 after every epoch,
           weight decay 5e-4 on all parameters, whitening; crops of 7/8 of the side (28 of 32, 224 of 256); dropout 0.5
           of models that take a rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.evidence.chance import CHANCE_DEVIATION, chance_deviations
from byrote.evidence.columns import Column
from byrote.evidence.early_stopping import EARLY_STOPPING, early_stopping_columns
from byrote.evidence.finding import Finding
from byrote.evidence.learning import LEARNING, learning_columns, top_guessing
from byrote.studies.columns import OF_RUNS, ROW
from byrote.studies.design import NO_REGULARIZERS, ModelStudy, PerModel, label_corruptions
from byrote.studies.paper_numbers import is_imagenet
from byrote.studies.paper_settings import LAPTOP, PAPER_STEPS, WEIGHT_DECAY, Scale, Sizes, paper_recipe, sized, sizes_at
from byrote.studies.study import Planned
from byrote.studies.table2.findings import findings
from byrote.studies.table2.rows import MEASURES, TOP, Table2Row, published_rows, rows_for
from byrote.training.outcome import TrainOutcome
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

TABLE2_RECIPE = Recipe(
    stop="at_steps",
    steps=PAPER_STEPS,
    augmentation="crop-flip-color",
    dropout=0.5,
    weight_decay=WEIGHT_DECAY,
    evaluation_spacing=1,
    evaluation_share=1,
)
"""Evaluated after every epoch, or as often as evaluation costs no more than training."""
_EPOCHS = 100
_CROP_SHARE = 7 / 8


@dataclass(frozen=True, eq=False)
class Table2Study(ModelStudy):
    """Each model under each row with each seed, all for the same number of steps.

    >>> import byrote
    >>> byrote.Table2Study(byrote.load("digits"), ["mlp-1x16"], seeds=2)
    <Table2Study 'table2' on Digits: 14 runs>

    Args, beside those of every ModelStudy:
        rows: which rows, for all models or in a mapping with each model's own; None is `rows_for`. The recipe's
            augmentation, dropout and weight decay are those of the rows that have them.

    Raises:
        UserError: no or repeated rows, a recipe that does not stop after a number of steps or lacks a regulariser that
            a row has, or what ModelStudy refuses.
    """

    name: ClassVar[str] = "table2"
    title: ClassVar[str] = "Table 2: regularisers at the scale of ImageNet"
    presented_by: ClassVar[str] = "byrote.studies.table2.page"
    columns: ClassVar[Sequence[Column]] = (
        *OF_RUNS,
        ROW,
        *EARLY_STOPPING,
        CHANCE_DEVIATION,
        *LEARNING,
        Column("top5_guessing", "float64", "The share of the test set that the five largest classes have."),
        *(
            Column(
                f"paper_{measure}",
                "float64",
                f"The paper's {theirs} of the same row in its Table 2; missing on other data than ImageNet.",
            )
            for measure, theirs in MEASURES.items()
        ),
    )

    recipe: PerModel[Recipe] = TABLE2_RECIPE
    rows: PerModel[Sequence[Table2Row]] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for model, rows in self.rows_by_model.items():
            if not rows or len(set(rows)) < len(rows):
                raise UserError(f"got rows={rows!r} for {model}, expected a list of different rows")
            recipe = self.own(self.recipe, "recipe", model)
            self.require_steps(model, "Table 2 compares final accuracies")
            for name, off in NO_REGULARIZERS.items():
                if getattr(recipe, name) == off and any(getattr(row, name) for row in rows):
                    raise UserError(
                        f"got {name}={off!r} for {model}, but Table 2 trains with and without: give that of the rows "
                        "that have it"
                    )

    @property
    def rows_by_model(self) -> dict[str, Sequence[Table2Row]]:
        """Which rows each model has."""
        return {
            model: rows_for(model, self.data) if self.rows is None else self.own(self.rows, "rows", model)
            for model in self.model_names
        }

    def plan(self) -> list[Planned]:
        return [
            Planned(self._spec(model, row, seed), {"row": row.label})
            for model, rows in self.rows_by_model.items()
            for seed in self.seed_list
            for row in rows
        ]

    def completed(self, table: pd.DataFrame, outcomes: Sequence[TrainOutcome]) -> pd.DataFrame:
        table = table.assign(**early_stopping_columns(outcomes), **learning_columns(outcomes, self.data))
        table["chance_deviation"] = chance_deviations(outcomes, self.data.test.true_labels)
        table["top5_guessing"] = top_guessing(self.data.test, TOP)
        paper = {row.label: figures for row, figures in published_rows().items()} if is_imagenet(self.data) else {}
        for measure in MEASURES:
            table[f"paper_{measure}"] = [paper.get(row, {}).get(measure, math.nan) for row in table["row"]]
        return table

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return [
            finding
            for model, rows in self.rows_by_model.items()
            for finding in findings(model, rows, table, len(self.seed_list), on_imagenet=is_imagenet(self.data))
        ]

    def _spec(self, model: str, row: Table2Row, seed: int) -> TrainSpec:
        left_out = {name: off for name, off in NO_REGULARIZERS.items() if not getattr(row, name)}
        return self.make_spec(model, seed, label_corruptions(float(row.random_labels)), **left_out)


def table2_study(data: Dataset, scale: Scale, seeds: int = 1, models: Sequence[str] | None = None) -> Table2Study:
    """The rows of the paper's Table 2, on any images; those with dropout only for models that take a rate of it.

    Args:
        scale: "paper" is a small residual network on the whole training set for 100 epochs (of CIFAR-10, where that has
            more steps). "laptop" is conv-small on 1,000 examples, or all where there are no more, for 2,000 steps;
            "quick" is that on 500 for 300.
        models: others than these.
    """
    defaults = ("resnet",) if scale == "paper" else ("conv-small",)
    # Where an epoch is longer than one of CIFAR-10, the rate falls once in each; ImageNet's has 10,000 steps.
    epoch = max(TABLE2_RECIPE.decay_steps, math.ceil(len(data.train) / TABLE2_RECIPE.batch_size))
    whole: Sizes = {"": (None, {"steps": _EPOCHS * epoch, "decay_steps": epoch})}
    changes = TABLE2_RECIPE.model_dump(exclude_unset=True) | {"crop": _crop(data)}
    if not data.is_images:
        changes["augmentation"] = "none"
    sizes = whole if scale == "paper" else sizes_at(scale, data, LAPTOP)
    return Table2Study(**sized(data, models, defaults, sizes, **changes), seeds=seeds)


def _crop(data: Dataset) -> int | None:
    """7/8 of the shorter side of images larger than the paper's crop of CIFAR-10."""
    cropped = paper_recipe("", data).crop
    return cropped and round(_CROP_SHARE * min(data.input_shape[1:]))
