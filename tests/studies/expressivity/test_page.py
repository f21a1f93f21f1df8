import pytest
from presented import assert_draws_its_data, is_whole, rows
from trained_at_once import training_context

from byrote.studies.expressivity.calculations import FittingWidth
from byrote.studies.expressivity.page import construction_figure, present, trained_figure
from byrote.studies.expressivity.study import ExpressivityStudy
from byrote.studies.study import Results
from byrote.theory.calculation import Calculation, Computed, compute


@pytest.fixture(scope="module")
def presented(tiny):
    """All of it at n = 8 and 32, with networks that were not trained but said to fit at 9 and 3 times n."""
    analysis = ExpressivityStudy(tiny, families=("mlp-1x{width}",), n_train=32, most_trained=32, chosen=(1, 4))
    context = training_context()
    results = Results.of(
        analysis,
        [
            _pretended(task) if isinstance(task, FittingWidth) else compute(task, tiny, context)
            for task in analysis.tasks()
            if isinstance(task, Calculation)
        ],
    )
    table = analysis.summarise(results)
    return analysis, results, table, present(analysis, results, table, analysis.verdict(table))


def _pretended(calculation):
    values = {
        "d": 64,
        "fitting_model": "mlp-1x4",
        "parameters": 9.0 * calculation.n_train,
        "too_small_parameters": 3.0 * calculation.n_train,
        "limit_steps": 1500,
        "failed_checks": "",
    }
    return Computed("trained", calculation, "tiny", values, {}, 1.0, {})


def test_the_page_leads_from_weights_over_the_proof_to_overridden_predictions(presented):
    _, _, _, shown = presented
    ids = [section.id for section in shown.sections]
    assert ids == ["weights", "bits", "step-1", "step-2", "step-3", "step-4", "step-5", "override"]
    assert shown.headline == "2n + d weights represent any labels."
    assert all(is_whole(section.table) for section in shown.sections if section.table)
    for figure in shown.figures:
        assert_draws_its_data(figure)


def test_networks_that_were_built_are_points_and_formulas_lines(presented):
    _, _, table, _ = presented
    data = construction_figure(table[table["calculation"] == "BuiltNetwork"]).data
    assert set(data[data["built"]]["series"]) == {"2n + d", "depth 4", "hyperplanes"}
    line = data[(data["series"] == "2n + d") & ~data["built"]].set_index("n")["weights"]
    assert (line[8], line[32]) == (80, 128)
    points = data[(data["series"] == "2n + d") & data["built"]].set_index("n")["weights"]
    assert points.to_dict() == {8: 80, 32: 128}


def test_trained_networks_have_a_bar_down_to_what_was_too_small(presented):
    _, _, table, _ = presented
    data = trained_figure(table[table["calculation"] == "FittingWidth"]).data
    (point,) = data[data["built"]].to_dict("records")
    assert (point["series"], point["n"], point["weights"], point["too_small"]) == ("mlp-1xW", 32, 288, 96)


def test_bits_that_float64_has_not_are_red(presented):
    _, _, _, shown = presented
    (bits,) = (section.table for section in shown.sections if section.id == "bits")
    assert [row[0] for row in rows(bits)[""]] == ["n = 8", "n = 32"]
    tones = [row[-1].tone for row in bits.blocks[""]]
    assert set(tones) <= {"good", "bad"}


def test_overridden_predictions_are_counted_and_pictured(presented):
    _, _, _, shown = presented
    override = shown.sections[-1]
    told = rows(override.table)[""]
    assert [row[:4] for row in told] == [["1", "67", "1", "0 of 59"], ["4", "76", "4", "0 of 56"]]
    (figure,) = override.figures
    assert len(figure.data) == 4
    assert figure.data["picture"].str.startswith("data:image/png;base64,").all()
    assert (figure.data["before"] != figure.data["now"]).all()


def test_what_is_not_computed_yet_is_left_out(presented):
    analysis, results, _, _ = presented
    some = Results.of(analysis, [result for result in results if type(result.calculation).__name__ == "WorkedExample"])
    table = analysis.summarise(some)
    shown = present(analysis, some, table, analysis.verdict(table))
    assert [section.id for section in shown.sections] == [f"step-{step}" for step in range(1, 6)]
    assert shown.headline == "Theorem 1 was not tried."
