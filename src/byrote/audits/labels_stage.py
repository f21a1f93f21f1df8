"""Stage 4: which labels are wrong? A ranked list, with the share of it that is rightly labelled after all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import joblib
import numpy as np
import pandas as pd
from jaxtyping import Int64

from byrote.audits.label_features import label_features
from byrote.audits.label_votes import (
    CENTRES,
    FOLDS,
    NEIGHBOURS,
    RidgeFeatures,
    model_votes,
    nearest_rows,
    neighbour_votes,
)
from byrote.audits.labels_findings import (
    LISTED,
    figures_of_rates,
    findings_of_labels,
    number_is_known,
    without_number,
)
from byrote.audits.labels_sections import sections_of_labels
from byrote.audits.material import Material, Rows
from byrote.audits.stage import Case, Estimate, Stage, StageResult, interval_figure
from byrote.audits.wrong_labels import Voter, WrongLabels, find_wrong_labels
from byrote.charts.examples import picture_of
from byrote.charts.sections import Section
from byrote.evidence.finding import Finding
from byrote.randomness import stream

WRONG_LABELS = "wrong_labels.csv"
_UNSURE_SHARE = 0.05
"""Of the rows that are listed at most, where nobody can say how many are wrong."""
_FEWEST = 100
_PAIR_SECONDS, _IMAGE_SECONDS, _ROW_SECONDS, _RATES_SECONDS = 5e-9, 6e-4, 2e-5, 2.0
_PRODUCT_SECONDS = 1e-10
"""Measured on one core of an AMD EPYC: each pair of rows, each image, each row, the rates; each multiplication of the
ridge."""
_SHOWN = 24
_POINTS = 60
_SHOWN_COLUMNS = 6


@dataclass(frozen=True)
class _Plan:
    num_rows: int
    model: bool
    seconds: float
    smaller: str


class LabelsStage(Stage):
    """Looks at all rows of both splits; asks the model only where the budget allows its fits."""

    name: ClassVar[str] = "labels"
    title: ClassVar[str] = "Which labels are wrong?"
    alarm_names: ClassVar[tuple[str, ...]] = ("wrong-labels",)
    needs_classes: ClassVar[str] = (
        "Which labels are wrong is told by planting wrong ones among classes; "
        "targets here are quantities, of which each is off by something."
    )
    version: ClassVar[int] = 3

    def estimate(self, case: Case, budget_s: float = math.inf) -> Estimate:
        plan = _plan(case, budget_s)
        return Estimate(plan.seconds, 4.0 * plan.num_rows * 2 * CENTRES, smaller=plan.smaller)

    def run(self, case: Case, budget_s: float = math.inf) -> StageResult:
        material = case.material
        whole = material.whole()
        plan = _Plan(len(whole), _can_ask(case), 0.0, "") if math.isinf(budget_s) else _plan(case, budget_s)
        chosen = np.arange(len(whole))
        if plan.num_rows < len(whole):
            chosen = np.sort(
                stream(0, "rows whose labels are checked").choice(len(whole), plan.num_rows, replace=False)
            )
        rows = whole.take(chosen)
        if len(rows) < _FEWEST or len(np.unique(rows.labels)) < 2:
            why = f"{len(rows):,} rows of {len(np.unique(rows.labels))} classes are too few to plant errors in"
            return StageResult("no conclusion", f"Nothing is said of labels: {why}.", {"smaller": ""})
        voters, near = _voters(case, rows, plan.model)
        if not voters:
            why = "token ids have no distances, and no model can be fitted on other rows"
            return StageResult("no conclusion", f"Nothing is said of labels: {why}.", {"smaller": ""})
        num_classes = material.num_classes
        looks = None if near is None else neighbour_votes(near, rows.labels, num_classes)
        found = find_wrong_labels(voters, rows.labels, num_classes, looks)
        figures = _figures(found, plan.smaller)
        known = number_is_known(figures)
        if not known:
            figures = without_number(figures) | {"curve": []}
        table = _table(case, rows, chosen, found, near, known)
        figures["pictures"], figures["rows"] = _pictures(material, rows, table), _shown_rows(material, rows, table)
        statement = f"{plan.smaller}, for want of time." if plan.smaller else ""
        return StageResult("done", statement, figures, {}, {WRONG_LABELS: table.drop(columns="at")})

    def findings(self, case: Case, result: StageResult, found: Mapping[str, bool]) -> list[Finding]:  # noqa: ARG002
        return findings_of_labels(case, result)

    def alarms(self, case: Case, result: StageResult, found: Mapping[str, bool]) -> Mapping[str, float]:  # noqa: ARG002
        if result.status == "no conclusion" or not number_is_known(result.figures):
            return {}
        return {"wrong-labels": result.figures["share_wrong"]["low"]}

    def sections(self, case: Case, result: StageResult) -> list[Section]:
        return [] if result.status == "no conclusion" else sections_of_labels(case, result)


def _plan(case: Case, budget_s: float) -> _Plan:
    """All rows and the model; without the model; without part of the rows."""
    material = case.material
    num = len(material.train) + len(material.test)
    seconds = _seconds(material, num)
    if _can_ask(case):
        a_part = case.pace * case.subject.seconds_of_brief_fits(material.train, FOLDS)
        fits = a_part * (1 - 1 / FOLDS) * num / len(material.train)
        if seconds + fits <= budget_s:
            return _Plan(num, True, seconds + fits, "")
        smaller = f"{case.subject.name} is not fitted on parts of the rows to ask it about the others"
    else:
        smaller = ""
    if seconds <= budget_s:
        return _Plan(num, False, seconds, smaller)
    low, high = min(_FEWEST, num), num
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _seconds(material, middle) <= budget_s else (low, middle)
    part = f"the labels of {low:,} of {num:,} rows are looked at"
    return _Plan(low, False, _seconds(material, low), f"{smaller}, and {part}" if smaller else part.capitalize())


def _can_ask(case: Case) -> bool:
    return case.subject.can_fit and case.subject.can_predict


def _seconds(material: Material, num: int) -> float:
    cores = joblib.cpu_count()
    a_row = _IMAGE_SECONDS if material.look.kind == "images" else _ROW_SECONDS
    centres = min(num, CENTRES)
    ridge = _PRODUCT_SECONDS * num * centres * (centres + 40 * material.num_classes)
    return (_PAIR_SECONDS * num**2 + ridge) / cores + a_row * num + _RATES_SECONDS


def _voters(case: Case, rows: Rows, with_model: bool) -> tuple[dict[str, Voter], Int64[np.ndarray, "N k"] | None]:
    material, num_classes = case.material, case.material.num_classes
    voters: dict[str, Voter] = {}
    near = None
    case.log(f"looking at the labels of {len(rows):,} rows")
    features = label_features(material, rows)
    if features is not None and features.shape[1] and features.std() > 0:
        nearby = near = nearest_rows(features)
        ridge = RidgeFeatures(features)
        voters["neighbours"] = lambda labels: neighbour_votes(nearby, labels, num_classes)
        voters["ridge"] = lambda labels: ridge.votes(labels, num_classes)
    if with_model:
        case.log(f"fitting {case.subject.name} {FOLDS} times, to ask it about rows that it was not fitted on")
        voters[case.subject.name] = lambda labels: model_votes(case.subject, rows, labels, num_classes)
    return voters, near


def _table(
    case: Case,
    rows: Rows,
    chosen: Int64[np.ndarray, " N"],
    found: WrongLabels,
    near: Int64[np.ndarray, "N k"] | None,
    sure: bool,
) -> pd.DataFrame:
    rates, material = found.rates, case.material
    order = rates.order
    falling = 1 - np.cumsum(rates.p_wrong[order]) / np.arange(1, len(order) + 1)
    if sure:
        num = int((rates.p_wrong[order] >= LISTED).sum())
    else:
        num = min(int((found.scores > 0).sum()), max(int(_UNSURE_SHARE * len(order)), 1))
    copies = _copies(case)
    records = []
    for rank, row in enumerate(order[:num].tolist()):
        split, side, at = material.side(int(chosen[row]))
        place = side.place(at)
        given, other = int(rows.labels[row]), int(found.suggested[row])
        copy = copies.get((split, place), {})
        elsewhere = [where for where, label in copy.items() if label != material.class_names[given]]
        chances = [math.nan] * 5
        if sure:
            most_false = rates.false_high[rates.cut_at(rank + 1)]
            chances = [rates.p_wrong[row], rates.p_low[row], rates.p_high[row], falling[rank], most_false]
        reason = _reason(material, rows, row, other, found, near, elsewhere)
        names = material.class_names[given], material.class_names[other]
        records.append((place, split, *names, *chances, reason, (elsewhere or list(copy) or [""])[0], row))
    columns = ["place", "split", "given_label", "suggested_label", "p_wrong", "p_low", "p_high"]
    columns += ["false_discovery_rate", "false_discovery_most", "reason", "duplicate_of", "at"]
    return pd.DataFrame(records, columns=columns)


def _copies(case: Case) -> dict[tuple[str, str], dict[str, str]]:
    """Of each row with copies, by split and place: where they are, with their labels, as the data stage found them."""
    result = case.results.get("data")
    found: dict[tuple[str, str], dict[str, str]] = {}
    if result is None or "duplicates.csv" not in result.tables:
        return found
    for pair in result.tables["duplicates.csv"].to_dict("records"):
        for own, other in ((1, 2), (2, 1)):
            key = str(pair[f"split_{own}"]), str(pair[f"place_{own}"])
            where = f"{pair[f'split_{other}']}: {pair[f'place_{other}']}"
            found.setdefault(key, {})[where] = str(pair[f"label_{other}"])
    return found


def _reason(
    material: Material,
    rows: Rows,
    row: int,
    other: int,
    found: WrongLabels,
    near: Int64[np.ndarray, "N k"] | None,
    elsewhere: list[str],
) -> str:
    names = material.class_names
    if elsewhere:
        return f"a copy of it is labelled {names[other]}" if len(elsewhere) == 1 else "copies have another label"
    if near is None:
        return f"{found.voter}, fitted on other rows, says {names[other]}"
    labels = rows.labels[near[row]]
    counted = int((labels == other).sum()), int((labels == rows.labels[row]).sum())
    nearby = f"{counted[0]} of its {min(NEIGHBOURS, near.shape[1])} nearest rows are {names[other]}, {counted[1]} are "
    return f"{nearby}{names[rows.labels[row]]}; by {found.voter}"


def _figures(found: WrongLabels, smaller: str) -> dict[str, Any]:
    rates, listed = found.rates, found.rates.num_likely
    cut = rates.cut_at(max(listed, 1))
    return {
        **figures_of_rates(rates),
        "voter": found.voter,
        "agreement": found.agreement,
        "planted_found_by": dict(found.found_by),
        "compared_at_length": found.compared_at,
        "listed_recall": {kind: float(values[cut]) if listed else 0.0 for kind, values in rates.recall_by_kind.items()},
        "hidden": {
            kind: {"stated": each.stated, "p": each.p_value} | interval_figure(each.found)
            for kind, each in found.hidden.items()
        },
        "num_hidden": found.num_hidden,
        "rise_with_hidden": found.rise,
        "curve": _curve(found),
        "smaller": smaller,
    }


def _curve(found: WrongLabels) -> list[dict[str, float | int]]:
    """Of lists of growing length, up to four times the estimated errors: what they hold."""
    rates = found.rates
    longest = min(max(int(4 * rates.num_errors.mean), 50), int(rates.cut_sizes[-1]))
    places = np.flatnonzero((rates.cut_sizes >= 1) & (rates.cut_sizes <= longest))
    places = places[np.unique(rates.cut_sizes[places], return_index=True)[1]]
    places = places[np.unique(np.linspace(0, len(places) - 1, min(_POINTS, len(places))).astype(int))]
    return [
        {
            "length": int(rates.cut_sizes[place]),
            "false_share": float(rates.false_share[place]),
            "low": float(rates.false_low[place]),
            "high": float(rates.false_high[place]),
            **{f"recall_{kind}": float(values[place]) for kind, values in rates.recall_by_kind.items()},
        }
        for place in places.tolist()
    ]


def _pictures(material: Material, rows: Rows, table: pd.DataFrame) -> list[dict[str, Any]]:
    """The first of the list and, of those that are more likely wrong than right, the last."""
    look = material.look
    if look.kind != "images" or not len(table):
        return []
    likely = table[table["p_wrong"] > 0.5]
    chosen = {"The first of the list": table.head(_SHOWN)}
    if len(likely) >= 2 * _SHOWN:
        chosen["The last that are more likely wrong than right"] = likely.tail(_SHOWN)

    def caption(row: Mapping[Any, Any]) -> str:
        sure = "" if math.isnan(row["p_wrong"]) else f", {100 * row['p_wrong']:.0f}%"
        return f"{row['given_label']} → {row['suggested_label']}{sure}"

    return [
        {
            "title": title,
            "pictures": [
                {
                    "image": picture_of(look.take(np.asarray(rows.inputs)[[row["at"]]])[0], look.pixel_max),
                    "caption": caption(row),
                    "place": f"{row['split']}: {row['place']}",
                }
                for row in part.to_dict("records")
            ],
        }
        for title, part in chosen.items()
    ]


def _shown_rows(material: Material, rows: Rows, table: pd.DataFrame) -> dict[str, Any]:
    """The first rows of the list with some of their columns, of tables and vectors."""
    if material.look.kind == "images":
        return {"columns": [], "rows": []}
    first = table.head(_SHOWN)
    if isinstance(rows.inputs, pd.DataFrame):
        shown = rows.inputs.iloc[first["at"].to_numpy(np.int64), :_SHOWN_COLUMNS]
    else:
        listed = material.look.take(rows.inputs[first["at"].to_numpy(np.int64)])
        flat = listed.reshape(len(first), math.prod(listed.shape[1:]))  # there may be no rows
        names = material.names_of_quantities or range(flat.shape[1])
        shown = pd.DataFrame(flat, columns=list(map(str, names))).iloc[:, :_SHOWN_COLUMNS]
    values = [[_said(value) for value in record] for record in shown.itertuples(index=False)]
    return {"columns": [str(name) for name in shown.columns], "rows": values}


def _said(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)[:40]
