"""run: whatever a study needs and the store lacks."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from byrote.data.dataset import Dataset
from byrote.errors import StoreError
from byrote.masking import masked
from byrote.references import OwnCode
from byrote.runs.display import each
from byrote.runs.executors import Executor, Job, Need
from byrote.runs.forecast import Forecast, foresee
from byrote.runs.groups import GroupReport, OnLog, what_happened, work_off
from byrote.runs.local import Local
from byrote.runs.progress import ProgressDisplay, Stage
from byrote.runs.store import Store
from byrote.runs.time_left import TimeLeft
from byrote.studies.study import Finished, Planned, Results, Study, Task, noun, plan_by_keys
from byrote.theory.calculation import Calculation, Context, compute
from byrote.training.cost import Work
from byrote.training.engine import train
from byrote.training.outcome import Progress, TrainOutcome
from byrote.training.planner import Compile, nominal_seconds, plan_groups, resolve_device
from byrote.training.probe import probe_models, refuse_batches_of_one
from byrote.training.spec import TrainSpec
from byrote.training.threads import limited_threads, most_threads

OnProgress = Callable[[Progress | Stage], None]
"""Called with where the group in training stands, or the calculation that is being made."""
OnResult = Callable[[Finished], None]


@dataclass(frozen=True)
class Failure:
    """A task that raised, or whose group did."""

    task: Task
    trace: str
    """The traceback; its last line says what happened."""


class RunsFailed(RuntimeError):
    """Some tasks raised. What came of all others is in the store, and in `results` in the order of the plan."""

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


@dataclass(frozen=True, eq=False)
class _Workload:
    """Runs that are trained together, whichever of them are missing, so that resuming gives the same bits; or one
    calculation."""

    tasks: Mapping[str, Task]
    """By their keys."""
    data: Dataset | None
    """None while it is on its way to where it is made: data travel by themselves, once."""
    reason: str = ""
    weights: bool = False
    """Whether those of runs are kept."""
    compile: Compile = "auto"
    """Whether steps of runs are compiled."""
    need: Need = field(default_factory=Need)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.tasks)


def run(
    study: Study,
    store: Store | str | Path = "runs.db",
    executor: Executor | None = None,
    *,
    device: str = "auto",
    compile: Compile = "auto",  # noqa: A002
    keep_weights: bool = False,
    quiet: bool = False,
    on_progress: OnProgress | None = None,
    on_log: OnLog | None = None,
    on_result: OnResult | None = None,
) -> Results:
    """What comes of all tasks of the study's plan, in its order; makes what `store` lacks, storing each as it ends.

    Several processes may run one study on one store: they share the work, as do those that the executor starts, which
    is `Local()` unless given. With `keep_weights`, runs stored without weights are trained again, as are those whose
    weights a calculation of the plan reads. Progress is shown on standard error unless `quiet`. `on_result` is called
    with each result that this call has added to the store. `compile` says whether training steps are compiled: on, off,
    or auto, where the work is estimated to pay for it.

    Raises:
        UserError: before anything is made: a model that cannot be trained on the data, a file as the store of several
            machines, or another wrong argument.
        RunsFailed: some tasks raised; after all others have ended.
        StoreError: the store cannot be read or written; at once, what is stored stays.
    """
    store = store if isinstance(store, Store) else Store(store)
    device = resolve_device(device)
    plan = plan_by_keys(study)
    notes = _probe(plan.values(), study.data, device)
    with_weights = _with_weights(plan, study.data, keep_weights=keep_weights)
    damaged = store.discard_damaged(plan)
    finished = _finished(store, plan, with_weights)
    is_told = not quiet or on_log is not None or on_progress is not None
    executor, own = (Local(), True) if executor is None else (executor, False)
    store.refuse_machines(executor.num_machines)
    foreseen = Forecast({}, finished)
    if is_told:
        foreseen = _foreseen(plan, study.data, finished, with_weights, device, executor, compile)
    time_left = TimeLeft(foreseen)
    display = None if quiet else ProgressDisplay(len(plan), len(finished), time_left)
    with display or nullcontext(), executor if own else nullcontext():
        if display is not None:
            on_progress, on_log = each(display.update, on_progress), each(display.log, on_log)
            on_result = each(display.finish, on_result)
        on_progress = None if on_progress is None else _with_time_left(on_progress, time_left)
        on_result = each(lambda result: time_left.finish(result.task), on_result)
        log = on_log or (lambda _: None)
        store.on_wait = on_log or _warn
        for note in notes:
            (on_log or _warn)(note)
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
        work = _Work(store, executor, device, compile, on_progress, log, on_result)
        traces = work.make(_groups(plan, study.data, device, with_weights))
        calculations, blocked = _calculations(plan, study.data, device, traces)
        traces |= blocked | work.make(calculations)
    finished = _finished(store, plan, with_weights)
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


def forecast(
    study: Study,
    store: Store | None,
    *,
    device: str = "auto",
    compile: Compile = "auto",  # noqa: A002
    keep_weights: bool = False,
    foreseen: AbstractSet[str] = frozenset(),
    executor: Executor | None = None,
) -> Forecast:
    """What `run` would have to make, and about how long that takes; makes nothing.

    Args:
        store: None for an empty one.
        foreseen: keys that will be in the store by then.

    Raises:
        UserError: as `run` does.
    """
    device = resolve_device(device)
    plan = plan_by_keys(study)
    _probe(plan.values(), study.data, device)
    with_weights = _with_weights(plan, study.data, keep_weights=keep_weights)
    finished = foreseen & plan.keys()
    if store is not None:
        finished |= _finished(store, plan, with_weights)
    return _foreseen(plan, study.data, finished, with_weights, device, executor or Local(), compile)


def stored(study: Study, store: Store) -> Results:
    """What the store has of the study's plan."""
    plan = plan_by_keys(study)
    found = store.results({key: planned.task for key, planned in plan.items()})
    return Results(study, [(plan[key], result) for key, result in found.items()])


