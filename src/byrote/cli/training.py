"""Training at the command line: what the store lacks of a study, with its progress shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from byrote.runs.executors import Executor
from byrote.runs.run import Failure, RunsFailed, run
from byrote.runs.store import Store
from byrote.studies.study import Study
from byrote.training.outcome import Progress, TrainOutcome


def train_shown(
    study: Study,
    store: Store,
    executor: Executor,
    *,
    device: str,
    keep_weights: bool,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[list[TrainOutcome], Sequence[Failure]]:
    """The outcomes, and the runs that failed, of which it says so on standard error."""
    try:
        outcomes = run(study, store, executor, device=device, keep_weights=keep_weights, on_progress=on_progress)
    except RunsFailed as failed:
        print(f"byrote: {failed}", file=sys.stderr)
        return failed.outcomes, failed.failures
    return outcomes, ()
