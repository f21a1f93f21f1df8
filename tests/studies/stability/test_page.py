import math
from types import MappingProxyType

import numpy as np
import pytest
from presented import assert_draws_its_data, is_whole, rows

from byrote.studies.stability.calculations import LOSSES, POINTS, SHARES, ReplacementStability
from byrote.studies.stability.page import present
from byrote.studies.stability.study import StabilityStudy
from byrote.studies.study import Results
from byrote.theory.calculation import Calculation, Computed, compute


def pretended(calculation, left):
    """What networks would leave behind whose example that leaves loses so much."""
    num = calculation.replacements
    values = {"num_runs": num + 2, "num_fitted": num + 2, "num_steps": 90, "failed_checks": "", "rounding": 2e-7}
    values |= {"num_classes": 10}
    arrays = {f"{point}_quantiles": left * (1 - SHARES) for point in ("kept", "test")}
    half = 0.01 if num > 1 else math.nan
    for loss in LOSSES:
        values[f"{loss}_gap"] = left
        for point in POINTS:
            name, mean = f"{loss}_at_{point}", {"left": left, "came": -left}.get(point, left / 10)
            values |= {name: mean, f"{name}_low": mean - half, f"{name}_high": mean + half, f"{name}_largest": left}
            arrays[name] = np.full(num, mean)
    return Computed("key", calculation, "tiny", MappingProxyType(values), arrays, 1.0, {})


def shown(study, results):
    table = study.summarise(results)
    return present(study, results, table, study.verdict(table))


@pytest.fixture
def presented(tiny):
    def make(model="mlp-1x4", **fields):
        study = StabilityStudy(tiny, model, **({"replacements": 3} | fields))
        results = Results.of(
            study,
            [
                pretended(each, 0.9 if each.corruption == "random-labels" else 0.2)
                if isinstance(each, ReplacementStability)
                else compute(each, tiny)
                for each in study.tasks()
                if isinstance(each, Calculation)
            ],
        )
        return study, results, shown(study, results)

    return make


def test_the_page_has_both_labels_side_by_side_and_what_theory_knows(presented):
    _, _, shown = presented()
    own, known = shown.sections
    assert shown.headline == "One example changes a loss of mlp-1x4 by up to 0.90: uniform stability bounds nothing."
    assert [figure.name for figure in shown.figures] == ["changes-mlp-1x4", "shares-mlp-1x4"]
    for figure in shown.figures:
        assert_draws_its_data(figure)
    assert is_whole(own.table)
    assert is_whole(known.table)
    found = rows(own.table)
    assert list(found) == ["1 - probability of the label", "0-1 loss"]
    leaves = next(row for row in found["0-1 loss"] if row[0] == "replaced example")
    assert leaves[1:] == ["0.2000 0.1900 to 0.2100", "0.200", "0.9000 0.8900 to 0.9100", "0.900"]
    assert found["0-1 loss"][-2][1:] == ["0.200", "", "0.900", ""]
    assert found["0-1 loss"][-1] == ["its bound, at least", "0.900", "", "0.900", ""]
    assert own.note == (
        "True labels: 5 of 5 networks fitted within 90 steps. Random labels: 5 of 5 networks fitted within 90 steps. "
        "Largest change by rounding alone: 2e-07."
    )
    assert len(rows(known.table)[""]) == 5


def test_every_replacement_is_a_dot_and_every_mean_a_mark(presented):
    _, _, shown = presented()
    data = shown.figures[0].data
    assert (data["kind"] == "replacement").sum() == 2 * 3 * 3
    means = data[data["kind"] == "mean"].set_index(["points", "labels"])
    assert means.loc[("replaced example", "random labels"), "change"] == 0.9
    assert len(means) == 6
    assert shown.figures[1].data["series"].nunique() == 4


def test_seeds_and_models_have_their_places(presented):
    analysis, _, shown = presented("mlp-1x{width}", seeds=2)
    assert len(shown.sections) == len(analysis.models) + 1
    assert "2 seeds." in shown.figures[0].caption
    assert "with its 95% interval" in shown.figures[0].caption
    assert "too few for an interval" in presented(replacements=1)[2].figures[0].caption
    assert f"a loss of {analysis.models[-1]} by up to" in shown.headline


def test_what_has_not_finished_is_left_out(presented):
    study, results, _ = presented()
    few = [result for result in results if not isinstance(result.calculation, ReplacementStability)]
    page = shown(study, Results.of(study, few))
    assert page.headline == "No conclusion about stability."
    assert [section.id for section in page.sections] == ["known"]
    page = shown(study, Results.of(study, results[:3]))
    assert page.headline == "No conclusion about stability."
    assert "–" in {cell for row in rows(page.sections[0].table)["0-1 loss"] for cell in row}
    for figure in page.figures:
        assert_draws_its_data(figure)
