"""run: whatever a study needs and the store lacks."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from byrote.data.dataset import Dataset
from byrote.durations import seconds_of
from byrote.errors import RankLost, StoreError, warn
from byrote.masking import masked
from byrote.references import OwnCode
from byrote.runs.checkpoint_folder import remove_empty, tidy
from byrote.runs.display import each
from byrote.runs.executors import Executor, Job, Train
from byrote.runs.finished_steps import FinishedSteps
from byrote.runs.forecast import Forecast
from byrote.runs.groups import GroupReport, OnLog, what_happened, work_off
from byrote.runs.local import Local
from byrote.runs.progress import CalculationProgress, ProgressDisplay
from byrote.runs.store import Store
from byrote.runs.time_left import TimeLeft
from byrote.runs.workloads import (
    Workload,
    calculations_of,
    finished_keys,
    foreseen_of,
    groups_of,
    is_finished,
    probe_plan,
    share,
    unfinished,
    with_weights_of,
)
from byrote.studies.study import Finished, Planned, Results, Study, Task, noun, plan_by_keys
from byrote.theory.calculation import Calculation, Context, compute
from byrote.training.checkpoints import SECONDS, Checkpoints
from byrote.training.engine import train
from byrote.training.outcome import Progress, TrainOutcome
from byrote.training.planner import Compile, resolve_device, share_expected
from byrote.training.spec import TrainSpec
from byrote.training.threads import limited_threads

OnProgress = Callable[[Progress | CalculationProgress], None]
"""Called with where the group in training stands, or the calculation that is being made."""
OnResult = Callable[[Finished], None]


@dataclass(frozen=True)
class Failure:
    """A task that raised, or whose group did."""

    task: Task
    trace: str
    """The traceback; its last line says what happened."""


class RunsFailed(RuntimeError):
    """Some tasks raised. What came of all others is in the store, and in `results` in the order of the plan.

    >>> import byrote
    >>> study = byrote.Table4Study(byrote.load("digits"), ["mlp-1x16"], weight_decays=(0.0,), augmentations=())
    >>> print(RunsFailed(Results(study, []), [Failure(study.tasks()[0], "ValueError: no such file")]))
    1 of 1 run failed, the rest is kept; the first, mlp-1x16, random-labels, seed 0: ValueError: no such file
    """

    def __init__(self, results: Results, failures: list[Failure]) -> None:
        # Exceptions are rebuilt from their args when they are unpickled.
        super().__init__(results, failures)
        self.results = results
        self.failures = failures

    def __str__(self) -> str:
        first = self.failures[0]
        num_failed, num_all = len(self.failures), len(self.failures) + len(self.results)
        called = noun([Planned(failure.task) for failure in self.failures], num_all)
        return (
            f"{num_failed} of {num_all} {called} failed, the rest is kept; the first, {first.task.label}: "
            f"{what_happened(first.trace)}"
        )


def run(
    study: Study,
    store: Store | str | Path = "runs.db",
    executor: Executor | None = None,
    *,
    device: str = "auto",
    compile: Compile = "auto",  # noqa: A002
    keep_weights: bool = False,
    checkpoint: str | float = SECONDS,
    quiet: bool = False,
    on_progress: OnProgress | None = None,
    on_log: OnLog | None = None,
    on_result: OnResult | None = None,
    shard: str | None = None,
) -> Results:
    """What comes of all tasks of the study's plan, in its order; makes what `store` lacks, storing each as it ends.

    Several processes may run one study on one store: they share the work, as do those that the executor starts, which
    is `Local()` unless given. With `keep_weights`, runs stored without weights are trained again, as are those whose
    weights a calculation of the plan reads. Progress is shown on standard error unless `quiet`. `on_result` is called
    with each result that this call has added to the store. `compile` says whether training steps are compiled: on, off,
    or auto, where the work is estimated to pay for it. A kill costs at most about `checkpoint` of the work of each
    group that trains (seconds, or "5min"; "off" for all that is not stored): called again, it goes on from the group's
    checkpoint, bit for bit.

    With a `shard`, such as "3/16", it makes and gives that part of the plan alone: whole groups of runs, so that they
    have the same bits as without. Machines with as many cores and the same device split a plan in the same way.

    >>> import byrote
    >>> recipe = byrote.Recipe(steps=2)
    >>> study = byrote.ZooStudy(byrote.load("digits"), ["mlp-1x4"], seeds=2, recipe=recipe, conditions=[()], grid={})
    >>> [outcome.steps_run for outcome in byrote.run(study, "runs.db", device="cpu", quiet=True)]
    [2, 2]

    Raises:
        UserError: before anything is made: a model that cannot be trained on the data, a measure that gives no number,
            a file as the store of several machines, or another wrong argument.
        RunsFailed: some tasks raised; after all others have ended.
        StoreError: the store cannot be read or written; at once, what is stored stays.
    """
    store = store if isinstance(store, Store) else Store(store)
    seconds = None if checkpoint == "off" else seconds_of("checkpoint", checkpoint)
    device = resolve_device(device)
    executor, own = (Local(), True) if executor is None else (executor, False)
    whole = plan_by_keys(study)
    notes = probe_plan(whole.values(), study.data, device)
    with_weights = with_weights_of(whole, study.data, keep_weights=keep_weights)
    plan, groups = share(whole, study.data, device, with_weights, executor, shard)
    with_weights &= plan.keys()
    damaged = store.discard_damaged(plan)
    finished = finished_keys(store, plan, with_weights)
    is_told = not quiet or on_log is not None or on_progress is not None
    store.refuse_machines(executor.num_machines)
    for key, planned in plan.items():
        if isinstance(planned.task, Calculation) and key not in finished:
            planned.task.refuse(planned.data or study.data, device)
    foreseen = Forecast({}, finished)
    if is_told:
        foreseen = foreseen_of(plan, groups, study.data, finished, with_weights, device, executor, compile)
    time_left = TimeLeft(foreseen)
    display = None if quiet else ProgressDisplay(len(plan), len(finished), time_left)
    with display or nullcontext(), executor if own else nullcontext():
        if display is not None:
            on_progress, on_log = each(display.update, on_progress), each(display.log, on_log)
            on_result = each(display.finish, on_result)
        on_progress = None if on_progress is None else _with_time_left(on_progress, time_left)
        on_result = each(lambda result: time_left.finish(result.task), on_result)
        log = on_log or (lambda _: None)
        store.on_wait = on_log or warn
        for note in notes:
            (on_log or warn)(note)
        if damaged:
            called = noun([plan[key] for key in damaged if key in plan], len(damaged))
            log(f"{len(damaged)} damaged {called} in the store: made again")
        if finished:
            verb = "is" if len(plan) == 1 else "are"
            log(f"{len(finished)} of {len(plan)} {noun(list(plan.values()), len(plan))} {verb} in the store already")
        if again := len(store.finished(with_weights) - finished):
            log(f"{again} runs are in the store without weights: they are trained again")
        if foreseen.num_left:
            log(foreseen.sentence())
        work = _Work(store, executor, executor.trains, device, compile, seconds, on_progress, log, on_result)
        computed = [
            key for key, planned in plan.items() if isinstance(planned.task, Calculation) and key not in finished
        ]
        _look_at_checkpoints(groups, computed, store, seconds, log)
        traces = work.make(groups)
        calculations, blocked = calculations_of(whole, study.data, device, traces)
        traces |= blocked | work.make([each for each in calculations if plan.keys() >= set(each.keys)])
        if store.checkpoints is not None:
            remove_empty(store.checkpoints)
    finished = finished_keys(store, plan, with_weights)
    found = store.results({key: planned.task for key, planned in plan.items() if key in finished})
    results = Results(study, [(plan[key], result) for key, result in found.items()])
    failures = [
        Failure(planned.task, traces.get(key, "it ended without a result"))
        for key, planned in plan.items()
        if key not in finished
    ]
    if failures:
        raise RunsFailed(results, failures)
    return results


def count_stored(study: Study, store: Store) -> tuple[int, int]:
    """How many of the plan's runs and calculations the store has, and how many there are."""
    plan = plan_by_keys(study)
    return len(store.finished(plan)), len(plan)


