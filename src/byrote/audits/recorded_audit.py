"""The audit of a training run that a Recorder watched: its wrong labels, and what it learnt by rote."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from byrote import __version__
from byrote.audits.labels_findings import LISTED, count_finding, figures_of_rates, without_number
from byrote.audits.recorded_labels import FEWEST_PLANTED, RecordedLabels, recorded_labels
from byrote.audits.stage import SCHEMA, StageResult, interval_figure, stage_entry
from byrote.data.dataset import Dataset
from byrote.data.sources import load
from byrote.errors import UserError, kind_of
from byrote.evidence.finding import Finding, Outcome
from byrote.evidence.intervals import Interval, binomial_interval
from byrote.evidence.verdicts import SIGNIFICANCE
from byrote.files import make_folder, write_file, write_table
from byrote.masking import masked
from byrote.recording.courses import Courses, courses
from byrote.recording.recorder import Recorder
from byrote.recording.recording import Recording

WRONG_LABELS, EXAMPLES = "wrong_labels.csv", "examples.csv"
_MOST = 0.5
_MOST_PLANTED = 0.25
"""Of all labels: with more of them wrong, the training that they tell of is another one."""
_FEWEST_LISTED = 20
_DIFFER = SIGNIFICANCE / 2
"""Below which planted errors that were held back, or the first of the list, are not as was assumed: of two tests."""


@dataclass(frozen=True, eq=False)
class RecordedAudit:
    """What the record of a run tells, example by example.

    >>> import byrote
    >>> import torch
    >>> x, y = torch.randn(60, 4), torch.arange(60) % 3
    >>> recorder = byrote.Recorder(num_examples=60, labels=y)
    >>> for index in torch.randperm(60).split(20):
    ...     recorder.record(index, torch.nn.functional.one_hot(y[index], 3), y[index])
    >>> byrote.audit(recorder).findings[0].outcome
    'no conclusion'
    """

    recording: Recording
    data: Dataset | None
    """Whose training examples were recorded, row by row; for names of classes, places and pictures."""
    title: str
    command: str = ""

    @cached_property
    def courses(self) -> Courses:
        """Of each example."""
        return courses(self.recording)

    @cached_property
    def labels(self) -> RecordedLabels | None:
        """None where too few errors were planted."""
        return recorded_labels(self.recording, self.courses)

    @cached_property
    def results(self) -> Mapping[str, StageResult]:
        """By name: labels, rote."""
        return {"labels": self._labels_result(), "rote": self._rote_result()}

    def findings_of(self, stage: str) -> list[Finding]:
        """What one stage found."""
        return self._label_findings() if stage == "labels" else self._rote_findings()

    @property
    def findings(self) -> list[Finding]:
        """Of both stages."""
        return [finding for stage in self.results for finding in self.findings_of(stage)]

    @property
    def alarms(self) -> dict[str, float]:
        """The share of wrong labels, the lower end of its interval, where it is known."""
        return {"wrong-labels": self.results["labels"].figures["share_wrong"]["low"]} if self.is_known else {}

    @property
    def is_known(self) -> bool:
        """Whether the number of wrong labels is known, rather than bounded."""
        found = self.labels
        if found is None or not found.rates.is_pure or found.rates.num_errors.mean > _MOST * len(found.rows):
            return False
        return min(found.held_back.p_value, found.likeness_p) >= _DIFFER

    def place(self, row: int) -> str:
        """Where the example came from, in words."""
        return f"row {row}" if self.data is None else self.data.train.place(row)

    def class_name(self, label: int) -> str:
        """What a class is called; its number without data."""
        return str(label) if self.data is None else self.data.class_names[label]

    @cached_property
    def likely_wrong(self) -> Int64[np.ndarray, " W"]:
        """Rows that are more likely wrong than right, the surest first; none where that is not known."""
        found = self.labels
        if found is None or not self.is_known:
            return np.array([], np.int64)
        order = found.rates.order
        return found.rows[order[found.rates.p_wrong[order] > 0.5]]

    @cached_property
    def wrong_labels(self) -> pd.DataFrame:
        """The ranked list; NaN of chances that are not known."""
        found, sure = self.labels, self.is_known
        if found is None or not sure:
            score = np.nan_to_num(-self.courses.aum, nan=-np.inf)
            if self.recording.planted is not None:
                score[self.recording.planted.rows] = -np.inf
            order = np.argsort(-score, kind="stable")
            rows = order[: int((score > 0).sum())]
            chances = [np.full((len(rows), 4), math.nan)]
        else:
            rates = found.rates
            order = rates.order[: int((rates.p_wrong >= LISTED).sum())]
            rows = found.rows[order]
            falling = 1 - np.cumsum(rates.p_wrong[order]) / np.arange(1, len(order) + 1)
            chances = [np.stack([each[order] for each in (rates.p_wrong, rates.p_low, rates.p_high)], axis=1)]
            chances.append(falling[:, None])
        given, suggested = self.recording.labels[rows], self.courses.rival[rows]
        table = pd.DataFrame(
            {
                "place": [self.place(row) for row in rows.tolist()],
                "row": rows,
                "split": "train",
                "given_label": [self.class_name(label) for label in given.tolist()],
                "suggested_label": [self.class_name(label) for label in suggested.tolist()],
            }
        )
        columns = ["p_wrong", "p_low", "p_high", "false_discovery_rate"]
        numbers = pd.DataFrame(np.concatenate(chances, axis=1), columns=columns)
        reasons = pd.DataFrame({"reason": [self._reason(row) for row in rows.tolist()]})
        return pd.concat([table, numbers, reasons], axis=1)

    @cached_property
    def examples(self) -> pd.DataFrame:
        """A row an example."""
        found, recording = self.courses, self.recording
        planted = np.zeros(recording.num_examples, bool)
        if recording.planted is not None:
            planted[recording.planted.rows] = True
        return pd.DataFrame(
            {
                "row": np.arange(recording.num_examples),
                "label": recording.labels,
                "planted_error": planted,
                "area_under_margin": found.aum,
                "confidence": found.confidence,
                "variability": found.variability,
                "correctness": found.correctness,
                "times_forgotten": found.forgotten,
                "first_learnt_in_epoch": found.learnt,
                "strongest_other_class": found.rival,
                "epochs_seen": found.num_seen,
            }
        )

    def json(self) -> dict[str, Any]:
        """What audit.json holds: the schema of other audits."""
        recording = self.recording
        return {
            "schema": SCHEMA,
            "byrote": __version__,
            "model": {"name": "a recorded run", "epochs": recording.num_epochs},
            "data": {"title": self.title, "num_train": recording.num_examples, "num_classes": recording.num_classes},
            "alarms": self.alarms,
            "stages": {name: stage_entry(result, self.findings_of(name), {}) for name, result in self.results.items()},
        }

    def report(self, path: str | Path) -> None:
        """Writes the page, with its figures beside it."""
        from byrote.audits.recorded_page import write_page

        write_page(Path(path), self)

    def write(self, out: str | Path) -> None:
        """Writes report.html, figures/, audit.json, wrong_labels.csv and examples.csv into the folder `out`."""
        folder = Path(out)
        make_folder(folder)
        write_table(folder / WRONG_LABELS, self.wrong_labels)
        write_table(folder / EXAMPLES, self.examples)
        write_file(folder / "audit.json", json.dumps(self.json(), indent=1, allow_nan=False) + "\n")
        self.report(folder / "report.html")

    def __repr__(self) -> str:
        return f"<Audit of {self.recording.num_epochs} recorded epochs of {self.title}>"

    def _repr_html_(self) -> str:
        from byrote.audits.page import findings_table

        return findings_table(self.findings)

    def _reason(self, row: int) -> str:
        found = self.courses
        learnt = f"first learnt in epoch {found.learnt[row]}" if found.learnt[row] else "never learnt"
        return f"its margin is {found.aum[row]:.2g} on average, and it was {learnt}"

    def _labels_result(self) -> StageResult:
        found = self.labels
        if found is None:
            planted = self.recording.planted
            number = 0 if planted is None else len(planted.rows)
            return StageResult("no conclusion", _too_few_planted(number, self.recording.num_examples))
        held = found.held_back
        figures = {
            **figures_of_rates(found.rates),
            "score": found.score,
            "planted_found_by": dict(found.found_by),
            "compared_at_length": found.compared_at,
            "likeness_p": found.likeness_p,
            "held_back": {"stated": held.stated, "p": held.p_value} | interval_figure(held.found),
            "lists": [list(each) for each in self.lists()],
        }
        if not self.is_known:
            figures = without_number(figures) | {"lists": []}
        return StageResult("done", "", figures)

    def lists(self) -> list[tuple[int, float, float, float, float]]:
        """Of lists around the estimated number of errors: length, stated share of right rows and its interval, the
        share of planted errors that is found."""
        found = self.labels
        if found is None:
            return []
        rates = found.rates
        asked = {max(round(factor * rates.num_errors.mean), 1) for factor in (0.25, 0.5, 0.75, 1, 1.25, 1.5, 2)}
        cuts = sorted({rates.cut_at(length) for length in asked})
        columns = (rates.false_share, rates.false_low, rates.false_high, rates.recall)
        return [
            (int(rates.cut_sizes[cut]), float(a[cut]), float(b[cut]), float(c[cut]), float(d[cut]))
            for cut in cuts
            for a, b, c, d in [columns]
        ]

    def _label_findings(self) -> list[Finding]:
        result, found = self.results["labels"], self.labels
        if found is None:
            return [count_finding(result.figures, "", result.statement)]
        rows = f"{len(found.rows):,} examples"
        count = count_finding(result.figures, rows, "" if self.is_known else _why_unknown(found))
        return [count, *_assumption_findings(found)]

    def _rote_result(self) -> StageResult:
        found, recording = self.courses, self.recording
        seen = found.num_seen > 0
        fitted = self.planted_fitted
        figures = {
            "num_epochs": recording.num_epochs,
            "num_seen": int(seen.sum()),
            "num_never_learnt": int((seen & (found.learnt == 0)).sum()),
            "num_forgotten": int((found.forgotten > 0).sum()),
            "num_never_forgotten": int((seen & (found.learnt > 0) & (found.forgotten == 0)).sum()),
            "num_not_finite": recording.num_not_finite,
            "planted_fitted": interval_figure(fitted),
        }
        return StageResult("done", "", figures)

    @cached_property
    def planted_fitted(self) -> Interval:
        """The share of planted errors that the last epoch predicts as they were planted."""
        planted, last = self.recording.planted, self.recording.margin[-1]
        margins = np.asarray(last[planted.rows] if planted is not None else [], np.float64)
        known = margins[~np.isnan(margins)]
        return binomial_interval(float((known > 0).mean()) if len(known) else math.nan, len(known))

    def _rote_findings(self) -> list[Finding]:
        claim = "Most wrong labels are learnt by rote in the end"
        fitted = self.planted_fitted
        if not fitted.n:
            return [Finding(claim, "no conclusion", "No errors were planted: nothing is known to be wrong.")]
        outcome: Outcome = "no conclusion"
        if fitted.low > _MOST:
            outcome = "supported"
        elif fitted.high < _MOST:
            outcome = "not supported"
        words = (
            f"Of {fitted.n} planted errors, the last of {self.recording.num_epochs} epochs gives "
            f"{100 * fitted.mean:.0f}% ({100 * fitted.low:.0f}% to {100 * fitted.high:.0f}%) the wrong label that they "
            "were given."
        )
        return [Finding(claim, outcome, words)]

    def ranked(self, values: Float64[np.ndarray, " N"], num: int) -> Int64[np.ndarray, " _"]:
        """The rows of the highest `values`, without planted errors and labels that are likely wrong."""
        eligible = self.courses.num_seen > 0
        eligible[self.likely_wrong] = False
        if self.recording.planted is not None:
            eligible[self.recording.planted.rows] = False
        rows = np.flatnonzero(eligible)
        return rows[np.argsort(-values[rows], kind="stable")[:num]]


def audit_recorded(
    recorded: Recorder | Recording,
    data: Any = None,
    *,
    out: str | Path | None = None,
    title: str | None = None,
    command: str = "",
) -> RecordedAudit:
    """What a record tells; `byrote.audit(recorder)` calls this.

    Args:
        data: a Dataset, or a source of `byrote.load`, whose training examples are those that were recorded, in their
            rows and with the labels that they came with.
        out: a folder that everything is written into.

    Raises:
        UserError: no epoch has ended, or `data` has other rows.
    """
    recording = recorded.recording() if isinstance(recorded, Recorder) else recorded
    loaded = load(data) if isinstance(data, str) else data
    if loaded is not None:
        _check_rows(loaded, recording)
    known = f"{recording.num_examples:,} recorded examples" if loaded is None else loaded.label
    made = RecordedAudit(recording, loaded, title or known, masked(command))
    if out is not None:
        made.write(out)
    return made


def _check_rows(data: Any, recording: Recording) -> None:
    if not isinstance(data, Dataset):
        raise UserError(
            f"got {kind_of(data)} beside a recorder, expected a Dataset or the name of a source: make one with "
            "byrote.from_arrays(x_train, y_train, x_test, y_test)"
        )
    if len(data.train) != recording.num_examples:
        raise UserError(
            f"got data with {len(data.train):,} training examples for a record of {recording.num_examples:,}: give the "
            "whole training set as it was recorded, with a test split of its own"
        )
    given = recording.labels.copy()
    if recording.planted is not None:
        given[recording.planted.rows] = recording.planted.given
    wrong = np.flatnonzero((recording.labels >= 0) & (given != data.train.labels))
    if len(wrong):
        raise UserError(
            f"{len(wrong):,} recorded labels are not those of their rows in the data (row {wrong[0]}: "
            f"{given[wrong[0]]} and {data.train.labels[wrong[0]]}): give the data in the order that was recorded"
        )


def _assumption_findings(found: RecordedLabels) -> list[Finding]:
    """Whether what the rates assume was seen to hold; a list of a few examples cannot show it."""
    held, p, num_likely = found.held_back, found.likeness_p, found.rates.num_likely
    claims = (
        "Planted errors that were held back are found as often as the others",
        "The list fares as planted errors do",
    )
    if num_likely < _FEWEST_LISTED:
        why = f"{num_likely} examples are more likely wrong than right, too few to compare with planted errors."
        return [Finding(claim, "no conclusion", why) for claim in claims]
    words = (
        f"Of {held.found.n} planted errors that were held back, {100 * held.found.mean:.0f}% "
        f"({100 * held.found.low:.0f}% to {100 * held.found.high:.0f}%) are on the list, and of the others "
        f"{100 * held.stated:.0f}%."
    )
    alike = "are distributed as" if p >= _DIFFER else "differ from"
    scores = f"Scores of its first {alike} those of planted errors (p = {p:.2g}), which the stated rates assume."
    return [
        Finding(claim, "supported" if value >= _DIFFER else "not supported", said)
        for claim, value, said in zip(claims, (held.p_value, p), (words, scores), strict=True)
    ]


def _too_few_planted(planted: int, num_examples: int) -> str:
    fewest = FEWEST_PLANTED / num_examples
    rate = math.ceil(100 * min(max(0.02, 2 * fewest), max(fewest, _MOST_PLANTED))) / 100
    errors = "1 error was" if planted == 1 else f"{planted or 'No'} errors were"
    told = f"{errors} planted, and it takes {FEWEST_PLANTED} to state an error rate"
    if rate > _MOST_PLANTED:
        return (
            f"{told}. So many would be more than {100 * _MOST_PLANTED:.0f}% of these "
            f"{num_examples:,} examples, which are too few."
        )
    return f"{told}: train on `recorder.plant(labels, rate={rate:g})`."


def _why_unknown(found: RecordedLabels) -> str:
    rates = found.rates
    share = rates.num_errors.mean / len(found.rows)
    if share > _MOST:
        return "The run does not tell labels that are wrong: planted errors fared like all others."
    if not rates.is_pure:
        return (
            "Examples that are labelled rightly fared as planted errors did: they mix from the top of the list on, "
            f"with {100 * rates.least_at:.0f}% of planted errors, so that nothing tells how many labels are wrong."
        )
    if found.likeness_p < _DIFFER:
        return (
            "The first of the list do not fare as planted errors do: hard examples that are labelled rightly are among "
            "them, or errors of another kind, so that nothing tells how many labels are wrong."
        )
    return "Planted errors that were held back are not found as often as the others."
