import numpy as np
import pandas as pd
import pytest
from presented import assert_draws_its_data, is_whole, rows

from byrote.studies.min_norm.interpolants import descent_figure, interpolants_table
from byrote.studies.min_norm.study import MinNormStudy
from byrote.theory.calculation import compute
from byrote.theory.kernels.implicit_bias import ImplicitBias


@pytest.fixture(scope="module")
def found(tiny):
    return compute(ImplicitBias(n_train=20, num_steps=300), tiny)


def test_each_descent_is_a_line_on_logarithmic_axes(found):
    figure = descent_figure([found])
    assert_draws_its_data(figure)
    assert set(figure.data["descent"]) == {"SGD from zero", "all examples, from zero", "SGD from a random start"}
    assert figure.data["step"].min() == 1
    assert (figure.data["distance"] > 0).all()
    last = figure.data.groupby("descent")["distance"].last()
    assert last["SGD from zero"] == pytest.approx(found.values["sgd_distance"], rel=1e-4)
    assert figure.subtitle == "Gaussian kernel, n = 20"


def test_each_solution_is_a_row(found, tiny):
    shown = interpolants_table(MinNormStudy(tiny).summarise([found]))
    assert is_whole(shown)
    (block,) = rows(shown).values()
    assert [row[0] for row in block] == found.arrays["interpolant_name"].tolist()
    assert block[0][2:4] == ["0", "0.00%"]
    assert block[-1][4] == "100.00%"
    norms = [float(row[1]) for row in block]
    np.testing.assert_allclose(norms, found.arrays["interpolant_norm"], rtol=1e-3)


def test_nothing_computed_shows_nothing():
    assert descent_figure([]) is None
    assert interpolants_table(pd.DataFrame()) is None
