"""The page's first sentence: per model, whether it learns or learns by rote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Gap:
    """A train and a test accuracy under one labelling, the means over seeds."""

    labels: str
    train: float
    test: float


@dataclass(frozen=True)
class Answer:
    model: str
    n_train: int
    parameters: int
    num_seeds: int
    chance: float
    decided: bool
    """Whether the runs allow an answer at all."""
    headline: str
    sentence: str
    gaps: tuple[Gap, ...]


def answers(table: pd.DataFrame) -> list[Answer]:
    """One answer a model and size of training set, in the table's order. Only fitted, unblemished runs decide."""
    return [_answer(runs) for _, runs in table.groupby(["model", "n_train"], sort=False)]


def _answer(runs: pd.DataFrame) -> Answer:
    true = runs[runs["corruption"] == "true-labels"]
    random = runs[(runs["label_rate"] == 1) & runs["corruption"].isin(["random-labels", "partial-labels"])]
    decided, headline, sentence = _decide(true, random)
    first = runs.iloc[0]
    gaps = [("true labels", true), ("random labels", random)]
    return Answer(
        model=first["model"],
        n_train=int(first["n_train"]),
        parameters=int(first["parameters"]),
        num_seeds=runs["seed"].nunique(),
        chance=1 / first["num_classes"],
        decided=decided,
        headline=headline,
        sentence=sentence,
        gaps=tuple(
            Gap(name, frame["train_accuracy"].mean(), frame["test_accuracy"].mean())
            for name, frame in gaps
            if len(frame)
        ),
    )


def _decide(true: pd.DataFrame, random: pd.DataFrame) -> tuple[bool, str, str]:
    if random.empty:
        return False, "Not asked.", "No run has random labels, so memorisation was not tried."
    failed = sorted(set("; ".join([*true["failed_checks"], *random["failed_checks"]]).split("; ")) - {""})
    if failed:
        return False, "No conclusion.", f"A self-check failed ({', '.join(failed)}), which blocks every conclusion."
    n, train = int(random["n_train"].iloc[0]), random["train_accuracy"].mean()
    if not random["fitted"].all():
        told = f"{(~random['fitted']).sum()} of {len(random)} runs" if len(random) > 1 else "The run"
        sentence = (
            f"{told} stopped before fitting random labels of {n:,} examples (train accuracy {percent(train)}), "
            f"after {int(random['epochs_run'].max()):,} epochs at most: what more training would do is not known."
        )
        return False, "No conclusion.", sentence
    chance, test = 1 / random["num_classes"].iloc[0], random["test_accuracy"].mean()
    rote = (
        f"It fits random labels of all {n:,} examples (train accuracy {percent(train)}, test {percent(test)}, "
        f"where guessing gives {percent(chance)})"
    )
    if true.empty:
        return True, "Can learn by rote.", f"{rote}. True labels were not tried."
    if not true["fitted"].all():
        return True, "Can learn by rote.", f"{rote}. It has not fitted the true labels, so the two do not compare."
    learned, num_test = true["test_accuracy"].mean(), int(true["n_test"].iloc[0])
    same = f"with the same recipe and true labels it reaches {percent(learned)} on the test set"
    # Three standard deviations of a guesser's accuracy on as many test examples.
    if learned <= chance + 3 * np.sqrt(chance * (1 - chance) / num_test):
        return True, "Learns by rote only.", f"{rote}, and {same}, no better than guessing."
    return True, "Learns, and can learn by rote.", f"{rote}, while {same}."


def percent(fraction: float, digits: int = 1) -> str:
    """ "97.1%", and "–" for what was not measured. Only all of it reads 100.0%."""
    if np.isnan(fraction):
        return "–"
    shown = round(100 * fraction, digits)
    if shown == 100 and fraction < 1:
        shown -= 10**-digits
    return f"{shown:.{digits}f}%"


def overall(found: Sequence[Answer]) -> str:
    """The whole page in one line."""
    rote = [answer for answer in found if answer.decided]
    if not rote:
        return "No conclusion about learning by rote."
    if len({answer.headline for answer in found}) == 1:
        return found[0].headline
    return f"{len(rote)} of {len(found)} models can learn by rote."