def _warn(note: str) -> None:
    warnings.warn(note, stacklevel=3)


def _probe(plan: Iterable[Planned], data: Dataset, device: str) -> list[str]:
    """What is to be said of the user's own models, which are tried on the data that they are to be trained on."""
    by_data: dict[str, tuple[Dataset, list[TrainSpec]]] = {}
    for planned in plan:
        own = planned.data or data
        specs = [planned.task] if isinstance(planned.task, TrainSpec) else planned.task.tried
        by_data.setdefault(own.fingerprint, (own, []))[1].extend(specs)
    for own, specs in by_data.values():
        refuse_batches_of_one(specs, own, device)
    return list(dict.fromkeys(note for own, specs in by_data.values() for note in probe_models(specs, own, device)))


def _keys_read(planned: Planned, data: Dataset) -> list[str]:
    """The keys of the runs whose weights a calculation reads."""
    if isinstance(planned.task, TrainSpec):
        return []
    own = planned.data or data
    return [spec.key(own) for spec in planned.task.reads]


def _with_weights(plan: Mapping[str, Planned], data: Dataset, *, keep_weights: bool) -> set[str]:
    """The keys of the runs whose weights are kept."""
    read = {key for planned in plan.values() for key in _keys_read(planned, data)}
    return {
        key for key, planned in plan.items() if isinstance(planned.task, TrainSpec) and (keep_weights or key in read)
    }


def _foreseen(
    plan: Mapping[str, Planned],
    data: Dataset,
    finished: AbstractSet[str],
    with_weights: set[str],
    device: str,
    executor: Executor,
    compile: Compile,  # noqa: A002
) -> Forecast:
    missing = [each for each in _groups(plan, data, device, with_weights) if not finished >= set(each.keys)]
    groups = [
        ({key: task for key, task in workload.tasks.items() if isinstance(task, TrainSpec)}, workload.data or data)
        for workload in missing
    ]
    num_workers = executor.side_by_side([workload.need for workload in missing])
    num_with_weights = len(with_weights - finished)
    return foresee(
        plan,
        groups,
        finished,
        data,
        device,
        compile=compile,
        num_with_weights=num_with_weights,
        num_workers=num_workers,
    )


def _with_time_left(on_progress: OnProgress, time_left: TimeLeft) -> OnProgress:
    """Hands on where a group or a calculation stands, with how long the rest takes."""

    def told(standing: Progress | Stage) -> None:
        if isinstance(standing, Stage):
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


def _finished(store: Store, keys: Iterable[str], with_weights: set[str]) -> set[str]:
    return store.finished(key for key in keys if key not in with_weights) | (
        store.finished(with_weights, weights=True) if with_weights else set()
    )


def _groups(
    plan: Mapping[str, Planned], data: Dataset, device: str, with_weights: set[str], cores: int | None = None
) -> list[_Workload]:
    by_data: dict[str, tuple[Dataset, dict[TrainSpec, str]]] = {}
    for key, planned in plan.items():
        if isinstance(planned.task, TrainSpec):
            own = planned.data or data
            by_data.setdefault(own.fingerprint, (own, {}))[1][planned.task] = key
    num_runs = sum(len(keys) for _, keys in by_data.values())
    groups = []
    for own, keys in by_data.values():
        for group in plan_groups(list(keys), own, device=device, num_others=num_runs - len(keys), cores=cores):
            tasks = {keys[spec]: spec for spec in group.specs}
            weights = not with_weights.isdisjoint(tasks)
            need = Need(group.threads, group.num_bytes, group.seconds, alone=device != "cpu")
            groups.append(_Workload(tasks, own, group.reason, weights, need=need))
    return groups


