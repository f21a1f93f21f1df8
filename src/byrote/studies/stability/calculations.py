"""How much one example matters: a network trained again with one of them replaced, and everything else the same.

Uniform stability is the largest change of a bounded loss at any point, whatever the data and the replacement. What is
measured here is the change on one data set and at its points, so that the largest is a lower bound on that constant: of
the algorithm that this recipe with this seed is, which leaves nothing to chance.

The example that leaves is a point like no other. With S of n examples, z' one more, S_i with z' in the place of z_i,
and all drawn alike, z_i is to S_i what z' is to S: unseen. So E loss(A(S), z') = E loss(A(S_i), z_i), and
    E gap = E [loss(A(S_i), z_i) - loss(A(S), z_i)]:
what it loses by leaving is the generalization gap in the mean, and is at most the uniform constant.

Source     Bousquet & Elisseeff, Stability and generalization (JMLR 2002), definition 6 and lemma 7; Hardt, Recht &
           Singer, Train faster, generalize better (ICML 2016), definition 2.1 and theorem 2.2. Zhang et al. (ICLR
           2017), section 2.2, ask it about random labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float64, Int64

from byrote.data.corruptions.record import Corruption
from byrote.data.dataset import Dataset
from byrote.randomness import permutation, stream
from byrote.records import Count, Seed
from byrote.studies.random_label_runs import failed_checks
from byrote.theory.calculation import Calculation, Context, Result, Value
from byrote.theory.measures.trained import trained_network
from byrote.training.conditions import SplitTensors, make_conditions
from byrote.training.cost import Work, step_work
from byrote.training.outcome import TrainOutcome
from byrote.training.precision import weights_dtype
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

Labels = Literal["true-labels", "random-labels"]
Loss = Literal["probability", "zero_one"]
"""1 minus the probability that softmax gives the label; and whether another class is predicted."""
Point = Literal["test", "kept", "left", "came"]
"""Test examples; training examples that stay; the one that leaves; and the one that takes its place."""
LOSSES: tuple[Loss, ...] = get_args(Loss)
POINTS: tuple[Point, ...] = get_args(Point)
SHARES = 1 / np.geomspace(1, 1e5, 61)
"""Of all changes, at which the arrays `quantiles` say how large they are."""
_BATCH = 512
_RESAMPLES = 2000


class ReplacementStability(Calculation):
    """Of one model with one recipe, on `n_train` examples; which of them are replaced follows from the seed.

    The recipe stops after a number of steps: networks that are compared have been trained for equally long.
    """

    name: ClassVar[str] = "replacement-stability"
    side_by_side: ClassVar[bool] = True

    model: str
    """As of a TrainSpec."""
    recipe: Recipe
    corruption: Labels
    n_train: Count
    """Trained on, at a time."""
    num_held_out: Count
    """Further examples, which take the places of others."""
    replacements: Count = 64
    stack_size: Count = 16
    """So many of them are trained side by side, with two networks in which nothing is replaced; an interruption costs a
    stack."""
    seed: Seed = 0
    """Follow from it: random labels, initial weights, batch order, and which examples are replaced. With equal seeds,
    initial weights and batch order are the same whatever the labels."""
    data_seed: Seed = 0
    """Draws the training subset, and what is held out."""

    @property
    def label(self) -> str:
        return f"{self.model}, {self.corruption.replace('-', ' ')}, seed {self.seed}"

    @property
    def reference(self) -> TrainSpec:
        """The run in which nothing is replaced, in no stack. Gradients are not recorded: nobody would look at them."""
        num_taken = self.n_train + self.num_held_out
        random = (Corruption(name="random-labels"),)
        own = {
            "model": self.model,
            "corruptions": random if self.corruption == "random-labels" else (),
            "n_train": num_taken,
            "validation": self.num_held_out / num_taken,
            "seed": self.seed,
            "data_seed": self.data_seed,
            "dense_steps": 0,
        }
        return TrainSpec.model_validate(self.recipe.model_dump() | own)

    @property
    def places(self) -> Int64[np.ndarray, " P"]:
        """Of the examples that are replaced, one in each run."""
        return permutation(stream(self.seed, "replaced"), self.n_train)[: self.replacements]

    @property
    def stacks(self) -> list[list[TrainSpec]]:
        """Runs that are compared with the first of their own stack, in which as in the last nothing is replaced.

        How large a stack is changes the last bits of its networks, and in the end their course: each is compared with
        one of its stack. The last one shows how much rounding does.
        """
        stacks = []
        for number, first in enumerate(range(0, self.replacements, self.stack_size)):
            name = f"{self.corruption}, seed {self.seed}, stack {number}"
            own = self.reference.model_copy(update={"stack": name})
            places = self.places[first : first + self.stack_size].tolist()
            replaced = [own.model_copy(update={"replaced": place}) for place in places]
            stacks.append([own, *replaced, own.model_copy(update={"repeat": 1})])
        return stacks

    @property
    def reads(self) -> Sequence[TrainSpec]:
        return [spec for stack in self.stacks for spec in stack]

    def work(self, data: Dataset) -> Work:
        """What all of its networks make of all points."""
        points = self.n_train + self.num_held_out + len(data.test)
        return step_work(self.reference, data, points / 3).times(float(self.replacements))

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: of all runs num_runs, num_fitted, num_diverged, failed_checks, replicas and num_steps; of the one in
        which nothing is replaced num_classes, parameters, train_accuracy and test_accuracy, and for each of LOSSES its
        mean `LOSS_train` over the training examples, `LOSS_unseen` over new examples with labels of the same kind (test
        examples where labels are true; 1 - 1/K, which nothing can better, where they are random) and `LOSS_gap`, their
        difference; rounding, the largest change of a probability between runs in none of which anything is replaced;
        and for each of LOSSES and POINTS `LOSS_at_POINT`, the change in the mean over points and replacements (of its
        size at kept and test points, which may go either way; with its sign at the others), `LOSS_at_POINT_low` and
        `..._high`, its 95% interval by resampling the replacements, and `..._largest`, the largest size. NaN where a
        run diverged.

        arrays: places [P]; `LOSS_at_POINT` and `LOSS_at_POINT_largest` [P], of each replacement; `kept_quantiles` and
        `test_quantiles` [Q]: the size that so large a share SHARES [Q] of all changes of a probability reaches.
        """
        stacks = self.stacks
        replaced = [spec for stack in stacks for spec in stack[1:-1]]
        points = _Points.of([self.reference, *replaced], data, context.device)
        runs = context.runs(self.reads, data, weights=True, stage=f"{len(self.reads)} networks")
        outcomes: list[TrainOutcome] = []
        unchanged: list[np.ndarray] = []
        changes: list[np.ndarray] = []
        for stack in stacks:
            losses = []
            for outcome in islice(runs, len(stack)):
                losses.append(points.losses(outcome, data))
                outcomes.append(replace(outcome, initial_state=None, final_state=None))
            first, *others, last = losses
            unchanged += [first, last]
            changes += [other - first for other in others]
        values = _of_runs(outcomes) | _of_losses(unchanged, points, self.corruption, data.num_classes)
        own, arrays = _of_changes(np.stack(changes, axis=1), points, self.places, self.seed)
        return Result(values | own, arrays)


