"""One audit: what it is about, its stages one after another, and all that they say together."""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
import tempfile
import time as clock
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import pandas as pd

from byrote import __version__
from byrote.audits.given_predictions import GivenPredictions
from byrote.audits.metric import Metric, scores_quantities
from byrote.audits.reading import read_material
from byrote.audits.recorded_audit import RecordedAudit, audit_recorded
from byrote.audits.stage import SCHEMA, Case, Estimate, Stage, StageResult, stage_entry
from byrote.audits.stages import STAGES, chosen_stages
from byrote.audits.subject import SubjectFailed
from byrote.audits.subjects import make_subject, metric_asked
from byrote.data.dataset import Dataset
from byrote.durations import seconds_of
from byrote.errors import UserError, suggestion, warn
from byrote.evidence.comparisons import holm
from byrote.evidence.finding import Finding
from byrote.evidence.verdicts import SIGNIFICANCE
from byrote.files import make_folder, write_file, write_table
from byrote.masking import masked
from byrote.recording.recorder import Recorder
from byrote.recording.recording import Recording
from byrote.runs.store import Store

_FEW_A_CLASS = 5
"""Fewer rows a class than that, of classes that are numbers, are perhaps no classes."""


@dataclass(frozen=True, eq=False)
class Audit:
    """What an audit found.

    >>> import byrote
    >>> from sklearn.naive_bayes import GaussianNB
    >>> audit = byrote.audit(GaussianNB(), byrote.load("digits"), stages=["data", "signal"], quiet=True)
    >>> [finding.outcome for finding in audit.findings if "beats chance" in finding.claim]
    ['supported']
    """

    case: Case
    results: Mapping[str, StageResult]
    """By the names of stages, in their order."""
    command: str = ""
    _kept: list[Any] = field(default_factory=list)

    @property
    def significant(self) -> dict[str, dict[str, bool]]:
        """Of each stage, its p-values that stay below 5% among all of this audit's (Holm, 1979)."""
        names = [(stage, flag) for stage, result in self.results.items() for flag in result.p_values]
        values = [self.results[stage].p_values[flag] for stage, flag in names]
        found: dict[str, dict[str, bool]] = {stage: {} for stage in self.results}
        for (stage, flag), adjusted in zip(names, holm(values), strict=True):
            found[stage][flag] = bool(adjusted <= SIGNIFICANCE)
        return found

    def findings_of(self, stage: str) -> list[Finding]:
        """What one stage found."""
        result = self.results[stage]
        if not result.figures:
            return [Finding(STAGES[stage].title, "no conclusion", result.statement)]
        return STAGES[stage].findings(self.case, result, self.significant[stage])

    @property
    def findings(self) -> list[Finding]:
        """Of all stages, in their order."""
        return [finding for stage in self.results for finding in self.findings_of(stage)]

    @property
    def alarms(self) -> dict[str, float]:
        """What `--fail-on` can ask for, where it is known: 1 or 0, or a share."""
        found: dict[str, float] = {}
        for name, result in self.results.items():
            if result.figures:
                found |= STAGES[name].alarms(self.case, result, self.significant[name])
        return found

    @property
    def traces(self) -> dict[str, str]:
        """Of stages in which the user's code raised, its traceback."""
        return {name: result.trace for name, result in self.results.items() if result.trace}

    def json(self) -> dict[str, Any]:
        """What audit.json holds; `docs/audit.md` has the schema."""
        case, significant = self.case, self.significant
        material = case.material
        return {
            "schema": SCHEMA,
            "byrote": __version__,
            "model": {"name": case.subject.name, "identity": case.subject.identity, "seeds": case.seeds},
            "data": {
                "name": material.name,
                "title": material.title,
                "kind": material.kind,
                "num_train": len(material.train),
                "num_test": len(material.test),
                "target": "quantities" if material.of_quantities else "classes",
                "class_names": list(material.class_names),
                "fingerprint": material.fingerprint,
            },
            "metric": case.metric.name,
            "alarms": self.alarms,
            "stages": {
                name: stage_entry(result, self.findings_of(name), significant[name])
                for name, result in self.results.items()
            },
        }

    def report(self, path: str | Path) -> None:
        """Writes the page, with its figures beside it."""
        from byrote.audits.page import write_page

        write_page(Path(path), self)

    def write(self, out: str | Path) -> None:
        """Writes report.html, figures/, audit.json and the tables of all stages into the folder `out`."""
        folder = Path(out)
        make_folder(folder)
        for result in self.results.values():
            for name, table in result.tables.items():
                write_table(folder / name, table)
        write_file(folder / "audit.json", json.dumps(self.json(), indent=1, allow_nan=False) + "\n")
        self.report(folder / "report.html")

    def __repr__(self) -> str:
        words = ", ".join(f"{name}: {result.status}" for name, result in self.results.items())
        return f"<Audit of {self.case.subject.name} on {self.case.material.title}; {words}>"

    def _repr_html_(self) -> str:
        from byrote.audits.page import findings_table

        return findings_table(self.findings)


