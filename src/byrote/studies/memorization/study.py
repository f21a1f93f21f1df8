"""What a network knows by rote: of each training example, whether its label is known only because it was trained on.

Claim      Most labels of natural data are known from other examples; some are known by rote alone, random labels all
           are; and who was trained on can be told of those that are memorised.
Command    byrote measure memorization --data digits --models mlp-1x512    (or --models "mlp-1x{width}", --noise 0 0.1)
Cost       About 80 s of CPU for 512 networks on halves of the 1,437 digits, in stacks of 16 (AMD EPYC); what is
           read from them takes a few seconds.
Expected   On digits 4% of labels are known by rote in the mean, those of odd handwriting; of random labels 90%, all but
           what guessing gives. LiRA then tells members with an AUC of 0.58 and 0.996.
Source     Feldman & Zhang (NeurIPS 2020); Carlini et al. (S&P 2022); Zarifzadeh et al. (ICML 2024); for label
           noise Arpit et al., A closer look at memorization in deep networks (ICML 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import pandas as pd

from byrote.data.corruptions.application import corrupt
from byrote.data.dataset import Dataset
from byrote.data.subsets import subset
from byrote.errors import UserError
from byrote.evidence.columns import Column
from byrote.evidence.finding import Finding
from byrote.studies.memorization.calculations import ExampleScores
from byrote.studies.memorization.findings import findings
from byrote.studies.memorization.halves import networks_for_width, refuse_networks
from byrote.studies.memorization.rows import COLUMNS, rows
from byrote.studies.random_labels import RandomLabelStudy
from byrote.studies.study import Finished, Planned
from byrote.training.recipe import Recipe

_MOST_EXAMPLES = 1500
"""Unless told otherwise: 512 networks on halves of these are trained in minutes."""
NETWORKS = 512


@dataclass(frozen=True, eq=False)
class MemorizationStudy(RandomLabelStudy):
    """Networks on random halves of the training set, with its own labels or with some redrawn.

    >>> import byrote
    >>> byrote.MemorizationStudy(byrote.load("digits"), "mlp-1x16", networks=64)
    <MemorizationStudy 'memorization' on Digits: 65 runs and calculations>

    Args, beside those of every RandomLabelStudy:
        n_train: the examples that are asked about, of which each network is trained on half; None takes all, at most
            1,500.
        seeds: 1: networks take their place.
        networks: how many, a multiple of 16.
        noise: shares of labels that are redrawn before all else, each a set of networks of its own.
        influential: training examples that are named for each test example, those with the largest influence on it.
    """

    name: ClassVar[str] = "memorization"
    title: ClassVar[str] = "Memorization, example by example"
    presented_by: ClassVar[str] = "byrote.studies.memorization.page"
    one_class: ClassVar[str] = "which every network knows"
    columns: ClassVar[Sequence[Column]] = COLUMNS

    networks: int = NETWORKS
    noise: tuple[float, ...] = (0.0,)
    influential: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_networks(self.networks)
        if self.seeds != 1:
            raise UserError(
                f"got seeds={self.seeds} for {self.name}, whose networks all have seeds of their own: give more "
                f"networks (`--networks {2 * self.networks}`)"
            )
        if self.largest < 4:
            raise UserError(f"got {self.largest} training examples, expected at least 4: networks are trained on half")
        wrong = [rate for rate in self.noise if not 0 <= rate <= 1]
        if wrong or not self.noise or len(set(self.noise)) < len(self.noise):
            given = ", ".join(f"{rate:g}" for rate in self.noise) or "nothing"
            raise UserError(f"got noise={given}, expected shares of labels between 0 and 1, each once")
        if self.influential < 0:
            raise UserError(f"got influential={self.influential}, expected how many examples to name, 0 for none")

    @property
    def largest(self) -> int:
        return self.n_train or min(len(self.data.train), _MOST_EXAMPLES)

    @cached_property
    def datasets(self) -> Mapping[float, Dataset]:
        """What networks are trained on halves of, by the share of redrawn labels."""
        size = None if self.largest == len(self.data.train) else self.largest
        clean = subset(self.data, size, self.data_seed)
        return {rate: _with_noise(clean, rate, self.data_seed) for rate in sorted(self.noise)}

    def plan(self) -> list[Planned]:
        """The runs of each model and noise, and then what is read from them."""
        scores = [
            Planned(
                ExampleScores(
                    model=model,
                    recipe=self.recipe,
                    networks=self.networks,
                    label_rate=rate,
                    influential=self.influential,
                    seed=self.data_seed,
                ),
                {},
                data,
            )
            for model in self.models
            for rate, data in self.datasets.items()
        ]
        runs = [
            Planned(spec, {"label_rate": each.task.label_rate}, each.data)
            for each in scores
            if isinstance(each.task, ExampleScores)
            for spec in each.task.specs
        ]
        return [*runs, *scores]

    def summarise(self, results: Sequence[Finished]) -> pd.DataFrame:
        """A row for all examples of each model and noise, for each class, and for each example."""
        return rows(self.name, results, self.datasets)

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return findings(self.models, list(self.datasets), table, self.networks)


def _with_noise(clean: Dataset, rate: float, seed: int) -> Dataset:
    if not rate:
        return clean
    noisy = corrupt(clean, "random-labels" if rate == 1 else "partial-labels", rate=rate, seed=seed)
    return replace(noisy, title=f"{clean.label}, {rate:.0%} of labels redrawn")


def memorization_study(
    data: Dataset,
    *,
    model: str | Callable[..., Any] | None = None,
    recipe: Recipe,
    seeds: int = 1,
    n_train: int | None = None,
    networks: int | None = None,
    width: float | None = None,
    noise: tuple[float, ...] = (0.0,),
    influential: int = 0,
) -> MemorizationStudy:
    """With so many networks, or as many as intervals of this width take; 512 if both are left out.

    Raises:
        UserError: both are given, or a width that is none.
    """
    if networks is not None and width is not None:
        raise UserError(f"got networks={networks} and width={width:g}, which says how many: leave one of them out")
    number = networks_for_width(width) if width is not None else NETWORKS if networks is None else networks
    return MemorizationStudy(
        data,
        model,
        recipe,
        seeds=seeds,
        n_train=n_train,
        networks=number,
        noise=tuple(noise),
        influential=influential,
    )
