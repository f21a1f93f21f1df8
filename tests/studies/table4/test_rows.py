import math

import pandas as pd

from byrote.studies.table4.rows import UNREGULARIZED, published_rows, runs_of, words


def test_the_paper_has_six_rows_one_without_a_figure():
    rows = published_rows()
    assert len(rows) == 6
    assert rows["inception", ("crop-flip-color", 0.0)] == 99.28
    assert [row for row, accuracy in rows.items() if math.isnan(accuracy)] == [("alexnet", ("none", 5e-4))]


def test_conditions_in_words():
    assert words(("random-crop", 0.0)) == "random crop"
    assert words(("none", 5e-4)) == "weight decay 0.0005"
    assert words(UNREGULARIZED) == "no regulariser"


def test_runs_are_found_by_model_and_condition():
    table = pd.DataFrame(
        {"model": ["a", "a", "b"], "regularizer": [words(("none", decay)) for decay in (0.0, 5e-4, 5e-4)]}
    )
    assert runs_of(table, "a", ("none", 5e-4)).index.tolist() == [1]
    assert runs_of(table, "b", UNREGULARIZED).empty
    assert runs_of(pd.DataFrame(), "a", UNREGULARIZED).empty
