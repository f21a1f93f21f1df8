import math

import pandas as pd
import pytest

from byrote.studies.min_norm.findings import findings, fits_of, fits_random_labels, generalises, obstacle
from byrote.studies.min_norm.rows import KernelRow

PIXELS, GABOR, CONVOLUTIONS = KernelRow("inputs"), KernelRow("gabor"), KernelRow("random-convolutions")
WITH_L2 = KernelRow("random-convolutions", regularized=True)


def fit(row, labels="true labels", **changes):
    """A function that interpolates 1,000 examples; with random labels one at chance."""
    is_true = labels == "true labels"
    values = {
        "calculation": "KernelInterpolation",
        "features": row.features,
        "regularized": row.regularized,
        "labels": labels,
        "seed": 0,
        "n_train": 1000,
        "n_test": 1000,
        "n_test_effective": 1000.0,
        "num_test_leaked": 0,
        "guessing": 0.1,
        "balanced_guessing": 0.1,
        "num_classes": 10,
        "train_error": 0.0,
        "interpolated": True,
        "test_error": 0.1 if is_true else 0.9,
        "norm": 10.0 if is_true else 100.0,
        "scaled_norm": 10.0 if is_true else 100.0,
        "rademacher_bound": 0.3 if is_true else 3.0,
        "ridge": 0.01 if row.regularized else 0.0,
        "chance_deviation": 0.01,
        "paper_test_error": math.nan,
    } | changes
    return {"test_accuracy": 1 - values["test_error"], "test_accuracy_unleaked": math.nan} | values


def small(**changes):
    """The five solutions on few examples."""
    values = {
        "calculation": "ImplicitBias",
        "n_train": 300,
        "num_steps": 10_000,
        "sgd_distance": 1e-4,
        "gd_distance": 1e-3,
        "random_start_distance": 0.9,
        "sgd_residual": 1e-5,
        "random_start_residual": 1e-5,
        "hessian_difference": 1e-15,
    } | changes
    return [
        values | {"interpolant": str(number), "norm": 10.0 + number, "test_error": 0.1 + number / 10}
        for number in range(5)
    ]


def table(*rows):
    return pd.DataFrame(rows)


def outcomes(sizes, *rows):
    return {finding.claim: finding.outcome for finding in findings(sizes, table(*rows))}


def test_fits_are_those_of_the_row_the_labels_and_n():
    rows = [fit(PIXELS), fit(PIXELS, n_train=100), fit(GABOR), fit(PIXELS, "random labels", seed=1), *small()]
    assert fits_of(table(*rows), PIXELS, "true labels")["n_train"].tolist() == [100, 1000]
    assert len(fits_of(table(*rows), PIXELS, "true labels", 1000)) == 1
    assert fits_of(table(*rows), PIXELS, "random labels")["seed"].tolist() == [1]
    assert fits_of(table(*rows), CONVOLUTIONS, "true labels").empty
    assert fits_of(pd.DataFrame(), PIXELS, "true labels").empty
    assert fits_of(table(*small()), PIXELS, "true labels").empty


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "supported"),
        ({"test_error": 0.8}, "not supported"),
        ({"test_error": 0.7}, "no conclusion"),
        ({"test_error": 0.65}, "no conclusion"),
        ({"interpolated": False}, "no conclusion"),
    ],
)
def test_an_interpolant_generalises_far_from_chance_or_not_at_all(changes, expected):
    finding = generalises(PIXELS, 1000, table(fit(PIXELS, **changes)))
    assert finding.outcome == expected
    assert finding.claim == "Raw inputs: minimum-norm interpolation generalises without regularisation"
    if "test_error" in changes and expected == "no conclusion":
        assert finding.statement.endswith("More test examples would tell.")


def test_the_papers_error_stands_beside_ours():
    finding = generalises(PIXELS, 1000, table(fit(PIXELS, paper_test_error=0.012)))
    assert "a test error of 10.00%. It has a test accuracy of 90.0%" in finding.statement
    assert finding.statement.endswith("Its norm is 10. The paper: 1.20%.")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, "supported"), ({"test_error": 0.8}, "not supported"), ({"interpolated": False}, "no conclusion")],
)
def test_random_labels_are_interpolated_and_tested_at_chance_by_renamings_of_the_classes(changes, expected):
    draws = [fit(PIXELS, "random labels", seed=seed, **changes) for seed in range(3)]
    finding = fits_random_labels(PIXELS, 1000, table(*draws))
    assert finding.outcome == expected
    if expected == "supported":
        assert "chance for 99.9% of all renamings of the classes, 3 seeds" in finding.statement
    # Where predictions are so few that it spreads wider, the same error may be chance or not.
    wide = fits_random_labels(PIXELS, 1000, table(*(draw | {"chance_deviation": 0.1} for draw in draws)))
    assert wide.outcome == "no conclusion"
    if expected != "no conclusion":
        assert "which tells nothing of chance" in wide.statement


