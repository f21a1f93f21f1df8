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

import pandas as pd

from byrote.data.corruptions.record import Corruption
from byrote.errors import UserError
from byrote.evidence.finding import Finding
from byrote.studies.bounds.calculations import NetworkMeasures, column, column_of_bound, column_of_reason
from byrote.studies.bounds.findings import findings
from byrote.studies.random_labels import COLUMNS_OF_RECIPE, RandomLabelStudy
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
COLUMNS: Mapping[str, str] = {
    "study": "The name of the study.",
    "calculation": "What was computed.",
    "model": "The name of the model.",
    "seed": "What labels, initial weights and batch order follow from.",
    "data_seed": "What draws the training subset.",
    "corruption": "Whether the labels are true or random.",
    "n_train": "The number of training examples.",
    "pac_bayes_steps": "The steps of the optimiser of the PAC-Bayes posterior.",
    "pac_bayes_draws": "The draws of weights by which the posterior's training error is estimated.",
    "num_classes": "The number of classes.",
    "train_accuracy": "The accuracy on the labels that were trained on, in evaluation mode.",
    "test_accuracy": "The accuracy on the test set, whose labels are true.",
    "generalization_gap": "The training accuracy minus the test accuracy.",
    "fitted": "Whether the network has 99% of its labels right, of those that identical inputs allow.",
    "interpolated": "Whether it has all of them right.",
    "epochs_run": "The epochs that training took.",
    "stop_reason": "Why training ended.",
    "failed_checks": "The names of the run's self-checks that failed.",
    **{column(name): f"The value of {measure.title}; missing where it has none." for name, measure in MEASURES.items()},
    "data": "The data set.",
    "seconds": "The time that the measures took.",
    "key": "What the store has the measures under.",
    **COLUMNS_OF_RECIPE,
    **{
        column_of_bound(name): f"What {MEASURES[name].title} allows of the 0-1 error on new examples."
        for name in BOUNDS
    },
    **{column_of_reason(name): f"Why {measure.title} has no value." for name, measure in MEASURES.items()},
}
"""Of the table, each with what it holds."""


@dataclass(frozen=True, eq=False)
class BoundsStudy(RandomLabelStudy):
    """All MEASURES of a model, or of each member of a family, trained on true and on random labels with each seed.

    Args, beside those of every RandomLabelStudy:
        pac_bayes_steps: of the optimiser of the PAC-Bayes posterior: more make the bound smaller.
        pac_bayes_draws: of weights, by which its training error is estimated.
    """

    name: ClassVar[str] = "bounds"
    title: ClassVar[str] = "Bounds and measures"
    presented_by: ClassVar[str] = "byrote.studies.bounds.page"

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
        """One row a network, with COLUMNS."""
        table = super().summarise(results if isinstance(results, Results) else Results.of(self, results))
        if table.empty:
            return pd.DataFrame(columns=list(COLUMNS))
        bounds = {column_of_bound(name): table[column(name)] + 1 - table["train_accuracy"] for name in BOUNDS}
        return table.assign(**bounds)[list(COLUMNS)]

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return findings(table)
