"""What calculations that train networks share: one model, one recipe, the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from byrote.data.corruptions.record import Corruption
from byrote.theory.calculation import Calculation
from byrote.training.key import SEMANTICS
from byrote.training.spec import Recipe, Seed, TrainSpec

Labels = Literal["true-labels", "random-labels"]


class TrainedCalculation(Calculation):
    """A calculation that trains one model with one recipe. Abstract."""

    version: ClassVar[int | str] = SEMANTICS
    """Its numbers are the engine's."""

    model: str
    """As of a TrainSpec."""
    recipe: Recipe
    seed: Seed = 0
    """Follow from it: random labels, initial weights, batch order, and what else is drawn."""
    data_seed: Seed = 0
    """Draws the training subset."""

    @property
    def references(self) -> tuple[str, ...]:
        return (self.model, *self.recipe.references)

    @property
    def tried(self) -> Sequence[TrainSpec]:
        """The model with the recipe, unless it is a family."""
        fields = self.recipe.model_dump() | {"model": self.model}
        return () if "{" in self.model else (TrainSpec.model_validate(fields),)


class TrainedOnLabels(TrainedCalculation):
    """And does so on true or on random labels. Equal seeds share initial weights and batch order. Abstract."""

    corruption: Labels

    @property
    def label(self) -> str:
        return f"{self.model}, {self.corruption.replace('-', ' ')}, seed {self.seed}"

    @property
    def corruptions(self) -> tuple[Corruption, ...]:
        """As of a TrainSpec."""
        return (Corruption(name="random-labels"),) if self.corruption == "random-labels" else ()
