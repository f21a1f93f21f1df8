"""What a sweep of sizes shows of one family: the gap beyond n parameters, and where test error peaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.fitting_by_luck import chance_of_accuracies, luck_in_words
from byrote.evidence.intervals import Interval, accuracy_interval, interval_in_words
from byrote.evidence.learning import on_unseen
from byrote.evidence.obstacles import obstacle, remedy
from byrote.evidence.tested import Tested
from byrote.evidence.verdicts import LITTLE, MORE_EXAMPLES, exceeds
from byrote.evidence.words import mean_of_seeds, percent
from byrote.studies.families import family_name
from byrote.studies.overparameterization.double_descent import (
    NEAR,
    Peak,
    highest_peak,
    honest_difference,
    interpolation_threshold,
    stands_out,
)

SMALL_GAP = 0.5
"""A gap is small below this share of the gap of a network that has every training label right and guesses otherwise."""

_NO_HARM = "More parameters than it takes to fit do not raise"
_PEAKS = "peaks near the interpolation threshold"


def findings(
    family: str, sizes: Sequence[str], rates: Sequence[float], runs: pd.DataFrame, num_seeds: int
) -> list[Finding]:
    """The claims that the runs of one family's `sizes`, in growing order, under labels of these `rates` bear on."""
    found = []
    if 0.0 in rates:
        sweep = _sweep(sizes, 0.0, runs, num_seeds)
        found += [_small_gap(family, sweep), _no_harm(family, sweep)]
    found += [_double_descent(family, rate, _sweep(sizes, rate, runs, num_seeds)) for rate in rates if rate < 1]
    if 1.0 in rates:
        found.append(_memorises(family, _sweep(sizes, 1.0, runs, num_seeds)))
    return found


def labels_of(rate: float) -> str:
    """The labels of a sweep in words."""
    return {0.0: "true labels", 1.0: "random labels"}.get(rate, f"labels with {100 * rate:.3g}% noise")


def headline(found: Sequence[Finding]) -> str:
    """All findings in one line."""
    if all(finding.outcome == "no conclusion" for finding in found):
        return "No conclusion about more parameters than examples."
    peaks = [finding.outcome for finding in found if finding.claim.endswith(_PEAKS)]
    harmless = [finding.outcome for finding in found if finding.claim.startswith(_NO_HARM)]
    if "supported" in peaks:
        return "Test error peaks where networks just begin to fit, and falls again beyond."
    if "not supported" in harmless:
        return "More parameters than it takes to fit raise test error."
    if "supported" in harmless:
        return "More parameters than it takes to fit do no harm."
    if "not supported" in peaks:
        return "Test error shows no peak where networks begin to fit."
    return "It is not decided how test error goes on with more parameters than it takes to fit."


@dataclass(frozen=True, eq=False)
class Sweep:
    """The runs of one family under one rate: W sizes in growing order, S seeds."""

    models: Sequence[str]
    parameters: Float[np.ndarray, " W"]
    ratios: Float[np.ndarray, " W"]
    """Parameters per training example."""
    train_errors: Float[np.ndarray, "S W"]
    test_errors: Float[np.ndarray, "S W"]
    """On test examples that are not in training."""
    threshold: int | None
    """The first size from which on all have fitted; None if the largest has not."""
    guessing: float
    """Accuracy of the best constant prediction on the test examples that are not in training."""
    tested: Tested
    """On those."""
    num_classes: int
    n_train: int
    longer: str
    """What to try where the largest has not fitted: see `remedy`."""

    def at(self, size: int) -> str:
        """ "mlp-1x32 (1.7 parameters per example)" """
        ratio = f"{self.ratios[size]:.2g}"
        return f"{self.models[size]} ({ratio} parameter{'' if ratio == '1' else 's'} per example)"


