from types import MappingProxyType

import numpy as np
import pytest
from presented import assert_draws_its_data, is_whole, rows

from byrote.studies.rademacher.findings import pooled
from byrote.studies.rademacher.page import complexity_figure, present, size_figure
from byrote.studies.rademacher.study import STUMPS, RademacherStudy
from byrote.theory.calculation import Computed, compute
from byrote.theory.complexity.stumps import StumpComplexity


def pretended(calculation, complexity):
    """What the network would leave behind that reaches so much on every draw."""
    fitted = calculation.draws if complexity == 1 else 0
    values = {
        "complexity": complexity,
        "low": complexity - 0.1,
        "high": 1.0,
        "standard_deviation": 0.0,
        "num_draws": calculation.draws,
        "num_interpolated": fitted,
        "num_interrupted": calculation.draws - fitted,
        "parameters": 67 * int(calculation.model.partition("x")[2]) + 2,
        "failed_checks": "",
    }
    return Computed("key", calculation, "tiny", MappingProxyType(values), {}, 1.0, {})


@pytest.fixture
def presented(tiny):
    def make(model="mlp-1x{width}", reaches=lambda width, n: min(1.0, 10 * width / n), **fields):
        analysis = RademacherStudy(tiny, model, **({"n_train": 96, "draws": 8} | fields))
        results = []
        for calculation in analysis.tasks():
            if isinstance(calculation, StumpComplexity):
                results.append(compute(calculation, tiny))
            else:
                width = int(calculation.model.partition("x")[2])
                results.append(pretended(calculation, reaches(width, calculation.n_train)))
        table = analysis.summarise(results)
        return analysis, results, table, present(analysis, results, table)

    return make


def test_the_page_says_how_far_training_reaches_and_what_the_bound_is(presented):
    analysis, _, _, shown = presented()
    (section,) = shown.sections
    assert [figure.name for figure in shown.figures] == ["complexity", "complexity-by-size"]
    for figure in shown.figures:
        assert_draws_its_data(figure)
    assert is_whole(section.table)
    found = rows(section.table)
    assert len(found) == len(analysis.models) + 1
    narrow = found["mlp-1x1, 69 parameters"]
    assert narrow[0][1] == "1.000"
    assert narrow[-1][1] == f"{10 / 96:.3f}"
    assert narrow[-1][4] == "0 of 8 8 ended by their limit"
    assert "or more" in narrow[-1][5]
    assert "vacuous" in narrow[0][5]
    assert all("Massart" in row[3] for row in found[f"{STUMPS}, exact suprema"])
    assert shown.headline == "mlp-1x23 reaches a Rademacher complexity of 1.00 on 96 examples: its bound is vacuous."


def test_a_low_complexity_is_called_a_lower_estimate(presented):
    _, _, _, shown = presented("mlp-1x1")
    assert shown.headline == "mlp-1x1 reaches a Rademacher complexity of 0.10 on 96 examples: a lower estimate."
    assert [figure.name for figure in shown.figures] == ["complexity"]


def test_lines_fall_with_n_and_bars_end_at_the_limits(presented):
    _, _, table, _ = presented("mlp-1x1")
    data = complexity_figure(pooled(table), table[table["model"] == STUMPS]).data
    own = data[data["model"] == "mlp-1x1"]
    assert own["complexity"].is_monotonic_decreasing
    np.testing.assert_array_equal(own["high"], own["complexity"])
    assert (own["low"] <= own["complexity"]).all()
    stumps = data[data["model"] == STUMPS]
    assert (stumps["low"] <= stumps["complexity"]).all()
    assert (stumps["complexity"] <= stumps["high"]).all()


def test_sizes_are_compared_at_one_n(presented):
    _, _, table, _ = presented()
    reached = pooled(table)
    figure = size_figure(reached[reached["n_train"] == 96])
    assert figure.subtitle == "n = 96"
    assert figure.data["complexity"].is_monotonic_increasing


def test_stumps_alone_stand_too(presented):
    analysis, results, _, _ = presented("mlp-1x1")
    few = [result for result in results if isinstance(result.calculation, StumpComplexity)]
    shown = present(analysis, few, analysis.summarise(few))
    assert shown.headline == "No conclusion about Rademacher complexity."
    assert set(shown.figures[0].data["model"]) == {STUMPS}
