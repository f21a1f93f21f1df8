"""Figures and settings read as people write them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from byrote.evidence.words import (
    count_of_seeds,
    mean_of_seeds,
    percent,
    percent_range,
    regularizers,
    seeds_of,
    steps_in_words,
)


@pytest.mark.parametrize(
    ("fraction", "shown"), [(1.0, "100.0%"), (0.99999, "99.9%"), (0.9714, "97.1%"), (0.0, "0.0%"), (np.nan, "–")]
)
def test_only_all_of_it_reads_100_percent(fraction, shown) -> None:
    assert percent(fraction) == shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none", 0.0, 0.0), ""),
        (("random-crop", 0.0, 5e-4), "random crop, weight decay 0.0005"),
        (("my.py:flip", 0.5, 0.0), "my.py:flip, dropout 0.5"),
    ],
)
def test_regularizers_in_words(arguments, words):
    assert regularizers(*arguments) == words


def test_seeds_are_counted_and_a_single_one_has_no_interval() -> None:
    assert (count_of_seeds(3), count_of_seeds(1), count_of_seeds(1, "1 seed")) == ("3 seeds", "one seed", "1 seed")
    assert seeds_of(pd.DataFrame({"seed": [0, 0, 4]})) == "2 seeds"
    assert seeds_of(pd.DataFrame({"seed": [4, 4]})) == "one seed, so no interval over seeds"
    assert (mean_of_seeds(3), mean_of_seeds(1)) == ("mean of 3 seeds", "one seed")


def test_a_range_shows_something_of_its_upper_end() -> None:
    assert percent_range(0.012, 0.034) == "1.2 to 3.4%"
    assert percent_range(0.0, 7 / 70_000) == "0.000 to 0.010%"
    assert percent_range(0.00001, 0.00012) == "0.001 to 0.012%"
    assert percent_range(0.0, 0.0) == "0.0 to 0.0%"


def test_of_steps_that_did_not_come_nothing_is_said_beyond_the_run() -> None:
    assert steps_in_words(pd.Series([1000.0, 1400.0])) == "1,200"
    assert steps_in_words(pd.Series([1000.0, np.nan, np.nan])) == "in 1 of 3 runs alone"
    assert steps_in_words(pd.Series([np.nan, np.nan])) == "not within its steps"
