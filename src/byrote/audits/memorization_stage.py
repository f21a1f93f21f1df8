"""Stage 3: does it memorise? The randomisation test on this model and data, and what wrong labels do to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool

from byrote.audits.material import Rows
from byrote.audits.memorization_findings import findings_of_memorization, is_unable
from byrote.audits.memorization_sections import sections_of_memorization
from byrote.audits.networks import NetworkSubject
from byrote.audits.noisy_fits import (
    NOISE_INPUTS,
    NoisyFit,
    condition_of,
    largest_fit,
    most_epochs,
    noisy_fits,
    of_condition,
    studies_of,
)
from byrote.audits.reference_learner import reference
from byrote.audits.stage import Case, Estimate, Stage, StageResult, interval_figure
from byrote.charts.sections import Section
from byrote.evidence.finding import Finding
from byrote.evidence.fitting_by_luck import chance_of_accuracies
from byrote.evidence.intervals import binomial_interval, mean_interval
from byrote.evidence.noise_ladder import (
    BENIGN_KEEPS,
    CATASTROPHIC_KEEPS,
    HALF,
    LOW,
    RATES,
    against_guessing,
    balanced_accuracy,
    kept_beyond,
    kept_share,
)
from byrote.evidence.verdicts import LITTLE, SIGNIFICANCE

MOST_ROWS = 2000
"""More training rows would tell the same, and cost more."""
_FEWEST_ROWS = 300
_MANY_ROWS, _FITTED_ROWS, _DRAWS, _MOST_DRAWS = 1000, 10_000, 4, 32
"""At each share of random labels there are 4 draws; of fewer than 1,000 rows as many as have 10,000 together, at most
32: small data have few test rows, whose luck differs from draw to draw, and are cheap to fit."""
_FEW_DRAWS = 3
_LITTLE_OF_THE_LEAD = 0.2
"""Less than a fifth of the lead over guessing that another learner surely has is next to nothing. Of a tenth, some 40
test rows could not tell."""
_NOISY_COSTS = 2.0
"""A fit on random labels takes about so many times as long as one on true labels; of a network that stops when it has
fitted."""
_SHARE_OF_BUDGET = 0.5
"""Stages that come later have the rest."""


class MemorizationStage(Stage):
    """Needs a subject that can be fitted on other labels."""

    name: ClassVar[str] = "memorization"
    title: ClassVar[str] = "Does it learn, or learn by rote?"
    alarm_names: ClassVar[tuple[str, ...]] = ("memorises",)
    needs_classes: ClassVar[str] = (
        "What a model learns by rote is told by random labels and how many of them it fits, which is asked of classes "
        "alone; targets here are quantities."
    )
    version: ClassVar[int] = 4

    def estimate(self, case: Case, budget_s: float = math.inf) -> Estimate:
        if not case.subject.can_fit:
            return Estimate(0.0, smaller=f"It is left out: {case.subject.name} cannot be fitted on other labels")
        return _version(case, budget_s)[2]

    def run(self, case: Case, budget_s: float = math.inf) -> StageResult:
        subject, material = case.subject, case.material
        if not subject.can_fit:
            why = f"{subject.name} cannot be fitted on other labels, so that nothing tells what it memorises."
            return StageResult("skipped", why)
        num_rows, draws, plan = _version(case, budget_s)
        if plan.seconds > budget_s:
            return StageResult("skipped", f"Its smallest version takes {plan.seconds:,.0f} s, more than is left.")
        clean = case.clean_test_rows()
        if len(np.unique(material.test.labels[clean])) < 2:
            why = "The test rows that training does not know are not of two classes: they tell nothing."
            return StageResult("no conclusion", why)
        rows = _rows(case, num_rows)
        fits, why_not = noisy_fits(subject, material, rows, draws, case.log)
        figures, p_values = _read(case, rows, fits, clean)
        figures |= {"why_not_fitted": why_not, "draws": draws, "smaller": plan.smaller}
        figures["most_epochs"] = most_epochs(subject, len(rows))
        random = of_condition(fits, condition_of(1.0))[0]
        figures["largest_n"] = {"n": len(rows), "tried": len(rows)} if random.is_fitted else None
        if not random.is_fitted and not plan.smaller:
            case.log("looking for the largest n whose random labels are fitted")
            figures["largest_n"] = vars(largest_fit(subject, material, rows))
        statement = f"{plan.smaller}, for want of time." if plan.smaller else ""
        return StageResult("done", statement, figures, p_values)

    def findings(self, case: Case, result: StageResult, found: Mapping[str, bool]) -> list[Finding]:
        return findings_of_memorization(case.subject.name, result.figures, found)

    def alarms(self, case: Case, result: StageResult, found: Mapping[str, bool]) -> Mapping[str, float]:  # noqa: ARG002
        if found.get("memorises", False):
            return {"memorises": 1.0}
        known = found.get("learns", False) or is_unable(result.figures)
        return {"memorises": 0.0} if known else {}

    def sections(self, case: Case, result: StageResult) -> list[Section]:
        return sections_of_memorization(case, result.figures)


def _version(case: Case, budget_s: float) -> tuple[int, int, Estimate]:
    """How many rows and draws the budget allows; the fewest, where it allows none."""
    most = min(len(case.material.train), MOST_ROWS)
    left = _SHARE_OF_BUDGET * budget_s
    whole = _DRAWS if most >= _MANY_ROWS else min(max(_FITTED_ROWS // most, _DRAWS), _MOST_DRAWS)
    of_whole = case.pace * _seconds(case, _rows(case, most), whole)
    num_rows, draws = most, whole

    def seconds() -> float:
        return of_whole * num_rows / most * _fits(draws) / _fits(whole)

    while seconds() > left and (draws > _FEW_DRAWS or num_rows > _FEWEST_ROWS):
        if draws > _FEW_DRAWS:
            draws = max(draws // 2, _FEW_DRAWS)
        else:
            num_rows = max(num_rows // 2, min(_FEWEST_ROWS, most))
    smaller = []
    if num_rows < most:
        smaller.append(f"It was fitted on {num_rows:,} instead of {most:,} training rows")
    if draws < whole:
        smaller.append(f"{draws} instead of {whole} draws of random labels were made")
    return num_rows, draws, Estimate(seconds(), 2.0**27, 2.0**20, ", and ".join(smaller))


def _seconds(case: Case, rows: Rows, draws: int) -> float:
    if isinstance(case.subject, NetworkSubject):
        return math.fsum(map(case.subject.seconds_of, studies_of(case.subject, rows, draws)))
    return case.subject.seconds_of_fit(rows) * _fits(draws)


def _fits(draws: int) -> float:
    """How many fits on true labels cost as much."""
    return draws * (1 + _NOISY_COSTS * (len(RATES) - 1)) + _NOISY_COSTS + 1


def _rows(case: Case, num: int) -> Rows:
    return case.material.some_training_rows(num, "rows of the ladder")


def _read(
    case: Case, rows: Rows, fits: Sequence[NoisyFit], clean: Bool[np.ndarray, " T"]
) -> tuple[dict[str, Any], dict[str, float]]:
    test = case.tested().take(clean)
    num_classes = case.material.num_classes
    right = {
        rate: np.stack([fit.test[clean] == test.labels for fit in of_condition(fits, condition_of(rate))])
        for rate in RATES
    }
    names = [*(condition_of(rate) for rate in (*RATES, 1.0)), NOISE_INPUTS]
    true, random = right[0.0], of_condition(fits, condition_of(1.0))[0]
    shared = (true, test.labels, num_classes, test.units)
    largest_class = float(np.bincount(rows.labels).max() / len(rows))
    figures: dict[str, Any] = {
        "num_rows": len(rows),
        "num_train": len(case.material.train),
        "num_classes": num_classes,
        "guessing": 1 / len(np.unique(test.labels)),
        "largest_class": largest_class,
        "conditions": [_condition(fits, name, test, clean) for name in names],
        "kept": {f"{rate:g}": interval_figure(kept_share(right[rate], *shared)) for rate in (LOW, HALF)},
        "reference": None,
    }
    learns = against_guessing(true, test.labels, test.units)
    p_values = {"learns": learns.p_above}
    luck = chance_of_accuracies([random.accuracy], len(rows), num_classes)
    if random.is_fitted:
        p_values["fits-random-labels"] = luck
    p_values["learns-through"] = kept_beyond(1 - HALF, right[HALF], *shared).p_above
    half = of_condition(fits, condition_of(HALF))
    if all(fit.is_fitted for fit in half):
        benign = kept_beyond(BENIGN_KEEPS, right[HALF], *shared)
        catastrophic = kept_beyond(CATASTROPHIC_KEEPS, right[LOW], *shared)
        leads = learns.p_above
        p_values["benign"] = max(benign.p_above, leads)
        p_values["tempered"] = max(benign.p_below, catastrophic.p_above, leads)
        p_values["catastrophic"] = max(catastrophic.p_below, leads)
    fits_true = all(fit.is_fitted for fit in of_condition(fits, condition_of(0.0)))
    by_constant = largest_class >= min(fit.accuracy for fit in of_condition(fits, condition_of(0.0)))
    may_be_little = against_guessing(true, test.labels, test.units, _LITTLE_OF_THE_LEAD).p_below <= SIGNIFICANCE
    if fits_true and not by_constant and may_be_little:
        other = reference(case.material, rows, test)
        little = max(LITTLE, _LITTLE_OF_THE_LEAD * (other.score.low - figures["guessing"]))
        nothing = against_guessing(true, test.labels, test.units, little).p_below
        if nothing <= SIGNIFICANCE:
            figures["reference"] = {"score": interval_figure(other.score), "p": other.p_value, "little": little}
            p_values["memorises"] = max(nothing, other.p_value)
    return figures, p_values


def _condition(fits: Sequence[NoisyFit], name: str, test: Rows, clean: Bool[np.ndarray, " T"]) -> dict[str, Any]:
    own = of_condition(fits, name)
    changed = [fit.given != fit.true for fit in own]
    num = sum(int(each.sum()) for each in changed)

    def share(labels: str) -> dict[str, Any] | None:
        if not num:
            return None
        hits = sum(int((fit.train == getattr(fit, labels))[each].sum()) for fit, each in zip(own, changed, strict=True))
        return interval_figure(binomial_interval(hits / num, num))

    accuracy = mean_interval([fit.accuracy for fit in own])
    seconds = [fit.seconds for fit in own if fit.seconds is not None]
    steps = [fit.steps_to_fit for fit in own if fit.steps_to_fit is not None]
    is_noise = name == NOISE_INPUTS
    tested = np.stack([fit.test[clean] == test.labels for fit in own])
    return {
        "condition": name,
        "rate": own[0].rate,
        "fits": len(own),
        "num_fitted": sum(fit.is_fitted for fit in own),
        "train_accuracy": interval_figure(accuracy),
        "least_train_accuracy": min(fit.accuracy for fit in own),
        "ceiling": min(fit.ceiling for fit in own),
        "changed_said_as_given": share("given"),
        "changed_said_as_true": share("true"),
        "test": None if is_noise else interval_figure(balanced_accuracy(tested, test.labels, test.units)),
        "seconds": float(np.mean(seconds)) if seconds else None,
        "steps_to_fit": float(np.mean(steps)) if len(steps) == len(own) else None,
    }