def test_what_does_not_interpolate_decides_nothing_and_says_so():
    rough = table(fit(PIXELS, interpolated=False, train_error=0.25), fit(PIXELS, seed=1))
    assert obstacle(PIXELS, rough) == "1 of 2 fits do not interpolate n = 1,000 examples: training error 25.00%."
    assert obstacle(WITH_L2, rough) is None  # nor is it meant to
    assert obstacle(PIXELS, rough.iloc[:0]) == (
        "The one calculation has not finished, or has failed: the same command, given again, tries it."
    )


@pytest.mark.parametrize(
    ("norms", "expected", "words"),
    [
        ((100.0, 101.0, 99.0), "supported", "one more draw would lie between 95.15 and 105.1 with 95%"),
        ((9.0, 9.1, 8.9), "not supported", "between 8.516 and 9.51 with"),
        ((12.0, 11.0, 14.0), "no conclusion", "one more draw would lie between"),
        ((100.0,), "no conclusion", "three would tell"),
        ((), "no conclusion", "has not finished"),
    ],
    ids=["larger", "smaller", "as one of them", "one draw", "none"],
)
def test_the_norm_tells_random_labels_from_true_ones(norms, expected, words):
    """10 for true labels: they tell once it is none that random ones would have."""
    rows = [
        fit(PIXELS),
        *(fit(PIXELS, "random labels", scaled_norm=norm, seed=seed) for seed, norm in enumerate(norms)),
    ]
    claim = "Raw inputs: the norm is larger for random labels than for true ones"
    (found,) = (each for each in findings({PIXELS: 1000}, table(*rows)) if each.claim == claim)
    assert found.outcome == expected
    assert words in found.statement


@pytest.mark.parametrize(
    ("norms", "counts", "sizes", "expected"),
    [
        ((220, 390), (10, 90), (1000, 1000), "supported"),
        ((390, 220), (10, 90), (1000, 1000), "not supported"),
        ((220, 390), (50, 50), (1000, 1000), "no conclusion"),
        ((220, 390), (10, 90), (1000, 500), "no conclusion"),
    ],
    ids=["larger norm better", "smaller norm better", "equal errors", "other n"],
)
def test_the_norm_orders_features_or_not(norms, counts, sizes, expected):
    pixels = fit(
        PIXELS,
        test_error=0.18,
        scaled_norm=norms[0],
        n_train=sizes[0],
        won_against_gabor=counts[0],
        lost_against_gabor=counts[1],
    )
    gabor = fit(GABOR, test_error=0.1, scaled_norm=norms[1], n_train=sizes[1])
    found = outcomes({PIXELS: sizes[0], GABOR: sizes[1]}, pixels, gabor)
    (claim,) = (claim for claim in found if claim.startswith("The norm does not tell which generalises better: "))
    assert found[claim] == expected


@pytest.mark.parametrize(
    ("won", "lost", "without", "expected"),
    [
        (90, 10, 0.18, "supported"),
        (10, 90, 0.18, "not supported"),
        (50, 50, 0.18, "no conclusion"),
        (90, 10, 0.88, "not supported"),
        (90, 10, 0.68, "no conclusion"),
    ],
    ids=["helps", "harms", "within noise", "nothing generalised without", "whether it generalised without is open"],
)
def test_l2_helps_what_generalises_without_it(won, lost, without, expected):
    with_l2 = fit(WITH_L2, train_error=0.01, interpolated=False, won_against_no_l2=won, lost_against_no_l2=lost)
    free = fit(CONVOLUTIONS, test_error=without)
    claim = "Random convolutions: l2 lowers the test error, and they generalise without it"
    assert outcomes({CONVOLUTIONS: 1000, WITH_L2: 1000}, with_l2, free)[claim] == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "supported"),
        ({"sgd_distance": 0.2}, "not supported"),
        ({"random_start_distance": 1e-5}, "not supported"),
        ({"sgd_residual": 0.1}, "no conclusion"),
    ],
    ids=["zero alone", "not from zero", "from anywhere", "not there yet"],
)
def test_descent_from_zero_finds_the_shortest(changes, expected):
    claim = "SGD from zero converges to the interpolant of minimum norm; from elsewhere it does not"
    assert outcomes({}, *small(**changes))[claim] == expected


@pytest.mark.parametrize(("difference", "expected"), [(1e-15, "supported"), (0.1, "not supported")])
def test_interpolants_have_the_same_curvature(difference, expected):
    claim = "Interpolants of very different norm and test error have the same curvature"
    assert outcomes({}, *small(hessian_difference=difference))[claim] == expected


def test_nothing_computed_concludes_nothing():
    found = findings({PIXELS: 1000, CONVOLUTIONS: 1000, WITH_L2: 1000}, pd.DataFrame())
    assert {finding.outcome for finding in found} == {"no conclusion"}
    assert len(found) == 2 + 2 + 2 + 1 + 1 + 2


def test_naming_the_largest_class_is_no_generalising():
    finding = generalises(
        PIXELS, 1000, pd.DataFrame([fit(PIXELS, test_error=0.05, guessing=0.95, balanced_test_accuracy=math.nan)])
    )
    assert finding.outcome != "supported"
    assert "where guessing has 95.0%" in finding.statement