@dataclass(frozen=True, eq=False)
class _Points:
    """Where losses are compared: the N training examples, the P that take a place among them, and the T of the test."""

    splits: tuple[SplitTensors, SplitTensors, SplitTensors]
    """Of one replica each."""

    @staticmethod
    def of(specs: Sequence[TrainSpec], data: Dataset, device: str) -> _Points:
        """Of the first of `specs`, and what the others have in the places that they replace."""
        conditions = make_conditions(specs, data, device=device, channels_last=False)
        home = conditions.train.inputs.home
        new = conditions.train.at(torch.tensor([[spec.replaced or 0] for spec in specs], device=home))
        columns = (new.rows, new.labels, new.true_labels)
        came = SplitTensors(new.inputs, *(column[1:].T.contiguous() for column in columns))
        return _Points((conditions.train.keep([0]), came, conditions.test.keep([0])))

    @property
    def sizes(self) -> tuple[int, int, int]:
        """N, P, T."""
        train, came, test = (split.num_examples for split in self.splits)
        return train, came, test

    @property
    def num(self) -> int:
        return sum(self.sizes)

    @torch.no_grad()
    def losses(self, outcome: TrainOutcome, data: Dataset) -> Float64[np.ndarray, "L M"]:
        """Each of LOSSES at all points, against the labels trained on, of a run that kept its weights."""
        if outcome.stop_reason == "non-finite loss":
            return np.full((len(LOSSES), self.num), np.nan)
        network, dtype = trained_network(outcome, data), weights_dtype(outcome.spec.precision)
        parts = []
        for split in self.splits:
            network.to(split.labels.device)
            for examples in torch.arange(split.num_examples, device=split.inputs.home).split(_BATCH):
                scores = network(split.gather(examples[None], dtype)[0]).double()
                labels = split.labels[0, examples.to(split.labels.device)]
                probability = scores.softmax(dim=-1).gather(1, labels[:, None])[:, 0]
                parts.append(torch.stack([1 - probability, (scores.argmax(dim=-1) != labels).double()]))
        return torch.cat(parts, dim=1).cpu().numpy()


