"""Judging measures of complexity: which of them tell true labels from random ones, and rank networks as their gaps do?

Claim      A quantity that is as large on true labels as on random ones, for the same network, recipe and inputs, cannot
           explain why the first generalises and the second does not.
Command    byrote judge FILE.py:NAME --data digits    (or without a name: every measure in the box)
Cost       A user's function of the outputs takes seconds; all those judged unless named, 2 minutes on digits and two
           AMD EPYC cores, most of it sharpness, which takes many minutes where a zoo has convolutional networks.
Expected   What belongs to the architecture alone (its number of parameters, its VC dimension) does not tell them apart.
           Norms and distances that grow while noise is fitted do, and few of them rank networks within one setting of
           the labels better than the time to fit does. Three seeds: on digits 8 of 9 measures tell labels apart, on
           500 images of CIFAR-10 (JPEG copy) 5 of 9, and none is seen to rank networks better than every baseline.
Source     Zhang et al., Understanding deep learning requires rethinking generalization (ICLR 2017), section 2.2; and
           what judgement.py names.
"""

from __future__ import annotations

import hashlib
import inspect
import math
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from numbers import Real
from operator import add
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from pydantic import PrivateAttr

from byrote.data.dataset import Dataset
from byrote.errors import UserError, suggestion
from byrote.evidence.columns import Column, as_declared
from byrote.evidence.finding import Finding
from byrote.evidence.intervals import Interval
from byrote.evidence.judgement import FACTORS, Judgement, judge_values
from byrote.evidence.learning import on_unseen
from byrote.evidence.telling import Telling, tellings
from byrote.isolation import undisturbed
from byrote.references import is_reference, load_object, users_code
from byrote.studies.columns import DATA, STUDY
from byrote.studies.study import Finished, Planned, Results, Study
from byrote.theory.calculation import Calculation, Context, Result, Value
from byrote.theory.measures.catalog import MEASURES
from byrote.theory.measures.measure import VERSION, Measure, TrainingSet, why_not
from byrote.theory.measures.trained import trained_network, training_set
from byrote.training.cost import Work, step_work
from byrote.training.engine import train
from byrote.training.outcome import TrainOutcome
from byrote.training.spec import TrainSpec

BASELINES = tuple(name for name, measure in MEASURES.items() if measure.kind == "baseline")
SLOW = ("pac-bayes", "hessian-trace", "top-eigenvalue")
"""Seconds or minutes for each network of a zoo of hundreds: judged when asked for by name."""
_NOT_OF_THE_DATA = {"model": "", "learning_rate": 1.0, "batch_size": 1, "weight_decay": 0.0, "dropout": 0.0}
"""Fields that do not change what a network is trained on, as far as zoos vary them."""
_ARGUMENTS = ("model", "initial_state", "data", "outcome")


def find_measure(name: str) -> Measure:
    """The measure of that name in the box, or the user's own function behind FILE.py:NAME or package.module:NAME.

    Raises:
        UserError: there is none, or it is no function.
    """
    if not is_reference(name):
        if name not in MEASURES:
            known = ", ".join(MEASURES)
            raise UserError(
                f"got the measure {name!r}, expected FILE.py:NAME or one of {known}{suggestion(name, MEASURES)}"
            )
        return MEASURES[name]
    function = load_object(name)
    if isinstance(function, Measure):
        return function
    if not callable(function):
        raise UserError(
            f"got the measure {name!r}, which is {function!r}, expected a function "
            "(model, initial_state, data, outcome) -> float"
        )
    try:
        takes = inspect.signature(function)
    except (TypeError, ValueError):  # of some built-in functions, which then say so when they are called
        takes = None
    try:
        if takes is not None:
            takes.bind(*_ARGUMENTS)
    except TypeError as error:
        raise UserError(
            f"got the measure {name!r}, which takes {takes} ({error}): expected a function "
            "(model, initial_state, data, outcome) -> float"
        ) from error
    places = [] if takes is None else list(zip(takes.parameters, _ARGUMENTS, strict=False))
    if any(given in _ARGUMENTS and given != expected for given, expected in places):
        raise UserError(
            f"got the measure {name!r}, which takes {takes}, expected these arguments in the order "
            "(model, initial_state, data, outcome)"
        )
    return Measure(function, "norm", name.rpartition(":")[2].replace("_", " "), "yours")


