"""What an audit of a record says, writes, and refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from made_up_recording import made_up_recording

from byrote.audits.audit import audit
from byrote.audits.recorded_audit import _too_few_planted, audit_recorded
from byrote.data.dataset import Dataset, Split
from byrote.errors import UserError
from byrote.recording.recorder import Recorder
from byrote.recording.recording import Recording


def images(recording: Recording) -> Dataset:
    labels = recording.labels.copy()
    labels[recording.planted.rows] = recording.planted.given
    pixels = np.random.default_rng(0).integers(256, size=(len(labels), 1, 4, 4)).astype(np.uint8)
    train = Split.clean(pixels, labels, np.arange(len(labels)), "image {}.png")
    test = Split.clean(pixels[:50], labels[:50], np.arange(50), "image {}.png")
    return Dataset("made up", train, test, tuple("abcdefghij"), 255.0)


def test_wrong_labels_are_stated_and_listed(tmp_path: Path) -> None:
    recording, is_wrong = made_up_recording(0.08, 0.08)
    made = audit(recording, images(recording), out=tmp_path / "audit")
    assert [each.outcome for each in made.findings] == ["not supported", "supported", "supported", "not supported"]
    assert 0.01 < made.alarms["wrong-labels"] < 0.08
    written = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert written == json.loads(json.dumps(made.json()))
    assert list(written["stages"]) == ["labels", "rote"]
    assert written["stages"]["labels"]["figures"]["num_rows"] == 4_000 - len(recording.planted.rows)
    table = pd.read_csv(tmp_path / "audit" / "wrong_labels.csv")
    first = table.head(100)
    assert is_wrong[first["row"]].mean() > 0.95
    assert (first["place"] == [f"image {row}.png" for row in first["row"]]).all()
    assert (first["given_label"] == ["abcdefghij"[label] for label in recording.labels[first["row"]]]).all()
    assert table["false_discovery_rate"].is_monotonic_increasing
    examples = pd.read_csv(tmp_path / "audit" / "examples.csv")
    assert len(examples) == 4_000
    assert examples["planted_error"].sum() == len(recording.planted.rows)
    assert len(list((tmp_path / "audit" / "figures").glob("*.svg"))) == 2


def test_without_planted_errors_suspects_are_listed_without_a_rate() -> None:
    recording, is_wrong = made_up_recording(planted=0.0)
    made = audit(recording)
    assert {each.outcome for each in made.findings} == {"no conclusion"}
    assert "recorder.plant(labels, rate=0.02)" in made.findings[0].statement
    assert made.alarms == {}
    assert made.wrong_labels["p_wrong"].isna().all()
    assert is_wrong[made.wrong_labels["row"].head(100)].mean() > 0.95
    assert made.json()["stages"]["labels"]["status"] == "no conclusion"


@pytest.mark.parametrize(
    ("num_examples", "advice"),
    [
        (
            150,
            "No errors were planted, and it takes 40 to state an error rate. So many would be more than 25% of these",
        ),
        (178, "planted, and it takes 40 to state an error rate: train on `recorder.plant(labels, rate=0.25)`"),
        (1000, "(labels, rate=0.08)`"),
        (60_000, "(labels, rate=0.02)`"),
    ],
)
def test_no_more_errors_are_advised_than_leave_the_training_what_it_is(num_examples: int, advice: str) -> None:
    assert advice in _too_few_planted(0, num_examples)


def test_a_list_of_few_does_not_show_what_the_rates_assume() -> None:
    recording, _ = made_up_recording(0.0, 0.05, gap=8.0)
    made = audit(recording)
    assert [each.outcome for each in made.findings_of("labels")] == ["supported", "no conclusion", "no conclusion"]


def test_nothing_is_known_where_planted_errors_fare_like_all_others() -> None:
    recording, _ = made_up_recording(gap=0.0)
    made = audit(recording)
    assert made.findings[0].outcome == "no conclusion"
    assert not made.alarms
    figures = made.json()["stages"]["labels"]["figures"]
    assert {figures[name]["high"] for name in ("num_wrong", "share_wrong", "listed_false_share")} == {None}
    assert figures["lists"] == []


def test_the_first_of_each_list_are_neither_planted_nor_likely_wrong() -> None:
    recording, _ = made_up_recording(0.08, 0.08)
    made = audit(recording)
    hardest = made.ranked(-made.courses.confidence, 50)
    assert not set(hardest) & ({*recording.planted.rows} | {*made.likely_wrong})
    assert (np.diff(made.courses.confidence[hardest]) >= 0).all()


def test_planted_errors_that_are_fitted_are_learnt_by_rote() -> None:
    recording, _ = made_up_recording()
    margin = recording.margin.copy()
    margin[-1] = 1
    finding = audit(replace(recording, margin=margin)).findings_of("rote")[0]
    assert finding.outcome == "supported"
    assert "100% (98% to 100%) the wrong label" in finding.statement


def test_other_data_and_other_arguments_are_refused() -> None:
    recording, _ = made_up_recording()
    data = images(recording)
    with pytest.raises(UserError, match="got groups, epochs with a recorder"):
        audit(recording, groups="patient", epochs=3)
    with pytest.raises(UserError, match=r"from_arrays\(x_train"):
        audit(recording, (np.zeros((3, 2)), np.zeros(3)))
    with pytest.raises(UserError, match="3,999 training examples for a record of 4,000"):
        audit(recording, replace(data, train=data.train.take(np.arange(3_999))))
    with pytest.raises(UserError, match="recorded labels are not those of their rows"):
        audit(recording, replace(data, train=data.train.take(np.arange(4_000)[::-1])))
    with pytest.raises(UserError, match="of which no epoch has ended"):
        audit_recorded(Recorder(3))


def test_a_recorder_is_audited_and_shows_itself(tmp_path: Path) -> None:
    recorder = Recorder(60, labels=np.arange(60) % 3)
    for rows in torch.arange(60).flip(0).split(20):
        recorder.record(rows, torch.zeros(len(rows), 3), rows % 3)
    made = audit(recorder)
    made.report(tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size > 100_000
    assert "60 recorded examples" in repr(made)
    assert "<table>" in made._repr_html_()