def _of_runs(outcomes: Sequence[TrainOutcome]) -> dict[str, Value]:
    first = outcomes[0]
    return {
        "num_runs": len(outcomes),
        "num_fitted": sum(outcome.fitted for outcome in outcomes),
        "num_diverged": sum(outcome.stop_reason == "non-finite loss" for outcome in outcomes),
        "failed_checks": failed_checks(outcomes),
        "replicas": max(outcome.replicas for outcome in outcomes),
        "num_steps": first.steps_run,
        "num_classes": first.num_classes,
        "parameters": first.parameters,
        "train_accuracy": first.train_accuracy,
        "test_accuracy": first.test_accuracy,
    }


def _of_losses(
    unchanged: Sequence[np.ndarray], points: _Points, corruption: Labels, num_classes: int
) -> dict[str, Value]:
    num_train, _, num_test = points.sizes
    before = unchanged[0]
    values: dict[str, Value] = {"rounding": float(np.max([np.abs(each[0] - before[0]).max() for each in unchanged]))}
    for name, losses in zip(LOSSES, before, strict=True):
        trained = float(losses[:num_train].mean())
        guessed = 1 - 1 / num_classes
        unseen = float(losses[-num_test:].mean()) if corruption == "true-labels" else guessed
        values |= {f"{name}_train": trained, f"{name}_unseen": unseen, f"{name}_gap": unseen - trained}
    return values


def _of_changes(
    changes: Float64[np.ndarray, "L P M"], points: _Points, places: Int64[np.ndarray, " P"], seed: int
) -> tuple[dict[str, Value], dict[str, np.ndarray]]:
    num_train, num_places, num_test = points.sizes
    rows = np.arange(num_places)
    stay = np.arange(num_train) != places[:, None]
    values: dict[str, Value] = {}
    arrays: dict[str, np.ndarray] = {"places": places}
    for name, own in zip(LOSSES, changes, strict=True):
        at: dict[Point, np.ndarray] = {
            "test": np.abs(own[:, -num_test:]),
            "kept": np.abs(own[:, :num_train][stay]).reshape(num_places, -1),
            "left": own[rows, places][:, None],
            "came": own[rows, num_train + rows][:, None],
        }
        if name == "probability":
            arrays |= {f"{point}_quantiles": np.quantile(at[point], 1 - SHARES) for point in ("kept", "test")}
        for point, found in at.items():
            means, largest = found.mean(axis=1), np.abs(found).max(axis=1)
            low, high = _resampled(means, seed)
            key = f"{name}_at_{point}"
            values |= {key: float(means.mean()), f"{key}_low": low, f"{key}_high": high}
            values[f"{key}_largest"] = float(largest.max())
            arrays |= {key: means, f"{key}_largest": largest}
    return values, arrays


def _resampled(values: Float64[np.ndarray, " P"], seed: int) -> tuple[float, float]:
    """The ends of the 95% interval of the mean, by the bootstrap's percentiles; NaN for a single value."""
    if len(values) < 2:
        return math.nan, math.nan
    draws = stream(seed, "bootstrap").integers(0, len(values), (_RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)
