import numpy as np
from presented import assert_draws_its_data, is_whole, rows

from byrote.studies.rademacher.shattering import ShatteringStudy
from byrote.studies.rademacher.shattering_page import labelings_figure, present
from byrote.studies.study import Results
from byrote.theory.calculation import Computed


def pretended(analysis, missed=()):
    """A mistake in each labeling of `missed`, none in all others."""
    results = []
    for calculation in analysis.tasks():
        numbers = np.arange(calculation.first, min(calculation.first + 256, 2**analysis.largest))
        mistakes = np.isin(numbers, missed).astype(np.int64)
        values = {
            "num_labelings": len(numbers),
            "num_fitted": int((mistakes == 0).sum()),
            "complexity": float(1 - 2 * mistakes.mean() / analysis.largest),
            "num_interrupted": int(mistakes.sum()),
            "parameters": 12,
            "failed_checks": "",
        }
        results.append(Computed("key", calculation, "tiny", values, {"mistakes": mistakes}, 1.0, {}))
    return results


def shown_of(study, results):
    table = study.summarise(results)
    return present(study, Results.of(study, results), table, study.verdict(table))


def test_a_network_that_shatters_has_a_grid_of_one_colour(tiny):
    analysis = ShatteringStudy(tiny, "mlp-1x4", n_train=9)
    results = pretended(analysis)
    shown = shown_of(analysis, results)
    assert shown.headline == "mlp-1x4 shatters 9 examples: it fits all 512 labelings."
    (figure,) = shown.figures
    assert_draws_its_data(figure)
    assert set(figure.data["state"]) == {"fitted"}
    assert len(figure.data[["row", "column"]].drop_duplicates()) == 512
    assert (figure.data["column"].max(), figure.data["row"].max()) == (31, 15)


def test_what_is_missed_stands_in_its_place(tiny):
    analysis = ShatteringStudy(tiny, "mlp-1x4", n_train=4)
    results = pretended(analysis, missed=(0b0110,))
    shown = shown_of(analysis, results)
    assert shown.headline == "mlp-1x4 fits 15 of the 16 labelings of 4 examples."
    (missed,) = shown.figures[0].data.query("state != 'fitted'").to_dict("records")
    assert missed == {"row": 1, "column": 2, "labeling": "0110", "state": "1 wrong"}
    table = shown.sections[0].table
    assert is_whole(table)
    assert rows(table)[""] == [["mlp-1x4", "12", "15 of 16", f"{1 - 2 / 64:.3f}", "1", "1"]]


def test_many_mistakes_share_a_colour(tiny):
    analysis = ShatteringStudy(tiny, "mlp-1x4", n_train=4)
    (result,) = pretended(analysis)
    mistakes = np.arange(16).clip(0, 4)
    (result,) = [Computed("key", result.calculation, "tiny", result.values, {"mistakes": mistakes}, 1.0, {})]
    (figure,) = shown_of(analysis, [result]).figures
    assert set(figure.data["state"]) == {"fitted", "1 wrong", "2 wrong", "3 or more wrong"}


def test_each_member_of_a_family_has_its_grid_and_a_missing_one_none(tiny):
    analysis = ShatteringStudy(tiny, "mlp-1x{width}", n_train=3)
    results = pretended(analysis)
    assert len(shown_of(analysis, results).figures) == len(analysis.models)
    assert shown_of(analysis, []).headline == "No conclusion about shattering."


def test_an_odd_number_of_examples_makes_a_wide_grid():
    import pandas as pd

    own = pd.DataFrame({"labeling": np.arange(8), "mistakes": np.zeros(8, dtype=np.int64)})
    data = labelings_figure("net", own, 3).data
    assert (data["column"].nunique(), data["row"].nunique()) == (4, 2)
    assert data["labeling"].tolist()[:3] == ["000", "100", "010"]
