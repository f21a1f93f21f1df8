"""What minimum-norm interpolants show: they generalise unregularised, fit random labels too, and what norms say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from byrote.evidence.chance import DECISIVE, tests_at_chance, verdict_in_words
from byrote.evidence.comparisons import Comparison, compare
from byrote.evidence.finding import Finding, FitsRandomLabels, Outcome, Unregularized
from byrote.evidence.intervals import Interval, binomial_interval, next_value
from byrote.evidence.learning import beside_guessing, far_above_guessing, unseen_accuracies, yardsticks
from byrote.evidence.obstacles import unfinished
from byrote.evidence.tested import Tested
from byrote.evidence.verdicts import FAR_ABOVE_CHANCE, MORE_EXAMPLES, SIGNIFICANCE, exceeds
from byrote.evidence.words import percent
from byrote.studies.min_norm.rows import KernelRow, against
from byrote.theory.kernels.implicit_bias import ImplicitBias
from byrote.theory.kernels.interpolation import KernelInterpolation

CONVERGED = 0.01
"""Descent has reached the minimum-norm solution once it is within a hundredth of its norm."""

_EQUAL = 1e-9
"""Of the largest entry: float64 rounds to 1e-16 in each of a Hessian's few sums."""

_RANDOM, _TRUE = "random labels", "true labels"


def findings(sizes: Mapping[KernelRow, int], table: pd.DataFrame) -> list[Finding]:
    """The claims that these rows, each on so many examples, bear on, decided by the fits in `table`."""
    plain = [row for row in sizes if not row.regularized]
    free = {KernelRow(row.features): n for row, n in sizes.items()}
    generalised = {row: generalises(row, n, table) for row, n in free.items()}
    return [
        *(generalised[row] for row in plain),
        *(fits_random_labels(row, sizes[row], table) for row in plain),
        *(_norm_tells_labels(row, sizes[row], table) for row in plain),
        *(_norm_orders(pair, sizes, table) for pair in combinations(plain, 2)),
        *(
            _l2_helps(row, sizes[row], table, generalised[KernelRow(row.features)].outcome)
            for row in sizes
            if row.regularized
        ),
        *_descent(table),
    ]


def fits_of(table: pd.DataFrame, row: KernelRow, labels: str, n_train: int | None = None) -> pd.DataFrame:
    """The fits of this row to such labels in the order of seeds, on `n_train` examples or (None) on any number."""
    if "features" not in table:  # nothing of this kind is computed yet
        return table.iloc[:0]
    chosen = (
        (table["calculation"] == KernelInterpolation.__name__)
        & (table["features"] == row.features)
        & (table["regularized"] == row.regularized)
        & (table["labels"] == labels)
    )
    if n_train is not None:
        chosen &= table["n_train"] == n_train
    return table[chosen].sort_values(["n_train", "seed"])


def obstacle(row: KernelRow, fits: pd.DataFrame) -> str | None:
    """Why these fits decide nothing, in one sentence; None where they do."""
    if fits.empty:
        return unfinished(1, 1, "calculations")
    rough = fits[~fits["interpolated"].astype(bool)]
    if not row.regularized and len(rough):
        return (
            f"{len(rough)} of {len(fits)} fits do not interpolate n = {int(rough['n_train'].iloc[0]):,} examples: "
            f"training error {_percent(rough['train_error'].max())}."
        )
    return None


def generalises(row: KernelRow, n_train: int, table: pd.DataFrame) -> Finding:
    """Whether the interpolant of true labels tests far above chance."""
    claim = f"{_named(row)}: minimum-norm interpolation generalises without regularisation"
    fits = fits_of(table, row, _TRUE, n_train)
    if reason := obstacle(row, fits):
        return Finding(claim, "no conclusion", reason, Unregularized())
    fit, sticks = fits.iloc[0], yardsticks(fits, strict=DECISIVE)
    statement = (
        f"{_trained(fits)} on {n_train:,} true labels, and a test error of {_percent(fit['test_error'])}. It "
        f"{beside_guessing(sticks)} ({DECISIVE:.1%} interval over {Tested.on_unseen(fits).in_words}; "
        f"{FAR_ABOVE_CHANCE:.0%} count as far above guessing). Its norm is {fit['scaled_norm']:.4g}."
    )
    if not math.isnan(fit["paper_test_error"]):
        statement += f" The paper: {_percent(fit['paper_test_error'])}."
    outcome = far_above_guessing(sticks, FAR_ABOVE_CHANCE)
    more = MORE_EXAMPLES if outcome == "no conclusion" else ""
    return Finding(claim, outcome, statement + more, Unregularized())


