"""What constructions and trained networks show of the weights that any labels of n examples take."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from byrote.evidence.chance import DECISIVE
from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.intervals import Interval, binomial_interval, mean_interval
from byrote.evidence.learning import UNEQUAL
from byrote.evidence.tested import Tested
from byrote.evidence.verdicts import FAR_ABOVE_CHANCE, MORE_SEEDS, THREE_SEEDS, exceeds
from byrote.studies.expressivity.calculations import STEPS_AN_OCTAVE
from byrote.studies.expressivity.memorization_bounds import fewest_float64, theorem_1
from byrote.studies.families import family_name

_GRID = math.log(2) / STEPS_AN_OCTAVE / math.sqrt(12)
"""The deviation of the logarithm of a size that lies anywhere between two that were tried."""
_THEOREM = "2n + d weights represent any labels of n examples (Theorem 1)"
_DEPTH = "In a deep network of width O(n/k), O(n + d) weights do too (Corollary 1)"
_UNITS = "Fewer units than examples represent any labels, if each reads all inputs"
_CAPACITY = "Having all labels right says nothing about test examples"
_OVERRIDE = "Predictions are overridden at will, and nothing else changes"


def findings(table: pd.DataFrame, families: Sequence[str]) -> list[Finding]:
    """Of the table of ExpressivityStudy; what has not been computed supports nothing."""
    return [
        _construction(_THEOREM, _built(table, "two-layer"), _theorem),
        _construction(_DEPTH, _built(table, "deep"), _depth),
        _construction(_UNITS, _built(table, "hyperplanes"), _units),
        *(_trained(family, _rows(table, "FittingWidth", "model", family)) for family in families),
        _capacity(_built(table, "two-layer")),
        _override(_rows(table, "Manipulation")),
    ]


def headline(found: Sequence[Finding]) -> str:
    """The page in one line."""
    theorem = found[0]
    if theorem.outcome == "supported":
        return "2n + d weights represent any labels."
    return "Theorem 1 was not seen to hold." if theorem.outcome == "not supported" else "Theorem 1 was not tried."


def _rows(table: pd.DataFrame, calculation: str, *own: str) -> pd.DataFrame:
    """The rows of a calculation, and of those the ones where the column own[0] is own[1]."""
    if table.empty:
        return table
    rows = table[table["calculation"] == calculation]
    return rows[rows[own[0]] == own[1]] if own and len(rows) else rows


def _built(table: pd.DataFrame, construction: str) -> pd.DataFrame:
    return _rows(table, "BuiltNetwork", "construction", construction)


def _last(rows: pd.DataFrame) -> dict[str, Any]:
    """The row of the largest n; of several seeds, the one with the largest error."""
    order = ["n", "largest_error"] if "largest_error" in rows else ["n_train"]
    return {str(name): value for name, value in rows.sort_values(order).iloc[-1].items()}


def _exactly(rows: pd.DataFrame) -> tuple[bool, str]:
    """Whether every forward pass gave every label, and with what error at most."""
    right = bool((rows["accuracy"] == 1).all())
    worst = rows.sort_values("largest_error").iloc[-1]
    sizes = ", ".join(f"{n:,}" for n in sorted(rows["n"].astype(int).unique()))
    share = "all labels are" if right else f"at worst {rows['accuracy'].min():.2%} of the labels are"
    return right, (
        f"At n = {sizes} {share} right by the ordinary float64 forward pass; the largest error of an output is "
        f"{worst['largest_error']:.1e} (n = {int(worst['n']):,}), where 0.5 would be another class."
    )


def _construction(claim: str, rows: pd.DataFrame, read: Callable[[pd.DataFrame], tuple[bool, str]]) -> Finding:
    """Supported where every forward pass gave every label, and by what is read of the rows, which is told then."""
    if rows.empty:
        return Finding(claim, "no conclusion", "No such network has been built.")
    (right, told), (holds, words) = _exactly(rows), read(rows)
    return Finding(claim, "supported" if right and holds else "not supported", f"{told} {words}")


def _theorem(rows: pd.DataFrame) -> tuple[bool, str]:
    last = _last(rows)
    counted = all(
        weights == theorem_1(int(n), int(d))
        for n, d, weights in zip(rows["n"], rows["d"], rows["num_weights"], strict=True)
    )
    return counted, (
        f"At n = {int(last['n']):,}, d = {int(last['d']):,} the network has {int(last['num_weights']):,} weights "
        f"{'=' if counted else 'and not'} 2n + d."
    )


def _depth(rows: pd.DataFrame) -> tuple[bool, str]:
    last = _last(rows)
    return True, (
        f"At n = {int(last['n']):,} the network of depth {int(last['depth'])} has {int(last['num_weights']):,} free "
        f"weights and no layer wider than {int(last['width']):,}."
    )


def _units(rows: pd.DataFrame) -> tuple[bool, str]:
    last = _last(rows)
    return bool(last["num_units"] < last["n"]), (
        f"At n = {int(last['n']):,}, d = {int(last['d']):,} there are {int(last['num_units']):,} units, four for each "
        f"of {int(last['slabs']):,} slabs; as an ordinary network with one hidden layer that is "
        f"{int(last['num_weights']):,} weights, {last['num_weights'] / last['n']:.1f} an example."
    )


def _trained(family: str, rows: pd.DataFrame) -> Finding:
    claim = f"Trained networks ({family_name(family)}) need more weights than Theorem 1's"
    if rows.empty:
        return Finding(claim, "no conclusion", "No width has been sought.")
    failed = rows[rows["failed_checks"] != ""]
    if len(failed):
        return Finding(claim, "no conclusion", f"A self-check failed ({failed['failed_checks'].iloc[0]}).")
    fitted = rows[rows["parameters"].notna()]
    if fitted.empty:
        return Finding(claim, "no conclusion", "No size tried has fitted its random labels: " + _limit(rows))
    sizes = sorted({int(n) for n in fitted["n_train"]})
    own = {n: fitted.loc[fitted["n_train"] == n, "parameters"].to_numpy(float) for n in sizes}
    counts = {n: theorem_1(n, int(fitted["d"].iloc[0])) for n in sizes}
    told = "; ".join(
        f"{own[n].mean():,.0f} parameters at n = {n:,}, {own[n].mean() / counts[n]:.1f} times 2n + d" for n in sizes
    )
    statement = f"The smallest that fit random labels by SGD have {told}. {_limit(rows)}"
    if len(fitted) < len(rows):
        missing = ", ".join(f"{n:,}" for n in sorted({int(n) for n in rows.loc[rows["parameters"].isna(), "n_train"]}))
        return Finding(claim, "no conclusion", f"{statement} No size tried has fitted every draw at n = {missing}.")
    num_seeds = min(len(each) for each in own.values())
    outcome = outcome_of_ratios([np.log(own[n] / counts[n]) for n in sizes])
    if outcome == "supported":
        return Finding(claim, "supported", f"{statement} So it is at every n ({num_seeds} draws of labels).")
    if outcome == "not supported":
        return Finding(claim, "not supported", statement)
    more = THREE_SEEDS if num_seeds < 3 else MORE_SEEDS
    return Finding(claim, "no conclusion", f"{statement} Other draws of labels may take others.{more}")


def outcome_of_ratios(logarithms: Sequence[Float[np.ndarray, " S"]]) -> Outcome:
    """Of what trained networks need over what Theorem 1 does, at each n: more at all of them, or less at any, which is
    asked as often as there are n (Bonferroni). Draws that agree are no surer than the grid of sizes is fine."""
    if all(exceeds(mean_interval(each, least_deviation=_GRID), 0.0) == "supported" for each in logarithms):
        return "supported"
    sure = 1 - 0.05 / len(logarithms)
    least = (mean_interval(each, sure, least_deviation=_GRID) for each in logarithms)
    less = any(exceeds(each, 0.0) == "not supported" for each in least)
    return "not supported" if less else "no conclusion"


def _limit(rows: pd.DataFrame) -> str:
    steps = int(rows["limit_steps"].max())
    return f"A size counts as too small if it has not fitted after {steps:,} steps: more training could make it fit."


def _capacity(rows: pd.DataFrame) -> Finding:
    if rows.empty:
        return Finding(_CAPACITY, "no conclusion", "No such network has been built.")
    rows = rows[rows["test_accuracy_true_labels"].notna()]
    if rows.empty:
        return Finding(
            _CAPACITY,
            "no conclusion",
            "On true labels no such network could be tested: every test example is in training too, or equal inputs "
            "have different labels.",
        )
    last = _last(rows)
    accuracy, guessing, num_classes = last["test_accuracy_true_labels"], last["guessing"], int(last["num_classes"])
    tested = Tested.on_unseen(rows)
    interval = binomial_interval(float(accuracy), tested.worth, DECISIVE)
    floor = fewest_float64(int(last["n"]), num_classes)
    nothing = guessing + FAR_ABOVE_CHANCE * (1 - guessing)
    outcome = exceeds(Interval(-accuracy, -interval.high, -interval.low, interval.n), -nothing)
    unequal = ""
    if guessing * num_classes > UNEQUAL and outcome == "supported":
        outcome = "no conclusion"
        unequal = (
            " Classes are unequal, so a low accuracy does not show that nothing is known of the rare ones: a test set "
            "of equal classes would tell."
        )
    return Finding(
        _CAPACITY,
        outcome,
        f"Built on the true labels of {int(last['n']):,} examples, the same network is right on {accuracy:.1%} of "
        f"{tested.in_words} ({DECISIVE:.1%} interval: {interval.low:.1%} to {interval.high:.1%}), where "
        f"guessing, which is to name the largest class always, has {guessing:.1%}, and up to {nothing:.1%} counts as "
        f"nothing.{unequal} A bound that rests on the number of weights alone holds for this network too: above "
        f"{theorem_1(int(last['n']), int(last['d'])):,} weights it cannot tell learning from rote. "
        f"No network of fewer than {math.ceil(floor):,} float64 weights can hold that many random labels at all.",
    )


def _override(rows: pd.DataFrame) -> Finding:
    if rows.empty:
        return Finding(_OVERRIDE, "no conclusion", "No predictions have been overridden.")
    if not rows["fitted"].astype(bool).all():
        worst = rows["train_accuracy"].min()
        return Finding(_OVERRIDE, "no conclusion", f"The network did not fit (training accuracy {worst:.1%}).")
    ideal = (rows["num_as_wanted"] == rows["num_chosen"]) & (rows["others_changed"] == 0)
    told = "; ".join(
        f"{int(row['num_as_wanted']):,} of {int(row['num_chosen']):,} chosen test predictions made wrong by "
        f"{int(row['weights_added']):,} weights, {int(row['others_changed']):,} of {int(row['num_others']):,} others "
        "changed"
        for row in rows.sort_values("num_chosen").to_dict("records")
    )
    first = rows.iloc[0]
    return Finding(
        _OVERRIDE,
        "supported" if ideal.all() else "not supported",
        f"On top of {first['model']} ({int(first['parameters']):,} parameters, test accuracy "
        f"{first['test_accuracy']:.1%}): {told}.",
    )
