from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_up_runs import data  # noqa: F401  (fixtures)
from presented import assert_draws_its_data, is_whole, page_of, rows

from byrote.studies.min_norm.page import curve_figure, headline, ladder_figure, norm_figure, page_table
from byrote.studies.min_norm.study import MinNormStudy
from byrote.theory.calculation import compute
from byrote.theory.kernels.implicit_bias import ImplicitBias

IDS = ["rows", "norms", "learning-curves", "choices", "descent"]


def presented(data):
    """All of it at n = 40 and 121, with few filters and few steps."""
    analysis = MinNormStudy(data, curve=(40,), label_draws=2)
    hastened = [
        calculation.model_copy(
            update={"num_steps": 100, "n_train": 20} if isinstance(calculation, ImplicitBias) else {"num_filters": 200}
        )
        for calculation in analysis.tasks()
    ]
    results = [compute(calculation, data) for calculation in hastened]
    table = analysis.summarise(results)
    return analysis, results, table, page_of(analysis, results, table)


@pytest.fixture(scope="module")
def digits(tiny):
    return presented(tiny)


@pytest.fixture(scope="module")
def mnist(tiny):
    """Digits amid margins as wide as MNIST's."""

    def padded(split):
        return replace(split, inputs=np.pad(split.inputs, ((0, 0), (0, 0), (10, 10), (10, 10))))

    return presented(replace(tiny, name="mnist:/data", train=padded(tiny.train), test=padded(tiny.test)))


def test_the_page_leads_from_the_rows_to_descent(digits, mnist):
    for _, _, _, shown in (digits, mnist):
        assert [section.id for section in shown.sections] == IDS
        assert all(is_whole(section.table) for section in shown.sections if section.table)
        for figure in shown.figures:
            assert_draws_its_data(figure)
        names = [figure.name for figure in shown.figures]
        assert len(set(names)) == len(names)
    assert [figure.name for figure in digits[3].figures] == [
        "norm-and-error",
        "learning-curve-test-error",
        "learning-curve-norm",
        "validation-width",
        "validation-ridge",
        "descent-to-minimum-norm",
    ]
    assert "validation-ridge" not in [figure.name for figure in mnist[3].figures]


def test_the_papers_rows_stand_beside_ours_with_signed_differences(mnist):
    analysis, _, table, _ = mnist
    found = rows(page_table(analysis, table))
    assert list(found) == ["True labels", "Random labels"]
    pixels, gabor = found["True labels"]
    assert (pixels[0], pixels[1], pixels[2], pixels[5]) == ("raw inputs", "121", "1.2%", "220")
    assert (gabor[2], gabor[5]) == ("0.6%", "390")
    ours = 100 * (table["test_error"] - table["paper_test_error"]).dropna()
    assert [row[4] for row in (pixels, gabor)] == [f"{difference:+.2f}" for difference in ours]
    assert [row[2] for row in found["Random labels"]] == ["–", "–"]
    assert pixels[7] == "0.00%"


def test_other_data_have_no_columns_of_the_papers(digits):
    analysis, _, table, _ = digits
    shown = page_table(analysis, table)
    assert list(shown.header) == ["features", "n", "test error", "norm", "training error", "condition"]
    assert len(rows(shown)["True labels"]) == 4


def test_what_does_not_interpolate_is_marked(digits):
    analysis, _, table, _ = digits
    table = table.assign(interpolated=False, train_error=0.2)
    (row, *_) = rows(page_table(analysis, table))["True labels"]
    assert row[4] == "20.00% not interpolated"
    assert norm_figure(analysis, table) is None
    assert headline(analysis.verdict(table)) == "No conclusion about interpolation without regularisation."


def test_error_against_norm_has_every_interpolant_and_the_papers_points(mnist):
    analysis, _, table, _ = mnist
    data = norm_figure(analysis, table).data
    ours = data[data["source"] == "ours"]
    assert len(ours) == 2 * 2 * 3  # features, sizes, labellings
    paper = data[data["source"] == "paper"]
    assert paper["norm"].tolist() == [220, 390]
    assert paper["test_error"].tolist() == [0.012, 0.006]


def test_a_test_error_of_none_is_said_to_be_drawn_elsewhere_and_a_single_n_is_no_line(digits):
    analysis, _, table, _ = digits
    one = table[table["n_train"] == 121]
    assert "drawn at" not in norm_figure(analysis, table.assign(test_error=0.5)).caption
    caption = norm_figure(analysis, one.assign(test_error=0.0)).caption
    assert "Of n = 121." in caption
    assert f"are drawn at {50 / one['n_test'].max():.2g}%" in caption


def test_curves_have_an_interval_at_each_n(digits):
    _, _, table, _ = digits
    errors, norms = (curve_figure(table, column).data for column in ("test_error", "scaled_norm"))
    assert set(errors["n_train"]) == {40, 121}
    assert set(errors["series"]) == {"raw inputs", "Gabor wavelets"}
    for drawn in (errors, norms):
        assert (drawn["low"] <= drawn["value"]).all()
        assert (drawn["value"] <= drawn["high"]).all()
    assert (errors["low"] < errors["high"]).all()
    assert curve_figure(table[table["n_train"] == 121], "scaled_norm") is None


def test_the_ladder_of_the_largest_n_shows_what_was_chosen(digits):
    _, results, _, _ = digits
    for name, series in (("width", 2), ("ridge", 1)):
        figure = ladder_figure(results, name)
        chosen = figure.data[figure.data["chosen"]]
        assert len(chosen) == series
        assert chosen["error"].tolist() == figure.data.groupby("series", sort=False)["error"].min().tolist()
        assert figure.subtitle == "20 held-out training examples"
        assert "Filled: chosen, by the lowest error." in figure.caption


def test_a_width_passed_over_is_told(digits):
    _, results, _, _ = digits
    (result,) = (r for r in results[-4:] if getattr(r.calculation, "features", "") == "inputs")
    narrower = result.arrays["width_tried"][0]
    second = replace(result, values={**result.values, "relative_width": narrower})
    errors = result.arrays["width_error"].copy()
    errors[0], errors[-1] = 0.9, np.nan
    second = replace(second, arrays={**result.arrays, "width_error": errors})
    caption = ladder_figure([second], "width").caption
    assert "by the lowest error among those whose matrix has a factor with all n examples." in caption
    assert "1 more left the kernel matrix numerically singular." in caption


def test_the_headline_counts_what_is_supported(digits):
    analysis, _, table, shown = digits
    assert shown.headline == headline(analysis.verdict(table))
    assert headline(analysis.verdict(pd.DataFrame())) == "No conclusion about interpolation without regularisation."


@pytest.mark.parametrize("kept", [slice(0, 1), slice(-1, None)])
def test_what_is_not_computed_yet_is_left_out(kept, digits):
    analysis, results, _, _ = digits
    some = results[kept]
    shown = page_of(analysis, some, analysis.summarise(some))
    assert {section.id for section in shown.sections} <= set(IDS)
    assert shown.sections[0].id == "rows"
    assert any("not finished" in row[-1] for row in rows(shown.sections[0].table)["True labels"])
