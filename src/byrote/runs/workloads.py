"""The work that a plan comes to, before any of it is made: groups of runs and calculations, what of them is missing,
a shard's part of them, and about how long they take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from byrote.data.dataset import Dataset
from byrote.runs.executors import Executor, Need
from byrote.runs.forecast import Forecast, foresee
from byrote.runs.local import Local
from byrote.runs.shards import Shard, share_of
from byrote.runs.store import Store
from byrote.studies.study import Planned, Study, Task, plan_by_keys
from byrote.theory.calculation import Calculation
from byrote.training.cost import Work
from byrote.training.planner import Compile, nominal_seconds, plan_groups, resolve_device
from byrote.training.probe import probe_corruptions, probe_models, refuse_batches_of_one, refuse_without_batch_norm
from byrote.training.spec import TrainSpec
from byrote.training.threads import most_threads


@dataclass(frozen=True, eq=False)
class Workload:
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
    checkpoint: float | None = None
    """Seconds of work that a kill may cost; None without checkpoints."""
    need: Need = field(default_factory=Need)

    @property
    def keys(self) -> tuple[str, ...]:
        """Under which the store has its tasks."""
        return tuple(self.tasks)


def forecast(
    study: Study,
    store: Store | None,
    *,
    device: str = "auto",
    compile: Compile = "auto",  # noqa: A002
    keep_weights: bool = False,
    foreseen: AbstractSet[str] = frozenset(),
    executor: Executor | None = None,
    shard: str | None = None,
) -> Forecast:
    """What `run` would have to make, and about how long that takes; makes nothing.

    Args:
        store: None for an empty one.
        foreseen: keys that will be in the store by then.
        shard: the part of the plan, as `run` has it.

    Raises:
        UserError: as `run` does.
    """
    device = resolve_device(device)
    executor = executor or Local()
    whole = plan_by_keys(study)
    probe_plan(whole.values(), study.data, device)
    with_weights = with_weights_of(whole, study.data, keep_weights=keep_weights)
    plan, groups = share(whole, study.data, device, with_weights, executor, shard)
    with_weights &= plan.keys()
    finished = foreseen & plan.keys()
    if store is not None:
        finished |= finished_keys(store, plan, with_weights)
    return foreseen_of(plan, groups, study.data, finished, with_weights, device, executor, compile)


def probe_plan(plan: Iterable[Planned], data: Dataset, device: str) -> list[str]:
    """What is to be said of the user's own models, which are tried on the data that they are to be trained on, as are
    the user's own corruptions."""
    by_data: dict[str, tuple[Dataset, list[TrainSpec]]] = {}
    for planned in plan:
        own = planned.data or data
        specs = [planned.task] if isinstance(planned.task, TrainSpec) else planned.task.tried
        by_data.setdefault(own.fingerprint, (own, []))[1].extend(specs)
    for own, specs in by_data.values():
        refuse_batches_of_one(specs, own, device)
        refuse_without_batch_norm(specs, own)
        probe_corruptions(specs, own)
    return list(dict.fromkeys(note for own, specs in by_data.values() for note in probe_models(specs, own, device)))


def _keys_read(planned: Planned, data: Dataset) -> list[str]:
    """The keys of the runs whose weights a calculation reads."""
    if isinstance(planned.task, TrainSpec):
        return []
    own = planned.data or data
    return [spec.key(own) for spec in planned.task.reads]


def with_weights_of(plan: Mapping[str, Planned], data: Dataset, *, keep_weights: bool) -> set[str]:
    """The keys of the runs whose weights are kept."""
    read = {key for planned in plan.values() for key in _keys_read(planned, data)}
    return {
        key for key, planned in plan.items() if isinstance(planned.task, TrainSpec) and (keep_weights or key in read)
    }


def share(
    plan: Mapping[str, Planned],
    data: Dataset,
    device: str,
    with_weights: set[str],
    executor: Executor,
    shard: str | None,
) -> tuple[Mapping[str, Planned], list[Workload]]:
    """What of the plan a shard makes, or all of it, and the groups in which its runs are trained."""
    groups = groups_of(plan, data, device, with_weights, executor.num_cores)
    if shard is None:
        return plan, groups
    calculations, _ = calculations_of(plan, data, device, {})
    own = share_of(
        Shard.parse(shard),
        [(group.keys, group.need.seconds) for group in groups],
        {each.keys[0]: (each.need.seconds, _keys_read(plan[each.keys[0]], data)) for each in calculations},
    )
    share = {key: planned for key, planned in plan.items() if key in own}
    return share, [group for group in groups if own.issuperset(group.keys)]


def foreseen_of(
    plan: Mapping[str, Planned],
    groups_of_plan: Sequence[Workload],
    data: Dataset,
    finished: AbstractSet[str],
    with_weights: set[str],
    device: str,
    executor: Executor,
    compile: Compile,  # noqa: A002
) -> Forecast:
    """About how long takes what is missing of a plan, and what it needs."""
    missing = [each for each in groups_of_plan if not finished >= set(each.keys)]
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


def finished_keys(store: Store, keys: Iterable[str], with_weights: set[str]) -> set[str]:
    """Which of the keys are stored, with weights where these are asked for."""
    return store.finished(key for key in keys if key not in with_weights) | (
        store.finished(with_weights, weights=True) if with_weights else set()
    )


def groups_of(
    plan: Mapping[str, Planned], data: Dataset, device: str, with_weights: set[str], cores: int | None = None
) -> list[Workload]:
    """The groups in which the runs of a plan are trained."""
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
            groups.append(Workload(tasks, own, group.reason, weights, need=need))
    return groups


def calculations_of(
    plan: Mapping[str, Planned], data: Dataset, device: str, failed: Mapping[str, str]
) -> tuple[list[Workload], dict[str, str]]:
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
            able.append(Workload({key: planned.task}, own, need=_need(planned.task, own, device, num_side_by_side)))
    return able, blocked


def _need(task: Calculation, data: Dataset, device: str, num_side_by_side: int) -> Need:
    alone = device != "cpu" or not task.side_by_side
    threads = most_threads() if alone else max(1, most_threads() // num_side_by_side)
    try:
        work = task.work(data) or Work()
    except Exception:  # of the user's own model, which says so itself when it is trained
        work = Work()
    return Need(threads, seconds=nominal_seconds(work), alone=alone)


def is_finished(store: Store, workload: Workload) -> bool:
    """Whether the store has all of it."""
    return store.finished(workload.keys, weights=workload.weights).issuperset(workload.keys)


def unfinished(store: Store, workloads: Sequence[Workload]) -> list[Workload]:
    """Those that the store does not have whole."""
    with_weights = {key for workload in workloads if workload.weights for key in workload.keys}
    finished = finished_keys(store, [key for workload in workloads for key in workload.keys], with_weights)
    return [workload for workload in workloads if not finished.issuperset(workload.keys)]
