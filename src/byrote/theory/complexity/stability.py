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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float64, Int64

from byrote.data.dataset import Dataset
from byrote.randomness import permutation, stream
from byrote.theory.calculation import Context, OnStage, Result, Value
from byrote.theory.complexity.random_labels import failed_checks
from byrote.theory.measures.trained import trained_network
from byrote.theory.trained_calculation import Labels, TrainedOnLabels
from byrote.training.conditions import SplitTensors, make_conditions
from byrote.training.engine import train
from byrote.training.outcome import Progress, TrainOutcome
from byrote.training.planner import plan_groups
from byrote.training.precision import weights_dtype
from byrote.training.spec import Count, TrainSpec

Loss = Literal["probability", "zero-one"]
"""1 minus the probability that softmax gives the label; and whether another class is predicted."""
Point = Literal["test", "kept", "left", "came"]
"""Test examples; training examples that stay; the one that leaves; and the one that takes its place."""
LOSSES: tuple[Loss, ...] = get_args(Loss)
POINTS: tuple[Point, ...] = get_args(Point)
SHARES = 1 / np.geomspace(1, 1e5, 61)
"""Of all changes, at which the array `quantiles` says how large they are."""
_BATCH = 512
_RESAMPLES = 2000


class ReplacementStability(TrainedOnLabels):
    """Of one model with one recipe, on `n_train` examples; which of them are replaced follows from the seed.

    The recipe stops after a number of steps: networks that are compared have been trained for equally long.
    """

    name: ClassVar[str] = "replacement-stability"

    n_train: Count
    """Trained on, at a time."""
    num_held_out: Count
    """Further examples, which take the places of others."""
    replacements: Count = 64

    @property
    def reference(self) -> TrainSpec:
        """The run in which nothing is replaced. Gradients are not recorded: nobody would look at them."""
        num_taken = self.n_train + self.num_held_out
        own = {
            "model": self.model,
            "corruptions": self.corruptions,
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

    def compute(self, data: Dataset, context: Context) -> Result:
        """values: of all runs num_runs, num_fitted, num_diverged, failed_checks, replicas and num_steps; of the one in
        which nothing is replaced n_train, num_classes, parameters, train_accuracy and test_accuracy, and for each of
        LOSSES its mean `LOSS train` over the training examples, `LOSS unseen` over new examples with labels of the same
        kind (test examples where labels are true; 1 - 1/K, which nothing can better, where they are random) and
        `LOSS gap`, their difference; rounding, the largest change of a probability between runs in none of which
        anything is replaced; and for each of LOSSES and POINTS `LOSS at POINT`, the change in the mean over points and
        replacements (of its size at kept and test points, which may go either way; with its sign at the others),
        `LOSS at POINT low` and `... high`, its 95% interval by resampling the replacements, and `... largest`, the
        largest size. NaN where a run diverged.

        arrays: places [P]; `LOSS at POINT` and `LOSS at POINT largest` [P], of each replacement; `kept quantiles` and
        `test quantiles` [Q]: the size that so large a share SHARES [Q] of all changes of a probability reaches.
        """
        reference, places = self.reference, self.places
        replaced = [reference.model_copy(update={"replaced": int(place)}) for place in places]
        points = _Points.of([reference, *replaced], data, context.device)
        families = _families(reference, replaced, data, context.device)
        outcomes: list[TrainOutcome] = []
        unchanged: list[np.ndarray] = []
        changes = np.empty((len(LOSSES), len(places), points.num))
        num_runs = sum(len(group) for family in families for group in family)
        for family in families:
            befores: list[np.ndarray] = []
            afters: dict[int, np.ndarray] = {}
            for group in family:
                for outcome in _trained(group, data, context.device, len(outcomes), num_runs, context.on_stage):
                    losses, place = points.losses(outcome, data), outcome.spec.replaced
                    if place is None:
                        befores.append(losses)
                    else:
                        afters[place] = losses
                    outcomes.append(replace(outcome, initial_state=None, final_state=None))
            for place, losses in afters.items():
                changes[:, np.flatnonzero(places == place)[0]] = losses - befores[0]
            unchanged += befores
        values = _of_runs(outcomes) | _of_losses(unchanged, points, self.corruption, data.num_classes)
        own, arrays = _of_changes(changes, points, places, self.seed)
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


def _families(
    reference: TrainSpec, replaced: Sequence[TrainSpec], data: Dataset, device: str
) -> list[list[tuple[TrainSpec, ...]]]:
    """Groups of runs to be trained side by side, in families to be compared with a reference of their own.

    How large a stack is changes the last bits of its networks, and in the end their course: each stack is compared with
    a network in it. A second one shows how much rounding does.
    """
    groups = [group.specs for group in plan_groups(replaced, data, device=device)]
    if all(len(group) == 1 for group in groups):
        return [[(reference,), *groups, (reference,)]]
    return [[(reference, *group, reference)] for group in groups]


def _trained(
    group: Sequence[TrainSpec], data: Dataset, device: str, num_before: int, num_runs: int, on_stage: OnStage
) -> Iterator[TrainOutcome]:
    def report(progress: Progress) -> None:
        done = len(group) * progress.step / (group[0].steps or 1)
        on_stage(f"{num_runs} networks", min((num_before + done) / num_runs, 1.0))

    yield from train(group, data, device=device, keep_weights=True, on_progress=report)


def _of_runs(outcomes: Sequence[TrainOutcome]) -> dict[str, Value]:
    first = next(outcome for outcome in outcomes if outcome.spec.replaced is None)
    return {
        "num_runs": len(outcomes),
        "num_fitted": sum(outcome.fitted for outcome in outcomes),
        "num_diverged": sum(outcome.stop_reason == "non-finite loss" for outcome in outcomes),
        "failed_checks": failed_checks(outcomes),
        "replicas": max(outcome.replicas for outcome in outcomes),
        "num_steps": first.steps_run,
        "n_train": first.n_train,
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
        values |= {f"{name} train": trained, f"{name} unseen": unseen, f"{name} gap": unseen - trained}
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
            arrays |= {f"{point} quantiles": np.quantile(at[point], 1 - SHARES) for point in ("kept", "test")}
        for point, found in at.items():
            means, largest = found.mean(axis=1), np.abs(found).max(axis=1)
            low, high = _resampled(means, seed)
            key = f"{name} at {point}"
            values |= {key: float(means.mean()), f"{key} low": low, f"{key} high": high}
            values[f"{key} largest"] = float(largest.max())
            arrays |= {key: means, f"{key} largest": largest}
    return values, arrays


def _resampled(values: Float64[np.ndarray, " P"], seed: int) -> tuple[float, float]:
    """The ends of the 95% interval of the mean, by the bootstrap's percentiles; NaN for a single value."""
    if len(values) < 2:
        return math.nan, math.nan
    draws = stream(seed, "bootstrap").integers(0, len(values), (_RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)
