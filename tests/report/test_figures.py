from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from byrote.report.figures import binned, condition_label, over_seeds, setting_label, slug
from byrote.training.spec import Corruption, TrainSpec


@pytest.mark.parametrize(
    ("corruption", "rate", "label"),
    [
        ("true-labels", 0.0, "true labels"),
        ("partial-labels", 0.25, "partial labels 25%"),
        ("partial-labels+gaussian", 0.125, "partial labels 12.5%, Gaussian"),
        ("random-pixels", 1.0, "random pixels"),
    ],
)
def test_setting_label(corruption, rate, label) -> None:
    assert setting_label(corruption, rate) == label


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


def test_a_slug_is_a_part_of_a_files_name() -> None:
    assert slug("my net.py:Net-2000") == "my-net-py-net-2000"