def stored(study: Study, store: Store) -> Results:
    """What the store has of the study's plan."""
    plan = plan_by_keys(study)
    found = store.results({key: planned.task for key, planned in plan.items()})
    return Results(study, [(plan[key], result) for key, result in found.items()])


def _look_at_checkpoints(
    groups: Sequence[Workload], calculations: Sequence[str], store: Store, seconds: float | None, log: OnLog
) -> None:
    missing = unfinished(store, groups)
    if store.checkpoints is not None:
        tidy(store.checkpoints, [*(group.keys for group in missing), *((key,) for key in calculations)], store, log)
    elif seconds is not None and any(group.need.seconds > seconds for group in missing):
        log(
            f"no checkpoints inside runs: {store.name} has no folder for them, as Store(URL, checkpoints=FOLDER) gives "
            "one; a kill costs all work on runs that are not stored"
        )


def _with_time_left(on_progress: OnProgress, time_left: TimeLeft) -> OnProgress:
    """Hands on where a group or a calculation stands, with how long the rest takes."""

    def told(standing: Progress | CalculationProgress) -> None:
        if isinstance(standing, CalculationProgress):
            time_left.update({})  # of a stage, it is not known which part of the whole it is
            on_progress(standing._replace(time_left=time_left.words()))
        else:
            done = [
                standing.step / spec.steps if spec.steps else (standing.epoch + standing.fraction) / spec.epochs
                for spec in standing.specs
            ]
            time_left.update(dict(zip(standing.specs, done, strict=True)))
            on_progress(replace(standing, time_left=time_left.words()))

    return told


