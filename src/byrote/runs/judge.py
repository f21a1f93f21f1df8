"""judge: measures of complexity against the networks of a zoo, trained where the store lacks them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from byrote.references import name_of
from byrote.runs.executors import Executor
from byrote.runs.run import run
from byrote.runs.store import Store
from byrote.studies.judge.study import JudgeStudy
from byrote.studies.study import Study
from byrote.theory.measures.catalog import MEASURES
from byrote.theory.measures.measure import MeasureFunction


def judge(
    measures: str | MeasureFunction | Sequence[str | MeasureFunction],
    zoo: Study,
    store: Store | str | Path = "runs.db",
    executor: Executor | None = None,
    *,
    device: str = "auto",
    quiet: bool = False,
    on_log: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """The table of judgements, one row a measure; trains the networks of `zoo` that `store` lacks, with their weights.

    >>> import byrote
    >>> recipe, grid = byrote.Recipe(epochs=2), {"batch_size": (16, 32)}
    >>> zoo = byrote.ZooStudy(byrote.load("digits"), ["mlp-1x4"], recipe=recipe, grid=grid, n_train=40)
    >>> table = byrote.judge(["margin", "parameters"], zoo, "zoo.db", device="cpu", quiet=True)
    >>> table["measure"].tolist()
    ['margin', 'parameters', 'steps-to-fit', 'early-loss']

    Args:
        measures: functions (model, initial_state, data, outcome) -> float at the top of a module, FILE.py:NAME, or
            names of measures in the box; one or several.
        zoo: networks that differ in labels and recipe, as `byrote.zoo_study(data)` has them.

    Raises:
        UserError: a measure that is not there, or gives no number.
        RunsFailed, StoreError: as `run`.
    """
    several = [measures] if isinstance(measures, str) or callable(measures) else list(measures)
    names = [measure if measure in MEASURES else name_of(measure) for measure in several]
    study = JudgeStudy(zoo, names)
    return study.summarise(run(study, store, executor, device=device, quiet=quiet, on_log=on_log))
