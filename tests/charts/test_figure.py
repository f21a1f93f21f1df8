from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from byrote.charts.figure import MOST_CURVES, banded, binned, condition_label, drawn_of, over_seeds, slug, steps_x
from byrote.training.spec import Corruption, TrainSpec


def test_a_condition_is_all_that_runs_differ_in() -> None:
    corruptions = (Corruption(name="random-labels"),)
    spec = TrainSpec(model="mlp-1x8", corruptions=corruptions, augmentation="random-crop", weight_decay=5e-4, seed=3)
    assert condition_label(spec) == "random labels, random crop, weight decay 0.0005"
    assert condition_label(TrainSpec(model="mlp-1x8")) == "true labels"


def test_means_over_seeds_keep_their_number_and_interval() -> None:
    frame = pd.DataFrame({"n": [1, 1, 2], "value": [0.1, 0.3, 0.5]})
    first, second = over_seeds(frame, ["n"], "value", "mean").to_dict("records")
    assert (first["mean"], first["seeds"], second["seeds"]) == (0.2, 2, 1)
    assert first["low"] < 0.2 < first["high"]
    assert np.isnan(second["low"])


def test_bins_keep_the_mean_of_what_falls_into_them() -> None:
    step = np.arange(1.0, 1001)
    points = binned(step, 2 * step, 1000, 40)
    assert len(points) <= 40
    np.testing.assert_allclose(points[:, 1], 2 * points[:, 0])


def test_bins_leave_out_what_was_not_measured() -> None:
    points = binned(np.arange(1.0, 101), np.r_[np.full(50, np.nan), np.arange(50.0)], 100, 10)
    assert np.isnan(points[0, 1])
    assert points[-1, 1] == pytest.approx(np.arange(50.0)[-(100 - 75) :].mean(), abs=1)


def test_of_very_many_runs_alike_some_are_drawn_and_that_is_said() -> None:
    settings = ["true", "random"] * 1000 + ["rare"] * 3
    rows, said = drawn_of(settings)
    assert rows == sorted(set(rows))
    assert [[settings[row] for row in rows].count(name) for name in ("true", "random", "rare")] == [200, 200, 3]
    assert {0, 1, 1998, 1999, 2002} <= set(rows)
    assert said.startswith("Curves are those of 403 of 2,003 runs: of more than 200 under one setting, 200 that are")
    assert drawn_of(settings[: 2 * MOST_CURVES]) == (list(range(2 * MOST_CURVES)), "")
    assert drawn_of([]) == ([], "")


def test_a_band_has_the_mean_and_the_quantiles_of_curves_that_count_on() -> None:
    curves = [np.array([[1.0, value], [2.0, value]]) for value in range(10)]
    curves.append(np.array([[1.0, 10.0], [2.0, 10.0], [3.0, 0.0]]))
    band = banded(curves, "loss")
    assert band["step"].tolist() == [1, 2, 3]
    assert band["loss"].tolist() == pytest.approx([5, 5, 45 / 11])
    assert (band["low"].tolist(), band["high"].tolist()) == ([1, 1, 0], [9, 9, 8])


def test_steps_are_drawn_on_a_logarithmic_axis() -> None:
    assert steps_x().to_dict()["scale"] == {"type": "log", "nice": False}


def test_a_slug_is_a_part_of_a_files_name() -> None:
    assert slug("my net.py:Net-2000") == "my-net-py-net-2000"
