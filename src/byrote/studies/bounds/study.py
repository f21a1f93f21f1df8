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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import pandas as pd

from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.evidence.finding import Finding
from byrote.studies.bounds.findings import findings
from byrote.studies.random_labels import RandomLabelStudy
from byrote.studies.study import Planned, Results
from byrote.theory.calculation import Computed
from byrote.theory.measures.catalog import MEASURES
from byrote.theory.measures.network_measures import NetworkMeasures
from byrote.theory.measures.pac_bayes import NUM_DRAWS, NUM_STEPS
from byrote.theory.trained_calculation import Labels
from byrote.training.spec import Recipe

if TYPE_CHECKING:
    from byrote.charts.sections import Presentation


@dataclass(frozen=True, eq=False)
class BoundsStudy(RandomLabelStudy):
    """All MEASURES of a model, or of each member of a family, trained on true and on random labels with each seed.

    Args, beside those of every RandomLabelStudy:
        pac_bayes_steps: of the optimiser of the PAC-Bayes posterior: more make the bound smaller.
        pac_bayes_draws: of weights, by which its training error is estimated.
    """

    name: ClassVar[str] = "bounds"
    title: ClassVar[str] = "Bounds and measures"

    pac_bayes_steps: int = NUM_STEPS
    pac_bayes_draws: int = NUM_DRAWS

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("pac_bayes_steps", "pac_bayes_draws"):
            if getattr(self, name) < 1:
                raise UserError(f"got {name}={getattr(self, name)}, expected at least 1")

    def plan(self) -> list[Planned]:
        return [Planned(task) for task in self._tasks()]

    def _tasks(self) -> list[NetworkMeasures]:
        return [
            NetworkMeasures(
                model=model,
                recipe=self.recipe,
                corruption=labels,
                n_train=self.n_train,
                seed=seed,
                data_seed=self.data_seed,
                pac_bayes_steps=self.pac_bayes_steps,
                pac_bayes_draws=self.pac_bayes_draws,
            )
            for model in self.models
            for seed in range(self.seeds)
            for labels in get_args(Labels)
        ]

    def summarise(self, results: Sequence[Computed]) -> pd.DataFrame:
        """One row a network: `tabulate_calculations`, the recipe's columns, and of each bound `NAME error bound`,
        what it says of the 0-1 error on new examples."""
        table = super().summarise(results)
        if table.empty:
            return table
        bounds = {
            f"{name} error bound": table[name] + 1 - table["train_accuracy"]
            for name, measure in MEASURES.items()
            if measure.kind == "bound"
        }
        return table.assign(**bounds)

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return findings(table)

    def page(self, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
        from byrote.studies.bounds.page import present

        return present(self, results, table, findings)


def bounds_study(
    data: Dataset,
    *,
    model: str | Callable[..., Any] | None = None,
    recipe: Recipe,
    seeds: int = 3,
    n_train: int | None = None,
    pac_bayes_steps: int = NUM_STEPS,
    pac_bayes_draws: int = NUM_DRAWS,
) -> BoundsStudy:
    """Of all examples, if `n_train` is left out."""
    return BoundsStudy(
        data=data,
        model=model,
        recipe=recipe,
        seeds=seeds,
        n_train=n_train,
        pac_bayes_steps=pac_bayes_steps,
        pac_bayes_draws=pac_bayes_draws,
    )
