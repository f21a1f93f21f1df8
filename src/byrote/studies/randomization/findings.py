"""What the runs of a randomisation test show, claim by claim, in plain words.

A claim is decided only by runs that have all finished, passed their checks and, where it speaks of fitting, have
fitted. One that compares runs is decided by an interval over seeds. It is supported, and refuted, at p <= 0.05
(two-sided), Holm's correction over the models that it is made of included; no evidence against it is none for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from byrote.data.corruptions import INPUT_CORRUPTIONS
from byrote.evidence.comparisons import holm
from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.obstacles import obstacle
from byrote.evidence.seed_tests import LEVEL
from byrote.studies.randomization.readings import (
    Reading,
    error_rises,
    fits_noise,
    memorises,
    order,
    slow_start,
    time_grows,
)
from byrote.training.spec import TrainSpec


@dataclass(frozen=True)
class _Claim:
    words: str
    """With {} for the model."""
    read: Callable[[str, pd.DataFrame], Reading]
    corruptions: Callable[[set[str]], set[str] | None]
    """Of the conditions that are planned, those that bear on it; None where they do not put it to the test."""
    fitted: bool = True


_LABELS = {"true-labels", "partial-labels", "random-labels"}


def _claims(rates: set[float]) -> list[_Claim]:
    """All that may be asked of a model with these levels of label corruption, in the order of the page."""
    return [
        _Claim("{} can fit random labels", memorises, _needs({"random-labels"})),
        _Claim(
            "{} can fit inputs whose structure is destroyed",
            fits_noise,
            lambda planned: planned & set(INPUT_CORRUPTIONS) or None,
        ),
        _Claim(
            "{} starts to fit random pixels and Gaussian inputs sooner than random labels",
            order,
            _needs({"random-labels", "random-pixels", "gaussian"}),
            fitted=False,
        ),
        _Claim(
            "{}'s time to fit grows with label corruption by a small factor",
            time_grows,
            lambda planned: planned & _LABELS if 0.0 in rates and len(rates) > 1 else None,
        ),
        _Claim(
            "{}'s test error rises smoothly to chance",
            error_rises,
            lambda planned: planned & _LABELS if {0.0, 1.0} < rates else None,  # at least one in between
        ),
        _Claim(
            "{} starts slowly on random labels, where its gradients are large and uncorrelated",
            slow_start,
            _needs({"true-labels", "random-labels"}),
            fitted=False,
        ),
    ]


def _needs(corruptions: set[str]) -> Callable[[set[str]], set[str] | None]:
    return lambda planned: corruptions if corruptions <= planned else None


def findings(table: pd.DataFrame, planned: Sequence[TrainSpec]) -> list[Finding]:
    """The claims that the runs `planned` bear on, decided by those in `table`, model by model."""
    models = list(dict.fromkeys(spec.model for spec in planned))
    found: dict[tuple[str, int], tuple[str, str | Reading]] = {}
    for model in models:
        own = [spec for spec in planned if spec.model == model]
        runs = table[table["model"] == model] if len(table) else table
        for number, claim in enumerate(_claims(_label_rates(own))):
            wanted = claim.corruptions({spec.corruption for spec in own})
            if wanted:
                found[model, number] = claim.words.format(model), _try(claim, model, runs, own, wanted)
    outcomes = _decide({place: read for place, (_, read) in found.items() if isinstance(read, Reading)})
    return [
        Finding(words, "no conclusion", read)
        if isinstance(read, str)
        else Finding(words, outcomes[place], _statement(read, outcomes[place]))
        for place, (words, read) in found.items()
    ]


def _label_rates(planned: Sequence[TrainSpec]) -> set[float]:
    return {spec.label_rate for spec in planned if not spec.corruption.endswith(INPUT_CORRUPTIONS)}


def _try(
    claim: _Claim, model: str, runs: pd.DataFrame, planned: Sequence[TrainSpec], corruptions: set[str]
) -> str | Reading:
    """What the runs say, or why they say nothing."""
    runs = runs[runs["corruption"].isin(corruptions)] if len(runs) else runs
    num_planned = sum(spec.corruption in corruptions for spec in planned)
    return obstacle(runs, num_planned, fitted=claim.fitted) or claim.read(model, runs)


def _decide(readings: dict[tuple[str, int], Reading]) -> dict[tuple[str, int], Outcome]:
    """Each claim is a family: of the models it is made of, the chance that any is decided falsely is kept."""
    outcomes: dict[tuple[str, int], Outcome] = {}
    for number in {number for _, number in readings}:
        family = [place for place in readings if place[1] == number]
        above, below = (holm([readings[place].sides[side] for place in family]) for side in (0, 1))
        for place, supports, refutes in zip(family, above, below, strict=True):
            outcomes[place] = (
                "supported" if supports <= LEVEL else "not supported" if refutes <= LEVEL else "no conclusion"
            )
    return outcomes


def _statement(reading: Reading, outcome: Outcome) -> str:
    return f"{reading.statement} {reading.wanted}".strip() if outcome == "no conclusion" else reading.statement
