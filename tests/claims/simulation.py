"""How often a claim comes out as it should not: the verdicts of studies on tables of which the truth is known.

A `Simulation` draws the table of a study, as its runs would have left it, for a true effect of stated size, and asks
the study for its verdict. A `Claim` says at which effect it is false, though as nearly true as can be, at which it
is true, though as nearly false as can be, and at which its power is measured. `Fact`s are claims that runs show or do
not show, without a sample from which more is inferred.

With one seed a claim is about the networks that were trained, so nothing in a table varies by seed; with several it is
about networks like them, and seeds differ by luck of their own, in whole networks and on single examples.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from byrote.evidence.finding import Finding

SEEDS, TEST_EXAMPLES = (1, 3, 5), (50, 360, 10_000)
DRAWS = 1000
"""For each figure; a quarter of them for power."""
MOST = 0.05
"""Each share of wrong outcomes."""


@dataclass(frozen=True)
class Claim:
    words: str
    """As a study says it, with MODEL for a model, and other capitals where names vary."""
    pattern: str
    """A regular expression that finds it, whole, among a verdict's claims."""
    false: tuple[float, str]
    """The effect at which it is false, and in words: the share of 'supported' there is wrong."""
    true: tuple[float, str]
    """The effect at which it is true: the share of 'not supported' there is wrong."""
    planted: tuple[float, str]
    """The effect at which the share of 'supported' is its power."""
    study: str = ""
    """Where one simulation serves the claims of several studies."""


@dataclass(frozen=True)
class Fact:
    study: str
    words: str
    pattern: str
    shown_by: str
    """What runs must do, and what decides against it."""


@dataclass(frozen=True)
class Simulation:
    study: str
    """The name of the study or analysis."""
    draw: Callable[[np.random.Generator, int, int, float], Sequence[Finding]]
    """(generator, seeds, test examples, effect) -> the verdict."""
    claims: Sequence[Claim]
    test_examples: Sequence[int] = TEST_EXAMPLES
    """(0,) of claims that rest on none."""
    seeds: Sequence[int] = SEEDS
    share: float = 1.0
    """Of the draws: a whole verdict takes a hundred times as long as the function that decides under it."""
    name: str = ""
    """Tells simulations of one study apart."""

    @property
    def effects(self) -> list[float]:
        return sorted({effect for claim in self.claims for effect, _ in (claim.false, claim.true, claim.planted)})


WHOLE: dict[str, Any] = {"seeds": (3,), "test_examples": (360,), "share": 0.1, "name": "whole verdict"}
"""Of a simulation of a study's own verdict, whose rules are simulated everywhere."""


@dataclass(frozen=True)
class Cell:
    """What came of one claim with so many seeds and test examples."""

    study: str
    claim: str
    pattern: str
    simulation: str
    seeds: int
    test_examples: int
    draws: int
    wrongly_supported: float
    wrongly_refuted: float
    power: float

    @property
    def holds(self) -> bool:
        """Within the error of so many draws; 0.9999, since there are hundreds of cells."""
        most = stats.binom.ppf(0.9999, self.draws, MOST) / self.draws
        return max(self.wrongly_supported, self.wrongly_refuted) <= most


def cells(
    simulation: Simulation, seeds: int, test_examples: int, draws: int = DRAWS, *, power: bool = True
) -> list[Cell]:
    """One for each of its claims; without power, only how often they are wrong."""
    draws = max(round(draws * simulation.share), 1)
    counts: dict[tuple[float, str], list[str]] = {}
    at_null = {effect for claim in simulation.claims for effect, _ in (claim.false, claim.true)}
    num_draws = {effect: draws if effect in at_null else max(draws // 4, 1) for effect in simulation.effects}
    for effect in simulation.effects if power else sorted(at_null):
        named = f"{simulation.study} {simulation.name} {seeds} {test_examples} {effect}"
        generator = np.random.default_rng(zlib.crc32(named.encode()))
        for _ in range(num_draws[effect]):
            verdict = simulation.draw(generator, seeds, test_examples, effect)
            for claim in simulation.claims:
                (found,) = (each for each in verdict if re.fullmatch(claim.pattern, each.claim))
                counts.setdefault((effect, claim.pattern), []).append(found.outcome)

    def share(effect: float, claim: Claim, outcome: str) -> float:
        own = counts.get((effect, claim.pattern), [])
        return own.count(outcome) / len(own) if own else math.nan

    return [
        Cell(
            claim.study or simulation.study,
            claim.words,
            claim.pattern,
            simulation.name,
            seeds,
            test_examples,
            draws,
            share(claim.false[0], claim, "supported"),
            share(claim.true[0], claim, "not supported"),
            share(claim.planted[0], claim, "supported"),
        )
        for claim in simulation.claims
    ]


SIMILAR = 0.5
"""Of test examples, how many get the answer that a condition's networks have in common, whatever their seed."""
LUCK = 0.01
"""The standard deviation of the accuracies of networks that differ in their seed alone."""


def right(
    generator: np.random.Generator, seeds: int, difficulties: np.ndarray, accuracy: float, luck: float = LUCK
) -> np.ndarray:
    """Which test examples [T] the networks [S] of one condition get right, at this accuracy in the mean over examples.

    Difficulties, uniform on [0, 1], are those of the test set and the same for all conditions: u^((1-p)/p) is p in the
    mean. With one seed the accuracy itself is the networks'.
    """
    shape = seeds, len(difficulties)
    accuracies = np.full((seeds, 1), accuracy)
    if seeds > 1:
        accuracies = np.clip(accuracies + luck * generator.standard_normal((seeds, 1)), 0.01, 0.99)
    chances = difficulties ** ((1 - accuracies) / accuracies)
    common, own = generator.random(shape[1]), generator.random(shape)
    return np.where(generator.random(shape) < SIMILAR, common, own) < chances


def accuracies(generator: np.random.Generator, seeds: int, n_test: int, means: Sequence[float] | np.ndarray):
    """Test accuracies [S C] of C conditions, each with answers of its own, which seeds share on half of the examples.

    Between conditions nothing is shared, which widens their differences: what compares accuracies alone must bear it.
    """
    expected = np.broadcast_to(np.asarray(means, dtype=float), (seeds, len(means)))
    if seeds > 1:
        expected = np.clip(expected + LUCK * generator.standard_normal(expected.shape), 0.0, 1.0)
    num_common = int(SIMILAR * n_test)
    common = generator.binomial(num_common, np.clip(means, 0.0, 1.0))
    return (common + generator.binomial(n_test - num_common, expected)) / n_test
