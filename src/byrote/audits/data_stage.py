"""Stage 1: is the score honest? Copies and groups on both sides, columns that tell the label, and the score without
them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import joblib
import numpy as np
import pandas as pd
from jaxtyping import Bool, Int64, Shaped

from byrote.audits.give_away import best_column
from byrote.audits.honest_score import HonestScore, honest_score
from byrote.audits.identical_rows import Identical, identical_rows
from byrote.audits.material import Material, Rows
from byrote.audits.metric import Prediction
from byrote.audits.near_duplicates import NearDuplicates, linked, near_duplicates
from byrote.audits.split_checks import (
    class_counts,
    disagreeing,
    share_followed_by_own_class,
    shared_groups,
    times_in_order,
)
from byrote.audits.stage import CLEAN_SPLIT, Case, Estimate, Stage, StageResult, interval_figure, rows_in_words
from byrote.audits.subject import SubjectFailed
from byrote.charts.examples import picture_of
from byrote.charts.sections import PageTable, Picture, PictureRow, Section
from byrote.evidence.finding import Finding
from byrote.randomness import stream

_PAIR_SECONDS = 9e-9
"""On one core, of each pair that is compared; and of each row, which is aligned with its neighbours:"""
_ROW_SECONDS = 8e-4
COUNTED = 0.01
"""Copies are left out of the score where chance explains them with a p-value no larger: it stays below 5% among
five."""
_SHOWN = 6
_MOST_FEW = 0.2
"""A class is rare where it has less than a fifth of what equal classes would have."""


class DataStage(Stage):
    """Looks at the data, and at the predictions on the test rows where there are any."""

    name: ClassVar[str] = "data"
    title: ClassVar[str] = "Is the score honest, or are test rows known from training?"
    alarm_names: ClassVar[tuple[str, ...]] = ("leakage", "label-conflicts")

    def estimate(self, case: Case, budget_s: float = math.inf) -> Estimate:
        fits = case.seconds_of_fits()
        scan = _scan(case.material, budget_s - fits)
        return Estimate(fits + scan.seconds, scan.memory_bytes, smaller=scan.smaller)

    def run(self, case: Case, budget_s: float = math.inf) -> StageResult:
        started, material = time.monotonic(), case.material
        predictions, trace = _predictions(case)
        whole = both_in_order(material)
        num_train = len(material.train)
        left = budget_s - (time.monotonic() - started)
        plan = _scan(material, left)
        scanned = np.arange(len(whole)) if not plan.smaller else _sample(len(whole), num_train, left)
        case.log(f"looking for copies among {len(scanned):,} rows")
        features = _features(material, whole, scanned)
        identical = identical_rows(features, material.kind)
        near = near_duplicates(features, material.kind, material.pixel_max, identical)
        clusters = _clusters(len(whole), scanned, identical, near)
        in_train = np.isin(clusters[num_train:], clusters[:num_train])
        groups = shared_groups(material)
        leaked = in_train if groups is None else in_train | groups
        found_column = best_column(material)
        listed = _duplicate_table(material, whole, scanned, identical, near)
        figures: dict[str, Any] = {
            "num_train": num_train,
            "num_test": len(material.test),
            "copies": _copy_figures(whole, scanned, num_train, identical, near),
            "num_test_with_copy_in_train": int(in_train.sum()),
            "num_test_with_group_in_train": None if groups is None else int(groups.sum()),
            "num_test_leaked": int(leaked.sum()),
            "times": times_in_order(material),
            "classes": class_counts(material),
            "order": dict(
                zip(("followed_by_own_class", "expected"), share_followed_by_own_class(material.train), strict=True)
            ),
            "column": None if found_column is None else vars(found_column),
            "smaller": plan.smaller,
        }
        p_values = {"identical": identical.p_value} if identical.num_pairs and identical.expected_pairs else {}
        if near is not None:
            p_values["near"] = near.p_value
        if found_column is not None:
            p_values["column"] = found_column.p_value
        if predictions:
            score = honest_score(case.metric, material.test.labels, predictions, ~leaked, material.test.groups)
            figures["score"] = _score_figures(case, score, ~leaked)
        figures["pictures"] = _pictures(material, listed)
        tables = {
            "duplicates.csv": listed.drop(columns=["row_1", "row_2"]),
            CLEAN_SPLIT: _clean_split(material, in_train, groups),
        }
        statement = f"{plan.smaller}, for want of time." if plan.smaller else ""
        if trace:
            statement += f"{' ' if statement else ''}The model raised, so that there is no score."
        return StageResult("done", statement, figures, p_values, tables, trace)

    def findings(self, case: Case, result: StageResult, found: Mapping[str, bool]) -> list[Finding]:
        figures = result.figures
        return [
            _score_finding(case, figures, found),
            _copies_finding(case, figures, found),
            *_conflict_findings(case, figures, found),
            *_group_findings(case, figures),
            *_time_findings(figures),
            *_column_findings(figures, found),
            _class_finding(figures),
            *_order_findings(figures),
        ]

    def alarms(self, case: Case, result: StageResult, found: Mapping[str, bool]) -> Mapping[str, float]:  # noqa: ARG002
        figures = result.figures
        times = figures["times"]
        leaks = (
            _num_leaked(figures, found) > 0,
            bool(times and times["num_train_after_first_test"]),
            bool(figures["column"] and figures["column"]["gives_away"] and found.get("column")),
        )
        conflicts = figures["copies"]["num_disagreeing"] if _copies_count(figures, found, "identical") else 0
        return {
            "leakage": float(any(leaks)),
            "label-conflicts": conflicts / (figures["num_train"] + figures["num_test"]),
        }

    def sections(self, case: Case, result: StageResult, findings: Sequence[Finding]) -> list[Section]:  # noqa: ARG002
        figures = result.figures
        parts = []
        if "score" in figures:
            parts.append(_score_section(case, figures))
        parts.append(_copies_section(case, figures))
        parts.append(_classes_section(figures))
        return parts


def _predictions(case: Case) -> tuple[list[Prediction], str]:
    """On the test rows, and the traceback of a model that raised: copies are found without it."""
    if not case.subject.can_predict:
        return [], ""
    try:
        return case.predictions(), ""
    except SubjectFailed as failed:
        return [], failed.trace


def both_in_order(material: Material) -> Rows:
    """Training rows, then test rows."""
    if isinstance(material.train.inputs, pd.DataFrame):
        inputs: Any = pd.concat([material.train.inputs, pd.DataFrame(material.test.inputs)], ignore_index=True)
    else:
        inputs = np.concatenate([material.train.inputs, material.test.inputs])
    labels = np.concatenate([material.train.labels, material.test.labels])
    return Rows(inputs, labels, np.arange(len(labels)))


def _features(
    material: Material, whole: Rows, rows: Int64[np.ndarray, " M"]
) -> Shaped[np.ndarray, "M ..."] | pd.DataFrame:
    if isinstance(whole.inputs, pd.DataFrame):
        return material.features(whole.inputs).iloc[rows].reset_index(drop=True)
    return whole.inputs[rows]


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
    values = math.prod(np.shape(material.train.inputs)[1:]) if material.kind != "images" else 32 * 32 * 3
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


def _copy_figures(
    whole: Rows, scanned: Int64[np.ndarray, " M"], num_train: int, identical: Identical, near: NearDuplicates | None
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
            "recall_of_planted_copies": {way: interval_figure(*numbers) for way, numbers in near.recall.items()},
        }
    return figures


def _duplicate_table(
    material: Material, whole: Rows, scanned: Int64[np.ndarray, " M"], identical: Identical, near: NearDuplicates | None
) -> pd.DataFrame:
    num_train = len(material.train)
    extra = np.flatnonzero(np.arange(len(scanned)) != identical.ids)
    pairs = [(scanned[identical.ids[row]], scanned[row], "identical", math.inf) for row in extra]
    if near is not None and near.p_value <= COUNTED:
        order = np.argsort(-near.lead, kind="stable")
        pairs += [(scanned[near.first[p]], scanned[near.second[p]], "near", float(near.lead[p])) for p in order]

    def side(row: int) -> tuple[str, str, str]:
        rows, at = (material.train, row) if row < num_train else (material.test, row - num_train)
        return "train" if row < num_train else "test", rows.place(at), material.class_names[whole.labels[row]]

    records = []
    for first, second, kind, lead in pairs:
        (split_1, place_1, label_1), (split_2, place_2, label_2) = side(int(first)), side(int(second))
        records.append(
            {
                "kind": kind,
                "split_1": split_1,
                "place_1": place_1,
                "label_1": label_1,
                "split_2": split_2,
                "place_2": place_2,
                "label_2": label_2,
                "lead": lead,
                "row_1": int(first),
                "row_2": int(second),
            }
        )
    columns = ["kind", "split_1", "place_1", "label_1", "split_2", "place_2", "label_2", "lead", "row_1", "row_2"]
    return pd.DataFrame(records, columns=columns)


def _clean_split(
    material: Material, in_train: Bool[np.ndarray, " T"], groups: Bool[np.ndarray, " T"] | None
) -> pd.DataFrame:
    """Every row, with the split in which it may be used: test rows that training knows are in none."""
    frames = []
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
                    "label": [material.class_names[label] for label in rows.labels],
                    "split": split,
                    "clean_split": np.where(reasons == "", split, "left out"),
                    "reason": reasons,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _score_figures(case: Case, score: HonestScore, clean: Bool[np.ndarray, " T"]) -> dict[str, Any]:
    labels = case.material.test.labels
    return {
        **{
            name: interval_figure(each.mean, each.low, each.high, each.n)
            for name, each in (("all", score.everything), ("honest", score.honest), ("difference", score.difference))
        },
        "chance": _known(case.metric.chance(labels)),
        "honest_chance": _known(case.metric.chance(labels[clean])) if clean.any() else None,
        "seeds": case.seeds if case.subject.can_fit else 1,
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _pictures(material: Material, listed: pd.DataFrame) -> list[dict[str, Any]]:
    """Pairs to show: the first and, of near ones, those that were listed last, of which one of a hundred is chance."""
    if material.kind != "images" or not len(listed):
        return []
    near = listed[listed["kind"] == "near"]
    chosen = {
        "Identical": listed[listed["kind"] == "identical"].head(_SHOWN),
        "Near, the surest": near.head(_SHOWN),
        "Near, the least sure": near.tail(_SHOWN) if len(near) > 2 * _SHOWN else near.head(0),
    }
    num_train = len(material.train)

    def image(row: int) -> str:
        rows, at = (material.train, row) if row < num_train else (material.test, row - num_train)
        return picture_of(np.asarray(rows.inputs)[at], material.pixel_max)

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


def _copies_count(figures: Mapping[str, Any], found: Mapping[str, bool], kind: str) -> bool:
    """Whether copies of a kind are more than chance gives."""
    copies = figures["copies"]
    if kind == "identical":
        return copies["num_identical_pairs"] > 0 and (
            not copies["expected_identical_pairs"] or found.get("identical", False)
        )
    return copies["near"] is not None and copies["near"]["num_pairs"] > 0 and found.get("near", False)


def _num_leaked(figures: Mapping[str, Any], found: Mapping[str, bool]) -> int:
    counted = any(_copies_count(figures, found, kind) for kind in ("identical", "near"))
    return figures["num_test_leaked"] if counted else figures["num_test_with_group_in_train"] or 0


def _score_finding(case: Case, figures: Mapping[str, Any], found: Mapping[str, bool]) -> Finding:
    claim, metric, model = "The score is that of rows which training does not know", case.metric, case.subject.name
    leaked = _num_leaked(figures, found)
    what = rows_in_words(leaked, case.material.test)
    if "score" not in figures:
        words = (
            f"{what} of {figures['num_test']:,} in the test split {'is' if leaked == 1 else 'are'} known from training"
        )
        return Finding(
            claim, "not supported" if leaked else "supported", f"{words}; there are no predictions to score."
        )
    score = figures["score"]
    everything, honest, difference = (
        {k: math.nan if v is None else v for k, v in score[name].items()} for name in ("all", "honest", "difference")
    )
    first = f"{model} has {_article(metric.title)} {metric.title} of {metric.in_words(everything['mean'])}"
    if not leaked:
        interval = metric.range_in_words(everything["low"], everything["high"])
        return Finding(
            claim,
            "supported",
            f"{first} ({interval}) on {rows_in_words(figures['num_test'], case.material.test)}, none of which is "
            f"known to be in "
            f"training. Guessing gives {metric.in_words(math.nan if score['chance'] is None else score['chance'])}.",
        )
    if math.isnan(honest["mean"]):
        return Finding(
            claim,
            "not supported",
            f"{first}, but all test rows on which it could be taken are known from training: it says nothing of "
            f"new ones.",
        )
    return Finding(
        claim,
        "not supported",
        f"{first}; without {what} known from training it is {metric.in_words(honest['mean'])} "
        f"({metric.range_in_words(honest['low'], honest['high'])}), on {honest['n']:,} rows. The leak is worth "
        f"{metric.in_words(difference['mean'], signed=True)} "
        f"({metric.range_in_words(difference['low'], difference['high'])}).",
    )


def _article(word: str) -> str:
    return "an" if word[:1].lower() in "aeiou" else "a"


def _copies_finding(case: Case, figures: Mapping[str, Any], found: Mapping[str, bool]) -> Finding:
    copies, claim = figures["copies"], "No example has a copy"
    test = case.material.test
    near = copies["near"]
    parts = []
    if copies["num_identical_pairs"]:
        parts.append(
            f"{rows_in_words(copies['num_identical_test_in_train'], test)} of the test split "
            f"{'is' if copies['num_identical_test_in_train'] == 1 else 'are'} identical to one of training; "
            f"{copies['num_identical_within_train']:,} repeat another within training, "
            f"{copies['num_identical_within_test']:,} within the test split"
        )
        if copies["expected_identical_pairs"]:
            chance = copies["expected_identical_pairs"]
            parts.append(
                f"columns with few values explain up to {chance:,.0f} of the {copies['num_identical_pairs']:,} "
                f"identical pairs"
            )
    else:
        parts.append("no two examples are identical")
    if near is None:
        kind = "token ids have no distances" if case.material.kind == "tokens" else "there are too few rows"
        parts.append(f"near copies were not looked for, since {kind}")
    elif _copies_count(figures, found, "near"):
        parts.append(
            f"{near['num_pairs']:,} pairs are near-duplicates, {near['num_across']:,} of them across the split, "
            f"{near['num_within_train']:,} within training, {near['num_within_test']:,} within the test split "
            "(at most some 1% of them by chance)"
        )
    else:
        parts.append("no pair is more alike than neighbours here are by chance")
    if near is not None:
        recall = near["recall_of_planted_copies"]
        least = min(recall, key=lambda way: recall[way]["mean"])
        shares = ", ".join(f"{way} {100 * each['mean']:.0f}%" for way, each in recall.items())
        parts.append(
            f"of copies planted to see what is found, {shares} were (the least, {least}, with n = {recall[least]['n']})"
        )
    any_found = any(_copies_count(figures, found, kind) for kind in ("identical", "near"))
    outcome: Any = "not supported" if any_found else "supported"
    if (
        not any_found
        and near is not None
        and min(each["mean"] for each in near["recall_of_planted_copies"].values()) < 0.5
    ):
        outcome = "no conclusion"
        parts.append("copies would hardly stand out here")
    text = "; ".join(parts)
    return Finding(claim, outcome, f"{text[0].upper()}{text[1:]}. `duplicates.csv` lists all.")


def _conflict_findings(case: Case, figures: Mapping[str, Any], found: Mapping[str, bool]) -> list[Finding]:
    copies = figures["copies"]
    if not _copies_count(figures, found, "identical"):
        return []
    num = copies["num_disagreeing"]
    words = (
        f"{rows_in_words(num, case.material.test)} {'has' if num == 1 else 'have'} another label than an identical one."
    )
    return [Finding("Identical inputs have one label", "not supported" if num else "supported", words)]


def _group_findings(case: Case, figures: Mapping[str, Any]) -> list[Finding]:
    num = figures["num_test_with_group_in_train"]
    if num is None:
        return []
    words = f"{num:,} of {figures['num_test']:,} test rows belong to a group that is in training too."
    if case.material.split_in_words and not num:
        words += " byrote has split whole groups."
    return [Finding("No group is on both sides of the split", "not supported" if num else "supported", words)]


def _time_findings(figures: Mapping[str, Any]) -> list[Finding]:
    times = figures["times"]
    if times is None:
        return []
    num = times["num_train_after_first_test"]
    words = (
        f"{num:,} of {figures['num_train']:,} training rows are later than the first test row: what is learnt "
        f"from them may "
        "be the future of what it is tested on."
        if num
        else "All training rows are earlier than the test rows."
    )
    return [Finding("Training knows nothing of the future", "not supported" if num else "supported", words)]


def _column_findings(figures: Mapping[str, Any], found: Mapping[str, bool]) -> list[Finding]:
    column = figures["column"]
    if column is None:
        return []
    bad = column["gives_away"] and found.get("column", False)
    words = (
        f"Of {column['num_columns']:,} columns, {column['column']} tells the label best: a small tree on it alone "
        f"is right on "
        f"{100 * column['accuracy']:.1f}% of training rows that it was not fitted on, which removes "
        f"{100 * max(column['removed'], 0):.0f}% of the "
        f"errors of guessing."
    )
    if bad:
        words += " If it is only known once the label is, leave it out."
    return [Finding("No single column gives the label away", "not supported" if bad else "supported", words)]


def _class_finding(figures: Mapping[str, Any]) -> Finding:
    classes = figures["classes"]
    missing = [each["class"] for each in classes if not each["num_test"] or not each["num_train"]]
    fair = figures["num_train"] / len(classes)
    rare = [each["class"] for each in classes if 0 < each["num_train"] < _MOST_FEW * fair]
    words = []
    if missing:
        words.append(f"{_listed(missing)} {'is' if len(missing) == 1 else 'are'} missing on one side of the split")
    if rare:
        words.append(
            f"{_listed(rare)} {'has' if len(rare) == 1 else 'have'} less than a fifth of what equal classes would have"
        )
    largest = max(classes, key=lambda each: each["num_train"])
    words.append(
        f"the largest class, {largest['class']}, has {100 * largest['num_train'] / figures['num_train']:.1f}% of "
        f"training rows"
    )
    text = "; ".join(words)
    outcome: Any = "not supported" if missing or rare else "supported"
    return Finding("Every class has its share on both sides", outcome, f"{text[0].upper()}{text[1:]}.")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _order_findings(figures: Mapping[str, Any]) -> list[Finding]:
    order = figures["order"]
    own, expected = order["followed_by_own_class"], order["expected"]
    if own < (1 + expected) / 2:
        return []
    words = (
        f"{100 * own:.0f}% of training rows are followed by one of their own class, where a random order gives "
        f"{100 * expected:.0f}%: shuffle before you split, and while you train."
    )
    return [Finding("Rows are in no order of their classes", "not supported", words)]


def _score_section(case: Case, figures: Mapping[str, Any]) -> Section:
    metric, score = case.metric, figures["score"]

    def row(title: str, name: str) -> list[str]:
        each = {key: math.nan if value is None else value for key, value in score[name].items()}
        return [
            title,
            metric.in_words(each["mean"]),
            metric.range_in_words(each["low"], each["high"]),
            f"{each['n']:,}",
        ]

    rows = [
        row("all test rows", "all"),
        row("without rows known from training", "honest"),
        row("difference", "difference"),
    ]
    table = PageTable(("", metric.title, "95% interval", "rows"), {"": rows})
    lead = f"The {metric.title} on all test rows, and on those that have no copy and no shared group in training."
    fits = (
        f" Means over {score['seeds']} fits."
        if score["seeds"] > 1
        else " One fit: the interval is that of the test rows."
    )
    chance = "–" if score["chance"] is None else metric.in_words(score["chance"])
    return Section(
        "honest-score",
        "The honest score",
        lead,
        table=table,
        note=f"Guessing, the best constant, gives {chance}.{fits}",
    )


def _copies_section(case: Case, figures: Mapping[str, Any]) -> Section:
    copies = figures["copies"]
    near = copies["near"] or {}
    rows = [
        [
            "test rows with a copy in training",
            f"{copies['num_identical_test_in_train']:,}",
            f"{near.get('num_test_with_copy_in_train', 0):,}",
        ],
        ["pairs within training", f"{copies['num_identical_within_train']:,}", f"{near.get('num_within_train', 0):,}"],
        [
            "pairs within the test split",
            f"{copies['num_identical_within_test']:,}",
            f"{near.get('num_within_test', 0):,}",
        ],
        ["with another label", f"{copies['num_disagreeing']:,}", f"{near.get('num_other_label', 0):,}"],
    ]
    note = (
        "Near: the nearest example leads those behind it by more than unrelated examples of this data do, at a "
        "rate of 1% "
        "false pairs. `duplicates.csv` lists all, `clean_split.csv` has the rows that are left."
    )
    shown = [
        PictureRow(each["title"], [Picture(**picture) for picture in each["pictures"]]) for each in figures["pictures"]
    ]
    what = "images" if case.material.kind == "images" else "rows"
    return Section(
        "copies",
        "Copies",
        f"Which {what} occur more than once.",
        table=PageTable(("", "identical", "near"), {"": rows}),
        note=note,
        pictures=shown,
    )


def _classes_section(figures: Mapping[str, Any]) -> Section:
    most = sorted(figures["classes"], key=lambda each: -each["num_train"])
    shown = most if len(most) <= 20 else [*most[:10], *most[-10:]]
    rows = [[each["class"], f"{each['num_train']:,}", f"{each['num_test']:,}"] for each in shown]
    lead = "Rows of each class." if len(most) <= 20 else "Rows of the ten largest and the ten smallest classes."
    return Section("classes", "Classes", lead, table=PageTable(("class", "training", "test"), {"": rows}))
