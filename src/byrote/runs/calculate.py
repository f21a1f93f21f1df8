"""calculate: whatever an analysis needs and the store lacks."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass

from byrote.data.dataset import Dataset
from byrote.masking import masked
from byrote.runs.display import CalculationDisplay, each
from byrote.runs.executors import Executor, Job, Local
from byrote.runs.groups import GroupReport, OnLog, what_happened, work_off
from byrote.runs.store import Store
from byrote.studies.analysis import Analysis
from byrote.theory.calculation import Calculation, Computed, OnStage, compute
from byrote.theory.trained_calculation import TrainedCalculation
from byrote.training.key import run_key
from byrote.training.planner import resolve_device
from byrote.training.probe import probe_models, refuse_without_batch_norm
from byrote.training.spec import TrainSpec

OnCalculation = Callable[[Calculation, str, float], None]
"""Called with what is being computed, its stage, and the share of the stage that is done."""
OnComputed = Callable[[Computed], None]


@dataclass(frozen=True)
class FailedCalculation:
    calculation: Calculation
    trace: str
    """The traceback; its last line says what happened."""

    @property
    def label(self) -> str:
        return self.calculation.label


class CalculationsFailed(RuntimeError):
    """Some calculations raised. All others are in the store, and in `results` in the order of the plan."""

    def __init__(self, results: list[Computed], failures: list[FailedCalculation]) -> None:
        super().__init__(results, failures)
        self.results = results
        self.failures = failures

    def __str__(self) -> str:
        first = self.failures[0]
        return (
            f"{len(self.failures)} of {len(self.failures) + len(self.results)} calculations failed, the rest is kept; "
            f"the first, {first.label}: {what_happened(first.trace)}"
        )


@dataclass(frozen=True)
class _Task:
    key: str
    calculation: Calculation

    @property
    def keys(self) -> tuple[str]:
        return (self.key,)


def calculate(
    analysis: Analysis,
    store: Store,
    executor: Executor | None = None,
    *,
    device: str = "auto",
    quiet: bool = False,
    on_stage: OnCalculation | None = None,
    on_log: OnLog | None = None,
    on_computed: OnComputed | None = None,
) -> list[Computed]:
    """All results of the analysis's plan, in its order; computes what `store` lacks, storing each as it ends.

    Several processes may work on one analysis and one store. Progress is shown on standard error unless `quiet`.
    `on_stage` is called with an executor of this process
    only; `on_computed` with each result that this call has added to the store.

    Raises:
        CalculationsFailed: some calculations raised; after all others have ended.
        StoreError: the store cannot be read or written; at once, what is stored stays.
    """
    executor = executor or Local()
    device = resolve_device(device)
    planned = {calculation.key(analysis.data): calculation for calculation in analysis.plan()}
    damaged = store.discard_damaged(planned)
    stored = {result.key for result in store.computed(planned)}
    display = None if quiet else CalculationDisplay(len(planned), len(stored))
    with display or nullcontext():
        if display is not None:
            on_stage, on_log = each(display.update, on_stage), each(display.print, on_log)
            on_computed = each(display.finish, on_computed)
        log = on_log or (lambda _: None)
        if damaged:
            log(f"damaged calculations in the store: {len(damaged)}, which are made again")
        if stored:
            log(f"{len(stored)} of {len(planned)} calculations are in the store already")
        say = on_log or (lambda note: warnings.warn(note, stacklevel=4))
        specs, num_classes = _specs(planned.values()), getattr(analysis, "num_classes", None)
        for spec in dict.fromkeys(specs):
            run_key(spec, analysis.data)  # refuses a recipe that cannot be trained
        refuse_without_batch_norm(specs, analysis.data, num_classes)
        for note in probe_models(specs, analysis.data, device, num_classes):
            say(note)
        tasks = [_Task(key, calculation) for key, calculation in planned.items() if key not in stored]
        shared = executor.share(analysis.data) if tasks else None
        callbacks = (on_stage, on_computed) if executor.in_process else (None, None)

        def submit(task: _Task) -> Job[GroupReport]:
            return executor.submit(_calculate_one, task, shared, store, device, *callbacks)

        def announce(keys: list[str]) -> None:
            if on_computed is not None:
                for computed in store.computed({key: planned[key] for key in keys}):
                    on_computed(computed)

        traces = work_off(tasks, submit, store, log, announce)
    results = store.computed(planned)
    finished = {result.key for result in results}
    failures = [
        FailedCalculation(calculation, traces.get(key, "it ended without a result"))
        for key, calculation in planned.items()
        if key not in finished
    ]
    if failures:
        raise CalculationsFailed(results, failures)
    return results


def _specs(calculations: Iterable[Calculation]) -> list[TrainSpec]:
    """Of those that train a network: a run of its model with its recipe."""
    return [
        TrainSpec.model_validate(calculation.recipe.model_dump() | {"model": calculation.model})
        for calculation in calculations
        if isinstance(calculation, TrainedCalculation) and "{" not in calculation.model
    ]


def _calculate_one(
    task: _Task,
    data: Dataset,
    store: Store,
    device: str,
    on_stage: OnCalculation | None,
    on_computed: OnComputed | None,
) -> GroupReport:
    """Makes one calculation, if nobody else does or did. Runs wherever the executor takes it."""
    stored: list[str] = []
    stage: OnStage | None = None
    if on_stage is not None:
        report, calculation = on_stage, task.calculation

        def stage(name: str, share: float) -> None:
            report(calculation, name, share)

    with store.lease(task.keys) as held:
        if not held or store.computed({task.key: task.calculation}):
            return GroupReport(held)
        try:
            computed = compute(task.calculation, data, device=device, on_stage=stage)
        except (Exception, SystemExit):  # the user's own code may call sys.exit
            return GroupReport(trace=masked(traceback.format_exc()))
        if store.put_computed(computed):
            if on_computed is None:
                stored.append(computed.key)
            else:
                on_computed(computed)
    return GroupReport(stored=stored)
