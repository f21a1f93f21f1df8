"""What measured Rademacher complexities show: near 1 or not, what bound follows, and how they change with n and width.

What training reaches is below the complexity of all networks of the architecture. So a large one proves the bound
vacuous, while a small one proves nothing: a better search may find more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from byrote.evidence.finding import Finding
from byrote.evidence.obstacles import check_failed, unfinished
from byrote.theory.complexity.rademacher import deviation, generalization_bound
from byrote.training.course import FIT

STUMPS = "decision stumps"
"""What the column `model` calls them."""
RISK = 0.05
"""The chance that a lower limit is above the complexity."""
NEAR_ONE = 2 * FIT - 1
"""The complexity of networks that fit 99% of coin flips."""


def findings(models: Sequence[str], sizes: Sequence[int], table: pd.DataFrame, num_seeds: int) -> list[Finding]:
    """On the largest n for each of `models`; from the smallest n to the largest; and from the first to the last."""
    reached = pooled(table)
    found = []
    for model in models:
        rows = {n: _row(reached, model, n, num_seeds) for n in sizes}
        found += [_fits(model, sizes[-1], rows[sizes[-1]]), _vacuous(model, sizes[-1], rows[sizes[-1]])]
        if len(sizes) > 1:
            found.append(_falls(model, rows[sizes[0]], rows[sizes[-1]]))
    if len(models) > 1:
        narrow, wide = (_row(reached, model, sizes[-1], num_seeds) for model in (models[0], models[-1]))
        found.append(_grows(narrow, wide))
    return found


def pooled(table: pd.DataFrame) -> pd.DataFrame:
    """One row per network and n, the draws of all seeds together.

    complexity: the mean over draws, and standard_error its error; low: below R with a chance of 0.95; bound: on the
    test error without a training error, given low; num_draws, num_interpolated, num_interrupted, parameters,
    failed_checks, num_seeds.
    """
    if table.empty:
        return table
    rows = []
    trained = table[table["model"] != STUMPS]
    for _, own in trained.groupby(["model", "n_train"], sort=False):
        model, n = own["model"].iloc[0], int(own["n_train"].iloc[0])
        draws = int(own["num_draws"].sum())
        mean = float(own["complexity"].mean())
        low = max(mean - deviation(np.ones(n), draws, RISK), 0.0)
        # Equal numbers of draws: the variance of all is that within seeds and that between their means.
        variance = float((own["standard_deviation"] ** 2).mean() + own["complexity"].var(ddof=0))
        rows.append(
            {
                "model": model,
                "n_train": n,
                "complexity": mean,
                "low": low,
                "bound": generalization_bound(0.0, low, n, RISK),
                "standard_error": math.sqrt(variance / draws),
                "num_draws": draws,
                "num_interpolated": own["num_interpolated"].sum(),
                "num_interrupted": own["num_interrupted"].sum(),
                "parameters": own["parameters"].iloc[0],
                "failed_checks": "; ".join(sorted(set(own["failed_checks"].dropna()) - {""})),
                "num_seeds": len(own),
            }
        )
    return pd.DataFrame(rows)


def _row(reached: pd.DataFrame, model: str, n: int, num_seeds: int) -> pd.Series | str:
    """The row, or why it decides nothing."""
    own = reached[(reached["model"] == model) & (reached["n_train"] == n)] if len(reached) else reached
    num_there = int(own["num_seeds"].iloc[0]) if len(own) else 0
    if num_there < num_seeds:
        return unfinished(num_seeds - num_there, num_seeds, f"sets of draws for n = {n:,}")
    row = own.iloc[0]
    if row["failed_checks"]:
        return check_failed(row["failed_checks"])
    return row


def _fits(model: str, n: int, row: pd.Series | str) -> Finding:
    claim = f"{model} fits coin flips: its Rademacher complexity is near 1"
    if isinstance(row, str):
        return Finding(claim, "no conclusion", row)
    figures = (
        f"On n = {n:,} examples, training fits all signs of {row['num_interpolated']:.0f} of {row['num_draws']} draws, "
        f"and reaches {row['complexity']:.3f} in the mean: R is at least {row['low']:.3f} (95%, by bounded "
        "differences) and at most 1."
    )
    if row["low"] >= NEAR_ONE:
        return Finding(claim, "supported", figures)
    if row["complexity"] >= NEAR_ONE:
        return Finding(
            claim,
            "no conclusion",
            f"{figures} More draws (`--draws {2 * row['num_draws']:.0f}`), or more examples, would tell.",
        )
    return Finding(
        claim,
        "no conclusion",
        f"{figures} {_interrupted(row)}A better search may find more. It may take more epochs (`--epochs`), or "
        "another learning rate.",
    )


def _vacuous(model: str, n: int, row: pd.Series | str) -> Finding:
    claim = f"The bound on the test error that follows from the complexity of {model} is vacuous"
    if isinstance(row, str):
        return Finding(claim, "no conclusion", row)
    bound = f"training error + R + 3 sqrt(log(2/0.05) / 2n), with R at least {row['low']:.3f} on n = {n:,},"
    if row["bound"] >= 1:
        return Finding(claim, "supported", f"{bound} is at least {row['bound']:.2f}, without any training error.")
    return Finding(
        claim,
        "no conclusion",
        f"{bound} may be as small as {row['bound']:.2f}, which says something; but R is a lower estimate, and may be "
        "larger: no number of draws tells, since a better search may find more.",
    )


def _falls(model: str, few: pd.Series | str, many: pd.Series | str) -> Finding:
    claim = f"What training of {model} reaches falls with the number of examples"
    if isinstance(few, str) or isinstance(many, str):
        return Finding(claim, "no conclusion", few if isinstance(few, str) else str(many))
    words = f"From {few['complexity']:.3f} at n = {few['n_train']:,} to {many['complexity']:.3f} at {many['n_train']:,}"
    if few["complexity"] == many["complexity"] == 1:
        fitted = f"It is 1 from n = {few['n_train']:,} to {many['n_train']:,}: every draw is fitted."
        if many["low"] >= NEAR_ONE:
            return Finding(claim, "not supported", f"{fitted} It falls to {many['low']:.3f} at most (95%).")
        return Finding(
            claim,
            "no conclusion",
            f"{fitted} Others may not be; more draws (`--draws {2 * many['num_draws']:.0f}`) would tell.",
        )
    return _change(claim, words, few, many)


def _grows(narrow: pd.Series | str, wide: pd.Series | str) -> Finding:
    claim = "What training reaches grows with width"
    if isinstance(narrow, str) or isinstance(wide, str):
        return Finding(claim, "no conclusion", narrow if isinstance(narrow, str) else str(wide))
    words = (
        f"On n = {wide['n_train']:,}, from {narrow['complexity']:.3f} with {narrow['parameters']:,.0f} parameters "
        f"({narrow['model']}) to {wide['complexity']:.3f} with {wide['parameters']:,.0f} ({wide['model']})"
    )
    return _change(claim, words, wide, narrow)


def _change(claim: str, words: str, larger: pd.Series, smaller: pd.Series) -> Finding:
    """Whether the first of two means over draws is really larger."""
    difference = larger["complexity"] - smaller["complexity"]
    errors, draws = ([float(row[name]) for row in (larger, smaller)] for name in ("standard_error", "num_draws"))
    half = math.hypot(*errors)
    if half > 0:  # Welch's degrees of freedom (1947)
        freedom = half**4 / sum(error**4 / (number - 1) for error, number in zip(errors, draws, strict=True))
        half *= float(stats.t.ppf(0.975, freedom))
    interval = f"{words}, a difference of {difference:.3f} (95% interval ± {half:.3f})."
    if math.isnan(half):
        return Finding(claim, "no conclusion", f"{words}; one draw has no interval. More would tell (`--draws 64`).")
    if not half:
        return Finding(
            claim,
            "no conclusion",
            f"{words}; all draws agree, which does not show by how much others would differ: more draws "
            f"(`--draws {2 * max(draws):.0f}`) would tell.",
        )
    if difference > half:
        return Finding(claim, "supported", f"{interval} {_interrupted(smaller)}".rstrip())
    return (
        Finding(claim, "not supported", interval)
        if difference < -half
        else Finding(claim, "no conclusion", f"{interval} More draws (`--draws {2 * max(draws):.0f}`) would tell.")
    )


def _interrupted(row: pd.Series) -> str:
    """What a limit of epochs or steps has to do with it; ends with a space, where it has."""
    if not row["num_interrupted"]:
        return ""
    return f"{row['num_interrupted']:.0f} of {row['num_draws']} runs were ended by their limit of epochs or steps. "