@dataclass(frozen=True, eq=False)
class _Work:
    """How workloads are made, and who is told."""

    store: Store
    executor: Executor
    trains: Train | None
    """In place of the engine."""
    device: str
    compile: Compile
    checkpoint: float | None
    on_progress: OnProgress | None
    log: OnLog
    on_result: OnResult | None

    def make(self, workloads: Sequence[Workload]) -> dict[str, str]:
        """Makes those that the store lacks, or waits for the processes that do; gives the traceback for each key that
        failed."""
        missing = unfinished(self.store, workloads)
        # What has been begun is ended; of the rest the longest come first, else cores wait at the end for one of them.
        missing.sort(key=lambda each: (self._is_begun(each), _seconds_expected(each)), reverse=True)
        tasks = {key: task for workload in missing for key, task in workload.tasks.items()}
        datasets = {id(workload.data): workload.data for workload in missing}
        shared = {name: self.executor.share(data) for name, data in datasets.items()}

        def announce(keys: list[str]) -> None:
            if self.on_result is not None:
                for result in self.store.results({key: tasks[key] for key in keys}).values():
                    self.on_result(result)

        tell = _Told(
            None if self.on_progress is None else self.executor.callback(self.on_progress),
            self.executor.callback(self.log),
            self.executor.callback(announce),
        )

        def submit(workload: Workload, *, again: bool = False) -> Job[GroupReport]:
            data = shared[id(workload.data)]
            bare = replace(workload, data=None, compile=self.compile, checkpoint=self.checkpoint)
            own = OwnCode(name for task in workload.tasks.values() for name in _references(task))
            arguments = (own, bare, data, self.store, self.store.owner, self.device, self.trains, tell)
            return self.executor.submit(_make, *arguments, need=workload.need, again=again)

        return work_off(missing, submit, self.executor, self.store, self.log)

    def _is_begun(self, workload: Workload) -> bool:
        folder = None if self.checkpoint is None else self.store.checkpoints
        return folder is not None and Checkpoints(folder).file(workload.keys).exists()


@dataclass(frozen=True)
class _Told:
    """Whom to tell of what is new."""

    of_progress: OnProgress | None
    log: OnLog
    of_stored: Callable[[list[str]], None]


def _references(task: Task) -> Iterable[str]:
    """Names that may be the user's own code, of all that is trained and computed."""
    if isinstance(task, TrainSpec):
        return task.references
    return (*task.all_references, *(name for spec in task.tried for name in spec.references))


