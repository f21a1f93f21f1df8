"""What the runs of Table 4 show: each regulariser at its usual strength, each model's weight decays, all together.

That a network fits is seen; that it cannot is not: a run that did not fit supports no conclusion about memorising. What
strong weight decay does *within the steps given* is told by seeds: none fits, every seed's loss has settled, and all
had at least twice the steps that each seed takes without regularisers. Of three seeds' runs with and without it, all
that fit are on one side in one of twenty exchanges. Anything less may only be slow, and gives no conclusion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import pandas as pd

from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.fitting_by_luck import by_luck, luck_in_words
from byrote.evidence.obstacles import obstacle, remedy
from byrote.evidence.seed_tests import LEAST_SEEDS, seeds_in_words
from byrote.evidence.verdicts import sum_up
from byrote.evidence.words import count_of_seeds
from byrote.studies.paper_settings import WEIGHT_DECAY
from byrote.studies.table4.convergence import Ending
from byrote.studies.table4.rows import UNREGULARIZED, Condition, runs_of, words

PATIENCE = 2
"""Times the steps to fit without regularisers, before a run that has not fitted counts as prevented."""

TOGETHER = "Explicit regularisers of the usual strength do not keep networks from fitting random labels"
"""The claim that sums up those of single regularisers, which stand before it."""

Effect = Literal["fits", "prevents", "open"]


def findings(conditions: Mapping[str, Sequence[Condition]], table: pd.DataFrame, num_seeds: int) -> list[Finding]:
    """The claims that these conditions of each model bear on, decided by the runs in `table`."""
    usual = [
        (model, condition)
        for model, own in conditions.items()
        for condition in own
        if condition != UNREGULARIZED and condition[1] in (0, WEIGHT_DECAY)
    ]
    tried = [_still_fits(model, condition, table, num_seeds) for model, condition in usual]
    found = [*tried, *([_all_together(usual, tried)] if tried else [])]
    for model, own in conditions.items():
        decays = [decay for augmentation, decay in own if augmentation == "none"]
        if len(decays) > 2:
            found.append(_scan(model, decays, table, num_seeds))
    return found


def ending_of(runs: pd.DataFrame) -> Ending:
    """The worst of the seeds'."""
    return max(runs["ending"], key=get_args(Ending).index)


def _effect(model: str, condition: Condition, table: pd.DataFrame, num_seeds: int) -> tuple[Effect, str]:
    """What a regulariser does to fitting, and what that rests on."""
    runs, plain = runs_of(table, model, condition), runs_of(table, model, UNREGULARIZED)
    fits = runs["ending"] == "fits"
    if fits.all():
        return "fits", ""
    if fits.any():
        return "open", f"{fits.sum()} of {len(runs)} seeds have fitted."
    if (runs["stop_reason"] == "non-finite loss").any():
        return "open", f"The loss was no longer finite, which is to diverge: {remedy(runs)}."
    if obstacle(plain, num_seeds, fitted=True):
        return "open", "Without regularisers it has not been seen to fit either."
    needed = int(plain["steps_to_fit"].max())
    compared = f"Without regularisers it fits within {needed:,} steps"
    if ((runs["stop_reason"] == "steps") & (runs["steps_run"] < PATIENCE * needed)).any():
        return "open", f"{compared}: this may only be slower."
    if not runs["settled"].all():
        return "open", f"{compared}, but here the loss was still falling."
    return "prevents", f"{compared}."


def _still_fits(model: str, condition: Condition, table: pd.DataFrame, num_seeds: int) -> Finding:
    claim = f"{model} fits random labels with {words(condition)}"
    runs = runs_of(table, model, condition)
    reason = obstacle(runs, num_seeds, finite=False)
    if reason:
        return Finding(claim, "no conclusion", reason)
    effect, why = _effect(model, condition, table, num_seeds)
    statement = (
        f"It {ending_of(runs)}: train accuracy {100 * runs['train_accuracy'].mean():.2f}% on {_n(runs):,} examples "
        f"after {_steps(runs):,} steps ({count_of_seeds(num_seeds)})."
    )
    paper = runs["paper_ending"].iloc[0]
    if paper:
        published = runs["paper_train_accuracy"].iloc[0]
        theirs = f"{100 * published:.2f}% on 50,000" if paper == "fits" else "failed to converge"
        why = f"{why} The paper: {theirs}.".strip()
    if effect == "fits":
        luck = luck_in_words(by_luck(runs))
        return Finding(claim, "no conclusion" if luck else "supported", f"{statement} {why}".strip() + luck)
    return Finding(
        claim,
        "no conclusion",
        f"{statement} {why} A run that did not fit does not show that none would: {remedy(runs)}.",
    )


