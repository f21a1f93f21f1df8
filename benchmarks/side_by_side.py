"""What training side by side saves: the runs of three questions on digits, planned as stacks, and one by one.

    python benchmarks/side_by_side.py

grid           the factorial grid of regularisers x labels x seeds, mlp-2x128
draws          64 draws of coin flips as labels, by which Rademacher complexity is measured, mlp-1x512
replacements   64 networks, each with one training example replaced, by which stability is measured, mlp-1x512

On a CPU the planner stacks networks that fit its cache together, and whatever differs between them in labels, inputs,
seed and weight decay alone; augmentation and dropout are of a whole stack. Rates count the examples of all runs, with
all that a study records.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import measure

import byrote
from byrote.studies.random_label_runs import coin_flips
from byrote.training.planner import Group, plan_groups

RUNS = 64
Question = tuple[byrote.Dataset, Sequence[byrote.TrainSpec]]


def grid(data: byrote.Dataset, recipe: byrote.Recipe, runs: int) -> Question:
    study = byrote.RegularizationStudy(
        data=data,
        models=["mlp-2x128"],
        seeds=runs // 8,
        recipe=recipe,
        factors={"augmentation": ("none", "random-crop"), "weight_decay": (0.0, 5e-4)},
    )
    return data, study.tasks()


def draws(data: byrote.Dataset, recipe: byrote.Recipe, runs: int) -> Question:
    fields = recipe.model_dump() | {"model": "mlp-1x512", "corruptions": (byrote.Corruption(name="random-labels"),)}
    specs = [byrote.TrainSpec.model_validate(fields | {"seed": seed}) for seed in range(runs)]
    return coin_flips(data, len(data.train), 0), specs


def replacements(data: byrote.Dataset, recipe: byrote.Recipe, runs: int) -> Question:
    fields = recipe.model_dump() | {"model": "mlp-1x512", "validation": 0.1}
    return data, [byrote.TrainSpec.model_validate(fields | {"replaced": place}) for place in range(runs)]


def trained(groups: Sequence[Group], data: byrote.Dataset) -> float:
    """Examples a second over all groups, one group after the other."""
    start = time.perf_counter()
    num_examples = 0
    for group in groups:
        for outcome in byrote.train(group.specs, data, device="cpu"):
            num_examples += outcome.steps_run * outcome.spec.batch_size
    return num_examples / (time.perf_counter() - start)


def main() -> None:
    options = measure.arguments(__doc__, data=False).parse_args()
    steps, runs = (20, 8) if options.quick else (300, RUNS)
    digits = byrote.load("digits")
    contenders = {}
    stacks = {}
    for question in (grid, draws, replacements):
        data, specs = question(digits, byrote.Recipe(stop="at_steps", steps=steps, batch_size=64), runs)
        planned = plan_groups(specs, data, device="cpu")
        alone = [Group((spec,), "alone") for spec in specs]
        contenders[f"{question.__name__}, stacks"] = partial(trained, planned, data)
        contenders[f"{question.__name__}, one by one"] = partial(trained, alone, data)
        stacks[f"{question.__name__}_stacks"] = len(planned)
    rates = measure.interleave(contenders, options.rounds)
    median = measure.medians(rates)
    ratios = [
        measure.Ratio(f"{name}: stacks / one by one", median[f"{name}, stacks"] / median[f"{name}, one by one"])
        for name in ("grid", "draws", "replacements")
    ]
    measure.write("side_by_side", rates, ratios, options, data=digits.label, runs=runs, steps=steps, **stacks)


if __name__ == "__main__":
    main()
