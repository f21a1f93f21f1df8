"""The contract of a study: what it plans, how it reads what came out, what that shows; and the table of runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias, TypeVar

import pandas as pd

from byrote.data.dataset import Dataset
from byrote.errors import UserError
from byrote.evidence.columns import Column, as_declared, quick
from byrote.evidence.finding import Finding
from byrote.evidence.tested import EFFECTIVE, worth
from byrote.references import shortened
from byrote.studies.columns import OF_RUNS, recipe_values, run_columns
from byrote.studies.short_names import readers_names_in
from byrote.theory.calculation import Calculation, Computed
from byrote.training.outcome import TrainOutcome
from byrote.training.recipe import Recipe
from byrote.training.spec import TrainSpec

if TYPE_CHECKING:
    from byrote.charts.sections import Presentation

Task: TypeAlias = TrainSpec | Calculation
"""What is made once and stored: both kinds have `key(data)` and `label`."""
Finished: TypeAlias = TrainOutcome | Computed
"""What came of a task: both kinds have `task`, `key`, `seconds` and `environment`."""
_Kind = TypeVar("_Kind")
_COLUMNS_OF_RUNS = frozenset(column.name for column in OF_RUNS)


class Planned(NamedTuple):
    """A task, and what it is in its study.

    >>> Planned(TrainSpec(model="mlp-1x16"), {"row": "without crops"}).labels["row"]
    'without crops'
    """

    task: Task
    labels: Mapping[str, Any] = {}
    """Columns of the study's table: `row=`, `strength=`, `family=`."""
    data: Dataset | None = None
    """What it is made on; None is the study's own data."""

    def key(self, data: Dataset) -> str:
        """What the store has it under.

        Args:
            data: of the study.

        Raises:
            UserError: a recipe that cannot be trained on the data.
        """
        return self.task.key(self.data or data)


class Results(list[Any]):
    """What came of a study's tasks, in the order of its plan, without those that failed or are missing.

    Each is a `TrainOutcome` or a `Computed`; a notebook shows what they come to.

    >>> import byrote
    >>> recipe = byrote.Recipe(steps=2)
    >>> study = byrote.ZooStudy(byrote.load("digits"), ["mlp-1x4"], recipe=recipe, conditions=[()], grid={}, n_train=20)
    >>> byrote.run(study, "runs.db", device="cpu", quiet=True)
    <1 finished run of <ZooStudy 'zoo' on Digits: 1 run>: 0 fitted>
    """

    def __init__(self, study: Study, finished: Iterable[tuple[Planned, Finished]]) -> None:
        pairs = list(finished)
        super().__init__(result for _, result in pairs)
        self.study = study
        self.planned = [planned for planned, _ in pairs]

    @classmethod
    def of(cls, study: Study, finished: Iterable[Finished]) -> Results:
        """With the place in the plan that each has; what the plan does not have has none. `Results` know theirs."""
        if isinstance(finished, Results):
            return finished
        places = {planned.task: planned for planned in study.plan()}
        return cls(study, [(places.get(result.task, Planned(result.task)), result) for result in finished])

    @property
    def outcomes(self) -> list[TrainOutcome]:
        """Of the runs."""
        return [result for result in self if isinstance(result, TrainOutcome)]

    @property
    def computed(self) -> list[Computed]:
        """Of the calculations."""
        return [result for result in self if isinstance(result, Computed)]

    def __repr__(self) -> str:
        fitted = f": {sum(outcome.fitted for outcome in self.outcomes)} fitted" if self.outcomes else ""
        return f"<{len(self)} finished {noun(self.planned, len(self))} of {self.study!r}{fitted}>"

    def _repr_html_(self) -> str:
        # Pages know results, not the other way round: only a notebook asks for one here.
        return import_module("byrote.report.notebook").results_html(self.study, self)


