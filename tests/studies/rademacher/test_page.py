import numpy as np
import pytest
from presented import assert_draws_its_data, is_whole, rows
from reached import reaching

from byrote.studies.rademacher.findings import STUMPS, pooled
from byrote.studies.rademacher.page import complexity_figure, present, size_figure
from byrote.studies.rademacher.study import RademacherStudy
from byrote.studies.study import Results
from byrote.theory.calculation import Computed, compute
from byrote.training.spec import TrainSpec


def pretended(planned, tiny, reaches):
    """What a stump, or a network that reaches so much on every draw, leaves behind."""
    if not isinstance(planned.task, TrainSpec):
        return compute(planned.task, tiny)
    width, n = int(planned.task.model.partition("x")[2]), planned.task.n_train
    return reaching(planned.task, reaches(width, n), parameters=67 * width + 2)


@pytest.fixture
def presented(tiny):
    def make(model="mlp-1x{width}", reaches=lambda width, n: min(1.0, 10 * width / n), **fields):
        study = RademacherStudy(tiny, model, **({"n_train": 96, "draws": 8} | fields))
        results = Results(study, [(planned, pretended(planned, tiny, reaches)) for planned in study.plan()])
        return study, results, *shown(study, results)

    return make


def shown(study, results):
    table = study.summarise(results)
    return table, present(study, results, table, study.verdict(table))


def test_the_page_says_how_far_training_reaches_and_what_the_bound_is(presented):
    study, _, _, shown = presented()
    (section,) = shown.sections
    assert [figure.name for figure in shown.figures] == ["complexity", "complexity-by-size"]
    for figure in shown.figures:
        assert_draws_its_data(figure)
    assert is_whole(section.table)
    found = rows(section.table)
    assert len(found) == len(study.models) + 1
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
    study, results, _, _ = presented("mlp-1x1")
    finished = zip(results.planned, results, strict=True)
    few = Results(study, [(planned, result) for planned, result in finished if isinstance(result, Computed)])
    _, page = shown(study, few)
    assert page.headline == "No conclusion about Rademacher complexity."
    assert set(page.figures[0].data["model"]) == {STUMPS}
