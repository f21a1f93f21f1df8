"""A context for calculations whose runs are trained as they are asked for, and not stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from byrote.data.dataset import Dataset
from byrote.theory.calculation import Context
from byrote.training.engine import train
from byrote.training.outcome import TrainOutcome
from byrote.training.planner import plan_groups
from byrote.training.spec import TrainSpec


def training_context(on_stage: Callable[[str, float], None] = lambda *stage: None) -> Context:
    def runs(
        specs: Sequence[TrainSpec], data: Dataset, *, weights: bool = False, stage: str = "training"
    ) -> Iterator[TrainOutcome]:
        made = {}
        for group in plan_groups(specs, data, device="cpu"):
            for outcome in train(group.specs, data, device="cpu", keep_weights=weights):
                made[outcome.spec] = outcome
                on_stage(stage, len(made) / len(specs))
        return (made[spec] for spec in specs)

    return Context(on_stage=on_stage, runs=runs)
