"""Runs in complete blocks: every seed in every cell of a grid, so that cells are compared seed by seed.

Runs with equal seeds share initial weights and batch order, wherever they stand in the grid: a seed is a block
in the sense of experimental design, and whatever is resampled, a block stays whole.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats

from byrote.errors import UserError
from byrote.randomness import stream

NUM_NAMED = 4
"""How many offending cells an error names; the others it counts."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """A grid of runs without a gap."""

    seeds: list[Hashable]
    levels: dict[str, list[Hashable]]
    """Of each factor: "none" first, if it is among them, then ascending."""
    values: Float[np.ndarray, "S ..."]
    """The response: one axis for the seeds, then one for each factor, along its levels."""


def complete_blocks(table: pd.DataFrame, factors: Sequence[str], response: str) -> Blocks:
    """The runs of `table` by seed and by the levels of `factors`, whatever the order of its rows.

    Args:
        table: one row per run; columns `seed`, each of `factors`, and `response`.

    Raises:
        UserError: no rows, an unknown column, a cell that lacks a seed or has it twice, a response that is not a finite
            number, a run that failed a check (column failed_checks) or blew up (column stop_reason).
    """
    columns = ["seed", *factors]
    _refuse_columns(table, factors, response)
    _refuse_runs(table, columns, response)
    axes = {name: sorted(table[name].unique().tolist(), key=_rank) for name in columns}
    runs = pd.Series(
        table[response].to_numpy(dtype=float), pd.MultiIndex.from_arrays([table[name].tolist() for name in columns])
    )
    repeated = runs.index[runs.index.duplicated()].unique()
    if len(repeated):
        raise UserError(
            f"got several runs of {_named(columns, repeated)}, expected one a cell and seed: "
            "select one of them, or name the column in which they differ among the factors"
        )
    cells = pd.MultiIndex.from_product(list(axes.values()))
    missing = cells[~cells.isin(runs.index)]
    if len(missing):
        raise UserError(
            f"got no run of {_named(columns, missing)}, expected every seed in every cell: "
            "add these runs, or select the levels and seeds that are complete"
        )
    values = runs.reindex(cells).to_numpy().reshape([len(levels) for levels in axes.values()])
    return Blocks(axes.pop("seed"), axes, values)


def _refuse_columns(table: pd.DataFrame, factors: Sequence[str], response: str) -> None:
    if isinstance(factors, str) or not factors or len({"seed", response, *factors}) < len(factors) + 2:
        raise UserError(
            f"got factors={factors!r} and response={response!r}, expected a list of different columns without "
            "the response and 'seed': ['augmentation', 'dropout']"
        )
    unknown = [name for name in ("seed", *factors, response) if name not in table]
    if unknown:
        raise UserError(f"got no column {', '.join(unknown)}, expected names out of {', '.join(map(str, table))}")
    if table.empty:
        raise UserError("got a table without rows, expected one for each run")


def _refuse_runs(table: pd.DataFrame, columns: Sequence[str], response: str) -> None:
    keys = table[list(columns)]
    if keys.isna().any(axis=None):
        names = ", ".join(keys.columns[keys.isna().any()])
        raise UserError(f"got empty entries in {names}, expected each run's seed and levels: fill them in")
    unfit = {
        "that failed a check": "failed_checks" in table and table["failed_checks"].fillna("") != "",
        "whose loss was no longer finite": "stop_reason" in table and table["stop_reason"] == "non-finite loss",
        f"without a finite {response}": ~np.isfinite(pd.to_numeric(table[response], errors="coerce").astype(float)),
    }
    for what, where in unfit.items():
        if np.any(where):
            cells = keys[where].itertuples(index=False, name=None)
            raise UserError(
                f"got runs {what} ({_named(columns, list(cells))}), expected none: "
                "repair them or leave their level out, for nothing follows from them"
            )


def _rank(level: Hashable) -> tuple[bool, bool, Hashable]:
    return level != "none", isinstance(level, str), level


def _named(columns: Sequence[str], cells: Sequence[tuple[Hashable, ...]] | pd.Index) -> str:
    """ "dropout=0.5, seed=2; dropout=0.5, seed=3; and 2 more" """
    names = [", ".join(f"{n}={v}" for n, v in zip(columns, cell, strict=True)) for cell in cells[:NUM_NAMED]]
    return "; ".join(names + [f"and {len(cells) - NUM_NAMED} more"] * (len(cells) > NUM_NAMED))


def seed_weights(num_seeds: int, generator: np.random.Generator, num_resamples: int) -> Float[np.ndarray, "B S"]:
    """Weights of the seeds in each of B resamples; each row sums to one, and a resample's mean is weights @ values.

    The usual bootstrap draws seeds with replacement, so no resample leaves the range of the seeds, and an interval of
    its percentiles holds the true mean with a chance of 1 - 2 / 2^S at most (the median of a symmetric distribution
    is missed when all seeds lie to one side): 75% with three seeds. Here the weights are continuous, and their spread
    owns up to how badly few seeds estimate theirs: 1/S plus a vector in a uniformly drawn direction in which the
    weights sum to zero, with a length whose square times S follows F(S-1, S-1). The resampled means of any value
    then follow Student's t with S-1 degrees of freedom around its mean, scaled by its standard error: the percentiles
    of a linear statistic are the ends of its t interval, those of any other come from the same resamples.

    Lengths are stratified and directions come in opposite pairs, which keeps noise out of the percentiles.

    Args:
        num_seeds: at least two; one does not tell its spread.
        num_resamples: rounded up to an even number.
    """
    half = (num_resamples + 1) // 2
    directions = generator.standard_normal((half, num_seeds))
    directions -= directions.mean(axis=1, keepdims=True)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    freedom = num_seeds - 1
    lengths = np.sqrt(stats.f.ppf((np.arange(half) + 0.5) / half, freedom, freedom) / num_seeds)
    steps = lengths[:, None] * directions
    return 1 / num_seeds + np.concatenate([steps, -steps])


def interval_ends(
    per_seed: Float[np.ndarray, "S M"], *, seed: int, num_resamples: int, confidence: float = 0.95
) -> Float[np.ndarray, "2 M"]:
    """Low and high ends of the interval of each mean over seeds, from the percentiles of `seed_weights`.

    One seed has no interval: NaN.
    """
    num_seeds, num_values = per_seed.shape
    if num_seeds < 2:
        return np.full((2, num_values), np.nan)
    means = _drawn_weights(num_seeds, seed, num_resamples) @ per_seed
    return np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)


@lru_cache(maxsize=8)
def _drawn_weights(num_seeds: int, seed: int, num_resamples: int) -> Float[np.ndarray, "B S"]:
    """Kept, for all effects of a grid are resampled alike, and drawing takes most of an attribution's time."""
    weights = seed_weights(num_seeds, stream(seed, "seed weights"), num_resamples)
    weights.flags.writeable = False
    return weights
