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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.evidence.finding import Finding
from byrote.studies.rademacher.findings import findings
from byrote.studies.rademacher.shattering import ShatteringStudy
from byrote.studies.random_labels import RandomLabelStudy, refuse_draws
from byrote.studies.study import Planned, Results
from byrote.theory.calculation import Calculation, Computed
from byrote.theory.complexity.rademacher import generalization_bound
from byrote.theory.complexity.random_labels import with_steps_of
from byrote.theory.complexity.reached_complexity import RISK, ReachedComplexity
from byrote.theory.complexity.stumps import StumpComplexity
from byrote.training.spec import Recipe

if TYPE_CHECKING:
    from byrote.charts.sections import Presentation

STUMPS = "decision stumps"
"""What the column `model` calls them."""
_NUM_SIZES = 5
_MOST_EXAMPLES = 1500
"""Unless told otherwise: 64 draws of these are fitted in about a minute by a small network."""


@dataclass(frozen=True, eq=False)
class RademacherStudy(RandomLabelStudy):
    """The complexity that training reaches at n, n/2, n/4, n/8 and n/16, beside the exact one of decision stumps.

    Args, beside those of every RandomLabelStudy:
        draws: draws of signs for each n, model and seed, trained side by side.
    """

    name: ClassVar[str] = "rademacher"
    title: ClassVar[str] = "Rademacher complexity"

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

    def plan(self) -> list[Planned]:
        return [Planned(task) for task in self._tasks()]

    def _tasks(self) -> list[Calculation]:
        common: dict[str, Any] = {"draws": self.draws, "data_seed": self.data_seed}
        stumps = [StumpComplexity(n_train=n, **common) for n in self.sizes]
        networks = [
            ReachedComplexity(
                model=model, recipe=with_steps_of(self.recipe, n, self.largest), n_train=n, seed=seed, **common
            )
            for model in self.models
            for n in self.sizes
            for seed in range(self.seeds)
        ]
        return [*stumps, *networks]

    def summarise(self, results: Sequence[Computed]) -> pd.DataFrame:
        """`tabulate_calculations`, the recipe's columns, and per calculation:

        bound: what the test error is bounded by without any training error, at 95%; for networks given `low`, so that
            the bound is this or larger, for stumps given `high`. Where their signs are drawn, R is above `high` with a
            chance of 2.5%, and the bound is left as much.
        """
        table = super().summarise(results)
        if table.empty:
            return table
        are_stumps = table["calculation"] == StumpComplexity.__name__
        table["model"] = table.get("model", pd.Series(STUMPS, index=table.index)).where(~are_stumps, STUMPS)
        complexity = table["high"].where(are_stumps, table["low"])
        spends_half = are_stumps & (table["low"] < table["high"])
        table["bound"] = [
            generalization_bound(0.0, limit, n, RISK / 2 if half else RISK)
            for limit, n, half in zip(complexity, table["n_train"], spends_half, strict=True)
        ]
        return table

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return findings(self.models, self.sizes, table, self.seeds)

    def page(self, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
        from byrote.studies.rademacher.page import present

        return present(self, results, table, findings)


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
