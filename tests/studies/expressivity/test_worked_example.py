import numpy as np
import pytest
from presented import assert_draws_its_data, rows

from byrote.studies.expressivity.worked_example import function_figure, line_figure, worked_sections
from byrote.theory.calculation import compute
from byrote.theory.memorizers.worked_example import WorkedExample


@pytest.fixture(scope="module")
def worked(tiny):
    return compute(WorkedExample(), tiny)


def test_each_step_of_the_proof_is_a_section(worked, tiny):
    sections = worked_sections(worked, tiny)
    assert [section.number for section in sections] == [f"Step {step}" for step in range(1, 6)]
    assert all(section.figures or section.table for section in sections)


def test_the_matrix_is_shown_with_zeros_above_its_diagonal(worked, tiny):
    table = worked_sections(worked, tiny)[2].table
    shown = rows(table)[""]
    assert [len(row) for row in shown] == [9] * 8
    for i, row in enumerate(shown):
        assert row[i + 2 :] == ["0"] * (7 - i)
        assert float(row[i + 1]) == pytest.approx(worked.arrays["matrix"][i, i], rel=1e-3)


def test_substitution_adds_up_to_the_target_in_each_row(worked, tiny):
    for row, target in zip(rows(worked_sections(worked, tiny)[3].table)[""], worked.arrays["targets"], strict=True):
        before, left, diagonal, weight = (float(text.replace("\N{MINUS SIGN}", "-")) for text in row[2:])
        assert before + left == pytest.approx(target, abs=0.02)
        assert diagonal * weight == pytest.approx(left, rel=2e-3, abs=2e-3)


def test_figures_draw_their_data_and_name_the_labels(worked, tiny):
    names = [tiny.class_names[int(target)] for target in worked.arrays["targets"]]
    line, function = line_figure(worked, tiny, names), function_figure(worked)
    assert_draws_its_data(line)
    assert_draws_its_data(function)
    assert list(line.data["label"]) == names
    assert np.count_nonzero(function.data["what"] == "target") == 8
