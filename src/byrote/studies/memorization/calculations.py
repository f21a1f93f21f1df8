"""What networks on random halves of the data show of each example: how much of its label is known by rote, who can tell
that it was trained on, and which examples of the test split it decides."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float32, Float64

from byrote.data.dataset import Dataset
from byrote.evidence.intervals import Interval, mean_interval, newcombe
from byrote.records import Count, Seed
from byrote.studies.memorization.halves import Answers, answers_of, spec_of_half
from byrote.studies.random_label_runs import failed_checks
from byrote.theory.calculation import Calculation, Context, Result, Value
from byrote.theory.memorization.contributions import gaps, influences, means_in_and_out
from byrote.theory.memorization.membership import lira, rmia, roc, told
from byrote.training.cost import Work
from byrote.training.key import SEMANTICS
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

ATTACKS: tuple[str, ...] = ("lira", "rmia")
RATES: dict[str, float] = {"0001": 0.001, "001": 0.01}
"""False-positive rates at which members are told, by the ends of column names."""
ROC_RATES = np.concatenate([[0.0], np.geomspace(1e-4, 1, 61)])


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
        answers = answers_of(outcomes, data)
        values: dict[str, Value] = {
            "num_runs": len(outcomes),
            "num_fitted": sum(outcome.fitted for outcome in outcomes),
            "num_diverged": len(outcomes) - len(answers.inside),
            "failed_checks": failed_checks(outcomes),
            "parameters": outcomes[0].parameters,
            "test_accuracy": float(answers.test_right.mean()) if answers.test_right.size else np.nan,
        }
        means = means_in_and_out(answers.right, answers.inside)
        wrong = data.train.changed_labels
        arrays = {
            "hits_in": (answers.right & answers.inside).sum(axis=0),
            "hits_out": (answers.right & ~answers.inside).sum(axis=0),
            "num_in": means.num_inside,
            "num_out": means.num_outside,
            "classes": np.array(
                [_ends(_over_pairs(answers, data.train.labels == label)) for label in range(data.num_classes)]
            ),
            "roc_rates": ROC_RATES,
        }
        for name, rows in {"": np.ones(len(wrong), dtype=bool), "_wrong": wrong, "_right": ~wrong}.items():
            values |= _named(f"memorization{name}", _over_pairs(answers, rows))
        for attack in ATTACKS:
            scores = (
                lira(answers.margins, answers.inside)
                if attack == "lira"
                else rmia(answers.margins, answers.inside, answers.test_margins)
            )
            of_attack, of_examples = _of_attack(attack, scores, answers.inside)
            values |= of_attack
            arrays |= of_examples
        if self.influential:
            arrays |= _most_influential(answers, min(self.influential, len(wrong)))
        return Result(values, arrays)


def _over_pairs(answers: Answers, rows: Bool[np.ndarray, " N"]) -> Interval:
    """Of the mean memorization of these examples."""
    if not rows.any():
        return mean_interval([])
    return mean_interval(gaps(answers.right[:, rows], answers.inside[:, rows]))


def _of_attack(
    attack: str, scores: Float32[np.ndarray, "M N"], inside: Bool[np.ndarray, "M N"]
) -> tuple[dict[str, Value], dict[str, np.ndarray]]:
    found = roc(scores, inside, ROC_RATES)
    values: dict[str, Value] = dict(_named(f"{attack}_auc", _of_attacked(found.auc)))
    arrays = {f"roc_{attack}": found.true_positive_rates}
    for end, rate in RATES.items():
        at = told(scores, inside, rate)
        arrays[f"{attack}_told_{end}"] = at.members.sum(axis=0)
        _, low, high = _ends(_of_attacked(at.by_network))
        values |= _named(f"{attack}_tpr_{end}", Interval(at.share, max(low, 0.0), min(high, 1.0), len(inside)))
    return values, arrays


def _of_attacked(values: Float64[np.ndarray, " M"]) -> Interval:
    """Of the mean over networks that are attacked by all others, from pairs of them.

    Each pair is attacked once, and helps to attack all others: where nothing can be told, the mean is a degenerate
    U-statistic of order 2 in the pairs, whose variance is twice that of a mean of independent values. So is the width
    here: simulated, it holds the truth in 92 to 99 of 100 where something can be told, too.
    """
    found = mean_interval((values[0::2] + values[1::2]) / 2)
    half = math.sqrt(2) * (found.high - found.mean)
    return Interval(found.mean, found.mean - half, found.mean + half, found.n)


def _named(name: str, interval: Interval) -> dict[str, Value]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), _ends(interval), strict=True))


def _ends(interval: Interval) -> tuple[float, float, float]:
    return interval.mean, interval.low, interval.high


def _most_influential(answers: Answers, num: int) -> dict[str, np.ndarray]:
    influence = influences(answers.test_right, answers.inside).T
    rows = np.argsort(-influence, axis=1, kind="stable")[:, :num]
    size = answers.inside.sum(axis=0)
    tests = np.arange(len(influence))[:, None]
    hits = (answers.inside.astype(np.float32).T @ answers.test_right.astype(np.float32)).T[tests, rows]
    all_hits, sizes = answers.test_right.sum(axis=0)[:, None], size[rows]
    others = len(answers.inside) - sizes
    low, high = newcombe(hits.ravel(), sizes.ravel(), (all_hits - hits).ravel(), others.ravel())
    return {
        "influential": rows,
        "influence": np.take_along_axis(influence, rows, axis=1),
        "influence_low": low.reshape(rows.shape),
        "influence_high": high.reshape(rows.shape),
    }
