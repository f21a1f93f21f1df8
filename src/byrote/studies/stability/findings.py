"""What measured stability shows: whether an example matters more among random labels, and what the bound is at least.

The largest change over all that was tried is a lower bound on the uniform constant of the algorithm, whichever labels
it was found on: a large one proves that the bound says nothing, while a small one proves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd

from byrote.evidence.finding import Finding
from byrote.evidence.intervals import Interval, mean_interval
from byrote.evidence.obstacles import check_failed, unfinished
from byrote.evidence.verdicts import exceeds
from byrote.studies.stability.calculations import POINTS, Labels, Loss, Point, ReplacementStability
from byrote.theory.complexity.convex_stability import RidgeStability

BOTH_LABELS: tuple[str, ...] = get_args(Labels)
FEWEST_REPLACEMENTS = 8
"""The bootstrap of fewer gives intervals that are far too short: of two, the smaller and the larger."""


@dataclass(frozen=True)
class Change:
    """Of one loss at points of one kind, for networks of one model on labels of one kind."""

    interval: Interval
    """Of the mean change, for all replacements: by resampling them with one seed, Student's t over several."""
    by_seed: tuple[float, ...]
    """Mean changes, in the order of the seeds."""
    largest_by_seed: tuple[float, ...]

    @property
    def largest(self) -> float:
        """Over all seeds."""
        return max(self.largest_by_seed)


@dataclass(frozen=True)
class Sensitivity:
    """One model: labels -> what was measured on them. Labels that are not there have no entries."""

    model: str
    why_not: str
    """Why it decides nothing; "" where it does."""
    changes: dict[tuple[str, Loss, Point], Change]
    gaps: dict[tuple[str, Loss], float]
    """Measured generalization gaps, the means over seeds."""
    n_train: int
    num_classes: int
    few: bool = False
    """Whether there are less than FEWEST_REPLACEMENTS."""

    def uniform(self, loss: Loss) -> float:
        """The lower bound on the uniform constant: the largest change of the loss at any point, on any labels.

        A seed makes an algorithm of its own: of several, the smallest bound, which holds for all.
        """
        by_seed = [own.largest_by_seed for (_, kind, _), own in self.changes.items() if kind == loss]
        return min((max(largest) for largest in zip(*by_seed, strict=False)), default=math.nan)


