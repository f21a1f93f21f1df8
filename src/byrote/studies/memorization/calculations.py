"""What networks on random halves of the data show of each example: how much of its label is known by rote, who can tell
that it was trained on, and which examples of the test split it decides."""

from __future__ import annotations

from typing import ClassVar

from byrote.data.dataset import Dataset
from byrote.records import Count, Seed
from byrote.studies.memorization.halves import answers_of, spec_of_half
from byrote.studies.memorization.readings import read
from byrote.studies.random_label_runs import failed_checks
from byrote.theory.calculation import Calculation, Context, Result, Value
from byrote.training.cost import Work
from byrote.training.key import SEMANTICS
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec


class ExampleScores(Calculation):
    """Of one model with one recipe, by `networks` on random halves of all training examples of its data."""

    name: ClassVar[str] = "example-scores"
    version: ClassVar[int | str] = f"1, semantics {SEMANTICS}"
    """Its numbers are the engine's."""
    side_by_side: ClassVar[bool] = True

    model: str
    """As of a TrainSpec."""
    recipe: Recipe
    networks: Count
    """Even."""
    label_rate: float = 0.0
    """The share of labels of its data that were redrawn: for the table alone."""
    influential: int = 0
    """How many training examples are named for each test example, those with the largest influence; 0 for none."""
    seed: Seed = 0
    """Draws the halves."""

    @property
    def label(self) -> str:
        noise = f", {self.label_rate:.0%} of labels redrawn" if self.label_rate else ""
        return f"{self.model}{noise}, scores of {self.networks} networks"

    @property
    def references(self) -> tuple[str, ...]:
        return (self.model, *self.recipe.references)

    @property
    def specs(self) -> list[TrainSpec]:
        """The runs that it asks for, of which no weights are kept."""
        kind = f", {self.label_rate:.0%} of labels redrawn" if self.label_rate else ""
        return [spec_of_half(self.recipe, self.model, number, self.seed, kind) for number in range(self.networks)]

    def work(self, data: Dataset) -> Work:
        """Without the runs, which the study plans."""
        return Work(values=100.0 * self.networks * len(data.train))

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: of the networks num_runs, num_fitted, num_diverged, failed_checks, parameters, test_accuracy; the
        mean `memorization` of all examples, and where labels are wrong `memorization_wrong` and `memorization_right`,
        of those whose label was changed and of others, each with `..._low` and `..._high`, its 95% interval over pairs
        of networks; of each of ATTACKS `ATTACK_auc` and for each of RATES `ATTACK_tpr_RATE`, likewise. NaN where
        nothing is known.

        arrays: [N] hits_in, hits_out (networks that are right), num_in, num_out; `ATTACK_told_RATE`, how many of the
        networks that are trained on an example are told to be; [K, 3] classes, mean and interval of each class;
        [Q] roc_rates, roc_ATTACK; [T, I] influential, rows of training examples, influence, influence_low and
        influence_high.
        """
        outcomes = list(context.runs(self.specs, data, stage=f"{self.networks} networks"))
        answers, train = answers_of(outcomes, data), data.train
        found, arrays = read(answers, train.labels, train.changed_labels, data.num_classes, self.influential)
        values: dict[str, Value] = {
            "num_runs": len(outcomes),
            "num_fitted": sum(outcome.fitted for outcome in outcomes),
            "num_diverged": len(outcomes) - len(answers.inside),
            "failed_checks": failed_checks(outcomes),
            "parameters": outcomes[0].parameters,
        }
        return Result(values | found, arrays)
