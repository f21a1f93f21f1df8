"""The randomisation test: can these networks memorise this data, and what is left of it without structure?

Claim      Deep networks fit random labels, and inputs without structure, with unchanged hyper-parameters;
           time to fit grows with label corruption by a small factor; test error rises smoothly to chance.
Command    byrote reproduce figure1 --data cifar10:DIR --scale laptop    (or --scale paper)
Cost       laptop: 32 minutes on two AMD EPYC cores shared with other work (15 runs in bfloat16).
Expected   1a: all five settings are fitted; the loss on random labels falls last. 1b: time to fit grows by a
           small factor with the share of random labels. 1c: test error rises from its own level to chance.
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017),
           section 2 and Figure 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from byrote.data.corruptions.application import goes_with
from byrote.data.corruptions.catalog import CORRUPTIONS, TRUE_LABELS, title_of
from byrote.data.corruptions.record import Corruption, corruptions_of
from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.evidence.chance import CHANCE_DEVIATION, chance_deviations
from byrote.evidence.columns import Column
from byrote.evidence.finding import Finding
from byrote.evidence.learning import LEARNING, learning_columns
from byrote.evidence.slow_start import SLOW_START, slow_start_columns
from byrote.studies.columns import OF_RUNS
from byrote.studies.design import ModelStudy, PerModel, label_corruptions
from byrote.studies.randomization.findings import findings
from byrote.studies.study import Planned
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec

SETTINGS = (TRUE_LABELS, "random-labels", "shuffled-pixels", "random-pixels", "gaussian")
"""The five of Figure 1a."""
RATES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Levels of label corruption for Figures 1b and 1c."""


@dataclass(frozen=True, eq=False)
class RandomizationStudy(ModelStudy):
    """Each model under each setting of Figure 1a and each rate of Figures 1b and 1c, with each seed.

    >>> import byrote
    >>> byrote.RandomizationStudy(byrote.load("digits"), ["mlp-1x16"], seeds=2)
    <RandomizationStudy 'randomization' on Digits: 16 runs>

    Args, beside those of every ModelStudy:
        settings: names of CORRUPTIONS (at rate 1), NAME=LEVEL of another rate or strength, FILE.py:NAME, corruptions
            of your own as classes or objects, or `Corruption`s; () for none; None for `settings_of` the data.
        rates: levels of uniform label corruption; 0 is the setting true-labels and 1 random-labels; () for none.

    Both take one value for all models or a mapping with one for each. The recipe is the same under every corruption.

    Raises:
        UserError: an unknown setting, a rate outside [0, 1], nothing to run, or what ModelStudy refuses.
    """

    name: ClassVar[str] = "randomization"
    title: ClassVar[str] = "Randomisation test"
    presented_by: ClassVar[str] = "byrote.studies.randomization.page"
    columns: ClassVar[Sequence[Column]] = (
        *OF_RUNS,
        Column(
            "relative_time_to_fit",
            "float64",
            "The steps to fit over those of the run with the same model and seed on true labels.",
        ),
        *SLOW_START,
        *LEARNING,
        CHANCE_DEVIATION,
        Column(
            "predictable",
            "float64",
            "The share of the labels trained on that the true class alone tells, by the law of their corruption; "
            "missing where that is not known.",
        ),
        Column("initial_weights", "str", "The digest of the weights that training began with."),
    )

    settings: PerModel[Sequence[Any]] | None = None
    rates: PerModel[Sequence[float]] = RATES

    def __post_init__(self) -> None:
        super().__post_init__()
        for model in self.model_names:
            self._conditions(model)

    def plan(self) -> list[Planned]:
        return [
            Planned(self.make_spec(model, seed, corruptions))
            for model in self.model_names
            for seed in self.seed_list
            for corruptions in self._conditions(model)
        ]

    def completed(self, table: pd.DataFrame, outcomes: Sequence[TrainOutcome]) -> pd.DataFrame:
        """Runs of one model and seed that start from different weights do not compare: they fail the check "equal
        initial weights"."""
        fit_true = {
            (row.model, row.seed): row.steps_to_fit for row in table[table["corruption"] == TRUE_LABELS].itertuples()
        }
        bases = [fit_true.get(pair, np.nan) for pair in zip(table["model"], table["seed"], strict=True)]
        table["relative_time_to_fit"] = table["steps_to_fit"] / np.array(bases, dtype=float)
        starts = slow_start_columns(outcomes, self.data.train.true_labels, self.data.num_classes)
        table = table.assign(**starts, **learning_columns(outcomes, self.data))
        table["chance_deviation"] = chance_deviations(outcomes, self.data.test.true_labels)
        sizes = np.bincount(self.data.train.true_labels, minlength=self.data.num_classes)
        table["predictable"] = [_predictable(outcome.spec, sizes) for outcome in outcomes]
        table["initial_weights"] = [outcome.initial_weights for outcome in outcomes]
        different = table.groupby(["model", "seed"])["initial_weights"].transform("nunique") > 1
        table.loc[different, "failed_checks"] += "; equal initial weights"
        table["failed_checks"] = table["failed_checks"].str.removeprefix("; ")
        return table

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return findings(table, self.tasks())

    def under(self, corruptions: Sequence[Any]) -> RandomizationStudy:
        """The same study on true labels and under these `corruptions`, given as `settings` are, and under no others."""
        return replace(self, settings=(TRUE_LABELS, *corruptions), rates=())

    def _conditions(self, model: str) -> list[tuple[Corruption, ...]]:
        """The corruptions of each condition, settings first, each once."""
        settings = settings_of(self.data) if self.settings is None else self.own(self.settings, "settings", model)
        rates = self.own(self.rates, "rates", model)
        if isinstance(rates, int | float):
            rates = (rates,)
        if isinstance(settings, str):
            raise UserError(f"got settings={settings!r}, expected a list out of {', '.join(CORRUPTIONS)}")
        if not all(0 <= rate <= 1 for rate in rates):
            raise UserError(f"got rates={rates!r}, expected label corruptions between 0 and 1")
        if not (settings or rates):
            raise UserError(f"got neither settings nor rates for {model}, expected at least one of them")
        conditions = [corruptions_of(asked) for asked in settings] + [label_corruptions(rate) for rate in rates]
        _refuse_namesakes(conditions)
        return list(dict.fromkeys(conditions))


def settings_of(data: Dataset) -> tuple[str, ...]:
    """SETTINGS, without those that inputs like these cannot have: Gaussian inputs of token ids, which have no mean or
    variance; pixels in another order, where one of several inputs is a single number."""
    return tuple(name for name in SETTINGS if all(goes_with(each.method, data) for each in corruptions_of(name)))


def _refuse_namesakes(conditions: Sequence[tuple[Corruption, ...]]) -> None:
    """Raises UserError for two different corruptions that figures would call alike."""
    called: dict[str, str] = {}
    for corruption in (each for condition in conditions for each in condition):
        title = title_of(corruption.name)
        if called.setdefault(title, corruption.name) != corruption.name:
            raise UserError(
                f"got {called[title]} and {corruption.name}, which figures would both call {title}: give one a title"
            )


def _predictable(spec: TrainSpec, sizes: np.ndarray) -> float:
    return 1.0 if spec.label_method is None else spec.label_method.predictable(spec.label_rate, sizes)
