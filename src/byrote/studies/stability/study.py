"""How much one example matters to a network, on true and on random labels: uniform stability, measured from below.

Claim      Uniform stability belongs to the algorithm alone, and no labels enter it. So where random labels show that
           one example can change the loss of a point by nearly 1, its bound says nothing on true labels either, on
           which hardly anything changes.
Command    byrote measure stability --data digits --models mlp-1x512
Cost       74 s on two AMD EPYC cores for 136 networks of 1,100 steps in stacks of 66. Now there are 144 in stacks of
           18, which took 1.13 times as long for 110 steps, and leave 44 MB of weights in the store. Float32 networks
           side by side take 1/2.7 of what they take one by one (benchmarks/side_by_side.py).
Expected   All that a network knows of a random label it knows from that one example, which falls to guessing once it
           is replaced; a true label is mostly told from the others. By 64 replacements among n = 1,293, one seed: 0.83
           of the probability is lost where labels are random (95% interval 0.77 to 0.88; the gap is 0.85), 0.05 where
           they are true (0.01 to 0.10; 0.02). The uniform constant is at least 0.98.
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017), section 2.2;
           Bousquet & Elisseeff (JMLR 2002); Hardt, Recht & Singer (ICML 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, get_args

import pandas as pd

from byrote.errors import UserError
from byrote.evidence.columns import Column
from byrote.evidence.finding import Finding
from byrote.studies.random_labels import RandomLabelStudy
from byrote.studies.stability.calculations import Labels, ReplacementStability
from byrote.studies.stability.findings import findings
from byrote.studies.stability.rows import COLUMNS
from byrote.studies.study import Planned
from byrote.theory.complexity.convex_stability import RidgeStability, SgdStability
from byrote.training.epochs import batch_bounds
from byrote.training.recipe import Recipe

_REPLACEMENTS = 64
_MOST_EXAMPLES = 1500
"""Unless told otherwise: 144 networks on so many are trained in minutes."""
_HELD_OUT = 9
"""Examples for each that is held out to replace others."""
_KNOWN = 400
"""Examples at most for what has closed forms, of which half are trained on."""


@dataclass(frozen=True, eq=False)
class StabilityStudy(RandomLabelStudy):
    """What one replaced example changes, on true and on random labels with each seed, beside where theory is exact.

    >>> import byrote
    >>> byrote.StabilityStudy(byrote.load("digits"), "mlp-1x16", replacements=16)
    <StabilityStudy 'stability' on Digits: 40 runs and calculations>

    Args, beside those of every RandomLabelStudy:
        recipe: its limit of epochs is a number of steps here, which all networks take, whether or not they fit before.
        n_train: trained on, at a time; None takes nine tenths of all examples, at most 1,500. Further ones are held out
            to take their places, one for every nine if there are as many.
        replacements: networks with one example replaced, for each labels and seed; trained in stacks of 16. None takes
            64, or all where there are fewer examples.
    """

    name: ClassVar[str] = "stability"
    title: ClassVar[str] = "Uniform stability"
    presented_by: ClassVar[str] = "byrote.studies.stability.page"
    one_class: ClassVar[str] = "whose labels cannot be random"
    columns: ClassVar[Sequence[Column]] = COLUMNS

    replacements: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        available = len(self.data.train)
        if not 2 <= self.largest < available:
            raise UserError(
                f"got n_train={self.largest} of {available} training examples of {self.data.name}, expected at least 2 "
                f"and at most {available - 1}: others are held out to take their places"
            )
        if not 1 <= self.num_replacements <= self.largest:
            raise UserError(
                f"got replacements={self.replacements} for n = {self.largest} training examples, expected from 1 to "
                f"{self.largest} (`--replacements {self.largest}`): each is replaced once at most"
            )

    @property
    def largest(self) -> int:
        return self.n_train or min(len(self.data.train) * _HELD_OUT // (_HELD_OUT + 1), _MOST_EXAMPLES)

    @property
    def num_replacements(self) -> int:
        """How many networks have one example replaced."""
        return min(_REPLACEMENTS, self.largest) if self.replacements is None else self.replacements

    @property
    def num_held_out(self) -> int:
        """How many examples wait to take another's place."""
        return min(len(self.data.train) - self.largest, -(-self.largest // _HELD_OUT))

    @property
    def fixed(self) -> Recipe:
        """The recipe for a number of steps: as many as its limit of epochs has."""
        if self.recipe.stop == "at_steps":
            return self.recipe
        steps = self.recipe.epochs * len(batch_bounds(self.largest, self.recipe.batch_size))
        return self.recipe.model_copy(update={"stop": "at_steps", "steps": steps})

    def plan(self) -> list[Planned]:
        """What theory knows, then the runs, labelled by their stacks, then what is read from them."""
        few = min(len(self.data.train), _KNOWN)
        known = [kind(n_train=few, data_seed=self.data_seed) for kind in (RidgeStability, SgdStability)]
        networks = [
            ReplacementStability(
                model=model,
                recipe=self.fixed,
                corruption=labels,
                n_train=self.largest,
                num_held_out=self.num_held_out,
                replacements=self.num_replacements,
                seed=seed,
                data_seed=self.data_seed,
            )
            for model in self.models
            for seed in range(self.seeds)
            for labels in get_args(Labels)
        ]
        runs = [Planned(spec, {"stack": spec.stack}) for each in networks for spec in each.reads]
        return [*map(Planned, known), *runs, *map(Planned, networks)]

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return findings(self.models, table, self.seeds)