class MeasureOfNetworks(Calculation):
    """One measure of every network of a zoo."""

    name: ClassVar[str] = "measure-of-networks"
    version: ClassVar[int | str] = VERSION
    side_by_side: ClassVar[bool] = True

    measure: str
    networks: str
    """Digest of their runs."""
    _specs: tuple[TrainSpec, ...] = PrivateAttr()

    @classmethod
    def of(cls, measure: str, specs: Sequence[TrainSpec]) -> MeasureOfNetworks:
        """The measure of this name on these networks."""
        digest = hashlib.sha256("\n".join(spec.canonical_json() for spec in specs).encode()).hexdigest()
        made = cls(measure=measure, networks=digest)
        made._specs = tuple(specs)
        return made

    @property
    def label(self) -> str:
        return self.measure

    @property
    def references(self) -> tuple[str, ...]:
        return (self.measure,)

    @property
    def reads(self) -> tuple[TrainSpec, ...]:
        return self._specs

    def work(self, data: Dataset) -> Work | None:
        """Of those in the box, a few passes over all examples of each network."""
        if is_reference(self.measure):
            return None
        each = [step_work(spec, data, float(spec.n_train or len(data.train))) for spec in self._specs]
        return reduce(add, (one.times(2.0) for one in each), Work(calls=1e3 * len(each)))

    def refuse(self, data: Dataset, device: str) -> None:
        """Measures a network of one step: what the user's own function makes of one, it makes of all. A number out of
        its range there (a negative margin under a root) speaks for nothing, as trained networks may have others."""
        if not is_reference(self.measure):
            return
        (outcome,) = train([self._specs[0].changed(steps=1)], data, device=device, compile="off", keep_weights=True)
        tried = replace(  # as one that has fitted
            outcome, epochs_to_fit=1, steps_to_fit=1, epochs_to_interpolate=1, steps_to_interpolate=1
        )
        measure = find_measure(self.measure)
        network, seen = trained_network(outcome, data), training_set(outcome.spec, data)
        with users_code(self.measure, f"measuring {self.measure!r} of a network of one step, before any is trained,"):
            try:
                with undisturbed(0):
                    value = measure.function(network, outcome.initial_state or {}, seen, _without_weights(tried))
            except (ArithmeticError, ValueError):
                return
        _number(value, self.measure, outcome)

    def compute(self, data: Dataset, context: Context) -> Result:
        measure = find_measure(self.measure)
        values: list[float] = []
        missing = ""
        # Networks of one corruption and seed saw the same data.
        seen: dict[TrainSpec, TrainingSet] = {}
        for outcome in context.runs(self._specs, data, weights=True):
            spec = outcome.spec
            known = spec.model_copy(update=_NOT_OF_THE_DATA)
            if known not in seen:
                seen[known] = training_set(spec, data)
            network, initial = trained_network(outcome, data), outcome.initial_state or {}
            seen_by_it = _copied(seen[known]) if is_reference(self.measure) else seen[known]
            try:
                with undisturbed(spec.seed):
                    value = measure.function(network, initial, seen_by_it, _without_weights(outcome))
            except (Exception, SystemExit) as error:  # a layer that it cannot read, a module without second derivative
                if is_reference(self.measure) and not isinstance(error, UserError):
                    with users_code(self.measure, f"measuring {self.measure!r} of {_said(outcome)}"):
                        raise  # the user's own mistake, with its trace
                value, missing = math.nan, missing or f"{spec.model}: {why_not(error)}"
            values.append(_number(value, self.measure, outcome))
            if not math.isfinite(values[-1]):
                missing = missing or f"{spec.model}: it gave {values[-1]}"
            context.on_stage("evaluating networks", len(values) / len(self._specs))
        array = np.array(values)
        counts: dict[str, Value] = {
            "num_networks": len(array),
            "num_missing": int((~np.isfinite(array)).sum()),
            "missing": missing,
        }
        return Result(counts, {"values": array})


def _without_weights(outcome: TrainOutcome) -> TrainOutcome:
    return replace(outcome, initial_state=None, final_state=None)


def _copied(data: TrainingSet) -> TrainingSet:
    """What the user's own measure may write to: other networks and measures see the same data."""
    return replace(data, inputs=data.inputs.clone(), labels=data.labels.clone())


def _said(outcome: TrainOutcome) -> str:
    spec = outcome.spec
    return f"{spec.model} on {spec.corruption}, seed {spec.seed}"


def _number(value: Any, name: str, outcome: TrainOutcome) -> float:
    """Of a real number, also as an array or tensor of one element."""
    one = isinstance(value, torch.Tensor | np.ndarray | np.generic) and math.prod(value.shape) == 1
    number = value.item() if one else value
    try:
        if isinstance(number, Real):
            return float(number)
        why = ""
    except OverflowError as error:
        why = f" ({error})"
    raise UserError(f"the measure {name} gave {reprlib.repr(value)} for {_said(outcome)}, expected a real number{why}")


def over(baseline: str) -> str:
    """The column that compares a measure with one of BASELINES."""
    return f"over_{baseline.replace('-', '_')}"