@overload
def audit(
    model: Recorder | Recording,
    data: Any = None,
    *,
    out: str | Path | None = None,
    title: str | None = None,
    command: str = "",
) -> RecordedAudit: ...


@overload
def audit(model: Any = None, data: Any = None, **asked: Any) -> Audit: ...


def audit(
    model: Any = None,
    data: Any = None,
    *,
    test: Any = None,
    label: str | None = None,
    groups: Any = None,
    time: Any = None,
    metric: str | None = None,
    train_fn: Any = None,
    predictions: Any = None,
    stages: Sequence[str] | None = None,
    budget: str | float | int | None = None,
    seeds: int = 1,
    retrain: int = 0,
    out: str | Path | None = None,
    store: str | None = None,
    device: str = "auto",
    title: str | None = None,
    command: str = "",
    quiet: bool = False,
    loading: Mapping[str, Any] | None = None,
    **recipe: Any,
) -> Audit | RecordedAudit:
    """Audits a model on data: the score without leaks, and whether it beats chance.

    >>> import byrote
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> found = byrote.audit(DecisionTreeClassifier(), byrote.load("digits"), stages=["signal"], quiet=True)
    >>> found.results["signal"].status
    'done'

    Args:
        model: a network (class, factory, instance, name), a classifier, regressor or pipeline of scikit-learn, or a
            function `pipeline(table, labels, seed) -> score`; see `make_subject`. Or a Recorder, or what
            `Recorder.read` gives: nothing is fitted then, and of the other arguments it takes `data`, `out`, `title`
            (`audit_recorded`).
        data, test, label, groups, time: see `read_material`.
        metric: a scorer of scikit-learn, by its name; None is accuracy, or r2 of a regressor. It says whether labels
            are classes or quantities.
        train_fn: what trains `model`: `train_fn(model, train_dataset) -> predict`.
        predictions: of the test examples, in place of a model: a csv file, a DataFrame, an array.
        stages: which; None takes all.
        budget: seconds, or "10min", for all stages together.
        seeds: fits of the model.
        retrain: so many fits on permuted labels, beside permuting test labels against fixed predictions.
        out: a folder; what is stored there is not made again, and nothing is written elsewhere.
        loading: further arguments of `byrote.load`.
        recipe: fields of a network's recipe.

    Raises:
        UserError: what cannot be audited, found before anything is trained wherever it can be.
    """
    if isinstance(model, Recorder | Recording):
        asked = {"test": test, "label": label, "groups": groups, "time": time, "train_fn": train_fn}
        asked |= {"predictions": predictions, "stages": stages, "budget": budget, "loading": loading, **recipe}
        unused = [name for name, value in asked.items() if value is not None]
        if unused:
            raise UserError(f"got {', '.join(unused)} with a recorder, which has no use for it: leave it out")
        return audit_recorded(model, data, out=out, title=title, command=command)
    if isinstance(model, Dataset):
        raise UserError("got data as the model, expected the model first and then its data")
    started = clock.monotonic()
    chosen, seconds = chosen_stages(stages), seconds_of("budget", budget)
    with _case(
        model,
        data,
        test=test,
        label=label,
        groups=groups,
        time=time,
        metric=metric,
        train_fn=train_fn,
        predictions=predictions,
        seeds=seeds,
        retrain=retrain,
        out=out,
        store=store,
        device=device,
        title=title,
        quiet=quiet,
        loading=loading,
        **recipe,
    ) as (case, kept):
        _limit_fits(case, chosen, math.inf if seconds is None else seconds - (clock.monotonic() - started))
        for stage in chosen:
            left = math.inf if seconds is None else max(seconds - (clock.monotonic() - started), 0.0)
            case.results[stage.name] = _result(stage, case, left)
    return Audit(case, case.results, masked(command), kept)


