"""Running a study as the flags of a command say: what the store lacks of it, with its progress shown, or foreseen."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from byrote.cli.flags import TrainingFlags
from byrote.runs.executors import Executor
from byrote.runs.forecast import Forecast
from byrote.runs.run import Failure, OnProgress, RunsFailed, run
from byrote.runs.store import Store
from byrote.runs.workloads import forecast
from byrote.studies.study import Results, Study
from byrote.training.spec import TrainSpec


def run_shown(
    study: Study,
    store: Store,
    executor: Executor,
    command: TrainingFlags,
    device: str,
    on_progress: OnProgress | None = None,
) -> tuple[Results, Sequence[Failure]]:
    """The results, and the tasks that failed, of which it says so on standard error."""
    try:
        results = run(
            study,
            store,
            executor,
            device=device,
            compile=command.compile,
            keep_weights=_keeps_weights(command, study),
            checkpoint=command.checkpoint,
            on_progress=on_progress,
            shard=command.shard,
        )
    except RunsFailed as failed:
        print(f"byrote: {failed}", file=sys.stderr)
        return failed.results, failed.failures
    return results, ()


def foreseen(
    study: Study,
    store: Store | None,
    executor: Executor,
    command: TrainingFlags,
    device: str,
    made: AbstractSet[str] = frozenset(),
) -> Forecast:
    """What `run_shown` would have to make, where the store is to have the keys `made` by then."""
    return forecast(
        study,
        store,
        device=device,
        compile=command.compile,
        keep_weights=_keeps_weights(command, study),
        foreseen=made,
        executor=executor,
        shard=command.shard,
    )


def trains(study: Study) -> bool:
    """Whether it plans networks that are trained."""
    return any(isinstance(task, TrainSpec) for task in study.tasks())


def _keeps_weights(command: TrainingFlags, study: Study) -> bool:
    return command.keep_weights and trains(study)
