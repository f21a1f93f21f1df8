"""The randomisation test: can these networks memorise this data, and what is left of it without structure?

Claim      Deep networks fit random labels, and inputs without structure, with unchanged hyper-parameters;
           time to fit grows with label corruption by a small factor; test error rises smoothly to chance.
Command    byrote reproduce figure1 --data cifar10:DIR --scale laptop    (or --scale paper)
Expected   1a: all five settings are fitted; the loss on random labels falls last. 1b: time to fit grows by a
           small factor with the share of random labels. 1c: test error rises from its own level to chance.
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017),
           section 2 and Figure 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeAlias, TypeVar

import pandas as pd

from byrote.data.corruptions import CORRUPTIONS, Corruption
from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.references import name_of
from byrote.studies.randomization_findings import findings
from byrote.studies.slow_start import slow_start_columns
from byrote.studies.study import Finding, Study, tabulate
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import Recipe, TrainSpec

SETTINGS = ("true-labels", "random-labels", "shuffled-pixels", "random-pixels", "gaussian")
"""The five of Figure 1a."""
RATES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Levels of label corruption for Figures 1b and 1c."""

PAPER_RECIPE = Recipe()

T = TypeVar("T")
PerModel: TypeAlias = T | Mapping[str, T]
"""One value for all models, or each model's own by its name."""


@dataclass(frozen=True, eq=False)
class RandomizationStudy(Study):
    """Each model under each setting of Figure 1a and each rate of Figures 1b and 1c, with each seed.

    Args:
        data: clean; each run draws its own subset and corruption.
        models: catalogue names, FILE.py:NAME, package.module:NAME, or functions and classes at the top of a module.
        settings: names of CORRUPTIONS (all at rate 1); () for none.
        rates: levels of label corruption; 0 is the setting true-labels and 1 random-labels; () for none.
        seeds: how many (0, 1, ...), or which.
        recipe: how networks are trained, the same under every corruption.
        n_train: the size of the stratified training subset; None takes all.
        data_seed: draws that subset.

    Settings, rates, recipe and n_train take one value for all models or a mapping with one for each.

    Raises:
        UserError: an unknown setting, a rate outside [0, 1], a mapping that lacks a model, too large an
            n_train, or nothing to run.
    """

    name: ClassVar[str] = "randomization"
    title: ClassVar[str] = "Randomisation test"

    data: Dataset
    models: Sequence[str | Callable[..., Any]] = ("mlp-1x512",)
    settings: PerModel[Sequence[str]] = SETTINGS
    rates: PerModel[Sequence[float]] = RATES
    seeds: int | Sequence[int] = 1
    recipe: PerModel[Recipe] = PAPER_RECIPE
    n_train: PerModel[int | None] = None
    data_seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.models, str) or not self.models or len(set(self.model_names)) < len(self.models):
            raise UserError(f"got models={self.models!r}, expected a list of different names: ['mlp-1x512', 'alexnet']")
        if not self.seed_list or len(set(self.seed_list)) < len(self.seed_list) or min(self.seed_list) < 0:
            raise UserError(f"got seeds={self.seeds!r}, expected a number of seeds, at least 1, or different ones")
        for model in self.model_names:
            self._conditions(model)
            n_train, available = self._own(self.n_train, "n_train", model), len(self.data.train)
            if n_train is not None and not 1 <= n_train <= available:
                raise UserError(f"got n_train={n_train} for {self.data.name}, which has {available} training examples")

    @property
    def model_names(self) -> list[str]:
        """As specs carry them."""
        return [name_of(model) for model in self.models]

    @property
    def seed_list(self) -> list[int]:
        return list(range(self.seeds)) if isinstance(self.seeds, int) else list(self.seeds)

    def with_recipe(self, **changes: Any) -> RandomizationStudy:
        """The same study with these fields of every model's recipe changed.

        Raises:
            pydantic.ValidationError: a field or value that no recipe has.
        """
        recipes = {
            model: Recipe.model_validate(self._own(self.recipe, "recipe", model).model_dump() | changes)
            for model in self.model_names
        }
        return replace(self, recipe=recipes)

    def plan(self) -> list[TrainSpec]:
        return [
            TrainSpec(
                **self._own(self.recipe, "recipe", model).model_dump(),
                model=model,
                corruptions=corruptions,
                n_train=self._own(self.n_train, "n_train", model),
                seed=seed,
                data_seed=self.data_seed,
            )
            for model in self.model_names
            for seed in self.seed_list
            for corruptions in self._conditions(model)
        ]

    def summarise(self, outcomes: Sequence[TrainOutcome]) -> pd.DataFrame:
        """`tabulate`, and per run:

        relative_time_to_fit: steps to fit over those of the run with the same model and seed on true labels;
        steps_to_start, initial_gradient_norm, early_gradient_norm, early_gradient_cosine: see `slow_start`;
        initial_weights: their digest. Runs of one model and seed that start from different weights do not
            compare: they fail the check "equal initial weights".
        """
        table = tabulate(self.name, outcomes)
        if table.empty:
            return table
        fit_true = {
            (row.model, row.seed): row.steps_to_fit for row in table[table["corruption"] == "true-labels"].itertuples()
        }
        bases = pd.Series([fit_true.get(pair) for pair in zip(table["model"], table["seed"], strict=True)])
        table["relative_time_to_fit"] = table["steps_to_fit"] / bases.astype(float)
        for name, values in slow_start_columns(outcomes, self.data.train.true_labels, self.data.num_classes).items():
            table[name] = values
        table["initial_weights"] = [outcome.initial_weights for outcome in outcomes]
        starts = table.groupby(["model", "seed"])["initial_weights"].transform("nunique")
        table.loc[starts > 1, "failed_checks"] += "; equal initial weights"
        table["failed_checks"] = table["failed_checks"].str.removeprefix("; ")
        return table

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        planned = self.plan()
        return [
            finding
            for model in self.model_names
            for finding in findings(
                model,
                table[table["model"] == model] if len(table) else table,
                [spec for spec in planned if spec.model == model],
            )
        ]

    def _conditions(self, model: str) -> list[tuple[Corruption, ...]]:
        """The corruptions of each condition, settings first, each once."""
        settings = self._own(self.settings, "settings", model)
        rates = self._own(self.rates, "rates", model)
        known = [name for name in CORRUPTIONS if name != "partial-labels"]
        if isinstance(settings, str) or not set(settings) <= set(known):
            raise UserError(f"got settings={settings!r}, expected a list out of {', '.join(known)}")
        if not all(0 <= rate <= 1 for rate in rates):
            raise UserError(f"got rates={rates!r}, expected label corruptions between 0 and 1")
        if not (settings or rates):
            raise UserError(f"got neither settings nor rates for {model}, expected at least one of them")
        conditions = [_corruptions(name, 1.0) for name in settings]
        conditions += [_corruptions("partial-labels", rate) for rate in rates]
        return list(dict.fromkeys(conditions))

    def _own(self, value: PerModel[T], name: str, model: str) -> T:
        if not isinstance(value, Mapping):
            return value
        if model not in value:
            raise UserError(f"got {name} for {', '.join(value)} but not for the model {model}: give one for each")
        return value[model]


def _corruptions(name: str, rate: float) -> tuple[Corruption, ...]:
    if name == "true-labels" or rate == 0:
        return ()
    if name == "partial-labels" and rate == 1:
        name = "random-labels"
    return (Corruption.model_validate({"name": name, "rate": rate}),)
