"""How a claim is decided: by an interval against what it must exceed, or by the claims that it sums up."""

from __future__ import annotations

import math
from collections.abc import Sequence

from byrote.evidence.finding import Outcome
from byrote.evidence.intervals import Interval

SIGNIFICANCE = 0.05
"""Of all comparisons that one claim is about together, by Holm's correction."""
FAR_ABOVE_CHANCE = 0.25
"""A test accuracy is far above chance once a quarter of the errors of guessing are gone. The paper's MLPs, the
weakest of Table 1, lose 45% of them."""
MOST_OF_THE_LEAD = 0.5
"""A network without regularisers keeps most of its accuracy if it has half of the lead over guessing that the best
combination has. The paper's keep 77% (Inception V3 on ImageNet) and more."""
NO_HELP = 0.01
"""A gain that is surely below a point counts as none. The paper gives no threshold; it calls 3-4 points of batch norm
a little."""
LEAST_EVALUATIONS = 5
"""With fewer along a run, its best moment is anybody's guess."""
LITTLE = 0.04
"""A change of accuracy below four points is little: so the paper calls the 3 to 4 points that batch norm is worth.
Something does no harm, or is not there, only where noise leaves no more than this open."""

OFTENER = ": more evaluations (`--evaluation-share 1 --evaluation-spacing 1`) would tell."
MORE_EXAMPLES = " More test examples would tell."
MORE_SEEDS = " More seeds would tell."
THREE_SEEDS = " Three seeds would tell."
"""What would decide a claim; one seed has no interval over seeds, and that of two is nearly all there is."""


def exceeds(interval: Interval, threshold: float) -> Outcome:
    """Whether a figure lies above `threshold`: not decided where its interval holds that, or has no ends, or no width:
    values that all agree do not show how others would differ."""
    if interval.low == interval.high:
        return "no conclusion"
    if interval.low > threshold:
        return "supported"
    return "not supported" if interval.high < threshold else "no conclusion"


def lead_kept(own: Interval, best: Interval, chance: float, share: float) -> Interval:
    """By how much an accuracy exceeds chance plus `share` of the best's lead over it; both have intervals.

    They are taken as independent: the same test examples make them go together, so this errs on the safe side.
    """
    mean = own.mean - chance - share * (best.mean - chance)
    low = mean - math.hypot(own.mean - own.low, share * (best.high - best.mean))
    return Interval(mean, low, mean + math.hypot(own.high - own.mean, share * (best.mean - best.low)), own.n)


def sum_up(outcomes: Sequence[Outcome]) -> Outcome:
    """Of a claim about several things, each decided by itself.

    One that fails refutes it. It is supported where all hold: those that do say nothing about the others.
    """
    if "not supported" in outcomes:
        return "not supported"
    return "supported" if outcomes and outcomes.count("supported") == len(outcomes) else "no conclusion"
