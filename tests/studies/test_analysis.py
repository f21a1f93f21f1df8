import numpy as np
from squares import Squares

from byrote.theory.calculation import compute


def test_a_row_has_the_fields_then_the_values():
    analysis = Squares([2, 3])
    table = analysis.summarise([compute(calculation, analysis.data) for calculation in analysis.tasks()])
    assert list(table)[:4] == ["study", "calculation", "number", "square"]
    assert table["square"].tolist() == [4, 9]
    assert (table["study"] == "squares").all()
    assert np.isnan(table["missing"]).all()
    assert (table["seconds"] > 0).all()
