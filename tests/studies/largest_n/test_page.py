import numpy as np
import pytest
from presented import assert_draws_its_data, is_whole, rows

from byrote.studies.largest_n.page import accuracy_figure, bits_figure, headline, present, probes
from byrote.studies.largest_n.study import LargestNStudy
from byrote.studies.study import Results
from byrote.theory.calculation import Computed


def pretended(calculation, largest):
    """A search up to 100 examples that ended at `largest`, or did not end (100), or did not begin (0)."""
    n = np.array([10, 20, 40, 80, 100])
    fitted = n <= largest
    beyond = n[~fitted]
    values = {
        "largest_n": float(n[fitted].max()) if fitted.any() else np.nan,
        "next_n": float(beyond.min()) if len(beyond) else np.nan,
        "next_accuracy": 0.5 if len(beyond) else np.nan,
        "next_gain": 0.0 if len(beyond) else np.nan,
        "next_stop": "epochs" if len(beyond) else "",
        "bits": 66.0,
        "bits_n": 20,
        "bits_per_parameter": 0.66,
        "bits_growth": 1.0 if len(beyond) > 1 else np.nan,
        "num_probes": 5,
        "parameters": 100,
        "failed_checks": "",
    }
    accuracy = np.where(fitted, 1.0, 0.5)[:, None].repeat(2, axis=1)
    arrays = {"n": n, "accuracy": accuracy, "fitted": fitted, "bits": np.where(fitted, 3.3 * n, 0.0)}
    return Computed("key", calculation, "tiny", values, arrays, 1.0, {})


@pytest.fixture
def presented(tiny):
    def make(largest, model="mlp-1x4", seeds=2):
        analysis = LargestNStudy(tiny, model, seeds=seeds, n_train=100)
        results = [pretended(calculation, largest) for calculation in analysis.tasks()]
        table = analysis.summarise(results)
        return results, present(analysis, Results.of(analysis, results), table, analysis.verdict(table))

    return make


@pytest.mark.parametrize(
    ("largest", "told", "cell"),
    [
        (40, "mlp-1x4 fits random labels up to n = 40.", "40 ± 0"),
        (100, "mlp-1x4 fits the random labels of all 100 examples.", "100 all there are"),
        (0, "mlp-1x4 fitted no random labels: no conclusion.", "none no conclusion"),
    ],
)
def test_the_page_says_where_fitting_ends(presented, largest, told, cell):
    _, shown = presented(largest)
    assert shown.headline == told
    (section,) = shown.sections
    assert is_whole(section.table)
    (row,) = rows(section.table)[""]
    assert row[2] == cell
    assert row[-3:] == ["66 ± 0", "0.66 ± 0", "2"]
    for figure in shown.figures:
        assert_draws_its_data(figure)
        assert "2 seeds." in figure.caption


def test_every_n_of_every_seed_is_a_point(presented):
    results, shown = presented(40)
    curve = probes(results)
    assert len(curve) == len(shown.figures[0].data) == 10
    assert curve.groupby("seed")["fitted"].sum().tolist() == [3, 3]


def test_no_bits_have_no_place_on_a_logarithmic_axis(presented):
    results, _ = presented(40, seeds=1)
    data = bits_figure(probes(results), 10).data
    assert data["n"].tolist() == [10, 20, 40]
    assert data["all_bits"].tolist() == pytest.approx((np.array([10, 20, 40]) * np.log2(10)).tolist(), rel=1e-4)


def test_a_model_without_bits_takes_no_colour_from_the_others(presented):
    none, _ = presented(0, "mlp-1x4", seeds=1)
    some, _ = presented(40, "mlp-1x8", seeds=1)
    curve = probes([*none, *some])
    bits = bits_figure(curve, 10)
    assert set(bits.data["model"]) == {"mlp-1x8"}
    line, same = (figure.chart.layer[1].encoding.color.to_dict() for figure in (bits, accuracy_figure(curve)))
    assert line == same
    assert line["scale"]["domain"] == ["mlp-1x4", "mlp-1x8"]


def test_members_of_a_family_have_a_row_each(presented):
    results, shown = presented(40, "mlp-1x{width}")
    models = list(dict.fromkeys(result.calculation.model for result in results))
    assert [row[0] for row in rows(shown.sections[0].table)[""]] == models


def test_no_capacity_is_told_before_all_seeds_are_there(tiny):
    study = LargestNStudy(tiny, "mlp-1x4", seeds=2, n_train=100)
    table = study.summarise([pretended(study.tasks()[0], 40)])
    assert headline(study.verdict(table)) == "No conclusion about the capacity of mlp-1x4."