class Study(ABC):
    """Which tasks to make, how to read what came of them, what they show. Subclasses are frozen dataclasses.

    >>> import byrote
    >>> study = byrote.Table4Study(byrote.load("digits"), ["mlp-1x16"])
    >>> isinstance(study, byrote.Study), study.title, study.columns[0].name
    (True, 'Table 4: regularisers and random labels', 'study')
    """

    name: ClassVar[str]
    """The column `study`, and the name on the command line."""
    title: ClassVar[str]
    presented_by: ClassVar[str] = ""
    """The module whose `present(study, results, table, findings)` makes the page: imported then, and not before."""
    columns: ClassVar[Sequence[Column]] = OF_RUNS
    """Of its table, in their order, each with its type and what it holds: `byrote list columns NAME` shows them."""
    data: Dataset

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        # What a dataclass would write instead holds all arrays.
        cls.__repr__ = cls.__dict__.get("__repr__", Study.__repr__)  # type: ignore[method-assign]
        # What a subclass gives is looked at where it is given: what it breaks would be far from there.
        for method, made in (("plan", _a_plan), ("summarise", _a_table), ("verdict", _for_readers)):
            if method in cls.__dict__:
                setattr(cls, method, made(cls.__dict__[method]))

    def __repr__(self) -> str:
        plan = self.plan()
        return f"<{type(self).__name__} {self.name!r} on {self.data.label}: {len(plan)} {noun(plan, len(plan))}>"

    def _repr_html_(self) -> str:
        # Pages know studies, not the other way round: only a notebook asks for one here.
        return import_module("byrote.report.notebook").study_html(self)

    @abstractmethod
    def plan(self) -> list[Planned]:
        """All tasks of the study, in a fixed order and without repeats."""

    def tasks(self) -> list[Any]:
        """Those of the plan alone, without what they are in the study."""
        return [planned.task for planned in self.plan()]

    @abstractmethod
    def summarise(self, results: Sequence[Any]) -> pd.DataFrame:
        """The tidy table with its `columns`, also of no results: `tabulate` or `tabulate_calculations`, and whatever
        the study adds.

        Args:
            results: as `run` gives them.
        """

    @abstractmethod
    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        """What the table of `summarise` shows. Runs that did not fit or failed a check support nothing.

        A subclass may name the user's own code as the table does: in what it returns, short names stand instead.
        """

    def readers_names(self, table: pd.DataFrame) -> dict[str, str]:
        """What findings and pages call the user's own code that the table names: "Net" for "some/where/net.py:Net"."""
        return readers_names_in(table, getattr(self, "model_names", ()))

    def page(self, results: Results, table: pd.DataFrame, findings: Sequence[Finding]) -> Presentation:
        """What the page shows between headline and verdict, by `presented_by`: without one, the verdict is all.

        Args:
            table: what `summarise` made of the results.
            findings: the verdict on the table.
        """
        if self.presented_by:
            return import_module(self.presented_by).present(self, results, quick(table), findings)
        return import_module("byrote.charts.sections").Presentation(self.title, ())

    def choices(self) -> list[str]:
        """Which models were used and why, in sentences for the page's setup."""
        return []


def _a_plan(plan: Callable[[Any], Any]) -> Callable[[Any], list[Planned]]:
    """The plan as a list: a generator would be empty the second time."""

    @wraps(plan)
    def of(study: Study) -> list[Planned]:
        return _each_of(plan(study), Planned, f"the plan of {study.name}", "byrote.Planned(task, labels)")

    return of


def _a_table(summarise: Callable[..., Any]) -> Callable[..., pd.DataFrame]:
    @wraps(summarise)
    def of(study: Study, *arguments: Any, **named: Any) -> pd.DataFrame:
        table = summarise(study, *arguments, **named)
        if not isinstance(table, pd.DataFrame):
            raise UserError(f"got {type(table).__name__} as the table of {study.name}, expected a pandas DataFrame")
        return table

    return of


def _for_readers(verdict: Callable[[Any, pd.DataFrame], Any]) -> Callable[[Any, pd.DataFrame], list[Finding]]:
    """The verdict with short names for the user's own code."""

    @wraps(verdict)
    def of(study: Study, table: pd.DataFrame) -> list[Finding]:
        names = study.readers_names(table)
        made = verdict(study, quick(table))
        findings = _each_of(made, Finding, f"the verdict of {study.name}", "byrote.Finding(claim, outcome, statement)")
        return [
            replace(found, claim=shortened(found.claim, names), statement=shortened(found.statement, names))
            for found in findings
        ]

    return of


def _each_of(given: Any, kind: type[_Kind], what: str, expected: str) -> list[_Kind]:
    """Raises UserError for what is not one after another of this kind."""
    if not isinstance(given, Iterable):
        raise UserError(f"got {type(given).__name__} as {what}, expected a list of {expected}")
    listed = list(given)
    if strays := [each for each in listed if not isinstance(each, kind)]:
        raise UserError(f"got {type(strays[0]).__name__} in {what}, expected {expected}")
    return listed