def fits_random_labels(row: KernelRow, n_train: int, table: pd.DataFrame) -> Finding:
    """Whether the same kernel interpolates random labels, and then tests at chance."""
    claim = f"{_named(row)}: random labels are interpolated too, and test at chance"
    fits = fits_of(table, row, _RANDOM, n_train)
    if reason := obstacle(row, fits):
        return Finding(claim, "no conclusion", reason, FitsRandomLabels(fitted=False))
    return Finding(
        claim,
        tests_at_chance(fits),
        f"{_trained(fits)} on random labels of {n_train:,} examples; test accuracy "
        f"{_percent(fits['test_accuracy'].mean())}, {verdict_in_words(fits)}.",
        FitsRandomLabels(fitted=True),
    )


def _norm_tells_labels(row: KernelRow, n_train: int, table: pd.DataFrame) -> Finding:
    claim = f"{_named(row)}: the norm is larger for random labels than for true ones"
    true, random = (fits_of(table, row, labels, n_train) for labels in (_TRUE, _RANDOM))
    if reason := obstacle(row, true) or obstacle(row, random):
        return Finding(claim, "no conclusion", reason)
    ours, theirs = float(true["scaled_norm"].iloc[0]), random["scaled_norm"].to_numpy(float)
    expected = next_value(np.log(theirs))
    between = (
        f"one more draw would lie between {math.exp(expected.low):.4g} and {math.exp(expected.high):.4g} with 95%"
        if len(theirs) > 1
        else "three would tell"
    )
    return Finding(
        claim,
        exceeds(expected, math.log(ours)),
        f"The norm is {ours:.4g} for true labels and {_range(random['scaled_norm'])} for {_draws(len(theirs))} of "
        f"random ones, {theirs.mean() / ours:.3g} times as large (n = {n_train:,}); {between}. As a bound on "
        f"Rademacher complexity, norm x sqrt(trace K) / n, that is {true['rademacher_bound'].iloc[0]:.3g} and "
        f"{random['rademacher_bound'].mean():.3g}: above 1 it says nothing.",
    )


def _norm_orders(pair: tuple[KernelRow, KernelRow], sizes: Mapping[KernelRow, int], table: pd.DataFrame) -> Finding:
    first, second = pair
    claim = f"The norm does not tell which generalises better: {first.name}, or {second.name}"
    if sizes[first] != sizes[second]:
        reason = f"One has n = {sizes[first]:,}, the other {sizes[second]:,}: they do not compare."
        return Finding(claim, "no conclusion", reason)
    fits = {row: fits_of(table, row, _TRUE, sizes[row]) for row in pair}
    if hindered := obstacle(first, fits[first]) or obstacle(second, fits[second]):
        return Finding(claim, "no conclusion", hindered)
    better = _compared(fits[first], second.features)
    if isinstance(better, str):
        return Finding(claim, "no conclusion", better)
    norms = {row: float(fits[row]["scaled_norm"].iloc[0]) for row in pair}
    statement = (
        f"{_error_and_norm(first, fits[first])}; {_error_and_norm(second, fits[second])} "
        f"(McNemar's p = {better.p_value:.2g}, n = {sizes[first]:,}). Norms are in units of the kernel's root mean "
        "square, so that scaling the features changes nothing. The paper has 1.2% and 220, 0.6% and 390 on MNIST."
    )
    if better.p_value >= SIGNIFICANCE:
        return Finding(
            claim, "no conclusion", f"Their test errors differ by no more than noise: {statement}{MORE_EXAMPLES}"
        )
    first_is_better = better.difference.mean > 0
    larger = norms[first] > norms[second]
    return Finding(claim, "supported" if first_is_better == larger else "not supported", statement)


def _l2_helps(row: KernelRow, n_train: int, table: pd.DataFrame, generalised: Outcome) -> Finding:
    free = KernelRow(row.features)
    claim = f"{_named(free)}: l2 lowers the test error, and they generalise without it"
    with_l2, without = (fits_of(table, one, _TRUE, n_train) for one in (row, free))
    if reason := obstacle(row, with_l2) or obstacle(free, without):
        return Finding(claim, "no conclusion", reason)
    gain = _compared(with_l2, "no_l2")
    if isinstance(gain, str):
        return Finding(claim, "no conclusion", gain)
    difference = gain.difference
    statement = (
        f"The test error is {_percent(_unseen_error(with_l2))} with l2 ({with_l2['ridge'].iloc[0]:.3g} on the "
        f"diagonal, chosen on a validation split of the training set) and {_percent(_unseen_error(without))} "
        f"without: {_points(-difference.mean)} points (95% interval {_points(-difference.high)} to "
        f"{_points(-difference.low)}; McNemar's p = {gain.p_value:.2g}; n = {n_train:,}). "
        "The paper has 15% and 17% on CIFAR-10, at n = 50,000."
    )
    if generalised == "not supported":
        return Finding(claim, "not supported", f"Without l2 they do not generalise. {statement}")
    if gain.p_value >= SIGNIFICANCE:
        return Finding(claim, "no conclusion", f"The difference is within noise. {statement}{MORE_EXAMPLES}")
    if difference.mean < 0:
        return Finding(claim, "not supported", statement)
    unsure = "" if generalised == "supported" else f" Whether they generalise without it is open.{MORE_EXAMPLES}"
    return Finding(claim, generalised, f"{statement}{unsure}")


