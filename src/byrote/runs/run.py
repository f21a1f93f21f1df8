"""run: whatever a study needs and the store lacks."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from byrote.data.dataset import Dataset
from byrote.errors import StoreError
from byrote.masking import masked
from byrote.runs.display import each
from byrote.runs.executors import Executor, Job, Local
from byrote.runs.groups import GroupReport, OnLog, what_happened, work_off
from byrote.runs.progress import ProgressDisplay
from byrote.runs.store import Store
from byrote.studies.study import Study
from byrote.training.engine import train
from byrote.training.key import run_key
from byrote.training.outcome import Progress, TrainOutcome
from byrote.training.planner import plan_groups, resolve_device
from byrote.training.probe import probe_models, refuse_without_batch_norm
from byrote.training.spec import TrainSpec

OnProgress = Callable[[Progress], None]
OnOutcome = Callable[[TrainOutcome], None]


class Outcomes(list[TrainOutcome]):
    """The finished runs of a study, in the order of its plan; a notebook shows what they come to."""

    def __init__(self, outcomes: Iterable[TrainOutcome], study: Study) -> None:
        super().__init__(outcomes)
        self.study = study

    def __repr__(self) -> str:
        fitted = sum(outcome.fitted for outcome in self)
        return f"<{len(self)} finished {'run' if len(self) == 1 else 'runs'} of {self.study!r}: {fitted} fitted>"

    def _repr_html_(self) -> str:
        # Pages know runs, not the other way round: only a notebook asks for one here.
        return import_module("byrote.report.notebook").results_html(self.study, self)


@dataclass(frozen=True)
class Failure:
    """A run that raised, or whose group did."""

    spec: TrainSpec
    trace: str
    """The traceback; its last line says what happened."""


class RunsFailed(RuntimeError):
    """Some runs raised. All others are in the store, and in `outcomes` in the order of the plan."""

    def __init__(self, outcomes: list[TrainOutcome], failures: list[Failure]) -> None:
        # Exceptions are rebuilt from their args when they are unpickled.
        super().__init__(outcomes, failures)
        self.outcomes = outcomes
        self.failures = failures

    def __str__(self) -> str:
        first = self.failures[0]
        num_failed, num_runs = len(self.failures), len(self.failures) + len(self.outcomes)
        return (
            f"{num_failed} of {num_runs} runs failed, the rest is kept; "
            f"the first, {first.spec.model} on {first.spec.corruption}: {what_happened(first.trace)}"
        )


@dataclass(frozen=True)
class _Group:
    """Runs that are trained together, whichever of them are missing: resuming then gives the same bits."""

    specs: tuple[TrainSpec, ...]
    keys: tuple[str, ...]
    reason: str


def run(
    study: Study,
    store: Store | str | Path = "runs.db",
    executor: Executor | None = None,
    *,
    device: str = "auto",
    keep_weights: bool = False,
    quiet: bool = False,
    on_progress: OnProgress | None = None,
    on_log: OnLog | None = None,
    on_outcome: OnOutcome | None = None,
) -> Outcomes:
    """All outcomes of the study's plan, in its order; trains what `store` lacks, storing each run as it ends.

    Several processes may run one study on one store: they share the groups. With `keep_weights`, runs stored
    without weights are trained again. Progress is shown on standard error unless `quiet`.
    `on_progress` is called with an executor of this process only; `on_outcome` with each run that this call has added
    to the store.

    Raises:
        UserError: before anything is trained: a model that cannot be trained on the data, or another wrong argument.
        RunsFailed: some runs raised; after all others have ended.
        StoreError: the store cannot be read or written; at once, what is stored stays.
    """
    store = store if isinstance(store, Store) else Store(store)
    device = resolve_device(device)
    specs = study.plan()
    keys = {spec: run_key(spec, study.data) for spec in specs}
    refuse_without_batch_norm(specs, study.data)
    notes = probe_models(specs, study.data, device)
    damaged = store.discard_damaged(keys.values())
    finished = store.finished(keys.values(), weights=keep_weights)
    display = None if quiet else ProgressDisplay([s for s in specs if keys[s] not in finished], len(finished))
    with display or nullcontext():
        if display is not None:
            on_progress, on_log = each(display.update, on_progress), each(display.log, on_log)
            on_outcome = each(display.finish, on_outcome)
        log = on_log or (lambda _: None)
        for note in notes:
            (on_log or _warn)(note)
        if damaged:
            log(f"damaged runs in the store: {len(damaged)}, which are trained again")
        if finished:
            log(f"{len(finished)} of {len(specs)} runs are in the store already")
        if again := len(store.finished(keys.values()) - finished):
            log(f"{again} runs are in the store without weights: they are trained again")
        groups = [
            _Group(group.specs, tuple(keys[spec] for spec in group.specs), group.reason)
            for group in plan_groups(specs, study.data, device=device)
        ]
        missing = [group for group in groups if not finished.issuperset(group.keys)]
        executor = executor or Local()
        traces = (
            _train_all(missing, study.data, store, executor, device, keep_weights, on_progress, log, on_outcome)
            if missing
            else {}
        )
    finished = store.finished(keys.values(), weights=keep_weights)
    outcomes = Outcomes(store.outcomes([key for key in keys.values() if key in finished]), study)
    failures = [
        Failure(spec, traces.get(key, "the training ended without this run"))
        for spec, key in keys.items()
        if key not in finished
    ]
    if failures:
        raise RunsFailed(outcomes, failures)
    return outcomes


def _warn(note: str) -> None:
    warnings.warn(note, stacklevel=3)


def _train_all(
    groups: list[_Group],
    data: Dataset,
    store: Store,
    executor: Executor,
    device: str,
    keep_weights: bool,
    on_progress: OnProgress | None,
    log: OnLog,
    on_outcome: OnOutcome | None,
) -> dict[str, str]:
    """Trains the groups, or waits for the processes that do; gives the traceback for each key that failed."""
    shared = executor.share(data)
    callbacks = (on_progress, log, on_outcome) if executor.in_process else (None, None, None)

    def submit(group: _Group) -> Job[GroupReport]:
        return executor.submit(_train_group, group, shared, store, device, keep_weights, *callbacks)

    def announce(keys: list[str]) -> None:
        if on_outcome is not None:
            for outcome in store.outcomes(keys):
                on_outcome(outcome)

    return work_off(groups, submit, store, log, announce)


def _train_group(
    group: _Group,
    data: Dataset,
    store: Store,
    device: str,
    keep_weights: bool,
    on_progress: OnProgress | None,
    on_log: OnLog | None,
    on_outcome: OnOutcome | None,
) -> GroupReport:
    """Trains one group, if nobody else does or did. Runs wherever the executor takes it."""
    lines: list[str] = []
    stored: list[str] = []
    log = on_log or lines.append
    announce = on_outcome or (lambda outcome: stored.append(outcome.key))
    with store.lease(group.keys) as held:
        if not held or store.finished(group.keys, weights=keep_weights).issuperset(group.keys):
            return GroupReport(held)
        log(group.reason)
        try:
            for outcome in train(
                group.specs,
                data,
                device=device,
                keep_weights=keep_weights,
                on_progress=on_progress,
                on_log=log,
            ):
                if store.put(outcome):
                    announce(outcome)
        except StoreError:
            raise
        except (Exception, SystemExit):  # the user's own code may call sys.exit
            return GroupReport(trace=masked(traceback.format_exc()), log=lines, stored=stored)
    return GroupReport(log=lines, stored=stored)
