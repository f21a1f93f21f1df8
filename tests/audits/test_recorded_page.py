"""The page shows the list, the data map and examples with their rows and pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from made_up_recording import made_up_recording

from byrote.audits.recorded_audit import audit_recorded
from byrote.audits.recorded_page import notes, sections
from byrote.data.dataset import Dataset, Split


def test_sections_with_their_rows_and_pictures() -> None:
    recording, _ = made_up_recording(0.08, 0.08)
    given = recording.labels.copy()
    given[recording.planted.rows] = recording.planted.given
    pixels = np.zeros((len(given), 1, 4, 4), np.uint8)
    data = Dataset(
        "made up", Split.clean(pixels, given), Split.clean(pixels[:9], given[:9]), tuple("abcdefghij"), 255.0
    )
    made = audit_recorded(recording, data)
    parts = {part.id: part for part in sections(made)}
    names = ["wrong-labels", "suspects", "data-map", "forgetting", "hardest", "ambiguous", "easiest", "most-forgotten"]
    assert list(parts) == names
    assert len(parts["suspects"].pictures[0].pictures) == 16
    assert parts["suspects"].table.blocks[""][0][0] == made.wrong_labels["place"][0]
    points, curves = (figure.data for figure in parts["data-map"].figures)
    assert len(points) == 2_000
    assert set(points["examples"]) == {"planted errors", "likely wrong", "others"}
    assert curves.groupby("examples")["epoch"].max().tolist() == [8, 8, 8]
    counts = [int(row[1].replace(",", "")) for row in parts["forgetting"].table.blocks[""]]
    assert sum(counts[1:]) + counts[0] == 4_000


def test_without_planted_errors_there_is_no_table_of_rates() -> None:
    recording, _ = made_up_recording(planted=0.0)
    parts = [part.id for part in sections(audit_recorded(recording))]
    assert "wrong-labels" not in parts
    assert parts[0] == "suspects"


def test_what_planted_errors_are_like_is_said() -> None:
    recording, _ = made_up_recording()
    table = sections(audit_recorded(recording))[0]
    assert "Planted errors are uniform" in table.note
    confusable = replace(recording, planted=replace(recording.planted, kind="confusable"))
    assert "as often as these are taken for each other" in sections(audit_recorded(confusable))[0].note


def test_notes_say_what_was_left_out() -> None:
    recording, _ = made_up_recording()
    said = " ".join(notes(audit_recorded(replace(recording, num_not_finite=3, incomplete_epochs=1))))
    assert "byrote trained nothing" in said
    assert "3 losses were not finite" in said
    assert "1 epoch that did not come whole is not in the record" in said