def _sweep(sizes: Sequence[str], rate: float, runs: pd.DataFrame, num_seeds: int) -> Sweep | str:
    """The reason where runs do not make one."""
    own = runs[runs["label_rate"] == rate] if len(runs) else runs
    reason = obstacle(own, num_seeds * len(sizes))
    if reason:
        return reason

    own = on_unseen(own)

    def grid(column: str) -> np.ndarray:
        return own.pivot(index="seed", columns="model", values=column)[list(sizes)].to_numpy()

    return Sweep(
        models=sizes,
        parameters=grid("parameters")[0].astype(float),
        ratios=grid("parameters_per_example")[0].astype(float),
        train_errors=1 - grid("train_accuracy").astype(float),
        test_errors=1 - grid("test_accuracy").astype(float),
        threshold=interpolation_threshold(grid("fitted").astype(bool)),
        guessing=float(own["guessing"].iloc[0]),
        tested=Tested.on_unseen(own),
        num_classes=int(own["num_classes"].iloc[0]),
        n_train=int(own["n_train"].iloc[0]),
        longer=remedy(own),
    )


def _small_gap(family: str, sweep: Sweep | str) -> Finding:
    claim = f"{family_name(family)} shows a small gap although it has more parameters than examples"
    if isinstance(sweep, str):
        return Finding(claim, "no conclusion", sweep)
    largest = len(sweep.models) - 1
    if sweep.ratios[largest] <= 1:
        return Finding(
            claim,
            "no conclusion",
            f"The largest size, {sweep.at(largest)}, has no more than that: add larger ones.",
        )
    if sweep.threshold is None:
        return Finding(claim, "no conclusion", _unfitted(sweep, "true labels"))
    seeds = len(sweep.test_errors)
    # One that tests better than it fits has none.
    gaps = np.maximum(sweep.test_errors - sweep.train_errors, 0)[:, largest]
    left = accuracy_interval(1 - gaps, sweep.tested.worth)
    rote = 1 - sweep.guessing
    outcome = exceeds(left, 1 - SMALL_GAP * rote)
    return Finding(
        claim,
        outcome,
        f"{sweep.at(largest)} fits {sweep.n_train:,} true labels with a gap of {_points(1 - left.mean)} "
        f"({interval_in_words(seeds, sweep.tested.in_words)}: {100 * (1 - left.high):.1f} to "
        f"{_points(1 - left.low)}) between training and test accuracy; having them by rote would leave {_points(rote)} "
        f"(less than {SMALL_GAP:.0%} of that counts as small). The number of parameters alone does not tell the two "
        "apart."
        f"{MORE_EXAMPLES if outcome == 'no conclusion' else ''}",
    )


def _no_harm(family: str, sweep: Sweep | str) -> Finding:
    claim = f"{_NO_HARM} the test error of {family_name(family)} on true labels"
    if isinstance(sweep, str):
        return Finding(claim, "no conclusion", sweep)
    if sweep.threshold is None:
        return Finding(claim, "no conclusion", _unfitted(sweep, "true labels"))
    mean, largest = sweep.test_errors.mean(axis=0), len(sweep.models) - 1
    if sweep.threshold == largest:
        return Finding(
            claim, "no conclusion", f"Only the largest size, {sweep.at(largest)}, has fitted: add larger ones."
        )
    best = int(mean[:largest].argmin())
    noise = honest_difference(sweep.test_errors, largest, best, sweep.tested.worth)
    gain = float(mean[best] - mean[largest])
    outcome = exceeds(Interval(gain, gain - noise, gain + noise, len(sweep.test_errors)), -LITTLE)
    lead = float(1 - mean[best]) - sweep.guessing
    if outcome == "supported" and lead < LITTLE:
        return Finding(
            claim,
            "no conclusion",
            f"The best size, {sweep.at(best)}, has a test error of {percent(mean[best])}, where guessing has "
            f"{percent(1 - sweep.guessing)}: less than {_points(LITTLE)} are learnt, so that nothing can be seen to be "
            "harmed.",
        )
    return Finding(
        claim,
        outcome,
        f"Test error is {percent(mean[largest])} at {sweep.at(largest)} and {percent(mean[best])} at the best of the "
        f"smaller, {sweep.at(best)}; networks fit from {sweep.at(sweep.threshold)} on. {_noise(sweep, noise)} A rise "
        f"counts as none if it is less than {_points(LITTLE)} even so.",
    )


