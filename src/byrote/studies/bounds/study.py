"""Bounds and measures of one network, on true and on random labels: do they say anything, and do they see a difference?

Claim      A bound that counts parameters is vacuous, and the same on true as on random labels. Norms over margins,
           sharpness and PAC-Bayes bounds see the trained network, and may tell the two apart.
Command    byrote measure bounds --data digits --models mlp-1x512
Cost       A minute and a half on one of two AMD EPYC cores, three seeds: 12 s a network on true labels, 18 s on random
           ones, of which 5 s go to the PAC-Bayes posterior.
Expected   The number of parameters and the VC dimension do not tell true from random labels; most of the others do. All
           bounds are vacuous but PAC-Bayes on true labels, which is of a network with random weights.
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017), section 2.2; and
           what each file of theory/measures names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from byrote.data.corruptions.record import Corruption
from byrote.errors import UserError
from byrote.evidence.columns import Column
from byrote.evidence.finding import Finding
from byrote.evidence.learning import top_guessing
from byrote.studies.bounds.calculations import NetworkMeasures, column, column_of_bound, column_of_reason
from byrote.studies.bounds.findings import findings
from byrote.studies.columns import CALCULATION, DATA, MODEL, N_TRAIN, NUM_CLASSES, OF_RECIPE, STUDY
from byrote.studies.random_labels import RandomLabelStudy
from byrote.studies.study import Finished, Planned, Results
from byrote.theory.measures.catalog import MEASURES
from byrote.theory.measures.pac_bayes import NUM_DRAWS, NUM_STEPS
from byrote.training.spec import TrainSpec

CONDITIONS: Mapping[str, tuple[Corruption, ...]] = {
    "true-labels": (),
    "random-labels": (Corruption(name="random-labels"),),
}
"""What networks are trained on, by the column `corruption`."""
BOUNDS = [name for name, measure in MEASURES.items() if measure.kind == "bound"]


@dataclass(frozen=True, eq=False)
class BoundsStudy(RandomLabelStudy):
    """All MEASURES of a model, or of each member of a family, trained on true and on random labels with each seed.

    >>> import byrote
    >>> byrote.BoundsStudy(byrote.load("digits"), "mlp-1x16", seeds=2)
    <BoundsStudy 'bounds' on Digits: 8 runs and calculations>

    Args, beside those of every RandomLabelStudy:
        pac_bayes_steps: of the optimiser of the PAC-Bayes posterior: more make the bound smaller.
        pac_bayes_draws: of weights, by which its training error is estimated.
    """

    name: ClassVar[str] = "bounds"
    title: ClassVar[str] = "Bounds and measures"
    presented_by: ClassVar[str] = "byrote.studies.bounds.page"
    columns: ClassVar[Sequence[Column]] = (
        STUDY,
        CALCULATION,
        MODEL,
        Column("seed", "int64", "What labels, initial weights and batch order follow from."),
        Column("data_seed", "int64", "What draws the training subset."),
        Column("corruption", "str", "Whether the labels are true or random."),
        N_TRAIN,
        Column("pac_bayes_steps", "int64", "The steps of the optimiser of the PAC-Bayes posterior."),
        Column("pac_bayes_draws", "int64", "The draws of weights that the posterior's training error is estimated by."),
        NUM_CLASSES,
        Column("guessing", "float64", "The accuracy of the best constant prediction on new examples labelled alike."),
        Column("train_accuracy", "float64", "The accuracy on the labels that were trained on, in evaluation mode."),
        Column("test_accuracy", "float64", "The accuracy on the test set, whose labels are true."),
        Column("generalization_gap", "float64", "The training accuracy minus the test accuracy."),
        Column("fitted", "bool", "Whether the network ever had 99% of the labels right that identical inputs allow."),
        Column("interpolated", "bool", "Whether it ever had all of them right."),
        Column("epochs_run", "int64", "The epochs that training took."),
        Column("stop_reason", "str", "Why training ended."),
        Column("failed_checks", "str", "The names of the run's self-checks that failed."),
        *(
            Column(column(name), "float64", f"The value of {measure.title}; missing where it has none.")
            for name, measure in MEASURES.items()
        ),
        DATA,
        Column("seconds", "float64", "The seconds that the measures took."),
        Column("key", "str", "What the store has the measures under."),
        *OF_RECIPE.values(),
        *(
            Column(
                column_of_bound(name),
                "float64",
                f"What {MEASURES[name].title} allows of the 0-1 error on new examples; missing where it has no value.",
            )
            for name in BOUNDS
        ),
        *(
            Column(column_of_reason(name), "str", f"Why {measure.title} has no value; empty where it has one.")
            for name, measure in MEASURES.items()
        ),
    )

    pac_bayes_steps: int = NUM_STEPS
    pac_bayes_draws: int = NUM_DRAWS

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("pac_bayes_steps", "pac_bayes_draws"):
            if getattr(self, name) < 1:
                raise UserError(f"got {name}={getattr(self, name)}, expected at least 1")

    def plan(self) -> list[Planned]:
        """All networks, then the measures of each."""
        networks = [
            ({"model": model, "seed": seed, "data_seed": self.data_seed}, labels)
            for model in self.models
            for seed in range(self.seeds)
            for labels in CONDITIONS
        ]
        recipe = self.recipe.model_dump() | {"n_train": self.n_train}
        steps = {"pac_bayes_steps": self.pac_bayes_steps, "pac_bayes_draws": self.pac_bayes_draws}
        runs, measures = [], []
        for own, labels in networks:
            spec = TrainSpec.model_validate(recipe | own | {"corruptions": CONDITIONS[labels]})
            runs.append(Planned(spec, own | {"corruption": labels}))
            measures.append(Planned(NetworkMeasures(spec=spec, **steps), own | {"corruption": labels}))
        return [*runs, *measures]

    def summarise(self, results: Sequence[Finished]) -> pd.DataFrame:
        """A row is a network."""
        table = super().summarise(Results.of(self, results))
        bounds = {column_of_bound(name): table[column(name)] + 1 - table["train_accuracy"] for name in BOUNDS}
        of_true = top_guessing(self.data.test, 1)
        guessing = np.where(table["corruption"] == "true-labels", of_true, 1 / self.data.num_classes)
        return table.assign(**bounds, guessing=guessing)

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return findings(table)
