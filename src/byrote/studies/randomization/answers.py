"""The page's first sentence: per model, whether it learns or learns by rote."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from byrote.charts.sections import Answer, Gap
from byrote.data.corruptions.catalog import TRUE_LABELS
from byrote.data.corruptions.record import UNIFORM_LABELS, corruption_words, is_of_labels
from byrote.evidence.chance import chance_of
from byrote.evidence.fitting_by_luck import by_luck
from byrote.evidence.learning import learning
from byrote.evidence.obstacles import remedy
from byrote.evidence.seed_tests import LEVEL
from byrote.evidence.words import epochs, percent
from byrote.studies.randomization.readings import one_class_suffices


def answers(table: pd.DataFrame) -> list[Answer]:
    """One answer a model and size of training set, in the table's order. Only fitted, unblemished runs decide.

    Args:
        table: with the columns of `learning_columns`.
    """
    return [_answer(runs) for _, runs in table.groupby(["model", "n_train"], sort=False)]


def _answer(runs: pd.DataFrame) -> Answer:
    true = runs[runs["corruption"] == TRUE_LABELS]
    random = runs[(runs["label_rate"] == 1) & runs["corruption"].isin(UNIFORM_LABELS)]
    others = runs[~runs["corruption"].isin(UNIFORM_LABELS) & runs["corruption"].map(is_of_labels)]
    decided, headline, sentence = _decide(true, random, others)
    first = runs.iloc[0]
    gaps = [("true labels", true, first["guessing"]), ("random labels", random, 1 / first["num_classes"])]
    return Answer(
        model=first["model"],
        n_train=int(first["n_train"]),
        parameters=int(first["parameters"]),
        num_seeds=runs["seed"].nunique(),
        decided=decided,
        headline=headline,
        sentence=_leaked(runs) + sentence,
        gaps=tuple(
            Gap(name, frame["train_accuracy"].mean(), frame["test_accuracy"].mean(), float(guessing))
            for name, frame, guessing in gaps
            if len(frame)
        ),
    )


def _leaked(runs: pd.DataFrame) -> str:
    """What must be known before anything else, where it is so."""
    leaked, n_test = int(runs["num_test_leaked"].max()), int(runs["n_test"].iloc[0])
    if not leaked:
        return ""
    count = f"All {n_test:,}" if leaked == n_test else f"{leaked:,} of {n_test:,}"
    rest = (
        "they test memory, not learning; give a test set that is not in training"
        if leaked == n_test
        else "what follows about learning is judged on the others"
    )
    return f"{count} test examples are also in the training set: {rest}. "


def _decide(true: pd.DataFrame, random: pd.DataFrame, others: pd.DataFrame) -> tuple[bool, str, str]:
    if random.empty and len(others):
        words = ", ".join(dict.fromkeys(map(corruption_words, others["corruption"], others["corruption_rate"])))
        return False, "Not asked.", f"No run has random labels; the verdict below says what of memory {words} show."
    if random.empty:
        return False, "Not asked.", "No run has random labels, so memorisation was not tried."
    failed = sorted(set("; ".join([*true["failed_checks"], *random["failed_checks"]]).split("; ")) - {""})
    if failed:
        return False, "No conclusion.", f"A self-check failed ({', '.join(failed)}), which blocks every conclusion."
    if diverged := _diverged(random):
        return False, "No conclusion.", f"It diverged: {diverged}"
    n, train = int(random["n_train"].iloc[0]), random["train_accuracy"].mean()
    if not random["fitted"].all():
        return False, "No conclusion.", _unfitted(random)
    chance, test, ceiling = chance_of(random), random["test_accuracy"].mean(), random["ceiling"].min()
    told = f"train accuracy {percent(train)}, test {percent(test)}, where chance is {percent(chance)}"
    if ceiling < 1:
        rote = (
            f"It fits random labels of {n:,} examples as far as they can be fitted: identical inputs with different "
            f"labels leave a train accuracy of {percent(ceiling)} at most ({told})"
        )
    else:
        rote = f"It fits random labels of all {n:,} examples ({told})"
    if by_luck(random) > LEVEL:
        return False, "No conclusion.", f"{rote}, but naming one class always does as well by luck."
    if true.empty:
        return True, "Can learn by rote.", f"{rote}. True labels were not tried."
    if diverged := _diverged(true):
        return True, "Can learn by rote.", f"{rote}. With true labels it diverged: {diverged}"
    if not true["fitted"].all():
        more = f"{remedy(true[~true['fitted']])}"
        return (
            True,
            "Can learn by rote.",
            f"{rote}. It has not fitted the true labels, so the two do not compare: {more}.",
        )
    if np.isnan(true["guessing"].iloc[0]):
        return (
            True,
            "Can learn by rote.",
            f"{rote}. No test example is left to tell whether it learns.",
        )
    found = learning(true)
    same = f"with the same recipe and true labels it gets {found.words}"
    if one_class := one_class_suffices(true):
        same += f". {one_class[:-1]}"
    if found.outcome == "learns":
        return True, "Learns, and can learn by rote.", f"{rote}, while {same}."
    if found.outcome == "no better than guessing":
        return True, "Learns by rote only.", f"{rote}, and {same}: no better than guessing."
    return (
        True,
        "Can learn by rote.",
        f"{rote}. Whether it learns is not known: {same}. {found.wanted}",
    )


def _diverged(runs: pd.DataFrame) -> str:
    """Since when the loss was no longer finite, and what to try; "" where it was finite throughout."""
    lost = runs[runs["stop_reason"] == "non-finite loss"]
    if lost.empty:
        return ""
    labels = corruption_words(lost["corruption"].iloc[0], lost["corruption_rate"].iloc[0])
    step = int(lost["diverged_at_step"].min())
    if step <= 1:
        return (
            f"on {labels} its loss is not a finite number from the very first batch on, which no training mends. Look "
            "for a division by zero, a logarithm or a root in the model, and for inputs that it cannot take."
        )
    count = f" in {len(lost)} of {len(runs)} runs" if len(runs) > 1 else ""
    return (
        f"on {labels} its loss was no longer a finite number at step {step:,}{count}, and more training would not "
        f"help: {remedy(lost)}."
    )


def _unfitted(random: pd.DataFrame) -> str:
    unfitted = random[~random["fitted"]]
    told = f"{len(unfitted)} of {len(random)} runs" if len(random) > 1 else "The run"
    by_steps = (random["stop"] == "at_steps").all()  # the limit that the remedy raises
    end = f"{int(random['steps_run'].max()):,} steps" if by_steps else epochs(int(random["epochs_run"].max()))
    return (
        f"{told} stopped before fitting random labels of {int(random['n_train'].iloc[0]):,} examples (train accuracy "
        f"{percent(random['train_accuracy'].mean())}), after {end} at most. "
        f"Whether more training would fit them is not known: {remedy(unfitted)}."
    )


def overall(found: Sequence[Answer]) -> str:
    """The whole page in one line."""
    rote = [answer for answer in found if answer.decided]
    if not rote:
        return "No conclusion about learning by rote."
    if len({answer.headline for answer in found}) == 1:
        return found[0].headline
    return f"{len(rote)} of {len(found)} models can learn by rote."