def _seconds_expected(workload: Workload) -> float:
    shares = [share_expected(task) if isinstance(task, TrainSpec) else 1.0 for task in workload.tasks.values()]
    return workload.need.seconds * max(shares)


def _make(
    own: OwnCode,  # noqa: ARG001 (where it arrives, the rest can be read)
    workload: Workload,
    data: Dataset,
    store: Store,
    owner: str,
    device: str,
    trains: Train | None,
    told: _Told,
) -> GroupReport:
    """Makes one workload, if nobody else does or did. Runs wherever the executor takes it.

    Args:
        owner: in whose name it is leased: of who gave out the work, and frees it where this process dies.
    """
    store.owner, store.on_wait = owner, told.log
    with store.lease(workload.keys) as held, limited_threads(workload.need.threads):
        if not held or is_finished(store, workload):
            return GroupReport(held)
        if workload.reason:
            told.log(workload.reason)
        try:
            for result in _made(workload, data, store, device, trains, told.of_progress, told.log):
                if store.put(result):
                    told.of_stored([result.key])
        except (RankLost, StoreError):
            raise
        except (Exception, SystemExit):  # the user's own code may call sys.exit
            return GroupReport(trace=masked(traceback.format_exc()))
    return GroupReport()


def _made(
    workload: Workload,
    data: Dataset,
    store: Store,
    device: str,
    trains: Train | None,
    on_progress: OnProgress | None,
    log: OnLog,
) -> Iterator[Finished]:
    specs = [task for task in workload.tasks.values() if isinstance(task, TrainSpec)]
    if specs:
        yield from (trains or train)(
            specs,
            data,
            device=device,
            compile=workload.compile,
            keep_weights=workload.weights,
            on_progress=on_progress,
            on_log=log,
            checkpoints=_checkpoints(workload, store),
            finished=store.finished(workload.keys, weights=workload.weights),
        )
    for task in workload.tasks.values():
        if isinstance(task, Calculation):
            context = _context(task, workload, store, device, trains, on_progress, log)
            if (checkpoints := _checkpoints(workload, store)) is None:
                yield compute(task, data, context)
            else:
                steps = FinishedSteps(task, task.key(data), checkpoints, device, log)
                yield compute(task, data, replace(context, steps=steps))
                steps.remove()


def _checkpoints(workload: Workload, store: Store) -> Checkpoints | None:
    if workload.checkpoint is None or store.checkpoints is None:
        return None
    return Checkpoints(store.checkpoints, workload.checkpoint)


def _context(
    task: Calculation,
    workload: Workload,
    store: Store,
    device: str,
    trains: Train | None,
    on_progress: OnProgress | None,
    log: OnLog,
) -> Context:
    def on_stage(name: str, share: float) -> None:
        if on_progress is not None:
            on_progress(CalculationProgress(task, name, share))

    def runs(
        specs: Sequence[TrainSpec], data: Dataset, *, weights: bool = False, stage: str = "training"
    ) -> Iterator[TrainOutcome]:
        plan = {spec.key(data): Planned(spec) for spec in specs}
        groups = groups_of(plan, data, device, set(plan) if weights else set(), cores=torch.get_num_threads())
        done = 0

        def report(progress: Progress | CalculationProgress) -> None:
            if isinstance(progress, Progress):
                spec = progress.specs[0]
                share = progress.step / spec.steps if spec.steps else progress.epoch / spec.epochs
                on_stage(stage, (done + len(progress.specs) * min(share, 1.0)) / len(plan))

        for group in groups:
            compile, checkpoint = workload.compile, workload.checkpoint  # noqa: A001
            work = _Work(store, Local(processes=1), trains, device, compile, checkpoint, report, log, None)
            traces = work.make([group])
            if traces:
                raise RuntimeError(f"{next(iter(group.tasks.values())).label}: {next(iter(traces.values()))}")
            done += len(group.tasks)
        for outcome in store.outcomes(list(plan)):
            if weights:
                initial, final = store.weights(outcome.key)
                yield replace(outcome, initial_state=initial, final_state=final)
            else:
                yield outcome

    return Context(device, on_stage, runs)
