"""Empirical Rademacher complexity of what training can reach, for growing n and growing networks.

Claim      A network that fits random labels fits coin flips: its Rademacher complexity is about 1, the largest there
           is, and the bound on the test error that follows from it says nothing.
Command    byrote measure rademacher --data digits --models mlp-1x512    (or --models "mlp-1x{width}", --exhaustive)
Cost       65 s on two AMD EPYC cores for 64 draws at each of five n on digits. Side by side they take 1/3.2 of what
           they take one by one (benchmarks/side_by_side.py).
Expected   1 as long as networks fit any labels; it falls once there are too many examples for their size.
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017), section 2.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import pandas as pd

from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.evidence.columns import Column
from byrote.evidence.finding import Finding
from byrote.studies.rademacher.findings import findings
from byrote.studies.rademacher.rows import COLUMNS, rows
from byrote.studies.rademacher.shattering import ShatteringStudy
from byrote.studies.random_label_runs import RANDOM_LABELS, coin_flips, with_steps_of
from byrote.studies.random_labels import RandomLabelStudy, refuse_draws
from byrote.studies.study import Finished, Planned, Results
from byrote.theory.complexity.stumps import StumpComplexity
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

_NUM_SIZES = 5
_MOST_EXAMPLES = 1500
"""Unless told otherwise: 64 draws of these are fitted in about a minute by a small network."""


@dataclass(frozen=True, eq=False)
class RademacherStudy(RandomLabelStudy):
    """The complexity that training reaches at n, n/2, n/4, n/8 and n/16, beside the exact one of decision stumps.

    >>> import byrote
    >>> byrote.RademacherStudy(byrote.load("digits"), "mlp-1x16", n_train=64, draws=8)
    <RademacherStudy 'rademacher' on Digits: 45 runs and calculations>

    Args, beside those of every RandomLabelStudy:
        draws: draws of signs for each n, model and seed, trained side by side.
    """

    name: ClassVar[str] = "rademacher"
    title: ClassVar[str] = "Rademacher complexity"
    presented_by: ClassVar[str] = "byrote.studies.rademacher.page"
    columns: ClassVar[Sequence[Column]] = COLUMNS

    draws: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_draws(self.draws)

    @property
    def num_classes(self) -> int:
        return 2

    @property
    def largest(self) -> int:
        return self.n_train or min(len(self.data.train), _MOST_EXAMPLES)

    @property
    def sizes(self) -> list[int]:
        """The numbers of examples, ascending."""
        return sorted({max(1, self.largest // 2**halvings) for halvings in range(_NUM_SIZES)})

    @cached_property
    def flips(self) -> Mapping[int, Dataset]:
        """What networks are trained on, for each of the sizes."""
        return {n: coin_flips(self.data, n, self.data_seed) for n in self.sizes}

    def plan(self) -> list[Planned]:
        """Stumps, then a run for each model, size, seed and draw."""
        stumps = [StumpComplexity(n_train=n, draws=self.draws, data_seed=self.data_seed) for n in self.sizes]
        runs = [run for model in self.models for n in self.sizes for run in self._runs(model, n)]
        return [*map(Planned, stumps), *runs]

    def _runs(self, model: str, n: int) -> list[Planned]:
        recipe = with_steps_of(self.recipe, n, self.largest)
        own = {"model": model, "corruptions": RANDOM_LABELS, "n_train": n, "data_seed": self.data_seed}
        # Gradients are not recorded: nobody would look at them.
        first = TrainSpec.model_validate(recipe.model_dump() | own | {"dense_steps": 0})
        return [
            Planned(
                first.model_copy(update={"seed": repeat * self.draws + draw}),
                {"repeat": repeat, "draw": draw},
                self.flips[n],
            )
            for repeat in range(self.seeds)
            for draw in range(self.draws)
        ]

    def summarise(self, results: Sequence[Finished]) -> pd.DataFrame:
        """A row for each size of stumps, and for each model, size and seed."""
        return rows(self.name, Results.of(self, results), self.draws)

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return findings(self.models, self.sizes, table, self.seeds)


def rademacher_study(
    data: Dataset,
    *,
    model: str | Callable[..., Any] | None = None,
    recipe: Recipe,
    seeds: int = 1,
    n_train: int | None = None,
    draws: int | None = None,
    exhaustive: bool = False,
) -> RademacherStudy | ShatteringStudy:
    """The complexity over draws of signs, 64 if left out, or with `exhaustive` every labeling of a few examples.

    Raises:
        UserError: draws of a number that is none, or together with `exhaustive`.
    """
    common: dict[str, Any] = {"data": data, "model": model, "recipe": recipe, "seeds": seeds, "n_train": n_train}
    if draws is not None:
        refuse_draws(draws)
    if not exhaustive:
        return RademacherStudy(**common) if draws is None else RademacherStudy(**common, draws=draws)
    if draws is not None:
        raise UserError(f"got draws={draws} with exhaustive, which trains every labeling: leave one of them out")
    return ShatteringStudy(**common)
