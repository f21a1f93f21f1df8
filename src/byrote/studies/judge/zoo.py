"""The zoo: many trained networks that differ in one thing at a time, for judging measures of complexity on.

Claim      None of its own: it is what `byrote judge` judges measures on.
Command    byrote judge FILE.py:NAME --data digits
Cost       384 networks on digits in 4 minutes on two AMD EPYC cores; 108 on 500 images of CIFAR-10 in 5 of one core.
Expected   Networks that nearly all fit, with generalization gaps from a few points (true labels) to all that guessing
           leaves (random labels, Gaussian inputs).
Source     Jiang, Neyshabur, Mobahi, Krishnan, Bengio, Fantastic generalization measures and where to find them (ICLR
           2020): a full grid of hyper-parameters. Its networks all have true labels; the randomised ones are after
           Zhang et al. (ICLR 2017).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.evidence.finding import Finding
from byrote.evidence.intervals import Interval, binomial_interval
from byrote.evidence.learning import on_unseen
from byrote.evidence.verdicts import MORE_EXAMPLES, exceeds
from byrote.studies.design import ModelStudy
from byrote.studies.model_choice import chosen_models
from byrote.studies.paper_settings import paper_recipe
from byrote.studies.study import Planned
from byrote.training.recipe import Recipe

CONDITIONS: tuple[tuple[Corruption, ...], ...] = (
    (),
    (Corruption(name="partial-labels", rate=0.5),),
    (Corruption(name="random-labels"),),
    (Corruption(name="gaussian"),),
)
GRID: Mapping[str, Sequence[Any]] = {
    "learning_rate": (0.01, 0.05),
    "batch_size": (32, 128),
    "weight_decay": (0.0, 5e-4),
}


@dataclass(frozen=True, eq=False)
class ZooStudy(ModelStudy):
    """Every model under every condition at every point of a grid of the recipe, with each seed.

    >>> import byrote
    >>> byrote.ZooStudy(byrote.load("digits"), ["mlp-1x16"], grid={"batch_size": (32, 128)})
    <ZooStudy 'zoo' on Digits: 8 runs>

    Args, beside those of every ModelStudy:
        conditions: what is done to the data.
        grid: fields of the recipe, each with its levels; the recipe has the rest.
    """

    name: ClassVar[str] = "zoo"
    title: ClassVar[str] = "Networks to judge measures on"

    conditions: Sequence[tuple[Corruption, ...]] = CONDITIONS
    grid: Mapping[str, Sequence[Any]] = field(default_factory=lambda: GRID)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, levels in self.grid.items():
            if name not in Recipe.model_fields or isinstance(levels, str) or len(set(levels)) < max(len(levels), 1):
                raise UserError(f"got {name}={levels!r} in the grid, expected a field of the recipe and its levels")
        if not self.conditions or len(set(self.conditions)) < len(self.conditions):
            raise UserError("got conditions that repeat or none, expected different corruptions of the data")

    def with_recipe(self, **changes: Any) -> ZooStudy:
        """The same zoo with these fields of every recipe changed.

        Raises:
            UserError: a field of the grid, whose levels all networks have, or as for every ModelStudy.
        """
        if varied := [name for name in changes if name in self.grid]:
            levels = " and ".join(f"{level:g}" for level in self.grid[varied[0]])
            raise UserError(f"got {varied[0]}={changes[varied[0]]}, but the zoo has {levels} of it: leave it out")
        return super().with_recipe(**changes)

    def plan(self) -> list[Planned]:
        points = [dict(zip(self.grid, levels, strict=True)) for levels in product(*self.grid.values())]
        return [
            Planned(self.make_spec(model, seed, condition, **point))
            for model, point, condition, seed in product(self.model_names, points, self.conditions, self.seed_list)
        ]

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return gaps_differ(table)


_CLAIM = "Networks that fit generalise very differently"
_DIFFERENT = 0.1
_DIGITS = ("mlp-1x64", "mlp-1x256", "mlp-3x64", "mlp-3x256")
_IMAGES = ("mlp-1x64", "mlp-3x64", "conv-small")
_EXAMPLES = 500
_SMALL_INPUT = 1000
"""Values of an input below which small networks train in stacks on a CPU, and several hundred take minutes."""


def zoo_study(
    data: Dataset, seeds: int = 3, models: Sequence[str] | None = None, n_train: int | None = None
) -> ZooStudy:
    """The default zoo: 384 MLPs on digits, or 108 networks on larger images, each for at most 300 epochs.

    >>> import byrote
    >>> byrote.zoo_study(byrote.load("digits"))
    <ZooStudy 'zoo' on Digits: 384 runs>

    Args:
        models: others than these.
        n_train: 500 examples if left out, or all where there are fewer.
    """
    small = math.prod(data.input_shape) < _SMALL_INPUT
    defaults = _DIGITS if small else _IMAGES
    names = chosen_models(models, data, defaults)
    examples = n_train or min(_EXAMPLES, len(data.train))
    return ZooStudy(
        data=data,
        models=models,
        defaults=defaults,
        seeds=seeds,
        recipe={model: paper_recipe(model, data, epochs=300) for model in names},
        n_train=examples if examples < len(data.train) else None,
        conditions=CONDITIONS if small else CONDITIONS[:3],
        grid=GRID if small else {name: GRID[name] for name in ("learning_rate", "weight_decay")},
    )


def gaps_differ(table: pd.DataFrame) -> list[Finding]:
    """Whether the networks of this table that fit generalise very differently."""
    if table.empty:
        return []
    fitted = on_unseen(table[table["fitted"].astype(bool)])
    if len(fitted) < 2:
        return [Finding(_CLAIM, "no conclusion", f"{len(fitted)} of {len(table)} networks have fitted.")]
    gaps, n_test = fitted["generalization_gap"].to_numpy(float), fitted["n_test_effective"].to_numpy(float)
    n_test = n_test * (1 - fitted["num_test_leaked"] / fitted["n_test"]).to_numpy(float)
    # Of each by Wilson's interval, with Bonferroni's correction: the two were picked among all.
    confidence = 1 - 0.05 / len(fitted)
    tested = [
        binomial_interval(accuracy, number, confidence)
        for accuracy, number in zip(fitted["test_accuracy"], n_test, strict=True)
    ]
    low = gaps - [interval.high - interval.mean for interval in tested]
    high = gaps + [interval.mean - interval.low for interval in tested]
    ends = float(low.max() - high.min()), float(high.max() - low.min())
    spread = Interval(float(np.ptp(gaps)), *ends, len(fitted))
    outcome = exceeds(spread, _DIFFERENT)
    return [
        Finding(
            _CLAIM,
            outcome,
            f"{len(fitted)} of {len(table)} networks have fitted; their generalization gaps are from "
            f"{100 * gaps.min():.1f} to {100 * gaps.max():.1f} points, at least {100 * max(spread.low, 0):.1f} "
            f"apart beyond the draw of test examples ({100 * _DIFFERENT:g} count as very different)."
            f"{MORE_EXAMPLES if outcome == 'no conclusion' else ''}",
        )
    ]