def estimated(
    model: Any = None,
    data: Any = None,
    *,
    stages: Sequence[str] | None = None,
    budget: str | float | int | None = None,
    **asked: Any,
) -> dict[str, Estimate]:
    """What each stage of such an audit would cost, with what those before it leave of the budget; fits the model on
    some rows to tell, and writes nothing. Arguments are those of `audit`."""
    chosen, left = chosen_stages(stages), seconds_of("budget", budget)
    found: dict[str, Estimate] = {}
    rest = math.inf if left is None else left
    with _case(model, data, **asked, quiet=True) as (case, _):
        _limit_fits(case, chosen, rest)
        for stage in chosen:
            found[stage.name] = _estimate(stage, case, rest)
            rest = max(rest - found[stage.name].seconds, 0.0)
            case.assume_fitted()
    return found


@contextmanager
def _case(
    model: Any,
    data: Any,
    *,
    metric: str | None = None,
    train_fn: Any = None,
    predictions: Any = None,
    seeds: int = 1,
    retrain: int = 0,
    out: str | Path | None = None,
    store: str | None = None,
    device: str = "auto",
    quiet: bool = False,
    loading: Mapping[str, Any] | None = None,
    **given: Any,
) -> Iterator[tuple[Case, list[Any]]]:
    """The case, and what has to live as long as it: a temporary folder, where no folder is given.

    Args:
        given: what `read_material` takes besides, and fields of a network's recipe.
    """
    if data is None:
        raise UserError(
            "got no data to audit the model on: give a source (--data), arrays, a table or a byrote.Dataset"
        )
    if isinstance(seeds, bool) or seeds < 1:
        raise UserError(f"got seeds={seeds}, expected a whole number of at least 1")
    if retrain < 0:
        raise UserError(f"got retrain={retrain}, expected a number of fits, 0 for none")
    name = metric_asked(model, metric, train_fn=train_fn, predictions=predictions)
    about = {each: given.pop(each, None) for each in ("test", "label", "groups", "time", "title")}
    material = read_material(data, of_quantities=scores_quantities(name), **about, **(loading or {}))
    scored = Metric(name, material.num_classes)
    if material.of_quantities and math.isnan(scored.chance(material.train.labels)):
        raise UserError(
            f"got metric={name!r}, which scikit-learn does not compute of the targets of {material.title}, "
            f"{material.train.labels.min():g} to {material.train.labels.max():g}: give another, such as r2"
        )
    num, classes = len(material.train), material.num_classes
    if num < _FEW_A_CLASS * classes and all(name.lstrip("-").isdecimal() for name in material.class_names):
        warn(
            f"{num:,} training rows have {classes:,} classes, which are whole numbers: if they are quantities, audit a "
            "regressor, or make classes of them, such as low and high"
        )
    kept: list[Any] = []
    if out is None:
        folder = tempfile.TemporaryDirectory(prefix="byrote-audit-")
        kept.append(folder)
        database = Path(folder.name) / "runs.db"
    else:
        make_folder(Path(out))
        database = Path(out) / "runs.db"
    with Store(store or database) as opened:
        subject = make_subject(
            model, material, opened, train_fn=train_fn, predictions=predictions, device=device, **given
        )
        if isinstance(subject, GivenPredictions):
            subject.refuse_unscored(scored)
        folder_asked, log = None if out is None else Path(out), (lambda _: None) if quiet else _say
        yield Case(subject, material, scored, seeds, folder_asked, {"retrain": retrain}, log), kept