def _interval_columns(name: str, told: str) -> tuple[Column, ...]:
    return (
        Column(name, "float64", f"The {told}."),
        Column(f"{name}_low", "float64", "The lower end of its 95% interval."),
        Column(f"{name}_high", "float64", "The upper end of its 95% interval."),
    )


@dataclass(frozen=True, eq=False)
class JudgeStudy(Study):
    """Measures, judged by the trained networks of a zoo.

    >>> import byrote
    >>> byrote.JudgeStudy(byrote.zoo_study(byrote.load("digits")), ["margin", "path-norm"])
    <JudgeStudy 'judge' on Digits: 389 runs and calculations>

    Args:
        zoo: networks that differ in labels and recipe, as `byrote.zoo_study(data)` has them.
        measures: names, FILE.py:NAME or package.module:NAME.

    Raises:
        UserError: a measure that is not there, or named twice.
    """

    name: ClassVar[str] = "judge"
    title: ClassVar[str] = "Which measures explain generalization?"
    presented_by: ClassVar[str] = "byrote.studies.judge.page"
    columns: ClassVar[Sequence[Column]] = (
        STUDY,
        Column("measure", "str", "The name of the measure, or where it is found."),
        Column("title", "str", "What figures call it."),
        Column("kind", "str", "What kind of measure it is: bound, margin, norm, sharpness or baseline."),
        Column("source", "str", "Where it comes from."),
        Column("num_networks", "int64", "The networks that have fitted and for which it has a value."),
        Column("tells", "boolean", "Whether it tells true labels from random ones; missing where that is open."),
        *_interval_columns(
            "difference", "relative difference of its values between networks that differ in their labels alone"
        ),
        Column("share_larger", "float64", "The share of these pairs in which it is larger on random labels."),
        Column("num_pairs", "int64", "The pairs of networks that differ in their labels alone, both fitted."),
        Column("num_unfitted", "int64", "The pairs that had not both fitted."),
        Column("num_configurations", "int64", "The configurations that these pairs are of."),
        Column("num_seeds", "int64", "The seeds that they are of."),
        Column("would_decide", "str", "What would decide whether it tells them apart; empty where it is decided."),
        *_interval_columns("tau", "rank correlation of its values with generalization gaps, Kendall's tau-b"),
        *_interval_columns("granulated", "mean over factors of its agreement with gaps within each factor"),
        *(
            Column(
                f"within_{factor}",
                "float64",
                f"Its agreement with gaps over pairs that differ in {factor} alone; missing with too few of them.",
            )
            for factor in FACTORS
        ),
        Column("worst_environment", "str", "The change of one factor in which its sign is wrong most often."),
        Column("worst_sign_error", "float64", "How often it is wrong there."),
        *(
            column
            for name in BASELINES
            for column in _interval_columns(over(name), f"rank correlation minus that of {MEASURES[name].title}")
        ),
        Column("num_missing", "int64", "The networks for which it has no finite value."),
        Column("missing", "str", "Why it has none; empty where it has all."),
        DATA,
        Column("num_trained", "int64", "The networks of the zoo."),
        Column("seconds", "float64", "The seconds that all its values took."),
        Column("key", "str", "What the store has its values under."),
    )

    zoo: Study
    measures: Sequence[str]

    def __post_init__(self) -> None:
        if not self.measures or len(set(self.measures)) < len(self.measures):
            raise UserError(f"got measures={list(self.measures)!r}, expected different ones, at least one")
        for name in self.measures:
            find_measure(name)

    @property
    def data(self) -> Dataset:  # type: ignore[override]
        return self.zoo.data

    def plan(self) -> list[Planned]:
        specs = self.zoo.tasks()
        names = dict.fromkeys((*self.measures, *BASELINES))
        return [*self.zoo.plan(), *(Planned(MeasureOfNetworks.of(name, specs)) for name in names)]

    def summarise(self, results: Sequence[Finished]) -> pd.DataFrame:
        """One row a measure: what judgement.py finds of it, and the time that all its values took."""
        results = Results.of(self, results)
        if not results.computed:
            return as_declared(pd.DataFrame(), self.columns)
        rows = []
        values = self.values(results)
        sound = values[values["failed_checks"] == ""]
        names = [result.calculation.measure for result in results.computed]  # type: ignore[attr-defined]
        told = tellings({name: (sound, name) for name in names})
        for result in results.computed:
            name = result.calculation.measure  # type: ignore[attr-defined]
            judgement = judge_values(values, name, [each for each in BASELINES if each in values and each != name])
            measure = find_measure(name)
            rows.append(
                {
                    "study": self.name,
                    "measure": name,
                    "title": measure.title,
                    "kind": measure.kind,
                    "source": measure.source,
                    **_columns(judgement, told[name]),
                    "num_missing": result.values["num_missing"],
                    "missing": result.values["missing"],
                    "data": self.data.label,
                    "num_trained": len(values),
                    "seconds": result.seconds,
                    "key": result.key,
                }
            )
        return as_declared(pd.DataFrame(rows), self.columns)

    def verdict(self, table: pd.DataFrame) -> list[Finding]:
        return [_finding(row) for row in table.to_dict("records") if row["measure"] in self.measures]

    def choices(self) -> list[str]:
        return self.zoo.choices()

    def values(self, results: Results) -> pd.DataFrame:
        """The zoo's table with a column for each measure, turned round where a larger value is better; gaps are on
        test examples that are not in training."""
        own = [pair for pair in zip(results.planned, results, strict=True) if isinstance(pair[1], TrainOutcome)]
        columns = {}
        for result in results.computed:
            name = result.calculation.measure  # type: ignore[attr-defined]
            columns[name] = result.arrays["values"] * (1 if find_measure(name).larger_is_worse else -1)
        networks = self.zoo.summarise(Results(self.zoo, own)).reset_index(drop=True)
        return (networks if networks.empty else on_unseen(networks)).assign(**columns)


