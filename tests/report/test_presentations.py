from __future__ import annotations

from byrote.cli.studies import REPRODUCTIONS
from byrote.data.sources import load
from byrote.report.presentations import ANALYSIS_PRESENTERS, PRESENTERS, presentation


def test_every_reproduction_has_a_presentation_of_its_own() -> None:
    data = load("digits")
    names = {reproduction.build(data, "laptop", 1, None).name for reproduction in REPRODUCTIONS.values()}
    assert names <= PRESENTERS.keys() | ANALYSIS_PRESENTERS.keys()


def test_a_study_of_the_users_own_is_shown_as_far_as_its_runs_allow(written_study, outcomes) -> None:
    study = written_study(())
    type(study).name = "my-own"
    try:
        shown = presentation(study, outcomes(), study.summarise(outcomes()))
    finally:
        type(study).name = "randomization"
    assert [section.number for section in shown.sections][:3] == ["Figure 1a", "Figure 1b", "Figure 1c"]
