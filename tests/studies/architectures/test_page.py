from __future__ import annotations

import numpy as np
import pytest
from made_up_runs import data, outcome, study  # noqa: F401  (fixtures)
from presented import assert_draws_its_data, page_of

from byrote.report.page import write_report
from byrote.studies.architectures.page import capacity_figure, time_figure
from byrote.studies.architectures.record import ArchitectureRecord, record
from byrote.studies.architectures.study import ArchitectureStudy
from byrote.training.recipe import Recipe

MODELS = ("mlp-1x{width}", "mlp-2x{width}", "mlp-3x{width}", "mlp-4x{width}")


@pytest.fixture
def shown(data, outcome):
    """A study of four perceptrons and four switchboards, its outcomes and their table.

    The d-th perceptron fits up to `largest[d]` random labels of 8, 16, 32 and 64.
    """

    def give(largest=(64, 32, 16, 0), seeds=1, switches=("shared", "skip"), board_fits=True):
        study = ArchitectureStudy(
            data=data(),
            models=MODELS,
            parameters=2000,
            n_train=32,
            seeds=seeds,
            switches=switches,
            recipe=Recipe(stop="at_steps", steps=400),
        )
        outcomes = []
        for position, spec in enumerate(study.tasks()):
            true, depth = spec.corruption == "true-labels", int(spec.model.partition("-")[2][0])
            board = spec.model.startswith("switch")
            fits = (board_fits or true) if board else true or spec.n_train <= largest[depth - 1]
            steps = (50 if true else 100 * depth + 10 * spec.seed) if fits else None
            run = outcome(
                spec.corruption,
                model=spec.model,
                seed=spec.seed,
                n_train=spec.n_train,
                steps_to_fit=steps,
                parameters=2000 + depth,
                test_accuracy=0.4 + 0.1 * depth + 0.01 * spec.seed,
                key=str(position),
            )
            outcomes.append(_with_spec(run, spec))
        return study, outcomes, study.summarise(outcomes)

    return give


def _with_spec(run, spec):
    from dataclasses import replace

    return replace(run, spec=spec)


def records(study, table):
    found = [record(one, table, len(study.seed_list)) for one in study.ladders if one.family in study.architectures]
    assert all(isinstance(one, ArchitectureRecord) for one in found)
    return found


def test_one_section_for_architectures_and_one_for_switches(shown):
    study, outcomes, table = shown()
    page = page_of(study, outcomes, table)
    assert [section.id for section in page.sections] == ["architectures", "switches"]
    assert [figure.name for figure in page.figures] == [
        "capacity",
        "time-to-memorise",
        "switches-test-accuracy-on-true-labels",
        "switches-time-to-fit-random-labels",
    ]
    assert page.headline == "2 of 4 architectures can learn by rote; mlp-4 has the highest test accuracy, 80.0%."
    for section in page.sections:
        (rows,) = section.table.blocks.values()
        assert len(rows) == 4
        assert {len(row) for row in rows} == {len(section.table.header)}
        assert sum(columns for _, columns in section.table.spans) == len(section.table.header)
    assert "matched to 2,000 parameters" in page.sections[0].note


def test_a_chart_draws_its_data_and_nothing_else(shown):
    for figure in page_of(*shown(seeds=2)).figures:
        assert_draws_its_data(figure)


def test_capacity_is_a_point_for_each_architecture(shown):
    study, _, table = shown()
    figure = capacity_figure(records(study, table), "One seed: no interval.")
    assert figure.data["architecture"].tolist() == ["mlp-1", "mlp-2", "mlp-3", "mlp-4"]
    assert figure.data["value"].tolist() == [64, 32, 16, 4]
    assert figure.data["fitted"].tolist() == [True, True, True, False]
    assert "out of 8, 16, 32, 64. Hollow: not even 8. One seed" in figure.caption


def test_times_are_those_of_networks_that_fitted(shown):
    study, _, table = shown(seeds=3)
    figure = time_figure(records(study, table), "3 seeds.")
    assert figure.data["architecture"].tolist() == ["mlp-1", "mlp-2"]
    np.testing.assert_allclose(figure.data["value"], [2.2, 4.2])
    assert (figure.data["low"] < figure.data["value"]).all()
    assert "Not fitted, so without a time: mlp-3, mlp-4." in figure.caption


def test_nothing_is_drawn_of_nothing(shown):
    study, _, table = shown(largest=(0, 0, 0, 0))
    assert time_figure(records(study, table), "") is None
    assert capacity_figure([], "") is None


def test_switches_that_do_not_fit_are_told(shown):
    study, outcomes, table = shown(board_fits=False)
    section = page_of(study, outcomes, table).sections[1]
    assert [figure.name for figure in section.figures] == ["switches-test-accuracy-on-true-labels"]
    assert "4 of 4 runs stopped before they had fitted" in section.note
    (rows,) = section.table.blocks.values()
    assert {row[-1].text for row in rows} == {"not fitted"}


def test_intervals_of_switches_need_seeds(shown):
    sections = [page_of(*shown(seeds=seeds)).sections[1] for seeds in (1, 3)]
    assert ["the intervals of all switches hold" in section.lead for section in sections] == [False, True]
    one, three = (section.figures[0] for section in sections)
    assert one.data["low"].isna().all()
    assert "One seed: no interval." in one.caption
    assert three.data["low"].notna().all()
    assert "3 seeds." in three.caption


def test_missing_runs_are_told(shown):
    study, outcomes, _ = shown(switches=())
    page = page_of(study, outcomes[1:], study.summarise(outcomes[1:]))
    assert [section.id for section in page.sections] == ["architectures"]
    assert "mlp-1: 1 of 5 runs have not finished" in page.sections[0].note


def test_the_page_is_written(shown, tmp_path):
    study, outcomes, _ = shown()
    write_report(tmp_path / "report.html", study, outcomes)
    page = (tmp_path / "report.html").read_text()
    assert "Which switch matters" in page
    assert {path.name for path in (tmp_path / "figures").glob("capacity.*")} == {"capacity.csv", "capacity.svg"}
