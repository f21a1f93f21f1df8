"""What the runs of a randomisation test show, claim by claim, in plain words.

A claim is decided only by runs that have all finished, passed their checks and, where it speaks of fitting, have
fitted. One that compares runs is decided by an interval over seeds. It is supported, and refuted, at p <= 0.05
(two-sided), Holm's correction over the models that it is made of included; no evidence against it is none for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import pandas as pd

from byrote.data.corruptions.catalog import TRUE_LABELS
from byrote.evidence.comparisons import holm
from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.obstacles import obstacle
from byrote.evidence.seed_tests import LEVEL
from byrote.studies.randomization.readings import (
    Evidence,
    error_rises,
    fits_noise,
    learns,
    learns_by_rote,
    memorises,
    order,
    slow_start,
    time_grows,
)
from byrote.training.spec import TrainSpec

Selection: TypeAlias = Callable[[Sequence[TrainSpec]], list[TrainSpec]]

FITS_RANDOM_LABELS = "{} can fit random labels"
LEARNS = "{} learns from true labels"
"""The two that the page's first sentence is made of; {} is the model."""


@dataclass(frozen=True)
class _Claim:
    words: str
    """With {} for the model."""
    read: Callable[[str, pd.DataFrame], Evidence]
    select: Selection
    """Of the runs that are planned, those that bear on it; none where they do not put it to the test."""
    fitted: bool = True


def _claims(planned: Sequence[TrainSpec]) -> list[_Claim]:
    """All that may be asked of models that are trained so, in the order of the page."""
    return [
        _Claim(FITS_RANDOM_LABELS, memorises, _all_of(_is("random-labels"))),
        _Claim(LEARNS, learns, _all_of(_is(TRUE_LABELS))),
        *_by_rote(planned),
        _Claim(
            "{} can fit inputs whose structure is destroyed",
            fits_noise,
            lambda specs: [spec for spec in specs if _is_destroyed(spec)],
        ),
        _Claim(
            "{} starts to fit random pixels and Gaussian inputs sooner than random labels",
            order,
            _all_of(_is("random-labels"), _is("random-pixels"), _is("gaussian")),
            fitted=False,
        ),
        _Claim(
            "{}'s time to fit grows with label corruption by a small factor",
            time_grows,
            lambda specs: _ladder(specs, lambda rates: 0.0 in rates and len(rates) > 1),
        ),
        _Claim(
            "{}'s test error rises smoothly to chance",
            error_rises,
            lambda specs: _ladder(specs, lambda rates: {0.0, 1.0} < rates),  # at least one in between
        ),
        _Claim(
            "{} starts slowly on random labels, where its gradients are large and uncorrelated",
            slow_start,
            _all_of(_is(TRUE_LABELS), _is("random-labels")),
            fitted=False,
        ),
    ]


def _by_rote(planned: Sequence[TrainSpec]) -> list[_Claim]:
    """Of every label corruption but the uniform one, at each rate."""
    found = {
        (spec.corruption, spec.corruption_rate): spec
        for spec in planned
        if spec.label_method is not None and spec.uniform_rate is None and spec.input_method is None
    }
    return [
        _Claim(f"{{}} can learn {spec.setting} by rote", learns_by_rote, partial(_same_as, pair))
        for pair, spec in found.items()
    ]


def _is(corruption: str) -> Callable[[TrainSpec], bool]:
    return lambda spec: spec.corruption == corruption and spec.corruption_rate in (0, 1)


def _is_destroyed(spec: TrainSpec) -> bool:
    method = spec.input_method
    return method is not None and method.destroys_structure and spec.label_method is None and spec.corruption_rate == 1


def _same_as(pair: tuple[str, float], specs: Sequence[TrainSpec]) -> list[TrainSpec]:
    return [spec for spec in specs if (spec.corruption, spec.corruption_rate) == pair]


def _all_of(*conditions: Callable[[TrainSpec], bool]) -> Selection:
    """The runs of any of these conditions, if there are some of each."""

    def select(specs: Sequence[TrainSpec]) -> list[TrainSpec]:
        found = [[spec for spec in specs if condition(spec)] for condition in conditions]
        return [spec for own in found for spec in own] if all(found) else []

    return select


def _ladder(specs: Sequence[TrainSpec], tells: Callable[[set[float]], bool]) -> list[TrainSpec]:
    """The runs at all rates of uniform label corruption, if these are rates that tell."""
    own = [spec for spec in specs if spec.uniform_rate is not None]
    return own if tells({spec.label_rate for spec in own}) else []


def findings(table: pd.DataFrame, planned: Sequence[TrainSpec]) -> list[Finding]:
    """The claims that the runs `planned` bear on, decided by those in `table`, model by model."""
    models = list(dict.fromkeys(spec.model for spec in planned))
    found: dict[tuple[str, int], tuple[str, str | Evidence]] = {}
    claims = _claims(planned)
    for model in models:
        own = [spec for spec in planned if spec.model == model]
        runs = table[table["model"] == model] if len(table) else table
        for number, claim in enumerate(claims):
            if bearing := claim.select(own):
                found[model, number] = claim.words.format(model), _try(claim, model, runs, bearing)
    outcomes = _decide({place: read for place, (_, read) in found.items() if isinstance(read, Evidence)})
    return [
        Finding(words, "no conclusion", read)
        if isinstance(read, str)
        else Finding(words, outcomes[place], _statement(read, outcomes[place]))
        for place, (words, read) in found.items()
    ]


def _try(claim: _Claim, model: str, runs: pd.DataFrame, planned: Sequence[TrainSpec]) -> str | Evidence:
    """What the runs say, or why they say nothing."""
    if len(runs):
        wanted = {(spec.corruption, spec.corruption_rate) for spec in planned}
        runs = runs[[pair in wanted for pair in zip(runs["corruption"], runs["corruption_rate"], strict=True)]]
    return obstacle(runs, len(planned), fitted=claim.fitted) or claim.read(model, runs)


def _decide(readings: dict[tuple[str, int], Evidence]) -> dict[tuple[str, int], Outcome]:
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


def _statement(reading: Evidence, outcome: Outcome) -> str:
    return f"{reading.statement} {reading.wanted}".strip() if outcome == "no conclusion" else reading.statement
