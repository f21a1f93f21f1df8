"""The factorial grid of regularisers on digits: planned as stacks, and its runs one by one.

    python benchmarks/grid.py

On a CPU the planner stacks networks that fit its cache together, and whatever differs between them in labels, seed and
weight decay alone; augmentation and dropout are of a whole stack. Rates count the examples of all runs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import measure

import byrote
from byrote.training.planner import Group, plan_groups

MODEL = "mlp-2x128"


def trained(groups: Sequence[Group], data: byrote.Dataset) -> float:
    """Examples a second over all groups, one group after the other, with all that a study records."""
    start = time.perf_counter()
    num_examples = 0
    for group in groups:
        for outcome in byrote.train(group.specs, data, device="cpu"):
            num_examples += outcome.steps_run * outcome.spec.batch_size
    return num_examples / (time.perf_counter() - start)


def main() -> None:
    options = measure.arguments(__doc__, data=False).parse_args()
    data = byrote.load("digits")
    steps = 20 if options.quick else 300
    study = byrote.RegularizationStudy(
        data=data,
        models=[MODEL],
        seeds=1 if options.quick else 8,
        recipe=byrote.Recipe(stop="at_steps", steps=steps, batch_size=64),
        factors={"augmentation": ("none", "random-crop"), "weight_decay": (0.0, 5e-4)},
    )
    specs = study.plan()
    stacks = plan_groups(specs, data, device="cpu")
    alone = [Group((spec,), "alone") for spec in specs]
    rates = measure.interleave(
        {"stacks": partial(trained, stacks, data), "one by one": partial(trained, alone, data)}, options.rounds
    )
    median = measure.medians(rates)
    ratios = [measure.Ratio("stacks / one by one", median["stacks"] / median["one by one"])]
    measure.write(
        "grid", rates, ratios, options, data=data.label, model=MODEL, runs=len(specs), stacks=len(stacks), steps=steps
    )


if __name__ == "__main__":
    main()
