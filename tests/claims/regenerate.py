"""Writes docs/claims.md: `PYTHONPATH=src python tests/claims/regenerate.py [DRAWS]`, in two processes."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from claims.simulation import DRAWS, TEST_EXAMPLES, WHOLE, Cell, Claim, Simulation, cells  # noqa: E402
from claims.table import FACTS, SIMULATIONS  # noqa: E402

PAGE = ROOT / "docs" / "claims.md"
PROCESSES = 2
HEAD = """# All claims that byrote makes, and how often they are wrong

Runs were drawn of which the truth is known, {draws:,} for every figure (a quarter of that for power), and a claim was
decided by the functions that decide it in a report. *Wrong yes* is the share of "supported" where the claim is false,
though as nearly true as can be; *wrong no* the share of "not supported" where it is true, though as nearly false as can
be. Both are at most 5%, but for the error of so many draws. *Power* is the share of "supported" at an effect of the
size that is stated. What is left is "no conclusion".

Figures are for 50 / 360 / 10,000 test examples; there is one where nothing depends on them. With one seed a claim is
about the networks that were trained. With several it is about networks like them: seeds have luck of their own, with a
standard deviation of one point of accuracy, and share their test set and half of their answers. Conditions are of 10
classes, and test at about 60%. A claim that no single seed can decide has a power of 0% there. What two conditions get
right is drawn on the same examples where the claim compares them one by one, and on different ones, which is harder,
where it compares accuracies.

*Whole verdict*: the study's own table and `verdict`, with all its claims and its corrections for them, in a tenth of
the draws, for 3 seeds and 360 test examples. What regularisers do to memorising (Table 4, strengths) is drawn in three
tenths of them.

Made by `python tests/claims/regenerate.py`; `pytest -m slow tests/claims` draws 200 and asserts the 5%.

| study | claim | false where | true where | planted | seeds | wrong yes, % | wrong no, % | power, % |
|---|---|---|---|---|---|---|---|---|
"""
FOOT = """
## Claims without a simulation of their own

These say what runs did, or what is proven.

| study | claim | decided by |
|---|---|---|
"""


def _cells(job: tuple[int, int, int, int, bool]) -> list[Cell]:
    index, seeds, test_examples, draws, power = job
    return cells(SIMULATIONS[index], seeds, test_examples, draws, power=power)


def all_cells(draws: int, simulations: Sequence[Simulation] = SIMULATIONS, *, power: bool = True) -> list[Cell]:
    """Of all simulations, in their order; in processes without the tests' checks of every type."""
    jobs = [
        (SIMULATIONS.index(simulation), seeds, test_examples, draws, power)
        for simulation in simulations
        for seeds, test_examples in product(simulation.seeds, simulation.test_examples)
    ]
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        return [cell for found in pool.map(_cells, jobs) for cell in found]


def page(found: Sequence[Cell], draws: int) -> str:
    """A line for each claim and number of seeds, by study."""
    lines: list[tuple[str, int, str]] = []
    for simulation in SIMULATIONS:
        for claim in simulation.claims:
            study = claim.study or simulation.study
            lines += [
                (study, simulation.name == WHOLE["name"], _line(study, claim, simulation, seeds, own))
                for seeds in simulation.seeds
                if (own := [each for each in found if _is(each, study, claim, simulation, seeds)])
            ]
    studies = list(dict.fromkeys(study for study, *_ in lines))
    lines.sort(key=lambda line: (studies.index(line[0]), line[1]))
    facts = [f"| {fact.study} | {fact.words} | {fact.shown_by} |" for fact in FACTS]
    return HEAD.format(draws=draws) + "\n".join([*(line for *_, line in lines), FOOT.rstrip(), *facts]) + "\n"


def _is(cell: Cell, study: str, claim: Claim, simulation: Simulation, seeds: int) -> bool:
    own = (cell.study, cell.claim, cell.pattern, cell.simulation, cell.seeds)
    return own == (study, claim.words, claim.pattern, simulation.name, seeds)


def _line(study: str, claim: Claim, simulation: Simulation, seeds: int, own: Sequence[Cell]) -> str:
    whole = " *(whole verdict)*" if simulation.name == WHOLE["name"] else ""
    wrong_yes, wrong_no = (
        " / ".join(f"{100 * share:.1f}" for share in shares)
        for shares in ([each.wrongly_supported for each in own], [each.wrongly_refuted for each in own])
    )
    power = " / ".join(f"{100 * each.power:.0f}" for each in own)
    effects = " | ".join(words for _, words in (claim.false, claim.true, claim.planted))
    shown = "–" if len(simulation.seeds) == 1 and not whole and len(own) in (1, len(TEST_EXAMPLES)) else seeds
    return f"| {study} | {claim.words}{whole} | {effects} | {shown} | {wrong_yes} | {wrong_no} | {power} |"


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else DRAWS
    every = all_cells(number)
    PAGE.write_text(page(every, number))
    for cell in every:
        if not cell.holds:
            print(cell)