def _limit_fits(case: Case, chosen: Sequence[Stage], seconds: float) -> None:
    """Where some stage asks for predictions on the test rows, which no budget of a single stage bounds."""
    if any(stage.needs_predictions for stage in chosen):
        case.limit_fits(max(seconds, 0.0))


@dataclass(frozen=True)
class Limit:
    """A condition of `--fail-on`."""

    alarm: str
    most: float

    def is_passed(self, alarms: Mapping[str, float]) -> bool:
        """Also where nothing is known of it: what was not looked at is not found to be well."""
        return alarms.get(self.alarm, math.inf) > self.most


def parse_limits(text: str) -> list[Limit]:
    """ "leakage,wrong-labels>2%" -> limits.

    Raises:
        UserError: an alarm that no stage gives, or a limit that is no number.
    """
    known = [name for stage in STAGES.values() for name in stage.alarm_names]
    limits = []
    for part in filter(None, (word.strip() for word in text.split(","))):
        name, above, most = part.partition(">")
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", most.strip())
        if name.strip() not in known:
            raise UserError(
                f"got --fail-on {part}, expected one of {', '.join(known)}{suggestion(name.strip(), known)}"
            )
        if above and match is None:
            raise UserError(f"got --fail-on {part}, expected a number or a percentage after >, such as {name}>2%")
        limits.append(Limit(name.strip(), float(match[1]) / (100 if match[2] else 1) if match else 0.0))
    return limits


def _estimate(stage: Stage, case: Case, budget_s: float) -> Estimate:
    if case.material.of_quantities and stage.needs_classes:
        return Estimate(0.0, smaller="It is left out, since targets are quantities")
    return stage.estimate(case, budget_s)


def _result(stage: Stage, case: Case, budget_s: float) -> StageResult:
    if case.material.of_quantities and stage.needs_classes:
        return StageResult("skipped", stage.needs_classes)
    key = _key(stage, case)
    stored = _stored(stage, case, key)
    if stored is not None:
        case.log(f"{stage.name}: kept from an earlier audit")
        return stored
    if budget_s <= 0:
        return StageResult("skipped", "The budget was used up by the stages before it: give it more time.")
    case.log(f"{stage.name}: {stage.title}")
    try:
        result = stage.run(case, budget_s)
    except SubjectFailed as failed:
        return StageResult("no conclusion", f"{failed}.", trace=failed.trace)
    _keep(stage, case, key, result)
    return result


def _key(stage: Stage, case: Case) -> str:
    parts = [
        *(stage.name, stage.version, case.subject.identity, case.material.fingerprint),
        *(case.metric.name, case.seeds, json.dumps(case.options, sort_keys=True), __version__, *case.results),
    ]
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def _place(stage: Stage, case: Case) -> Path | None:
    return None if case.out is None else case.out / "stages" / f"{stage.name}.json"


def _keep(stage: Stage, case: Case, key: str, result: StageResult) -> None:
    place = _place(stage, case)
    if place is None or case.out is None or result.status == "skipped" or result.trace:
        return
    make_folder(place.parent)
    for name, table in result.tables.items():
        write_table(case.out / name, table)
    kept = {
        "key": key,
        "status": result.status,
        "statement": result.statement,
        "figures": dict(result.figures),
        "p_values": dict(result.p_values),
        "tables": list(result.tables),
    }
    write_file(place, json.dumps(kept))


def _stored(stage: Stage, case: Case, key: str) -> StageResult | None:
    """What an earlier audit of the same left in OUT, unless it took a smaller version for want of time."""
    place = _place(stage, case)
    if place is None or case.out is None or not place.is_file():
        return None
    try:
        kept = json.loads(place.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(kept, dict) or kept.get("key") != key or kept["figures"].get("smaller"):
        return None
    names = kept["tables"]
    if not all((case.out / name).is_file() for name in names):
        return None
    tables = {name: pd.read_csv(case.out / name, keep_default_na=False) for name in names}
    return StageResult(kept["status"], kept["statement"], kept["figures"], kept["p_values"], tables)


def _say(line: str) -> None:
    print(f"byrote: {line}", file=sys.stderr, flush=True)
