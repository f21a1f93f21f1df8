"""Training at the command line: what the store lacks of a study, with its progress shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from byrote.cli.progress import ProgressDisplay
from byrote.runs.executors import Executor
from byrote.runs.run import Failure, RunsFailed, run
from byrote.runs.store import Store
from byrote.studies.study import Study
from byrote.training.key import run_key
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
    keys = {run_key(spec, study.data): spec for spec in study.plan()}
    done = store.finished(keys, weights=keep_weights)
    display = ProgressDisplay([spec for key, spec in keys.items() if key not in done], len(done))

    def update(standing: Any) -> None:
        display.update(standing)
        if on_progress is not None:
            on_progress(standing)

    try:
        with display:
            outcomes = run(
                study,
                store,
                executor,
                device=device,
                keep_weights=keep_weights,
                on_progress=update,
                on_log=display.log,
                on_outcome=display.finish,
            )
    except RunsFailed as failed:
        print(f"byrote: {failed}", file=sys.stderr)
        return failed.outcomes, failed.failures
    return outcomes, ()