def _compared(fits: pd.DataFrame, rival: str) -> Comparison | str:
    """By the test examples not in training that only one gets right; or why nothing follows."""
    fit, tested = fits.iloc[0], Tested.on_unseen(fits)
    if not tested.number:
        return "All test examples are in training too: which of the two does better on others is not known."
    won, lost = (float(fit[column.name]) for column in against(rival))
    return compare([won], [lost], [won + lost], tested)


def _descent(table: pd.DataFrame) -> list[Finding]:
    """What the calculation on few examples shows of descent, and of all that fits as well."""
    reached = "SGD from zero converges to the interpolant of minimum norm; from elsewhere it does not"
    alike = "Interpolants of very different norm and test error have the same curvature"
    found = table[table["calculation"] == ImplicitBias.__name__] if len(table) else table
    if found.empty:
        return [Finding(claim, "no conclusion", unfinished(1, 1, "calculations")) for claim in (reached, alike)]
    one = found.iloc[0]
    statement = (
        f"After {one['num_steps']:,.0f} steps on n = {one['n_train']:,} examples it is at {one['sgd_distance']:.2g} of "
        f"the solution's norm from it (descent on all examples: {one['gd_distance']:.2g}), with a residual of "
        f"{one['sgd_residual']:.2g}; from a random start of that norm at {one['random_start_distance']:.2g}, with a "
        f"residual of {one['random_start_residual']:.2g}."
    )
    if max(one["sgd_residual"], one["random_start_residual"]) > CONVERGED:
        outcome: Outcome = "no conclusion"
        statement = f"Descent has not converged, which features of one scale would help: {statement}"
    else:
        near, far = one["sgd_distance"] <= CONVERGED, one["random_start_distance"] > CONVERGED
        outcome = "supported" if near and far else "not supported"
    norms, errors = found["norm"], found["test_error"]
    is_alike = one["hessian_difference"] < _EQUAL
    return [
        Finding(reached, outcome, statement),
        Finding(
            alike,
            "supported" if is_alike else "not supported",
            f"{len(found)} solutions fit the same {one['n_train']:,} examples, with norms from {norms.min():.3g} to "
            f"{norms.max():.3g} and test errors from {_percent(errors.min())} to {_percent(errors.max())}. The Hessian "
            "of the squared loss is X'X / n at each of them; differentiated at three solutions of a small problem, it "
            f"differs from that by {one['hessian_difference']:.1g} of its largest entry.",
        ),
    ]


def error_interval(fits: pd.DataFrame, confidence: float = 0.95) -> Interval:
    """The mean test error over draws of labels, with an interval for the draw of test examples."""
    return binomial_interval(float(fits["test_error"].mean()), Tested.on_all(fits).worth, confidence)


def _named(row: KernelRow) -> str:
    return row.name[0].upper() + row.name[1:]


def _error_and_norm(row: KernelRow, fits: pd.DataFrame) -> str:
    fit = fits.iloc[0]
    return f"{row.name}: test error {_percent(_unseen_error(fits))}, norm {fit['scaled_norm']:.4g}"


def _unseen_error(fits: pd.DataFrame) -> float:
    return 1 - float(unseen_accuracies(fits)[0])


def _trained(fits: pd.DataFrame) -> str:
    error = fits["train_error"].max()
    least = " (the least that identical inputs with different labels leave)" if error else ""
    return f"Training error {_percent(error)}{least}"


def _draws(number: int) -> str:
    return f"{number} draws" if number > 1 else "one draw"


def _range(values: pd.Series) -> str:
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low} to {high}"


def _points(difference: float) -> str:
    return f"{round(100 * difference, 2) + 0.0:+.2f}"  # and no negative zero


def _percent(fraction: float) -> str:
    return percent(fraction, 2)
