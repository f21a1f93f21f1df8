"""Running a study at the command line: what the store lacks of it, with its progress shown."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from byrote.runs.executors import Executor
from byrote.runs.run import Failure, OnProgress, RunsFailed, run
from byrote.runs.store import Store
from byrote.studies.study import Results, Study
from byrote.training.planner import Compile


def run_shown(
    study: Study,
    store: Store,
    executor: Executor,
    *,
    device: str,
    compile: Compile,  # noqa: A002
    keep_weights: bool,
    checkpoint: str,
    on_progress: OnProgress | None = None,
    shard: str | None = None,
) -> tuple[Results, Sequence[Failure]]:
    """The results, and the tasks that failed, of which it says so on standard error."""
    try:
        results = run(
            study,
            store,
            executor,
            device=device,
            compile=compile,
            keep_weights=keep_weights,
            checkpoint=checkpoint,
            on_progress=on_progress,
            shard=shard,
        )
    except RunsFailed as failed:
        print(f"byrote: {failed}", file=sys.stderr)
        return failed.results, failed.failures
    return results, ()
