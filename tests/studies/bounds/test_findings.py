import math

import pandas as pd
import pytest

from byrote.studies.bounds.calculations import column, column_of_bound, column_of_reason
from byrote.studies.bounds.findings import findings, headline, number, readings
from byrote.studies.bounds.study import BOUNDS
from byrote.theory.measures.catalog import MEASURES


def table(seeds=3, *, fitted=lambda corruption, seed: True, own=lambda corruption, seed: {}, models=("net",)):
    """All measures are 1 on true labels and 2 on random ones, but for what `own` says."""
    rows = []
    for model in models:
        for seed in range(seeds):
            for corruption in ("true-labels", "random-labels"):
                value = 1.0 + (corruption == "random-labels") + 0.01 * seed
                row = {"model": model, "corruption": corruption, "seed": seed, "guessing": 0.1, "failed_checks": ""}
                row |= {"train_accuracy": 1.0, "fitted": fitted(corruption, seed), "n_train": 60}
                row |= {"stop": "at_interpolation", "stop_reason": "epochs", "epochs_run": 500, "learning_rate": 0.01}
                row |= {"steps": pd.NA}
                row |= {column(name): value for name in MEASURES} | {column_of_reason(name): "" for name in MEASURES}
                row |= own(corruption, seed)
                rows.append(row | {column_of_bound(name): row[column(name)] for name in BOUNDS})
    return pd.DataFrame(rows)


def of(name, found):
    title = MEASURES[name].title
    return next(finding for finding in found if finding.claim.lower().startswith(title.lower()))


def test_larger_on_random_labels_with_every_seed_tells():
    found = findings(table())
    finding = of("path-norm", found)
    assert finding.claim == "Path norm over margin tells true labels from random ones"
    assert finding.outcome == "supported"
    assert "its mean is 1.01 on true labels and 2.01 on random ones (3 and 3 networks)." in finding.statement
    assert "Relative difference, +0.33 (95% interval over seeds, of this measure by itself: +0.3" in finding.statement


def test_a_margin_tells_by_being_smaller():
    assert of("margin", findings(table())).outcome == "not supported"
    smaller = table(own=lambda corruption, seed: {"margin": 1.0 if corruption == "random-labels" else 3.0 + seed / 100})
    assert of("margin", findings(smaller)).outcome == "supported"
    assert "its sign reversed" in of("margin", findings(smaller)).statement


def test_the_same_on_both_does_not_tell():
    same = table(own=lambda corruption, seed: {"parameters": 7.0})
    assert of("parameters", findings(same)).outcome == "not supported"


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (table(1), "Three seeds would tell."),
        (
            table(fitted=lambda corruption, seed: corruption == "true-labels"),
            "Those that had not fitted count once they do: try `--epochs 1000`, twice as many.",
        ),
        (
            table(own=lambda corruption, seed: {"path_norm": math.nan, "path_norm_why_not": "got a Tanh"}),
            "does not exist for this network: got a Tanh.",
        ),
    ],
)
def test_without_networks_that_compare_there_is_no_conclusion(made, told):
    finding = of("path-norm", findings(made))
    assert finding.outcome == "no conclusion"
    assert told in finding.statement


@pytest.mark.parametrize(
    ("value", "says"), [(1.2, "vacuous"), (0.93, "no better than guessing"), (0.4, "says something")]
)
def test_a_bound_says_as_much_as_it_leaves_out(value, says):
    made = table(own=lambda corruption, seed: {"pac_bayes": value if corruption == "true-labels" else 1.0})
    reading = next(reading for reading in readings(made) if reading.name == "pac-bayes")
    assert reading.says("true-labels") == says
    assert reading.says("random-labels") == "vacuous"
    statement = of("pac-bayes", findings(made)).statement
    assert f"on true labels at most {value:.3g} ({says})" in statement
    assert "on random labels at most 1 (vacuous)" in statement
    path = next(reading for reading in readings(made) if reading.name == "path-norm")
    assert path.says("true-labels") is None


def test_the_headline_counts():
    made = table(own=lambda corruption, seed: {"parameters": 7.0, "pac_bayes": 0.4})
    told = headline(readings(made))
    assert told.startswith(f"{len(MEASURES) - 3} of {len(MEASURES)} measures tell true labels from random ones; ")
    assert told.endswith("1 of 3 bounds says anything.")
    assert headline(readings(table(1))) == "No conclusion about bounds and measures."


def test_several_models_have_findings_each():
    found = findings(table(models=("narrow", "wide")))
    assert len(found) == 2 * len(MEASURES)
    assert found[0].claim.startswith("narrow: VC dimension")
    assert found[-1].claim.startswith("wide: ")
    assert findings(pd.DataFrame()) == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.01234, "0.0123"), (12345.6, "12,300"), (1.234e7, "1.23e+07"), (1e-5, "1.00e-05"), (0.0, "0"), (math.nan, "–")],
)
def test_numbers_have_three_digits(value, shown):
    assert number(value) == shown


def test_a_bound_above_the_error_of_naming_the_largest_class_says_nothing():
    unequal = table(own=lambda corruption, seed: dict.fromkeys(map(column, BOUNDS), 0.3) | {"guessing": 0.95})
    assert {reading.says("true-labels") for reading in readings(unequal) if reading.name in BOUNDS} == {
        "no better than guessing"
    }
