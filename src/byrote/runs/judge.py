"""judge: measures of complexity against the networks of a zoo, trained where the store lacks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from byrote.references import name_of
from byrote.runs.calculate import calculate
from byrote.runs.executors import Executor
from byrote.runs.run import run
from byrote.runs.store import Store
from byrote.studies.judge.study import JudgeAnalysis, find_measure
from byrote.studies.study import Study
from byrote.theory.measures.catalog import MEASURES
from byrote.theory.measures.measure import MeasureFunction
from byrote.training.outcome import TrainOutcome


@dataclass(frozen=True)
class StoredNetworks:
    """The runs of `keys` in a store, with their weights, one at a time."""

    store: Store
    keys: tuple[str, ...]

    def __call__(self) -> Iterator[TrainOutcome]:
        for outcome in self.store.outcomes(self.keys):
            initial, final = self.store.weights(outcome.key)
            yield replace(outcome, initial_state=initial, final_state=final)


def judging(zoo: Study, outcomes: Sequence[TrainOutcome], store: Store, measures: Sequence[str]) -> JudgeAnalysis:
    """The analysis of `measures` by the trained `outcomes` of `zoo`, whose weights `store` has."""
    keys = tuple(outcome.key for outcome in outcomes)
    loaded = StoredNetworks(store, keys)
    return JudgeAnalysis(zoo.data, zoo.summarise(outcomes), loaded, measures, " ".join(zoo.choices()))


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

    Args:
        measures: functions (model, initial_state, data, outcome) -> float at the top of a module, FILE.py:NAME, or
            names of measures in the box; one or several.
        zoo: networks that differ in labels and recipe, as `byrote.zoo_study(data)` has them.

    Raises:
        UserError: a measure that is not there, or gives no number.
        RunsFailed, CalculationsFailed, StoreError: as `run` and `calculate`.
    """
    several = [measures] if isinstance(measures, str) or callable(measures) else list(measures)
    names = [measure if measure in MEASURES else name_of(measure) for measure in several]
    for name in names:
        find_measure(name)
    store = store if isinstance(store, Store) else Store(store)
    outcomes = run(zoo, store, executor, device=device, keep_weights=True, quiet=quiet, on_log=on_log)
    analysis = judging(zoo, outcomes, store, names)
    return analysis.summarise(calculate(analysis, store, executor, device=device, quiet=quiet, on_log=on_log))