def _calculations(
    plan: Mapping[str, Planned], data: Dataset, device: str, failed: Mapping[str, str]
) -> tuple[list[_Workload], dict[str, str]]:
    """Those that can be made, and for each that reads a run which failed, by its key, the traceback of that run."""
    able, blocked = [], {}
    num_side_by_side = sum(isinstance(p.task, Calculation) and p.task.side_by_side for p in plan.values())
    for key, planned in plan.items():
        if isinstance(planned.task, Calculation):
            own = planned.data or data
            traces = [failed[read] for read in _keys_read(planned, data) if read in failed] if failed else []
            if traces:
                blocked[key] = traces[0]
                continue
            able.append(_Workload({key: planned.task}, own, need=_need(planned.task, own, device, num_side_by_side)))
    return able, blocked


def _need(task: Calculation, data: Dataset, device: str, num_side_by_side: int) -> Need:
    alone = device != "cpu" or not task.side_by_side
    threads = most_threads() if alone else max(1, most_threads() // num_side_by_side)
    try:
        work = task.work(data) or Work()
    except Exception:  # of the user's own model, which says so itself when it is trained
        work = Work()
    return Need(threads, seconds=nominal_seconds(work), alone=alone)


@dataclass(frozen=True, eq=False)
class _Work:
    """How workloads are made, and who is told."""

    store: Store
    executor: Executor
    device: str
    compile: Compile
    on_progress: OnProgress | None
    log: OnLog
    on_result: OnResult | None

    def make(self, workloads: Sequence[_Workload]) -> dict[str, str]:
        """Makes those that the store lacks, or waits for the processes that do; gives the traceback for each key that
        failed."""
        missing = [each for each in workloads if not _is_finished(self.store, each)]
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

        def submit(workload: _Workload, *, again: bool = False) -> Job[GroupReport]:
            data, bare = shared[id(workload.data)], replace(workload, data=None, compile=self.compile)
            own = OwnCode(name for task in workload.tasks.values() for name in _references(task))
            arguments = (own, bare, data, self.store, self.store.owner, self.device, tell)
            return self.executor.submit(_make, *arguments, need=workload.need, again=again)

        return work_off(missing, submit, self.executor, self.store, self.log)


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


def _is_finished(store: Store, workload: _Workload) -> bool:
    return store.finished(workload.keys, weights=workload.weights).issuperset(workload.keys)


def _make(
    own: OwnCode,  # noqa: ARG001 (where it arrives, the rest can be read)
    workload: _Workload,
    data: Dataset,
    store: Store,
    owner: str,
    device: str,
    told: _Told,
) -> GroupReport:
    """Makes one workload, if nobody else does or did. Runs wherever the executor takes it.

    Args:
        owner: in whose name it is leased: of who gave out the work, and frees it where this process dies.
    """
    store.owner, store.on_wait = owner, told.log
    with store.lease(workload.keys) as held, limited_threads(workload.need.threads):
        if not held or _is_finished(store, workload):
            return GroupReport(held)
        if workload.reason:
            told.log(workload.reason)
        try:
            for result in _made(workload, data, store, device, told.of_progress, told.log):
                if store.put(result):
                    told.of_stored([result.key])
        except StoreError:
            raise
        except (Exception, SystemExit):  # the user's own code may call sys.exit
            return GroupReport(trace=masked(traceback.format_exc()))
    return GroupReport()


def _made(
    workload: _Workload, data: Dataset, store: Store, device: str, on_progress: OnProgress | None, log: OnLog
) -> Iterator[Finished]:
    specs = [task for task in workload.tasks.values() if isinstance(task, TrainSpec)]
    if specs:
        yield from train(
            specs,
            data,
            device=device,
            compile=workload.compile,
            keep_weights=workload.weights,
            on_progress=on_progress,
            on_log=log,
        )
    for task in workload.tasks.values():
        if isinstance(task, Calculation):
            yield compute(task, data, _context(task, store, device, workload.compile, on_progress, log))


def _context(
    task: Calculation,
    store: Store,
    device: str,
    compile: Compile,  # noqa: A002
    on_progress: OnProgress | None,
    log: OnLog,
) -> Context:
    def on_stage(name: str, share: float) -> None:
        if on_progress is not None:
            on_progress(Stage(task, name, share))

    def runs(
        specs: Sequence[TrainSpec], data: Dataset, *, weights: bool = False, stage: str = "training"
    ) -> Iterator[TrainOutcome]:
        plan = {spec.key(data): Planned(spec) for spec in specs}
        groups = _groups(plan, data, device, set(plan) if weights else set(), cores=torch.get_num_threads())
        done = 0

        def report(progress: Progress | Stage) -> None:
            if isinstance(progress, Progress):
                spec = progress.specs[0]
                share = progress.step / spec.steps if spec.steps else progress.epoch / spec.epochs
                on_stage(stage, (done + len(progress.specs) * min(share, 1.0)) / len(plan))

        for group in groups:
            traces = _Work(store, Local(processes=1), device, compile, report, log, None).make([group])
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
