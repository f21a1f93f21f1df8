"""Writes docs/claims.md: `PYTHONPATH=src python tests/claims/regenerate.py [DRAWS]`, on all cores."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby, product
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from claims.simulation import DRAWS, SEEDS, Cell, Simulation, cells  # noqa: E402
from claims.table import FACTS, SIMULATIONS  # noqa: E402

PAGE = ROOT / "docs" / "claims.md"
HEAD = """# All claims that byrote makes, and how often they are wrong

For each claim whose outcome is inferred from a sample (of test examples, of seeds, of networks), tables of runs were
drawn of which the truth is known, and given to the study's own `verdict`, {draws:,} for every figure (a quarter of that
for power). *Wrong yes* is the share of "supported" where the claim is false, though as nearly true as can be; *wrong
no* the share of "not supported" where it is true, though as nearly false as can be. Both are at most 5%, but for the
error of so many draws. *Power* is the share of "supported" at an effect of the size that is stated. What is left is
"no conclusion". A dash means that nothing depends on the number of test examples.

With one seed a claim is about the networks that were trained. With several it is about networks like them: seeds have
luck of their own, and share their test set. Claims that no single seed can decide have a power of 0 there.

Made by `python tests/claims/regenerate.py`; `pytest -m slow tests/claims` draws fewer and asserts the 5%.
"""


def _cells(job: tuple[int, int, int, int]) -> list[Cell]:
    index, seeds, test_examples, draws = job
    return cells(SIMULATIONS[index], seeds, test_examples, draws)


def all_cells(draws: int, simulations: Sequence[Simulation] = SIMULATIONS) -> list[Cell]:
    """Of all simulations, in their order; in processes without the tests' checks of every type."""
    jobs = [
        (SIMULATIONS.index(simulation), seeds, test_examples, draws)
        for simulation in simulations
        for seeds, test_examples in product(SEEDS, simulation.test_examples)
    ]
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        return [cell for found in pool.map(_cells, jobs) for cell in found]


def page(found: Sequence[Cell], draws: int) -> str:
    lines = [HEAD.format(draws=draws)]
    described = {(one.study, claim.words): claim for one in SIMULATIONS for claim in one.claims}
    for study, own in groupby(found, lambda cell: cell.study):
        lines.append(f"\n## {study}\n")
        by_claim: dict[str, list[Cell]] = {}
        for cell in own:
            by_claim.setdefault(cell.claim, []).append(cell)
        for words, each in by_claim.items():
            claim = described[study, words]
            lines += [
                f"**{words}**\n",
                f"False where {claim.false[1]}; true where {claim.true[1]}; power where {claim.planted[1]}.\n",
                "| seeds | test examples | wrong yes | wrong no | power |",
                "|---|---|---|---|---|",
            ]
            lines += [
                f"| {cell.seeds} | {f'{cell.test_examples:,}' if cell.test_examples else '–'} "
                f"| {cell.wrongly_supported:.1%} | {cell.wrongly_refuted:.1%} | {cell.power:.0%} |"
                for cell in each
            ]
            lines.append("")
    lines += [
        "\n## Claims without a simulation of their own\n",
        "These say what runs did, or what is proven; or they are decided by a rule that is simulated above.\n",
        "| study | claim | decided by |",
        "|---|---|---|",
        *(f"| {fact.study} | {fact.words} | {fact.shown_by} |" for fact in FACTS),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else DRAWS
    PAGE.write_text(page(all_cells(number), number))
