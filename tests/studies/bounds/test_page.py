"""The scoreboard shows each measure once, and the table what each says."""

import math

import pandas as pd
import pytest

from byrote.studies.bounds.calculations import column, column_of_bound, column_of_reason
from byrote.studies.bounds.findings import findings, readings
from byrote.studies.bounds.page import measures_table, present, scoreboard
from byrote.studies.bounds.study import BOUNDS, BoundsStudy
from byrote.studies.study import Results
from byrote.theory.measures.catalog import MEASURES


def make_table(seeds=3, models=("net",), **values):
    """Every measure is 1 on true labels and 10 on random ones, but for `values`: a pair each."""
    rows = []
    for model in models:
        for seed in range(seeds):
            for number, corruption in enumerate(("true-labels", "random-labels")):
                row = {"model": model, "corruption": corruption, "seed": seed, "guessing": 0.1, "failed_checks": ""}
                row |= {"train_accuracy": 1.0, "test_accuracy": 0.5, "fitted": True, "n_train": 60}
                row |= {"stop": "at_interpolation", "stop_reason": "epochs", "epochs_run": 500, "learning_rate": 0.01}
                row |= {"steps": pd.NA}
                row |= {column(name): values.get(name, (1.0, 10.0))[number] for name in MEASURES}
                row |= {column_of_reason(name): "" for name in MEASURES}
                rows.append(row | {column_of_bound(name): row[column(name)] for name in BOUNDS})
    return pd.DataFrame(rows)


def test_a_row_a_measure_with_its_ratio():
    table = make_table(**{"parameters": (7.0, 7.0), "margin": (8.0, 2.0), "pac-bayes": (0.4, 1.0)})
    figure = scoreboard(readings(table), table)
    data = figure.data.set_index("measure")
    assert list(data.index) == [measure.title for measure in MEASURES.values()]
    assert data.loc["path norm over margin", "ratio"] == pytest.approx(10)
    assert data.loc["number of parameters", ["ratio", "told"]].tolist() == [1, "no"]
    # Turned round: less is worse.
    assert data.loc["margin, 10% quantile", ["ratio", "told"]].tolist() == [4, "yes"]
    assert data.loc[["VC dimension", "PAC-Bayes, optimised"], "says"].tolist() == ["vacuous", "says something"]
    assert "3 seeds" in figure.caption
    assert figure.spec["layer"]


def test_ratios_have_an_interval_over_seeds():
    table = make_table(seeds=2)
    table.loc[(table["seed"] == 1) & (table["corruption"] == "random-labels"), "path_norm"] *= 4
    row = scoreboard(readings(table), table).data.set_index("measure").loc["path norm over margin"]
    assert row["ratio"] == pytest.approx(20)
    assert row["low"] < 10 < 40 < row["high"]
    one = make_table(seeds=1)
    assert scoreboard(readings(one), one).data["low"].isna().all()


def test_what_has_no_ratio_is_not_drawn():
    table = make_table(**{"top-eigenvalue": (-1.0, 2.0), "sharpness": (math.nan, math.nan)})
    data = scoreboard(readings(table), table).data.set_index("measure")
    assert data.loc[["top Hessian eigenvalue", "sharpness"], "ratio"].isna().all()


def test_a_page_without_any_network_that_fitted_still_stands():
    table = make_table().assign(fitted=False)
    assert scoreboard(readings(table), table).data["ratio"].isna().all()


def test_the_table_says_what_bounds_say():
    found = readings(make_table(**{"pac-bayes": (0.4, 0.95)}))
    table = measures_table(found)
    assert [len(rows) for rows in table.blocks.values()] == [3, 1, 4, 4, 3]
    vc, _, pac_bayes = table.blocks["bounds"]
    assert [cell.note for cell in vc[1:3]] == ["vacuous", "vacuous"]
    assert [cell.note for cell in pac_bayes[1:3]] == ["says something", "no better than guessing"]
    assert (vc[3].text, vc[3].note) == ("yes", "+0.82")


def test_what_does_not_exist_is_said_beneath(tiny):
    table = make_table(models=("one", "two"), vc=(math.nan, math.nan))
    table["vc_why_not"] = "got a Tanh"
    shown = present(BoundsStudy(tiny), Results(BoundsStudy(tiny), []), table, findings(table))
    assert [section.title for section in shown.sections] == ["Scoreboard of one", "Scoreboard of two"]
    assert "Measures without a value: got a Tanh." in shown.sections[0].note
    assert "True labels: 3 of 3 networks fitted, train accuracy 100.0%, test 50.0%." in shown.sections[0].note
    assert shown.sections[0].table is not None
    row = shown.sections[0].table.blocks["bounds"][0]
    assert [cell.text for cell in row[1:]] == ["–", "–", "no conclusion"]
