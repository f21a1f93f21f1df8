import numpy as np
import pandas as pd
import pytest

from byrote.studies.expressivity.findings import findings, headline, outcome_of_ratios

FAMILY = "mlp-1x{width}"


def built(construction="two-layer", **changes):
    row = {
        "calculation": "BuiltNetwork",
        "construction": construction,
        "n": 100,
        "n_train": 100,
        "d": 4,
        "num_classes": 10,
        "num_weights": 204,
        "num_units": 12,
        "depth": 4,
        "width": 34,
        "slabs": 3,
        "accuracy": 1.0,
        "largest_error": 1e-9,
        "test_accuracy_true_labels": 0.12,
        "n_test": 500,
        "num_test_leaked": 0,
        "n_test_effective": 500.0,
        "guessing": 0.1,
    }
    return row | changes


def trained(**changes):
    row = {
        "calculation": "FittingWidth",
        "model": FAMILY,
        "n_train": 100,
        "d": 4,
        "parameters": 408.0,
        "limit_steps": 1500,
        "failed_checks": "",
    }
    return row | changes


def overridden(**changes):
    row = {
        "calculation": "Manipulation",
        "model": "mlp-1x64",
        "parameters": 4810.0,
        "num_chosen": 10,
        "num_as_wanted": 10,
        "others_changed": 0,
        "num_others": 50,
        "weights_added": 34,
        "test_accuracy": 0.9,
        "train_accuracy": 1.0,
        "fitted": True,
    }
    return row | changes


def found(*rows):
    """By their place: theorem, depth, units, trained, capacity, override."""
    names = ("theorem", "depth", "units", "trained", "capacity", "override")
    return dict(zip(names, findings(pd.DataFrame(rows), [FAMILY]), strict=True))


def test_without_results_nothing_is_concluded():
    assert {finding.outcome for finding in found().values()} == {"no conclusion"}


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "supported"),
        ({"accuracy": 0.99, "largest_error": 0.7}, "not supported"),
        ({"num_weights": 205}, "not supported"),
    ],
)
def test_the_theorem_wants_the_exact_count_and_every_label(changes, outcome):
    finding = found(built(n=8, num_weights=20), built(**changes))["theorem"]
    assert finding.outcome == outcome
    assert "At n = 8, 100" in finding.statement
    assert (
        headline([finding])
        == {
            "supported": "2n + d weights represent any labels.",
            "not supported": "Theorem 1 was not seen to hold.",
        }[outcome]
    )


def test_depth_and_units_are_told_of_the_largest_n():
    told = found(built("deep", num_weights=209), built("hyperplanes", num_weights=72))
    assert told["depth"].outcome == told["units"].outcome == "supported"
    assert "209 free weights and no layer wider than 34" in told["depth"].statement
    assert "12 units, four for each of 3 slabs" in told["units"].statement
    assert found(built("hyperplanes", num_units=100))["units"].outcome == "not supported"


@pytest.mark.parametrize(
    ("changes", "outcome", "words"),
    [
        ({}, "supported", "408 parameters at n = 100, 2.0 times 2n + d"),
        ({"parameters": 102.0}, "not supported", "0.5 times"),
        ({"parameters": float("nan")}, "no conclusion", "No size tried has fitted"),
        ({"failed_checks": "labels"}, "no conclusion", "A self-check failed (labels)"),
    ],
)
def test_trained_networks_are_measured_by_the_theorem(changes, outcome, words):
    finding = found(*(trained(**changes) for _ in range(3)))["trained"]
    assert finding.outcome == outcome
    assert words in finding.statement


def test_one_draw_of_labels_does_not_tell_how_many_weights_others_take():
    finding = found(trained())["trained"]
    assert finding.outcome == "no conclusion"
    assert finding.statement.endswith("Three seeds would tell.")
    apart = found(*(trained(parameters=204.0 * times) for times in (1.4, 0.9, 1.2)))["trained"]
    assert apart.outcome == "no conclusion"


def test_a_size_that_was_not_found_leaves_the_comparison_open():
    rows = [trained(), trained(n_train=50, parameters=float("nan"))]
    finding = found(*rows)["trained"]
    assert finding.outcome == "no conclusion"
    assert "No size tried has fitted every draw at n = 50." in finding.statement


def test_a_memoriser_that_generalised_would_count_against_the_claim():
    assert found(built())["capacity"].outcome == "supported"
    # 100 labels of ten classes have 332 bits: five weights of 64 hold 320, six hold them.
    assert "No network of fewer than 6 float64 weights can hold" in found(built())["capacity"].statement
    assert found(built(test_accuracy_true_labels=0.9))["capacity"].outcome == "not supported"
    assert found(built(test_accuracy_true_labels=0.3))["capacity"].outcome == "no conclusion"
    assert found(built(n_test=20, n_test_effective=20.0))["capacity"].outcome == "no conclusion"
    leaked = found(built(num_test_leaked=480))["capacity"]
    assert leaked.outcome == "no conclusion"
    assert "20 test examples that are not in training" in leaked.statement
    assert found(built(test_accuracy_true_labels=float("nan")))["capacity"].outcome == "no conclusion"


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "supported"),
        ({"others_changed": 1}, "not supported"),
        ({"num_as_wanted": 9}, "not supported"),
        ({"fitted": False, "train_accuracy": 0.5}, "no conclusion"),
    ],
)
def test_overriding_changes_the_chosen_ones_and_no_other(changes, outcome):
    finding = found(overridden(**changes))["override"]
    assert finding.outcome == outcome


@pytest.mark.parametrize(
    ("logarithms", "outcome"),
    [
        ([[1.0, 1.1, 1.2]] * 4, "supported"),
        ([[1.0, 1.1, 1.2]] * 3 + [[-0.1, 0.0, 0.1]], "no conclusion"),
        # Less at one n with p = 0.013: asked at four, that is chance; asked at one, it is not.
        ([[1.0, 1.1, 1.2]] * 3 + [[-0.8, -1.0, -1.2]], "no conclusion"),
        ([[-0.8, -1.0, -1.2]], "not supported"),
        ([[1.0, 1.1, 1.2]] * 3 + [[-0.99, -1.0, -1.01]], "not supported"),
        ([[1.0], [1.0]], "no conclusion"),
        # Draws that agree are no surer than the grid, of which neighbours differ by a fifth.
        ([[1.0, 1.0, 1.0]], "supported"),
        ([[0.1, 0.1, 0.1]], "no conclusion"),
    ],
)
def test_more_at_every_n_supports_and_less_at_any_refutes(logarithms, outcome):
    assert outcome_of_ratios([np.array(each) for each in logarithms]) == outcome


@pytest.mark.parametrize(
    ("num_classes", "guessing", "right", "outcome"),
    [(2, 0.5, 0.52, "supported"), (2, 0.5, 0.98, "not supported"), (2, 0.95, 0.9, "no conclusion")],
)
def test_few_classes_do_not_make_a_good_memoriser_a_bad_one(num_classes, guessing, right, outcome):
    """Three times the accuracy of guessing, where that is a half, would be more than all."""
    row = built(num_classes=num_classes, guessing=guessing, test_accuracy_true_labels=right)
    assert found(row)["capacity"].outcome == outcome
