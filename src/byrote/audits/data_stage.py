"""Stage 1: is the score honest? Copies and groups on both sides, columns that tell the label, and the score without
them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any, ClassVar

import joblib
import numpy as np
import pandas as pd
from jaxtyping import Bool, Int64

from byrote.audits.data_findings import copies_count, findings_of_data, num_leaked
from byrote.audits.data_sections import sections_of_data
from byrote.audits.errors_by_group import errors_by_group, group_figures
from byrote.audits.give_away import best_column
from byrote.audits.honest_score import HonestScore, honest_score
from byrote.audits.identical_rows import Identical, identical_rows
from byrote.audits.material import Material, Rows
from byrote.audits.metric import Prediction
from byrote.audits.near_duplicates import NearDuplicates, linked, near_duplicates
from byrote.audits.split_checks import (
    class_counts,
    conflicts,
    disagreeing,
    order_by_class,
    order_by_target,
    shared_groups,
    target_counts,
    times_in_order,
)
from byrote.audits.stage import CLEAN_SPLIT, Case, Estimate, Stage, StageResult, copies_or_none, interval_figure
from byrote.audits.subject import SubjectFailed
from byrote.charts.examples import picture_of
from byrote.charts.sections import Section
from byrote.evidence.finding import Finding
from byrote.randomness import stream

_PAIR_SECONDS = 9e-9
"""On one core, of each pair that is compared; and of each row, which is aligned with its neighbours:"""
_ROW_SECONDS = 8e-4
_SHARE_OF_BUDGET = 0.5
"""Of what fits leave: the other half is for later stages."""
COUNTED = 0.01
"""Copies are left out of the score where chance explains them with a p-value no larger: it stays below 5% among
five."""
_SHOWN = 6


class DataStage(Stage):
    """Looks at the data, and at the predictions on the test rows where there are any."""

    name: ClassVar[str] = "data"
    title: ClassVar[str] = "Is the score honest, or are test rows known from training?"
    needs_predictions: ClassVar[bool] = True
    alarm_names: ClassVar[tuple[str, ...]] = ("leakage", "label-conflicts")
    version: ClassVar[int] = 6

    def estimate(self, case: Case, budget_s: float = math.inf) -> Estimate:
        fits = case.seconds_of_fits()
        scan = _scan(case.material, _SHARE_OF_BUDGET * (budget_s - fits))
        return Estimate(fits + scan.seconds, scan.memory_bytes, smaller=_smaller(case, scan))

    def run(self, case: Case, budget_s: float = math.inf) -> StageResult:
        started, material = time.monotonic(), case.material
        predictions, trace = _predictions(case)
        whole = material.whole()
        num_train = len(material.train)
        left = _SHARE_OF_BUDGET * (budget_s - (time.monotonic() - started)) / case.pace
        plan = _scan(material, left)
        scanned = np.arange(len(whole)) if not plan.smaller else _sample(len(whole), num_train, left)
        case.log(f"looking for copies among {len(scanned):,} rows")
        features = whole.take(scanned).inputs
        if isinstance(features, pd.DataFrame):
            features = material.features(features).reset_index(drop=True)
        look = material.look
        identical = identical_rows(features, look.kind)
        near = near_duplicates(look.take(features), look.kind, look.pixel_max, identical)
        clusters = _clusters(len(whole), scanned, identical, near)
        in_train = np.isin(clusters[num_train:], clusters[:num_train])
        together = _numbered(clusters)
        copies = copies_or_none(together[num_train:])
        groups = shared_groups(material)
        leaked = in_train if groups is None else in_train | groups
        found_column = best_column(material, clusters[:num_train])
        order = (order_by_target if material.of_quantities else order_by_class)(material.train)
        listed = _duplicate_table(material, whole, scanned, identical, near)
        figures: dict[str, Any] = {
            "num_train": num_train,
            "num_test": len(material.test),
            "copies": _copy_figures(whole, scanned, num_train, identical, near, material.of_quantities),
            "num_test_with_copy_in_train": int(in_train.sum()),
            "num_test_with_group_in_train": None if groups is None else int(groups.sum()),
            "num_test_leaked": int(leaked.sum()),
            "times": times_in_order(material),
            "classes": None if material.of_quantities else class_counts(material),
            "targets": target_counts(material) if material.of_quantities else None,
            "order": vars(order),
            "column": None if found_column is None else vars(found_column),
            "smaller": _smaller(case, plan),
            "copies_looked_for_among": len(scanned),
        }
        p_values = {"identical": identical.p_value} if identical.num_pairs and identical.expected_pairs else {}
        if near is not None:
            p_values["near"] = near.p_value
        if order.p_value < 1:
            p_values["order"] = order.p_value
        if found_column is not None:
            p_values["column"] = found_column.p_value
        if predictions:
            score = honest_score(case.metric, material.test.labels, predictions, ~leaked, material.test.groups, copies)
            figures["score"] = _score_figures(case, score, ~leaked)
            if material.test.groups is not None and not material.of_quantities:
                counted = ~in_train & _first_of(copies, len(material.test))
                shares = errors_by_group(predictions, material.test.labels, material.test.groups, counted)
                figures["by_group"] = group_figures(shares, material.group_names)
                if shares:
                    p_values["groups-differ"] = min(each.p_value for each in shares)
        figures["pictures"] = _pictures(material, listed)
        tables = {
            "duplicates.csv": listed.drop(columns=["row_1", "row_2"]),
            CLEAN_SPLIT: _clean_split(material, in_train, groups, together),
        }
        statement = f"{figures['smaller']}, for want of time." if figures["smaller"] else ""
        if trace:
            statement += f"{' ' if statement else ''}The model failed, so that there is no score."
        return StageResult("done", statement, figures, p_values, tables, trace)

    def findings(self, case: Case, result: StageResult, found: Mapping[str, bool]) -> list[Finding]:
        return findings_of_data(case, result.figures, found)

    def alarms(self, case: Case, result: StageResult, found: Mapping[str, bool]) -> Mapping[str, float]:  # noqa: ARG002
        figures = result.figures
        times = figures["times"]
        leaks = (
            num_leaked(figures, found) > 0,
            bool(times and times["num_train_after_first_test"]),
            bool(figures["column"] and figures["column"]["gives_away"] and found.get("column")),
        )
        conflicts = figures["copies"]["num_disagreeing"] if copies_count(figures, found, "identical") else 0
        return {
            "leakage": float(any(leaks)),
            "label-conflicts": conflicts / (figures["num_train"] + figures["num_test"]),
        }

    def sections(self, case: Case, result: StageResult) -> list[Section]:
        return sections_of_data(case, result.figures)


def _predictions(case: Case) -> tuple[list[Prediction], str]:
    """On the test rows, and the traceback of a model that raised: copies are found without it."""
    if not case.subject.can_predict:
        return [], ""
    try:
        return case.predictions(), ""
    except SubjectFailed as failed:
        return [], failed.trace


def _smaller(case: Case, scan: Estimate) -> str:
    return ". ".join(filter(None, (case.fitted_on_fewer(), scan.smaller)))


def _scan(material: Material, budget_s: float) -> Estimate:
    """What looking for copies costs, among as many rows as the budget allows."""
    num = len(material.train) + len(material.test)
    if _scan_seconds(num) <= budget_s:
        return Estimate(_scan_seconds(num), _scan_bytes(material))
    most = min(_rows_in(budget_s), num)
    smaller = f"Copies are looked for among {most:,} of {num:,} rows" if most < num else ""
    return Estimate(_scan_seconds(most), _scan_bytes(material), smaller=smaller)


def _scan_seconds(num: int) -> float:
    return (num**2 * _PAIR_SECONDS + num * _ROW_SECONDS) / joblib.cpu_count()


def _rows_in(seconds: float) -> int:
    """How many rows can be scanned in so many seconds."""
    a, b, c = _PAIR_SECONDS, _ROW_SECONDS, -max(seconds, 0.0) * joblib.cpu_count()
    return max(int((-b + math.sqrt(b * b - 4 * a * c)) / (2 * a)), 500)


def _scan_bytes(material: Material) -> float:
    num = len(material.train) + len(material.test)
    values = math.prod(np.shape(material.train.inputs)[1:]) if material.look.kind != "images" else 32 * 32 * 3
    return 2.0 * num * (values + 600)


def _sample(num: int, num_train: int, budget_s: float) -> Int64[np.ndarray, " M"]:
    """Some training rows and some test rows, in their shares."""
    draw = stream(0, "rows that are scanned")
    share = min(_rows_in(budget_s) / num, 1.0)
    parts = [np.arange(num_train), np.arange(num_train, num)]
    return np.sort(np.concatenate([draw.choice(part, max(int(share * len(part)), 1), replace=False) for part in parts]))


def _clusters(
    num: int, scanned: Int64[np.ndarray, " M"], identical: Identical, near: NearDuplicates | None
) -> Int64[np.ndarray, " N"]:
    """The cluster of copies that each row is in."""
    first, second = [scanned], [scanned[identical.ids]]
    if near is not None and near.p_value <= COUNTED:
        first.append(scanned[near.first])
        second.append(scanned[near.second])
    if identical.expected_pairs and identical.p_value > COUNTED:
        first, second = first[1:] or [scanned[:0]], second[1:] or [scanned[:0]]
    return linked(num, np.concatenate(first), np.concatenate(second))


def _numbered(clusters: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
    """From 1 on, those of more than one row; 0 for rows that have no copy."""
    _, places, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    numbers = np.cumsum(sizes > 1) * (sizes > 1)
    return numbers[places].astype(np.int64)


def _first_of(copies: Int64[np.ndarray, " T"] | None, num_rows: int) -> Bool[np.ndarray, " T"]:
    """Of rows that are copies of one another, the first alone."""
    first = np.ones(num_rows, dtype=bool)
    if copies is not None:
        first[:] = False
        first[np.unique(copies, return_index=True)[1]] = True
    return first


def _copy_figures(
    whole: Rows,
    scanned: Int64[np.ndarray, " M"],
    num_train: int,
    identical: Identical,
    near: NearDuplicates | None,
    of_quantities: bool,
) -> dict[str, Any]:
    labels = whole.labels[scanned]
    is_train = scanned < num_train
    extra = np.arange(len(scanned)) != identical.ids
    first = identical.ids[extra]
    figures: dict[str, Any] = {
        "num_identical_pairs": identical.num_pairs,
        "expected_identical_pairs": identical.expected_pairs,
        "num_identical_within_train": int((extra & is_train).sum()),
        "num_identical_test_in_train": int(np.isin(identical.ids[~is_train], identical.ids[is_train]).sum()),
        "num_identical_within_test": int((~is_train[first]).sum()),
        "num_disagreeing": int(disagreeing(identical.ids, labels).sum()),
        "conflicts": vars(conflicts(identical.ids, labels)) if of_quantities else None,
        "near": None,
    }
    if near is not None:
        across = is_train[near.first] & ~is_train[near.second]
        figures["near"] = {
            "num_pairs": len(near.first),
            "num_across": int(across.sum()),
            "num_within_train": int((is_train[near.first] & is_train[near.second]).sum()),
            "num_within_test": int((~is_train[near.first] & ~is_train[near.second]).sum()),
            "num_test_with_copy_in_train": len(np.unique(near.second[across])),
            "num_other_label": int((labels[near.first] != labels[near.second]).sum()),
            "cut": None if math.isinf(near.cut) else near.cut,
            "recall_of_planted_copies": {way: interval_figure(share) for way, share in near.recall.items()},
        }
    return figures


def _duplicate_table(
    material: Material, whole: Rows, scanned: Int64[np.ndarray, " M"], identical: Identical, near: NearDuplicates | None
) -> pd.DataFrame:
    extra = np.flatnonzero(np.arange(len(scanned)) != identical.ids)
    pairs = [(int(scanned[identical.ids[row]]), int(scanned[row]), "identical", math.inf) for row in extra]
    if near is not None and near.p_value <= COUNTED:
        order = np.argsort(-near.lead, kind="stable")
        first, second = scanned[near.first[order]].tolist(), scanned[near.second[order]].tolist()
        pairs += zip(first, second, ["near"] * len(order), near.lead[order].tolist(), strict=True)

    def side(row: int) -> tuple[str, str, str]:
        split, rows, at = material.side(row)
        return split, rows.place(at), material.label_name(whole.labels[row])

    records = [(kind, *side(first), *side(second), lead, first, second) for first, second, kind, lead in pairs]
    columns = ["kind", "split_1", "place_1", "label_1", "split_2", "place_2", "label_2", "lead", "row_1", "row_2"]
    return pd.DataFrame(records, columns=columns)


def _clean_split(
    material: Material,
    in_train: Bool[np.ndarray, " T"],
    groups: Bool[np.ndarray, " T"] | None,
    together: Int64[np.ndarray, " N"],
) -> pd.DataFrame:
    """Every row, with the split in which it may be used: test rows that training knows are in none."""
    frames, num_train = [], len(material.train)
    for split, rows in (("train", material.train), ("test", material.test)):
        reasons = np.full(len(rows), "", dtype=object)
        if split == "test":
            if groups is not None:
                reasons[groups] = "its group is in training"
            reasons[in_train] = "a copy of it is in training"
        frames.append(
            pd.DataFrame(
                {
                    "place": [rows.place(row) for row in range(len(rows))],
                    "label": [material.label_name(label) for label in rows.labels],
                    "split": split,
                    "clean_split": np.where(reasons == "", split, "left out"),
                    "reason": reasons,
                    "copies": together[:num_train] if split == "train" else together[num_train:],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _score_figures(case: Case, score: HonestScore, clean: Bool[np.ndarray, " T"]) -> dict[str, Any]:
    labels = case.material.test.labels
    return {
        "all": interval_figure(score.everything),
        "honest": interval_figure(score.honest),
        "difference": interval_figure(score.difference),
        "chance": _known(case.metric.chance(labels)),
        "honest_chance": _known(case.metric.chance(labels[clean])) if clean.any() else None,
        "seeds": case.seeds if case.subject.can_fit else 1,
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _pictures(material: Material, listed: pd.DataFrame) -> list[dict[str, Any]]:
    """Pairs to show: the first and, of near ones, those that were listed last, of which one of a hundred is chance."""
    look = material.look
    if look.kind != "images" or not len(listed):
        return []
    near = listed[listed["kind"] == "near"]
    chosen = {
        "Identical": listed[listed["kind"] == "identical"].head(_SHOWN),
        "Near, the surest": near.head(_SHOWN),
        "Near, the least sure": near.tail(_SHOWN) if len(near) > 2 * _SHOWN else near.head(0),
    }

    def image(row: int) -> str:
        _, rows, at = material.side(row)
        return picture_of(look.take(np.asarray(rows.inputs)[[at]])[0], look.pixel_max)

    return [
        {
            "title": title,
            "pictures": [
                {
                    "image": image(pair[f"row_{n}"]),
                    "caption": f"{pair[f'split_{n}']}: {pair[f'label_{n}']}",
                    "place": pair[f"place_{n}"],
                }
                for pair in pairs.to_dict("records")
                for n in (1, 2)
            ],
        }
        for title, pairs in chosen.items()
        if len(pairs)
    ]