def _columns(judgement: Judgement, telling: Telling) -> dict[str, object]:
    ranking = judgement.ranking
    return {
        "num_networks": judgement.num_networks,
        "tells": telling.tells,
        **_ends("difference", telling.difference),
        "share_larger": telling.share_larger,
        "num_pairs": telling.num_pairs,
        "num_unfitted": telling.num_unfitted,
        "num_configurations": telling.num_configurations,
        "num_seeds": telling.num_seeds,
        "would_decide": telling.would_decide,
        **_ends("tau", ranking.overall),
        **_ends("granulated", ranking.granulated),
        **{f"within_{factor}": value for factor, value in ranking.within.items()},
        "worst_environment": ranking.worst_environment,
        "worst_sign_error": ranking.worst_sign_error,
        **{
            name: value
            for baseline, interval in judgement.over_baselines.items()
            for name, value in _ends(over(baseline), interval).items()
        },
    }


def _ends(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _finding(row: dict[Any, Any]) -> Finding:
    claim = f"{row['title']} tells true labels from random ones"
    left_out = f" {_counted(row['num_unfitted'], 'pair')} had not both fitted." if row["num_unfitted"] else ""
    networks = _counted(row["num_missing"], "network")
    missing = f" It has no finite value for {networks} ({row['missing']})." if row["missing"] else ""
    if not row["num_pairs"]:
        return Finding(
            claim, "no conclusion", f"No pairs of networks to compare.{left_out}{missing} {row['would_decide']}"
        )
    between = (
        ""
        if math.isnan(row["difference_low"])
        else f" (95% interval over {row['num_configurations']} configurations and {row['num_seeds']} seeds, of this "
        f"measure by itself: {row['difference_low']:+.2f} to {row['difference_high']:+.2f})"
    )
    told = (
        f"Of {_counted(row['num_pairs'], 'pair')} that differ in their labels alone, both fitted, it is larger on "
        f"random labels in {100 * row['share_larger']:.0f}%; the relative difference is {row['difference']:+.2f}"
        f"{between}."
    )
    if pd.isna(row["tells"]):
        return Finding(claim, "no conclusion", f"{told}{left_out}{missing} {row['would_decide']}")
    return Finding(claim, "supported" if row["tells"] else "not supported", f"{told}{left_out}{missing} {_ranks(row)}")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _ranks(row: dict[Any, Any]) -> str:
    if math.isnan(row["tau"]):
        return "It is the same for all networks, or for too few to rank them."
    compared = [name for name in BASELINES if not math.isnan(row[over(name)])]
    beaten = [name for name in compared if row[f"{over(name)}_low"] > 0]
    not_beaten = [name for name in compared if name not in beaten]
    worst = (
        f" At worst ({row['worst_environment']}) its sign is wrong in {100 * row['worst_sign_error']:.0f}% of cases."
        if row["worst_environment"]
        else ""
    )
    against = [
        f"{word} {', '.join(find_measure(name).title for name in names)}"
        for word, names in (("better than", beaten), ("not better than", not_beaten))
        if names
    ]
    return (
        f"It ranks {row['num_networks']} networks by their gaps with Kendall's tau {row['tau']:+.2f} "
        f"({row['tau_low']:+.2f} to {row['tau_high']:+.2f}), {row['granulated']:+.2f} within single factors"
        f"{': ' + ', '.join(against) if against else ''}.{worst}"
    )
