"""The page's first sentence: per model, whether it learns or learns by rote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from byrote.charts.sections import Answer, Gap
from byrote.data.corruptions.catalog import TRUE_LABELS
from byrote.data.corruptions.record import UNIFORM_LABELS, corruption_words, is_of_labels
from byrote.evidence.chance import chance_of
from byrote.evidence.finding import Finding
from byrote.evidence.words import percent
from byrote.studies.randomization.findings import FITS_RANDOM_LABELS, LEARNS

_LEARNS = {
    "supported": ("Learns, and can learn by rote.", ""),
    "not supported": ("Learns by rote only.", " That is no better than guessing."),
    "no conclusion": ("Can learn by rote.", " Whether it learns is not known."),
}
"""Of a model that can fit random labels, by whether it learns from true ones: the headline, the sentence's end."""


def answers(table: pd.DataFrame, findings: Sequence[Finding], names: Mapping[str, str]) -> list[Answer]:
    """One answer a model, in the table's order: what the two findings decide that it is made of.

    Args:
        table: with the columns of `learning_columns`.
        findings: of the same table.
        names: what findings call the models that they do not call as the table does.
    """
    outcomes = {finding.claim: finding for finding in findings}

    def claimed(claim: str, model: str) -> Finding | None:
        return outcomes.get(claim.format(names.get(model, model)))

    return [
        _answer(str(model), runs, claimed(FITS_RANDOM_LABELS, str(model)), claimed(LEARNS, str(model)))
        for model, runs in table.groupby("model", sort=False)
    ]


def _answer(model: str, runs: pd.DataFrame, fits: Finding | None, learns: Finding | None) -> Answer:
    true = runs[runs["corruption"] == TRUE_LABELS]
    random = runs[(runs["label_rate"] == 1) & runs["corruption"].isin(UNIFORM_LABELS)]
    first = runs.iloc[0]
    if fits is None:
        headline, sentence = "Not asked.", _not_asked(runs)
    elif fits.outcome != "supported":
        headline, sentence = "No conclusion.", fits.statement
    else:
        headline, end = _LEARNS[learns.outcome if learns else "no conclusion"]
        sentence = f"{_fitted(random)} {learns.statement if learns else 'True labels were not tried.'}{end}"
    gaps = [("true labels", true, first["guessing"]), ("random labels", random, 1 / first["num_classes"])]
    return Answer(
        model=model,
        n_train=int(first["n_train"]),
        parameters=int(first["parameters"]),
        num_seeds=runs["seed"].nunique(),
        decided=fits is not None and fits.outcome == "supported",
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


def _not_asked(runs: pd.DataFrame) -> str:
    others = runs[~runs["corruption"].isin(UNIFORM_LABELS) & runs["corruption"].map(is_of_labels)]
    if others.empty:
        return "No run has random labels, so memorisation was not tried."
    words = ", ".join(dict.fromkeys(map(corruption_words, others["corruption"], others["corruption_rate"])))
    return f"No run has random labels; the verdict below says what of memory {words} show."


def _fitted(random: pd.DataFrame) -> str:
    n, ceiling = int(random["n_train"].iloc[0]), random["ceiling"].min()
    told = (
        f"train accuracy {percent(random['train_accuracy'].mean())}, test {percent(random['test_accuracy'].mean())}, "
        f"where chance is {percent(chance_of(random))}"
    )
    if ceiling == 1:
        return f"It fits random labels of all {n:,} examples ({told})."
    return (
        f"It fits random labels of {n:,} examples as far as they can be fitted: identical inputs with different labels "
        f"leave a train accuracy of {percent(ceiling)} at most ({told})."
    )


def overall(found: Sequence[Answer]) -> str:
    """The whole page in one line."""
    rote = [answer for answer in found if answer.decided]
    if not rote:
        return "No conclusion about learning by rote."
    if len({answer.headline for answer in found}) == 1:
        return found[0].headline
    return f"{len(rote)} of {len(found)} models can learn by rote."