def networks(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of networks with a replaced example."""
    return table[table["calculation"] == ReplacementStability.__name__] if len(table) else table


def sensitivities(models: Sequence[str], table: pd.DataFrame, num_seeds: int) -> list[Sensitivity]:
    """Of the table of a StabilityStudy with so many seeds: one for each of its models."""
    rows = networks(table)
    return [_sensitivity(model, rows[rows["model"] == model] if len(rows) else rows, num_seeds) for model in models]


def findings(models: Sequence[str], table: pd.DataFrame, num_seeds: int) -> list[Finding]:
    """What one example changes, and whether theory holds where it is exact."""
    found = []
    for sensitivity in sensitivities(models, table, num_seeds):
        found += [_differs(sensitivity), _says_nothing(sensitivity)]
    known = _known(table)
    return [*found, known] if known else found


def _sensitivity(model: str, rows: pd.DataFrame, num_seeds: int) -> Sensitivity:
    changes: dict[tuple[str, Loss, Point], Change] = {}
    gaps: dict[tuple[str, Loss], float] = {}
    kinds: tuple[Loss, ...] = ("probability", "zero_one")
    for labels in BOTH_LABELS:
        own = rows[rows["corruption"] == labels].sort_values("seed") if len(rows) else rows
        for loss in kinds if len(own) else ():
            gaps[labels, loss] = float(own[f"{loss}_gap"].mean())
            for point in POINTS:
                changes[labels, loss, point] = _change(own, f"{loss}_at_{point}")
    return Sensitivity(
        model=model,
        why_not=_why_not(rows, num_seeds),
        changes=changes,
        gaps=gaps,
        n_train=int(rows["n_train"].iloc[0]) if len(rows) else 0,
        num_classes=int(rows["num_classes"].iloc[0]) if len(rows) else 0,
        few=bool(len(rows)) and int(rows["replacements"].min()) < FEWEST_REPLACEMENTS,
    )


def _change(own: pd.DataFrame, name: str) -> Change:
    means = own[name].to_numpy(np.float64)
    if len(own) == 1:
        low, high = (float(own[f"{name}_{end}"].iloc[0]) for end in ("low", "high"))
        interval = Interval(float(means[0]), low, high, 1)
    else:
        interval = mean_interval(means)
    return Change(interval, tuple(means.tolist()), tuple(own[f"{name}_largest"].tolist()))


def _why_not(rows: pd.DataFrame, num_seeds: int) -> str:
    wanted = num_seeds * len(BOTH_LABELS)
    if len(rows) < wanted:
        return unfinished(wanted - len(rows), wanted, "calculations")
    if reasons := sorted(set(rows["failed_checks"].dropna()) - {""}):
        return check_failed("; ".join(reasons))
    counts = []
    for labels in BOTH_LABELS:
        own = rows[rows["corruption"] == labels]
        num_runs, num_fitted = int(own["num_runs"].sum()), int(own["num_fitted"].sum())
        if num_fitted < num_runs:
            counts.append(f"{num_runs - num_fitted} of {num_runs} with {labels.replace('-', ' ')}")
    if counts:
        return (
            f"When their steps were up, these networks had not fitted: {', '.join(counts)}. Twice as many epochs may "
            "fit them (`--epochs`)."
        )
    return ""


def _differs(sensitivity: Sensitivity) -> Finding:
    claim = f"{sensitivity.model}: a replaced example loses more where labels are random"
    if sensitivity.why_not:
        return Finding(claim, "no conclusion", sensitivity.why_not)
    true, random = (sensitivity.changes[labels, "probability", "left"] for labels in BOTH_LABELS)
    others = [sensitivity.changes[labels, "probability", "test"] for labels in BOTH_LABELS]
    figures = (
        f"One of {sensitivity.n_train:,} examples, once replaced, loses {_words(true.interval)} of the probability of "
        f"its label in the mean where labels are true, and {_words(random.interval)} where they are random. Test "
        f"points change by {others[0].interval.mean:.4f} and {others[1].interval.mean:.4f} in the mean, and by "
        f"{others[0].largest:.3f} and {others[1].largest:.3f} at most."
    )
    if len(true.by_seed) > 1:
        outcome = exceeds(mean_interval(np.subtract(random.by_seed, true.by_seed)), 0.0)
        return Finding(claim, outcome, figures)
    figures += " One seed: intervals are over replacements."
    if true.interval.low == true.interval.high or random.interval.low == random.interval.high or sensitivity.few:
        more = f"{FEWEST_REPLACEMENTS} that differ would tell (`--replacements {FEWEST_REPLACEMENTS}`)"
        return Finding(claim, "no conclusion", f"{figures} They are too few, or all alike: {more}.")
    is_more, is_less = true.interval.high < random.interval.low, random.interval.high < true.interval.low
    return Finding(claim, "supported" if is_more else "not supported" if is_less else "no conclusion", figures)


def _says_nothing(sensitivity: Sensitivity) -> Finding:
    claim = f"{sensitivity.model}: the bound by uniform stability says nothing, on these data"
    if sensitivity.why_not:
        return Finding(claim, "no conclusion", sensitivity.why_not, sensitivity)
    least, guessing = sensitivity.uniform("probability"), 1 - 1 / sensitivity.num_classes
    gaps = [sensitivity.gaps[labels, "probability"] for labels in BOTH_LABELS]
    figures = (
        f"The mean gap is at most the uniform constant, which belongs to the algorithm and not to the labels: it is at "
        f"least {least:.3f}, the largest change that was found. The measured gap is {gaps[0]:.3f} on true labels and "
        f"{gaps[1]:.3f} on random ones."
    )
    if least >= guessing:
        return Finding(claim, "supported", f"{figures} Guessing random labels loses {guessing:.2f}.", sensitivity)
    return Finding(
        claim,
        "no conclusion",
        f"{figures} That is below the {guessing:.2f} that guessing random labels loses; but other data may show a "
        "larger change, and so may more replacements (`--replacements`).",
        sensitivity,
    )


def _known(table: pd.DataFrame) -> Finding | None:
    claim = "Where theory is exact, what is measured stays below its bound"
    rows = known(table)
    if rows.empty:
        return None
    above = rows[rows["measured"] > rows["bound"]]
    words = [f"{row['case']}: {row['measured']:.3g} of {row['bound']:.3g}" for row in rows.to_dict("records")]
    return Finding(claim, "not supported" if len(above) else "supported", f"{'; '.join(words)}.")


def known(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each case that theory knows: case, examples, measured, bound, note."""
    rows: list[tuple[str, int, float, float, str]] = []
    for row in table.to_dict("records"):
        if row["calculation"] == ReplacementStability.__name__:
            continue
        n = int(row["num_trained"])
        if row["calculation"] == RidgeStability.__name__:
            note = "predictions within the targets' range" if row["in_range"] else "for whatever is predicted"
            rows += [
                ("ridge regression, one example left out", n, row["removal"], row["removal_bound"], note),
                ("ridge regression, one replaced", n, row["replacement"], row["replacement_bound"], note),
                ("ridge regression, built to be tight", n, row["tight_removal"], row["tight_bound"], "left out"),
            ]
        else:
            rows += [
                ("logistic regression by SGD, one replaced", n, row["replacement"], row["replacement_bound"], ""),
                ("SGD, built to be tight", n, row["tight_replacement"], row["tight_bound"], ""),
            ]
    return pd.DataFrame(rows, columns=["case", "examples", "measured", "bound", "note"])


def _words(interval: Interval) -> str:
    if math.isnan(interval.low):
        return f"{interval.mean:.4f} (no interval)"
    return f"{interval.mean:.4f} (95% interval {interval.low:.4f} to {interval.high:.4f})"
