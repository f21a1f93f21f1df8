from __future__ import annotations

import numpy as np
import pytest
from made_up_runs import data, evaluated  # noqa: F401  (fixtures)
from presented import assert_draws_its_data, page_of, rows

from byrote.studies.implicit.page import batch_norm_figures, batch_norm_table, headline, stopping_table
from byrote.studies.implicit.study import ImplicitStudy

PAIR = ("inception", "inception-no-batchnorm")
UNFITTED = {"steps_to_fit": None}


@pytest.fixture
def shown(data, evaluated):
    """A study with its outcomes and table; `own` changes the runs of some models."""

    def make(models=("mlp-1x8", *PAIR), own=None, **options):
        name = options.pop("name", "made up")
        study = ImplicitStudy(data=data(name=name), models=models, **options)
        outcomes = [evaluated(spec, **(own or {}).get(spec.model, {})) for spec in study.tasks()]
        return study, outcomes, study.summarise(outcomes)

    return make


def test_both_claims_have_a_section_with_figures_and_a_table(shown) -> None:
    presentation = page_of(*shown())
    assert [section.id for section in presentation.sections] == ["early-stopping", "batch-norm"]
    assert [figure.name for figure in presentation.figures] == [
        "figure-2a-mlp-1x8-58",
        "figure-2a-inception-58",
        "figure-2a-inception-no-batchnorm-58",
        "figure-2b-train-inception-58",
        "figure-2b-test-inception-58",
    ]
    for section in presentation.sections:
        assert all(len(row) == len(section.table.header) for block in section.table.blocks.values() for row in block)
        assert sum(count for _, count in section.table.spans) in (0, len(section.table.header))


def test_without_a_pair_there_is_no_batch_norm(shown) -> None:
    assert [section.id for section in page_of(*shown(models=("inception",))).sections] == ["early-stopping"]


def test_the_stopping_table_shows_the_three_figures_and_what_choosing_adds(shown) -> None:
    _, _, table = shown(models=("mlp-1x8",), rates=(0.0, 0.4))
    assert rows(stopping_table(table)) == {
        "mlp-1x8 (n = 58)": [
            ["true labels", "50.0%", "58.3%", "60.0%", "+8.3", "+1.7", "6", "1"],
            ["partial labels 40%", "50.0%", "58.3%", "60.0%", "+8.3", "+1.7", "6", "1"],
        ]
    }


def test_seeds_give_spreads_and_what_did_not_fit_says_so(shown) -> None:
    _, _, table = shown(models=("mlp-1x8",), seeds=2, own={"mlp-1x8": {"steps_to_fit": None}})
    (row,) = rows(stopping_table(table))["mlp-1x8 (n = 58)"]
    assert row[:2] == ["true labels not fitted", "50.0% ± 0.0"]
    assert row[-1] == "2"


def test_batch_norm_is_tabled_with_ratios(shown) -> None:
    study, _, table = shown(own={PAIR[1]: {"last": 0.45}})
    (block,) = rows(batch_norm_table(table, study.data)).values()
    assert block == [
        ["test accuracy", "50.0%", "45.0%", "+5.0 points"],
        ["train accuracy", "100.0%", "100.0%", "+0.0 points"],
        ["steps to 50% train accuracy", "60", "60", "× 1.00"],
        ["steps to 90% train accuracy", "110", "110", "× 1.00"],
        ["steps to 99% train accuracy", "120", "120", "× 1.00"],
        ["evaluation mode behind by up to", "+25.0 points", "+25.0 points", ""],
    ]


def test_what_never_learned_has_no_ratio(shown) -> None:
    study, outcomes, _ = shown()
    for outcome in outcomes:
        if outcome.spec.model == PAIR[1]:
            outcome.curve["running_accuracy"][:] = 0.1
    (block,) = rows(batch_norm_table(study.summarise(outcomes), study.data)).values()
    assert block[2] == ["steps to 50% train accuracy", "60", "not reached", "–"]


def test_the_papers_pair_stands_beside_ours_on_its_data_and_true_labels(shown) -> None:
    study, _, table = shown(name="cifar10:DIR", rates=(0.0, 0.4))
    true, noisy = rows(batch_norm_table(table, study.data)).items()
    assert true[1][1] == ["the paper's n = 50,000", "85.75%", "82.00%", "+3.75 points"]
    assert noisy[0] == "inception (n = 58), partial labels 40%"
    assert not any("paper" in row[0] for row in noisy[1])


def test_curves_are_means_over_seeds_in_both_modes(shown) -> None:
    _, outcomes, _ = shown(seeds=3)
    train, test = batch_norm_figures(outcomes, *PAIR, 0.0)
    assert set(train.data["mode"]) == {"evaluation mode", "train mode"}
    assert set(test.data["norm"]) == {"with batch norm", "without"}
    for figure in (train, test):
        assert (figure.data["seeds"] == 3).all()
        assert figure.data["low"].notna().all()
        assert "3 seeds." in figure.caption
        assert_draws_its_data(figure)


def test_one_seed_has_no_band(shown) -> None:
    _, outcomes, _ = shown()
    for figure in batch_norm_figures(outcomes, *PAIR, 0.0):
        assert "One seed: no interval." in figure.caption
        assert "area" not in str(figure.spec["layer"])


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, "Points of test accuracy: batch norm +0.0, early stopping +8.3."),
        ({"inception": {"last": 0.55}}, "Points of test accuracy: batch norm +5.0, early stopping +4.2 to +8.3."),
        (dict.fromkeys(PAIR, UNFITTED), "Points of test accuracy: early stopping +8.3."),
        (
            dict.fromkeys(("mlp-1x8", *PAIR), UNFITTED),
            "No conclusion about implicit regularisers.",
        ),
    ],
)
def test_the_headline_counts_points_of_runs_that_fitted(shown, own, expected) -> None:
    study, _, table = shown(own=own)
    assert headline(study.verdict(table)) == expected


def test_runs_without_evaluations_are_reported_all_the_same(shown) -> None:
    study, outcomes, _ = shown(models=("mlp-1x8",))
    outcomes[0].curve["test_accuracy"][:] = np.nan
    presentation = page_of(study, outcomes, study.summarise(outcomes))
    assert presentation.figures == []
    assert rows(presentation.sections[0].table)["mlp-1x8 (n = 58)"][0][1:5] == ["50.0%", "–", "–", "–"]
