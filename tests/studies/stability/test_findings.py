"""Verdicts on made-up figures, for each way they can come out."""

import math

import pandas as pd
import pytest

from byrote.studies.stability.calculations import LOSSES, POINTS
from byrote.studies.stability.findings import findings, known, sensitivities

LOSES = "net: a replaced example loses more where labels are random"
SAYS_NOTHING = "net: the bound by uniform stability says nothing, on these data"


def network(labels, seed=0, left=0.1, largest=0.5, **changes):
    row = {"calculation": "ReplacementStability", "model": "net", "corruption": labels, "seed": seed, "n_train": 90}
    row |= {
        "num_classes": 10,
        "replacements": 18,
        "num_runs": 22,
        "num_fitted": 22,
        "num_steps": 9,
        "failed_checks": "",
        "rounding": 0.0,
    }
    for loss in LOSSES:
        row[f"{loss}_gap"] = left
        for point in POINTS:
            name, mean = f"{loss}_at_{point}", left if point == "left" else 0.01
            row |= {name: mean, f"{name}_low": mean - 0.05, f"{name}_high": mean + 0.05, f"{name}_largest": largest}
    return row | changes


def both(seeds=1, true=0.1, random=0.9, largest=(0.6, 0.95), **changes):
    rows = [
        network(labels, seed, left, most, **changes)
        for seed in range(seeds)
        for labels, left, most in zip(("true-labels", "random-labels"), (true, random), largest, strict=True)
    ]
    return pd.DataFrame(rows)


def verdict(table, seeds=1):
    return {finding.claim: finding for finding in findings(["net"], table, seeds)}


@pytest.mark.parametrize(
    ("true", "random", "outcome"),
    [(0.1, 0.9, "supported"), (0.9, 0.1, "not supported"), (0.1, 0.15, "no conclusion")],
)
def test_intervals_of_one_seed_must_not_overlap(true, random, outcome):
    finding = verdict(both(true=true, random=random))[LOSES]
    assert finding.outcome == outcome
    assert f"{true:.4f} (95% interval {true - 0.05:.4f} to {true + 0.05:.4f})" in finding.statement


def test_several_seeds_are_compared_in_pairs():
    table = both(seeds=3)
    table.loc[table["seed"] == 1, "probability_at_left"] += [0.01, 0.02]
    finding = verdict(table, 3)[LOSES]
    assert finding.outcome == "supported"
    (sensitivity,) = sensitivities(["net"], table, 3)
    assert sensitivity.changes["true-labels", "probability", "left"].interval.n == 3
    table.loc[(table["seed"] == 2) & (table["corruption"] == "random-labels"), "probability_at_left"] = 0.0
    assert verdict(table, 3)[LOSES].outcome == "no conclusion"


def test_the_largest_change_bounds_the_constant_whichever_labels_it_was_found_on():
    supported = verdict(both(largest=(0.2, 0.95)))[SAYS_NOTHING]
    assert supported.outcome == "supported"
    assert "at least 0.950" in supported.statement
    assert "the measured gap is 0.100 on true labels and 0.900 on random ones" in supported.statement.lower()
    assert verdict(both(largest=(0.95, 0.2)))[SAYS_NOTHING].outcome == "supported"
    small = verdict(both(largest=(0.2, 0.5)))[SAYS_NOTHING]
    assert small.outcome == "no conclusion"
    assert "other data may show a larger change" in small.statement


def test_a_seed_is_an_algorithm_of_its_own():
    table = both(seeds=2)
    of_one = (table["seed"] == 1) & table["corruption"].isin(["true-labels", "random-labels"])
    for loss in LOSSES:
        for point in POINTS:
            table.loc[of_one, f"{loss}_at_{point}_largest"] = 0.3
    (sensitivity,) = sensitivities(["net"], table, 2)
    assert sensitivity.uniform("probability") == 0.3
    assert sensitivity.changes["random-labels", "probability", "left"].largest == 0.95


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"num_fitted": 21},
            "When their steps were up, these networks had not fitted: 1 of 22 with true labels",
        ),
        ({"failed_checks": "labels"}, "A self-check failed (labels)"),
    ],
)
def test_networks_that_did_not_fit_or_failed_a_check_decide_nothing(changes, told):
    found = verdict(both(**changes))
    assert {found[claim].outcome for claim in (LOSES, SAYS_NOTHING)} == {"no conclusion"}
    assert told in found[LOSES].statement


def test_calculations_that_have_not_finished_decide_nothing():
    table = both().iloc[:1]
    assert (
        verdict(table)[LOSES].statement
        == "1 of 2 calculations have not finished, or have failed: the same command, given again, tries those that are "
        "missing."
    )
    assert verdict(pd.DataFrame())[LOSES].outcome == "no conclusion"
    (sensitivity,) = sensitivities(["net"], pd.DataFrame(), 1)
    assert math.isnan(sensitivity.uniform("probability"))


def test_one_replacement_has_no_interval():
    table = both()
    table[["probability_at_left_low", "probability_at_left_high"]] = math.nan
    finding = verdict(table)[LOSES]
    assert finding.outcome == "no conclusion"
    assert "(no interval)" in finding.statement


@pytest.mark.parametrize(("num", "outcome"), [(7, "no conclusion"), (8, "supported")])
def test_few_replacements_decide_nothing(num, outcome):
    assert verdict(both(replacements=num))[LOSES].outcome == outcome


def test_what_theory_knows_is_compared_case_by_case():
    ridge = {"calculation": "RidgeStability", "num_trained": 50, "removal": 0.1, "removal_bound": 0.4}
    ridge |= {"replacement": 0.2, "replacement_bound": 0.8, "in_range": True, "tight_removal": 0.3, "tight_bound": 0.3}
    sgd = {"calculation": "SgdStability", "num_trained": 50, "replacement": 0.1, "replacement_bound": 2.0}
    sgd |= {"tight_replacement": 0.49, "tight_bound": 0.5}
    rows = known(pd.DataFrame([ridge, sgd]))
    assert rows["measured"].tolist() == [0.1, 0.2, 0.3, 0.1, 0.49]
    assert rows["bound"].tolist() == [0.4, 0.8, 0.3, 2.0, 0.5]
    assert "predictions within the targets' range" in rows["note"].tolist()
    claim = "Where theory is exact, what is measured stays below its bound"
    assert verdict(pd.DataFrame([ridge, sgd]))[claim].outcome == "supported"
    assert verdict(pd.DataFrame([ridge | {"removal": 0.5}]))[claim].outcome == "not supported"
