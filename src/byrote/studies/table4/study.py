"""Table 4: whether explicit regularisers keep a network from fitting random labels.

Claim      They do not: with weight decay, random cropping or full augmentation turned on, networks still fit random
           labels, with the one exception of AlexNet with weight decay, which does not converge.
Command    byrote reproduce table4 --data cifar10:DIR --scale laptop    (or --scale paper)
Cost       laptop: 26 runs, 80 minutes on one AMD EPYC core in bfloat16, 60 of them for inception's eight.
Expected   At the usual strengths train accuracy stays at 99-100%. With ever stronger weight decay each network first
           stops fitting, then stops converging at all; AlexNet at the weakest. On 500 to 2,000 images of CIFAR-10 (JPEG
           copy) up to 1e-2 only inception does, at 1e-2, and none stops converging.
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017),
           appendix E and Table 4.
Assumed    The strength of weight decay, which the paper does not state: 5e-4, among others from 1e-5 to 1e-2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.evidence.columns import Column
from byrote.evidence.finding import Finding
from byrote.studies.columns import OF_RUNS
from byrote.studies.design import ModelStudy, PerModel, label_corruptions
from byrote.studies.paper_numbers import is_cifar10
from byrote.studies.paper_settings import PAPER_STEPS, QUICK_MODELS, WEIGHT_DECAY, Scale, Sizes, sized, sizes_at
from byrote.studies.study import Planned
from byrote.studies.table4.convergence import CONVERGENCE, convergence_columns
from byrote.studies.table4.findings import findings
from byrote.studies.table4.rows import Condition, published_rows, words
from byrote.training.outcome import TrainOutcome
from byrote.training.recipe import Recipe

MODELS = ("mlp-1x512", "mlp-3x512", "alexnet", "inception")
WEIGHT_DECAYS = (0.0, 1e-5, 1e-4, WEIGHT_DECAY, 1e-3, 1e-2)
_QUICK_WEIGHT_DECAYS = (0.0, WEIGHT_DECAY, 1e-2)
AUGMENTATIONS = ("random-crop", "crop-flip-color")
_LAPTOP: Sizes = {"mlp": (2000, {"steps": 1600}), "alexnet": (1000, {"steps": 800}), "": (500, {"steps": 400})}
"""Examples and steps: 100 epochs each, as at paper scale. In 50, inception with full augmentation was still on its way
(88% of 500 random labels of CIFAR-10, one seed)."""
_RECIPE = Recipe(stop="at_steps", steps=PAPER_STEPS)


@dataclass(frozen=True, eq=False)
class Table4Study(ModelStudy):
    """Each model on random labels with each seed: at every weight decay, and with every augmentation and none.

    >>> import byrote
    >>> byrote.Table4Study(byrote.load("digits"), ["mlp-1x16"], weight_decays=(0.0, 0.01))
    <Table4Study 'table4' on Digits: 2 runs>

    Args, beside those of every ModelStudy:
        weight_decays: 0 among them, which is the network without regularisers.
        augmentations: names of AUGMENTATIONS or references, all without weight decay; () for none.

    Both take one value for all models or a mapping with one for each.

    Raises:
        UserError: no weight decay of 0, a negative or repeated one, a recipe that does not stop after a number of steps
            or has regularisers of its own; or what ModelStudy refuses.
    """

    name: ClassVar[str] = "table4"
    title: ClassVar[str] = "Table 4: regularisers and random labels"
    presented_by: ClassVar[str] = "byrote.studies.table4.page"
    columns: ClassVar[Sequence[Column]] = (
        *OF_RUNS,
        Column("regularizer", "str", "The regulariser in words, with its strength."),
        *CONVERGENCE,
        Column(
            "paper_train_accuracy",
            "float64",
            "The training accuracy of the same row in the paper's Table 4; missing where that did not converge, on "
            "other data than CIFAR-10, and for models and regularisers that the paper does not have.",
        ),
        Column(
            "paper_ending", "str", "How that run ended: fits or does not converge; empty where there is no such row."
        ),
        Column("train_difference", "float64", "Our training accuracy minus the paper's, in percentage points."),
    )

    recipe: PerModel[Recipe] = _RECIPE
    weight_decays: PerModel[Sequence[float]] = WEIGHT_DECAYS
    augmentations: PerModel[Sequence[str]] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for model in self.model_names:
            decays = self.own(self.weight_decays, "weight_decays", model)
            own = self.own(self.augmentations, "augmentations", model)
            if 0 not in decays or min(decays) < 0 or len(set(decays)) < len(decays):
                raise UserError(f"got weight_decays={decays!r} for {model}, expected different ones, 0 among them")
            if isinstance(own, str) or "none" in own or len(set(own)) < len(own):
                raise UserError(f"got augmentations={own!r} for {model}, expected a list of different ones but 'none'")
            self.require_steps(model, "Table 4 compares final accuracies")
            self.require_unregularized(model)

    def conditions(self, model: str) -> list[Condition]:
        """Augmentation and weight decay of each of the model's runs, weakest weight decay first."""
        decays = sorted(self.own(self.weight_decays, "weight_decays", model))
        augmentations = self.own(self.augmentations, "augmentations", model)
        return [*(("none", decay) for decay in decays), *((name, 0.0) for name in augmentations)]

    def plan(self) -> list[Planned]:
        return [
            Planned(
                self.make_spec(
                    model, seed, label_corruptions(1.0), augmentation=augmentation, weight_decay=weight_decay
                ),
                {"regularizer": words((augmentation, weight_decay))},
            )
            for model in self.model_names
            for seed in self.seed_list
            for augmentation, weight_decay in self.conditions(model)
        ]

    def completed(self, table: pd.DataFrame, outcomes: Sequence[TrainOutcome]) -> pd.DataFrame:
        endings = convergence_columns(outcomes, self.data.train.true_labels, self.data.num_classes)
        table = table.assign(**endings)
        paper = {
            (model, words(condition)): (accuracy / 100, "does not converge" if np.isnan(accuracy) else "fits")
            for (model, condition), accuracy in (published_rows() if is_cifar10(self.data) else {}).items()
        }
        beside = [paper.get(run, (np.nan, "")) for run in zip(table["model"], table["regularizer"], strict=True)]
        table["paper_train_accuracy"], table["paper_ending"] = zip(*beside, strict=True)
        table["train_difference"] = 100 * (table["train_accuracy"] - table["paper_train_accuracy"])
        return table

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        conditions = {model: self.conditions(model) for model in self.model_names}
        return findings(conditions, table, len(self.seed_list))


def table4_study(data: Dataset, scale: Scale, seeds: int = 1, models: Sequence[str] | None = None) -> Table4Study:
    """The paper's Table 4 and a scan of weight decay, with the paper's hyper-parameters.

    Args:
        scale: "paper" is the whole training set for 100 epochs, "laptop" 2,000 examples for the MLPs, 1,000 for alexnet
            and 500 for inception; "quick" mlp-1x512 and conv-small on 500, at half of the weight decays.
        models: others than the paper's four; those that it does not have are augmented as inception is.
    """
    quick = scale == "quick"
    own = sized(data, models, QUICK_MODELS if quick else MODELS, sizes_at(scale, data, _LAPTOP))
    names = own["recipe"]
    not_augmented = {"mlp-1x512", "mlp-3x512", "alexnet"} if data.is_images else set(names)
    augmentations = {model: () if model in not_augmented else AUGMENTATIONS for model in names}
    weight_decays = _QUICK_WEIGHT_DECAYS if quick else WEIGHT_DECAYS
    return Table4Study(**own, seeds=seeds, augmentations=augmentations, weight_decays=weight_decays)