def plan_by_keys(study: Study) -> dict[str, Planned]:
    """The plan, in its order, by the keys under which the store has its tasks.

    Raises:
        UserError: a label stands for something else than the column of its name, a task is there twice, or a recipe
            cannot be trained on the data.
    """
    found: dict[str, Planned] = {}
    for planned in study.plan():
        _refuse_other_columns(study, planned)
        key = planned.key(study.data)
        if key in found:
            raise UserError(
                f"got {planned.task.label} twice in the plan of {study.name}, expected each task once: its result "
                "would be counted twice"
            )
        found[key] = planned
    return found


def _refuse_other_columns(study: Study, planned: Planned) -> None:
    """Raises UserError for a label that would stand in results.csv in the place of what the run has itself, unless it
    says what was done to data of its own."""
    if isinstance(planned.task, TrainSpec) and planned.data is None:
        for name, value in planned.labels.items():
            if name in _COLUMNS_OF_RUNS and getattr(planned.task, name, None) != value:
                raise UserError(
                    f"got the label {name}={value!r} in the plan of {study.name}, expected another name: the column "
                    f"{name} of results.csv says that of the run itself"
                )


def noun(plan: Sequence[Planned], count: int) -> str:
    """What the tasks of a plan are called: runs, calculations, or both."""
    words = {"run" if isinstance(planned.task, TrainSpec) else "calculation" for planned in plan} or {"run"}
    return " and ".join(sorted((f"{word}s" if count != 1 else word for word in words), reverse=True))


def tabulate(study: str, results: Iterable[Finished]) -> pd.DataFrame:
    """One row per run, with the columns of results.csv, then its labels in the plan. Accuracies are fractions.

    What test examples are worth is known of `Results`; of a plain list, which does not say on which data its runs were
    made, each counts as one.

    >>> import byrote
    >>> spec = TrainSpec(model="mlp-1x16", n_train=60, steps=2)
    >>> table = byrote.tabulate("mine", byrote.train([spec], byrote.load("digits"), device="cpu"))
    >>> table.loc[0, ["study", "model", "stop_reason"]].tolist()
    ['mine', 'mlp-1x16', 'steps']
    """
    found = [(result, labels) for result, labels in _with_labels(results) if isinstance(result, TrainOutcome)]
    worths = _worths(results) if isinstance(results, Results) else [1.0] * len(found)
    outcomes = [outcome for outcome, _ in found]
    effective = [outcome.n_test * of_each for outcome, of_each in zip(outcomes, worths, strict=True)]
    columns = run_columns(study, outcomes) | {EFFECTIVE.name: effective}
    table = as_declared(pd.DataFrame(columns if outcomes else {}), OF_RUNS)
    if not any(labels for _, labels in found):
        return table
    return table.assign(**pd.DataFrame([dict(labels) for _, labels in found]))


def _worths(results: Results) -> list[float]:
    """What a test example of each run is worth."""
    known: dict[tuple[int, bytes], float] = {}
    found = []
    for planned, result in zip(results.planned, results, strict=True):
        if isinstance(result, TrainOutcome):
            test = (planned.data or results.study.data).test
            case = id(test), result.test_leaked.tobytes()
            if case not in known:
                known[case] = worth(test.input_hashes, result.test_leaked)
            found.append(known[case])
    return found


def tabulate_calculations(study: str, results: Iterable[Finished]) -> pd.DataFrame:
    """One row per calculation: its fields, then its values, then seconds and key, then its labels in the plan, then the
    fields of the recipe that it trains with or whose run it reads.

    >>> import byrote
    >>> from byrote.theory.memorizers.worked_example import WorkedExample
    >>> from byrote.theory.calculation import compute
    >>> computed = compute(WorkedExample(num_points=8), byrote.load("digits"))
    >>> byrote.tabulate_calculations("mine", [computed])["calculation"].tolist()
    ['WorkedExample']
    """
    return pd.DataFrame(
        [
            {
                "study": study,
                "calculation": type(result.calculation).__name__,
                **result.calculation.model_dump(mode="json", exclude=set(own)),
                **result.values,
                "data": result.data,
                "seconds": result.seconds,
                "key": result.key,
                **labels,
                **{name: value for recipe in own.values() for name, value in recipe_values(recipe).items()},
            }
            for result, labels in _with_labels(results)
            if isinstance(result, Computed)
            for own in (_recipes_of(result.calculation),)
        ]
    )


def _recipes_of(calculation: Calculation) -> dict[str, Recipe]:
    """By its fields that hold one."""
    return {name: value for name, value in calculation if isinstance(value, Recipe)}


def _with_labels(results: Iterable[Finished]) -> list[tuple[Finished, Mapping[str, Any]]]:
    if isinstance(results, Results):
        return [(result, planned.labels) for planned, result in zip(results.planned, results, strict=True)]
    return [(result, {}) for result in results]
