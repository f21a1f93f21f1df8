"""Whether runs may decide a claim: all there, none failed a check or blew up, and fitted where that matters."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from byrote.data.corruptions.record import corruption_words
from byrote.evidence.words import regularizers
from byrote.training.recipe import Recipe

_MOST_NAMED = 3
_USUAL_RATE = Recipe().learning_rate
_FAR_TOO_LARGE = 1000.0
"""Times the usual rate: from there on, a tenth of a rate after another would not arrive in three tries."""


def obstacle(runs: pd.DataFrame, num_planned: int, *, fitted: bool = False, finite: bool = True) -> str | None:
    """Why these rows of a study's table decide nothing, in one sentence; None where they do.

    Args:
        num_planned: how many runs the claim needs.
        fitted: whether it speaks of networks that have fitted.
        finite: whether a run whose loss blew up says nothing about it.
    """
    if len(runs) < num_planned:
        return unfinished(num_planned - len(runs), num_planned, "runs")
    # Rows are taken where there are any: that takes most of the time.
    has_failed = runs["failed_checks"] != ""
    if has_failed.any():
        failed = runs[has_failed]
        names = sorted(set("; ".join(failed["failed_checks"]).split("; ")))
        return (
            f"A self-check failed in {_of(failed, runs)} ({', '.join(names)}): nothing follows from "
            f"{'it' if len(runs) == 1 else 'them'} until what it found is mended."
        )
    is_lost = runs["stop_reason"] == "non-finite loss"
    if (finite or fitted) and is_lost.any():
        return _diverged(runs[is_lost], runs)
    is_unfitted = ~runs["fitted"].astype(bool)
    if fitted and is_unfitted.any():
        unfitted = runs[is_unfitted]
        each = _each(unfitted)
        which, they = _of(unfitted, runs), "it" if len(runs) == 1 else "they"
        return f"{which[:1].upper()}{which[1:]} stopped before {they} had fitted ({each}): {remedy(unfitted)}."
    return None


def _diverged(lost: pd.DataFrame, runs: pd.DataFrame) -> str:
    which, first = _of(lost, runs), lost["diverged_at_step"].min()
    if first <= 1:
        return (
            f"The loss of {which} is not finite, or not a number, from the very first batch on ({_each(lost)}), which "
            "no training mends: look for a division by zero, a logarithm or a root in the model, and for inputs that "
            "it cannot take."
        )
    since = "" if math.isnan(first) else f", since step {int(first):,} at the earliest"
    return (
        f"The loss was no longer finite in {which}{since} ({_each(lost)}): "
        f"{'it has' if len(runs) == 1 else 'they have'} diverged, and more training would not help; {remedy(lost)}."
    )


def _of(some: pd.DataFrame, runs: pd.DataFrame) -> str:
    return "the one run" if len(runs) == 1 else f"{len(some)} of {len(runs)} runs"


def unfinished(num_missing: int, num_planned: int, what: str) -> str:
    """ "3 of 12 runs have not finished, or have failed: ...", "The one run has ...". `what` is a plural.

    A table does not tell which, and what failed may fail again: nothing is promised.
    """
    if num_planned == 1:
        noun, space, rest = what.partition(" ")
        one = f"{noun.removesuffix('s')}{space}{rest}"
        return f"The one {one} has not finished, or has failed: the same command, given again, tries it."
    return (
        f"{num_missing} of {num_planned} {what} have not finished, or have failed: the same command, given again, "
        "tries those that are missing."
    )


def check_failed(names: str) -> str:
    """Of calculations whose networks failed these checks."""
    return f"A self-check failed ({names}): nothing follows from these runs until what it found is mended."


def remedy(runs: pd.DataFrame) -> str:
    """What to try where these runs have not fitted, with the value to try next: "try `--epochs 400`, twice as many"."""
    if (runs["stop_reason"] == "non-finite loss").any():
        rate = float(runs["learning_rate"].min())
        if rate > _FAR_TOO_LARGE * _USUAL_RATE:
            return f"try `--learning-rate {_USUAL_RATE:g}`, the usual one"
        return f"try `--learning-rate {rate / 10:.2g}`, a tenth of this one"
    if (runs["stop"] == "at_steps").any():
        return f"try `--steps {2 * int(runs['steps_run'].max())}`, twice as many"
    return f"try `--epochs {2 * int(runs['epochs_run'].max())}`, twice as many"


def _each(runs: pd.DataFrame) -> str:
    named = [
        f"{run_label(run)}, seed {run['seed']}: train accuracy {run['train_accuracy']:.3f} "
        f"after {run['steps_run']:,} steps"
        for run in runs[:_MOST_NAMED].to_dict("records")
    ]
    return "; ".join(named + [f"and {len(runs) - _MOST_NAMED} more"] * (len(runs) > _MOST_NAMED))


def run_label(run: Mapping[Hashable, Any]) -> str:
    """A row of a table in words: "alexnet, random labels, weight decay 0.0005"."""
    words = [run["model"], corruption_words(run["corruption"], run["corruption_rate"])]
    own = regularizers(run["augmentation"], run["dropout"], run["weight_decay"])
    return ", ".join([*words, own] if own else words)