def _double_descent(family: str, rate: float, sweep: Sweep | str) -> Finding:
    claim = f"On {labels_of(rate)}, the test error of {family_name(family)} {_PEAKS}"
    if isinstance(sweep, str):
        return Finding(claim, "no conclusion", sweep)
    if sweep.threshold is None:
        return Finding(claim, "no conclusion", _unfitted(sweep, labels_of(rate)))
    if sweep.threshold == 0:
        reason = (
            f"Already the smallest size, {sweep.at(0)}, has fitted: the threshold lies below the sweep. "
            "Add smaller ones."
        )
        return Finding(claim, "no conclusion", reason)
    peak = highest_peak(sweep.test_errors, sweep.parameters, sweep.threshold)
    found = peak is not None and stands_out(sweep.test_errors, peak, sweep.tested.worth)
    if peak is None or (not found and sweep.threshold == len(sweep.models) - 1):
        reason = (
            f"Only the largest size, {sweep.at(-1)}, has fitted: a peak there would not be seen to fall again. "
            "Add larger ones."
        )
        return Finding(claim, "no conclusion", reason)
    noise = max(
        honest_difference(sweep.test_errors, peak.size, side, sweep.tested.worth)
        for side in (peak.best_below, peak.best_above)
    )
    shape = _course(sweep, peak)
    if peak.prominence <= 0:
        shape = (
            f"No size within a factor of {NEAR:g} of that has a higher test error than smaller and larger ones both."
        )
    elif not found:
        shape = f"The peak is within noise. {shape}"
    outcome: Outcome = "supported" if found else "no conclusion"
    hidden = "" if found else f" A peak counts as none if it is lower than {_points(LITTLE)} even so."
    if not found and peak.prominence + noise < LITTLE:
        outcome = "not supported"
    return Finding(
        claim,
        outcome,
        f"Networks fit from {sweep.at(sweep.threshold)} on. {shape} {_noise(sweep, noise)}{hidden}",
    )


def _memorises(family: str, sweep: Sweep | str) -> Finding:
    claim = f"{family_name(family)} fits random labels once it is large enough"
    if isinstance(sweep, str):
        return Finding(claim, "no conclusion", sweep)
    if sweep.threshold is None:
        return Finding(claim, "no conclusion", _unfitted(sweep, "random labels"))
    below = ""
    if sweep.threshold:
        error = sweep.train_errors[:, sweep.threshold - 1].mean()
        below = f" The size before, {sweep.at(sweep.threshold - 1)}, keeps a training error of {percent(error)}."
    fitted = 1 - sweep.train_errors[:, sweep.threshold :].max(axis=1)
    luck = luck_in_words(chance_of_accuracies(fitted, sweep.n_train, sweep.num_classes))
    return Finding(
        claim,
        "no conclusion" if luck else "supported",
        f"Random labels of {sweep.n_train:,} examples are fitted from {sweep.at(sweep.threshold)} on.{below} "
        f"Test error is {percent(sweep.test_errors[:, -1].mean())} at the largest, {sweep.at(-1)}, where guessing has "
        f"{percent(1 - 1 / sweep.num_classes)} ({mean_of_seeds(len(sweep.test_errors))}).{luck}",
    )


def _course(sweep: Sweep, peak: Peak) -> str:
    mean = sweep.test_errors.mean(axis=0)
    return (
        f"Test error is {percent(mean[peak.best_below])} at {sweep.at(peak.best_below)}, rises to "
        f"{percent(mean[peak.size])} at {sweep.at(peak.size)}, and falls to {percent(mean[peak.best_above])} at "
        f"{sweep.at(peak.best_above)}."
    )


def _unfitted(sweep: Sweep, labels: str) -> str:
    error = sweep.train_errors[:, -1].mean()
    return (
        f"The largest size, {sweep.at(-1)}, has not fitted the {labels} (training error {percent(error)}): "
        f"the interpolation threshold was not reached. Add larger sizes, or {sweep.longer}."
    )


def _noise(sweep: Sweep, noise: float) -> str:
    examples = f"the draw of {sweep.tested.in_words}"
    by = f"seeds, by Tukey's test, and {examples}" if len(sweep.test_errors) > 1 else f"{examples}, not of the one seed"
    return f"Differences of up to {_points(noise)} are within noise ({by})."


def _points(fraction: float) -> str:
    return f"{100 * fraction:.1f} points"