def _all_together(usual: Sequence[tuple[str, Condition]], tried: Sequence[Finding]) -> Finding:
    outcomes = [finding.outcome for finding in tried]
    fitted = outcomes.count("supported")
    others = [
        f"{model} with {words(condition)}"
        for (model, condition), outcome in zip(usual, outcomes, strict=True)
        if outcome != "supported"
    ]
    which = f" ({', '.join(others)})" if others else ""
    return Finding(
        TOGETHER,
        sum_up(outcomes),
        f"Of {len(tried)} regularised networks, fitted: {fitted}; undecided: {len(others)}{which}. "
        "The paper: 5 of 6 fitted, AlexNet with weight decay failed to converge.",
    )


def _scan(model: str, decays: Sequence[float], table: pd.DataFrame, num_seeds: int) -> Finding:
    claim = f"Within the steps given, strong weight decay keeps {model} from fitting random labels"
    conditions: list[Condition] = [("none", decay) for decay in sorted(decays)]
    runs = {condition: runs_of(table, model, condition) for condition in conditions}
    reason = obstacle(pd.concat(runs.values()), len(conditions) * num_seeds, finite=False)
    if reason:
        return Finding(claim, "no conclusion", reason)
    effects, reasons = zip(*(_effect(model, condition, table, num_seeds) for condition in conditions), strict=True)
    undecided = [why for effect, why in zip(effects, reasons, strict=True) if effect == "open"]
    if effects[-1] == "prevents" and num_seeds < LEAST_SEEDS:
        undecided = [seeds_in_words(LEAST_SEEDS)]
    endings = [ending_of(own) for own in runs.values()]
    each = "; ".join(
        f"{decay:g} {ending} ({100 * own['train_accuracy'].mean():.1f}%{_loss(own, ending)})"
        for (_, decay), ending, own in zip(conditions, endings, runs.values(), strict=True)
    )
    outcome: Outcome = "not supported" if set(effects) == {"fits"} else "no conclusion"
    if effects[-1] == "prevents" and num_seeds >= LEAST_SEEDS:
        outcome = "supported"
    strengths = [decay for _, decay in conditions]
    fitting = _until("fits", "fitting", strengths, [ending == "fits" for ending in endings])
    converging = _until("converges", "converging", strengths, [ending != "does not converge" for ending in endings])
    what = fitting if set(endings) == {"fits"} else f"{fitting} and {converging}"
    first = next(iter(runs.values()))
    why = "" if outcome == "supported" else "".join(f" {reason}" for reason in dict.fromkeys(undecided))
    return Finding(
        claim,
        outcome,
        f"It {what} of the weight decays tried: {each} (train accuracy on {_n(first):,} examples, "
        f"{_steps(first):,} steps, {count_of_seeds(num_seeds)}).{why}",
    )


def _loss(runs: pd.DataFrame, ending: Ending) -> str:
    """What decides: with batch norm, a network may have learned in train mode and guess in evaluation mode."""
    if ending == "fits":
        return ""
    return f", training loss {runs['final_loss'].mean():.2f} where guessing has {runs['loss_at_chance'].mean():.2f}"


def _until(verb: str, gerund: str, strengths: Sequence[float], does: Sequence[bool]) -> str:
    """ "fits at all", or from which strength on it no longer does."""
    if all(does):
        return f"{verb} at all"
    if does[-1]:
        return f"{verb} at the strongest, but not at all,"
    if not any(does):
        return f"{verb} at none"
    weakest = len(does) - list(reversed(does)).index(True)
    return f"stops {gerund} at {strengths[weakest]:g}"


def _n(runs: pd.DataFrame) -> int:
    return int(runs["n_train"].iloc[0])


def _steps(runs: pd.DataFrame) -> int:
    return int(runs["steps_run"].max())
